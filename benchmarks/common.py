"""What several benchmarks need: tables, timings, states, and the C engine's view of a skeleton."""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from rich import box
from rich.table import Table

from mjx_msk.model import Model

ENGINE_STEP_S = 2.5e-5  #: the C engine holds ties by a spring of twice this time constant


def table_of(title: str, columns: tuple[str, ...], rows: list[list[str]]) -> Table:
    """Return a table in Markdown, the first column to the left, the others to the right."""
    table = Table(title=title, box=box.MARKDOWN)
    for k, column in enumerate(columns):
        table.add_column(column, justify="left" if k == 0 else "right")
    for row in rows:
        table.add_row(*row)
    return table


def best(function: Callable[[], Any], repeats: int) -> float:
    """Return the shortest time of a call, s."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function())
        times.append(time.perf_counter() - start)
    return min(times)


def states(model: Model, count: int, seed: int = 0) -> tuple[jax.Array, ...]:
    """Return coordinates, speeds and accelerations (count, n): everyday poses, quick motions."""
    rng = np.random.default_rng(seed)
    low, high = np.clip(np.asarray(model.q_range), -0.5, 1.0).T
    q = rng.uniform(low, np.maximum(high, low), (count, model.n))
    return tuple(map(jnp.asarray, (q, rng.normal(0, 2, q.shape), rng.normal(0, 10, q.shape))))


def skeleton(spec: mujoco.MjSpec) -> mujoco.MjModel:
    """Compile a model for the C engine: stiff ties, and no muscles, contacts, limits or damping."""
    spec = spec.copy()
    for item in [*spec.actuators, *spec.tendons, *spec.sensors, *spec.keys]:
        spec.delete(item)
    mj = spec.compile()
    off = mujoco.mjtDisableBit
    mj.opt.disableflags |= off.mjDSBL_CONTACT | off.mjDSBL_LIMIT
    mj.eq_active0[mj.eq_obj2id < 0] = 0  # what only holds a coordinate still
    mj.dof_damping[:], mj.jnt_stiffness[:], mj.dof_frictionloss[:] = 0.0, 0.0, 0.0
    mj.opt.timestep = ENGINE_STEP_S
    mj.opt.integrator = mujoco.mjtIntegrator.mjINT_RK4
    mj.eq_solref[:], mj.eq_solimp[:, :2] = (2 * ENGINE_STEP_S, 1.0), 0.9999
    mj.opt.tolerance, mj.opt.iterations = 1e-14, 100
    return mj
