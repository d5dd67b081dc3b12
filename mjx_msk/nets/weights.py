"""Both networks as one, and their weights on disk (safetensors): nothing in a file is executed."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

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

_FORMAT = "mjx-msk networks 1"


class Networks(nnx.Module):
    """The inverse kinematics and the inverse dynamics of the default ``model``."""

    def __init__(
        self,
        ikt: IKTConfig,
        idt: IDTConfig,
        model: Model,
        *,
        usual: np.ndarray | None = None,
        dtype: Any = jnp.float32,
        rngs: nnx.Rngs,
    ) -> None:
        self.ikt = IKT(ikt, model, usual=usual, dtype=dtype, rngs=rngs)
        self.idt = IDT(idt, model, dtype=dtype, rngs=rngs)


def save_weights(
    path: str | os.PathLike[str], networks: Networks, about: dict[str, Any] | None = None
) -> None:
    """Write the parameters as float32, with the networks' sizes and facts ``about`` them."""
    flat = nnx.to_flat_state(nnx.state(networks, nnx.Param))
    tensors = {_name(key): np.asarray(value[...], np.float32) for key, value in flat}
    facts = {
        "format": _FORMAT,
        "ikt": json.dumps(dataclasses.asdict(networks.ikt.config)),
        "idt": json.dumps(dataclasses.asdict(networks.idt.config)),
        "about": json.dumps(about or {}),
    }
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata=facts)


def load_weights(path: str | os.PathLike[str], model: Model) -> Networks:
    """Return the networks of a file for the default ``model``.

    Raises ``MskError`` for a file that is missing, damaged, foreign or of another model.
    """
    where = str(path)
    if not Path(path).is_file():
        raise MskError("no such file.", where=where, remedy="Give weights that training wrote.")
    try:
        with safe_open(where, framework="numpy") as file:
            facts = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if facts.get("format") != _FORMAT:
            raise ValueError("of another kind")
        sizes = IKTConfig(**json.loads(facts["ikt"])), IDTConfig(**json.loads(facts["idt"]))
        networks = nnx.eval_shape(lambda: Networks(*sizes, model, rngs=nnx.Rngs(0)))
        flat = nnx.to_flat_state(nnx.state(networks, nnx.Param))
        if {_name(key): value.shape for key, value in flat} != {
            name: value.shape for name, value in tensors.items()
        }:
            raise ValueError("of other networks")
        filled = [(key, value.replace(jnp.asarray(tensors[_name(key)]))) for key, value in flat]
        nnx.update(networks, nnx.from_flat_state(filled))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise MskError(
            f"these are not weights of our networks ({error}).",
            where=where,
            remedy="Give the weights.safetensors that mjx-msk train wrote.",
        ) from error
    return networks


def _name(key: tuple) -> str:
    return ".".join(str(part) for part in key)
