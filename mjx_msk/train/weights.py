"""Weights on disk: safetensors with the networks' sizes in its header; nothing is executed."""

import dataclasses
import json
import os
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mjx_msk.errors import MskError
from mjx_msk.files import replacing
from mjx_msk.model import Model
from mjx_msk.nets.idt import IDTConfig
from mjx_msk.nets.ikt import IKTConfig
from mjx_msk.train.config import TrainConfig
from mjx_msk.train.objective import Networks

_FORMAT = "mjx-msk networks 1"


def save_weights(path: str | os.PathLike[str], networks: Networks, config: TrainConfig) -> None:
    """Write the networks' parameters as float32."""
    flat = nnx.to_flat_state(nnx.state(networks, nnx.Param))
    tensors = {_name(key): np.asarray(value[...], np.float32) for key, value in flat}
    facts = {
        "format": _FORMAT,
        "ikt": json.dumps(dataclasses.asdict(config.ikt)),
        "idt": json.dumps(dataclasses.asdict(config.idt)),
        "config": json.dumps(config.to_dict()),
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
        config = TrainConfig(
            data=Path(), out=Path(), ikt=IKTConfig(**json.loads(facts["ikt"])),
            idt=IDTConfig(**json.loads(facts["idt"])),
        )  # fmt: skip
        networks = nnx.eval_shape(
            lambda: Networks(config, model, usual=None, rngs=nnx.Rngs(0))
        )
        state = nnx.state(networks, nnx.Param)
        flat = nnx.to_flat_state(state)
        if {_name(key) for key, _ in flat} != set(tensors):
            raise ValueError("of another network")
        for key, value in flat:
            if value.shape != tensors[_name(key)].shape:
                raise ValueError(f"{_name(key)} has another shape")
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
