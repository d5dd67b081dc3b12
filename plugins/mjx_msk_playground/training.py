"""Brax's PPO on Playground's environments, with the JAX that this project needs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from brax.training.agents.ppo import train as ppo
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from mujoco_playground import MjxEnv, wrapper

#: The axis of Brax's devices. Under another name its second epoch would be compiled anew.
AXIS = "i"


def train_ppo(env: MjxEnv, **options: Any) -> tuple[Callable, Any, dict[str, Any]]:
    """Train with ``brax.training.agents.ppo.train.train``; the options are its own.

    Returns what makes a policy of parameters, the parameters and the last metrics.
    """
    with _replicated_put():
        return ppo.train(environment=env, wrap_env_fn=wrapper.wrap_for_brax_training, **options)


@contextmanager
def _replicated_put() -> Iterator[None]:
    """Lend JAX a function that JAX 0.10 has no more and Brax 0.14.2 calls."""
    if hasattr(jax, "device_put_replicated"):
        yield
        return
    jax.device_put_replicated = _put_replicated
    try:
        yield
    finally:
        del jax.device_put_replicated


def _put_replicated(values: Any, devices: list[jax.Device]) -> Any:
    """Return arrays with a copy on each device along a new first axis."""
    place = NamedSharding(Mesh(np.array(devices), (AXIS,)), PartitionSpec(AXIS))

    def copied(values: jax.Array | float) -> jax.Array:
        # without weak types, which would have the evaluation compiled twice
        values = jnp.asarray(values)
        copies = jnp.stack([jnp.astype(values, values.dtype)] * len(devices))
        return jax.device_put(copies, place)

    return jax.tree.map(copied, values)
