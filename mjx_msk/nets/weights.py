"""The networks' weights on disk (safetensors), a file each: nothing in a file is executed."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mjx_msk.errors import MskError
from mjx_msk.files import replacing
from mjx_msk.model import Model
from mjx_msk.nets.idt import IDT, IDTConfig
from mjx_msk.nets.ikt import IKT, IKTConfig

Network = TypeVar("Network", IKT, IDT)

_FORMAT = "mjx-msk network 2"
_CONFIGS = {IKT: IKTConfig, IDT: IDTConfig}


def save_weights(
    path: str | os.PathLike[str], network: IKT | IDT, about: dict[str, Any] | None = None
) -> None:
    """Write the parameters as float32, with the network's kind and size and facts ``about`` it."""
    flat = nnx.to_flat_state(nnx.state(network, nnx.Param))
    tensors = {_name(key): np.asarray(value[...], np.float32) for key, value in flat}
    facts = {
        "format": _FORMAT,
        "kind": type(network).__name__,
        "config": json.dumps(dataclasses.asdict(network.config)),
        "about": json.dumps(about or {}),
    }
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata=facts)


def load_weights(
    path: str | os.PathLike[str], kind: type[Network], model: Model
) -> tuple[Network, dict[str, Any]]:
    """Return a file's network, ``IKT`` or ``IDT`` of the default ``model``, and the facts about it.

    Raises ``MskError`` for a file that is missing, damaged, foreign or of another network or model.
    """
    where = str(path)
    if not Path(path).is_file():
        raise MskError("no such file.", where=where, remedy="Give weights that training wrote.")
    try:
        with safe_open(where, framework="numpy") as file:
            facts = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if (facts.get("format"), facts.get("kind")) != (_FORMAT, kind.__name__):
            raise ValueError(f"not of an {kind.__name__}")
        config: Any = _CONFIGS[kind](**json.loads(facts["config"]))
        network = nnx.eval_shape(lambda: kind(config, model, rngs=nnx.Rngs(0)))
        flat = nnx.to_flat_state(nnx.state(network, nnx.Param))
        if {_name(key): value.shape for key, value in flat} != {
            name: value.shape for name, value in tensors.items()
        }:
            raise ValueError("of other sizes")
        filled = [(key, value.replace(jnp.asarray(tensors[_name(key)]))) for key, value in flat]
        nnx.update(network, nnx.from_flat_state(filled))
        return network, json.loads(facts["about"])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise MskError(
            f"these are not weights of this network ({error}).",
            where=where,
            remedy=f"Give the {kind.__name__.lower()}.safetensors that mjx-msk train wrote.",
        ) from error


def _name(key: tuple) -> str:
    return ".".join(str(part) for part in key)
