"""Print how fast the differentiable layers are, beside OpenSim and the C engine in one process.

    python benchmarks/dynamics.py                          # everything
    python benchmarks/dynamics.py --parts speed compile    # some of it

speed     microseconds a frame, the default model, float32, batch 512 (8192 on a GPU), best of many,
          beside OpenSim's solver and path lengths (Python calls a frame) and the C engine
tracking  marker inverse kinematics of a whole trial, warm, beside OpenSim's solver
compile   seconds to trace and compile each function, cold, and again from the persistent cache
engines   steps a second of the whole compiled model with muscles and contact: mjx.step and the C
          engine's rollout, and how far apart they are after 20 steps

Without the package opensim its rows are left out. How exact all is: ``exactness.py``,
``resimulation.py``, ``inverse_kinematics.py``, ``muscles.py``.
"""

import importlib.util
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import tyro
from common import best, skeleton, states, table_of
from mujoco import mjx
from mujoco.rollout import Rollout
from rich.console import Console
from rich.table import Table
from trials import DATA

from mjx_msk.model import Model
from mjx_msk.physics import (
    Drive,
    State,
    forward_dynamics,
    inverse_dynamics,
    muscle_paths,
    pose,
    rollout,
)
from mjx_msk.resources import DEFAULT_MODEL, asset

OPENSIM_MODEL = DATA / "models" / "RajagopalLaiUhlrich2023.osim"
TRACKED = "opencap/expert1/walking1"
LENGTHS = "muscle lengths and moment arms"
#: What OpenSim is timed at where that is less, or more, than ours.
THEIRS = {LENGTHS: "80 muscle lengths alone", "inverse dynamics": "inverse dynamics, 80 muscles"}
Part = Literal["speed", "tracking", "compile", "engines"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to print."""

    parts: tuple[Part, ...] = ("speed", "tracking", "compile", "engines")
    """Which tables."""
    repeats: int = 30
    """How often a timing is taken; the best counts."""


def main(options: Options) -> None:
    console = Console(width=200)
    if "speed" in options.parts:
        console.print(speed_table(options.repeats))
    if "tracking" in options.parts:
        console.print(tracking_table())
    if "compile" in options.parts:
        console.print(compile_table())
    if "engines" in options.parts:
        console.print(engines_table())


def functions(model: Model) -> dict[str, Callable]:
    """Return what is timed: functions of (q, qd, third) for one frame."""

    def fifty(q: jax.Array, qd: jax.Array, tau: jax.Array) -> jax.Array:
        found = rollout(model, lambda t, s: Drive(tau), State(q, qd), step=1e-3, steps=50)
        return found.q[-1]

    def slope(f: Callable) -> Callable:
        def squares(*x: jax.Array) -> jax.Array:
            return sum(jnp.sum(y**2) for y in jax.tree.leaves(f(*x)))

        return jax.grad(squares, (0, 1, 2))

    def sites(q: jax.Array, qd: jax.Array, third: jax.Array) -> jax.Array:
        return pose(model, q).sites

    def muscles(q: jax.Array, qd: jax.Array, third: jax.Array) -> tuple:
        return tuple(muscle_paths(model, q))

    inverse, forward = partial(inverse_dynamics, model), partial(forward_dynamics, model)
    return {
        "forward kinematics": sites,
        "inverse dynamics": inverse,
        "forward dynamics": forward,
        LENGTHS: muscles,
        "50 steps of RK4": fifty,
        "forward kinematics, gradient": slope(sites),
        "inverse dynamics, gradient": slope(inverse),
        "forward dynamics, gradient": slope(forward),
        f"{LENGTHS}, gradient": slope(muscles),
        "50 steps of RK4, gradient": slope(fifty),
    }


def speed_table(repeats: int) -> Table:
    """Time every function, OpenSim and the C engine on the default model."""
    model = Model.load(asset(DEFAULT_MODEL))
    batch = 8192 if jax.default_backend() == "gpu" else 512
    q, qd, qdd = states(model, batch)
    theirs, engine = opensim_seconds(), engine_seconds()
    tau = jax.jit(jax.vmap(partial(inverse_dynamics, model)))(q, qd, qdd)
    rows = []
    for name, function in functions(model).items():
        # a frame of this takes long enough
        count = 64 if name == "50 steps of RK4, gradient" and batch == 512 else batch
        third = qdd if name.startswith("inverse") else tau
        compiled = jax.jit(jax.vmap(function))
        args = q[:count], qd[:count], third[:count]
        jax.block_until_ready(compiled(*args))
        seconds = best(lambda c=compiled, a=args: c(*a), repeats) / count
        row = [name, str(count), f"{1e6 * seconds:.1f}", f"{1 / seconds:,.0f}"]
        row.append(f"{theirs[name] / seconds:.0f}" if name in theirs else "")
        row.append(f"{engine[name] / seconds:.2f}" if name in engine else "")
        rows.append(row)
    rows += [
        [f"OpenSim: {THEIRS.get(k, k)}", "1", f"{1e6 * v:.0f}", "", "1", ""]
        for k, v in theirs.items()
    ]
    rows += [[f"C engine: {k}", "1", f"{1e6 * v:.1f}", "", "", "1"] for k, v in engine.items()]
    columns = ("default model, float32", "batch", "us a frame", "a second", "x OpenSim", "x C")
    return table_of(f"speed on {jax.devices()[0].device_kind}", columns, rows)


def opensim_seconds(calls: int = 100) -> dict[str, float]:
    """Return the times of OpenSim's Python calls in new poses, s; none without the package.

    The stored model has 80 muscles; the solver of inverse dynamics counts their forces unless they
    are switched off, which changes what it returns, and makes it faster.
    """
    if importlib.util.find_spec("opensim") is None:
        return {}
    times = {}
    for name, muscles in (("inverse dynamics", True), ("the same, muscle forces off", False)):
        times[name] = _inverse_seconds(muscles, calls)
    return times | {LENGTHS: _lengths_seconds(calls)}


def _opensim_model(muscles: bool) -> tuple[Any, Any]:
    """Return OpenSim's model with its muscles' forces or without, and its state."""
    import opensim

    opensim.Logger.setLevelString("Off")
    model = opensim.Model(str(OPENSIM_MODEL))
    for muscle in model.getMuscles():
        muscle.set_appliesForce(muscles)
    return model, model.initSystem()


def _inverse_seconds(muscles: bool, calls: int) -> float:
    import opensim

    model, state = _opensim_model(muscles)
    solver = opensim.InverseDynamicsSolver(model)
    rest, udot = state.getQ().to_numpy().copy(), opensim.Vector(state.getNU(), 0.1)
    shift = iter(np.linspace(0.01, 0.1, 2 * calls))

    def call() -> None:
        state.setQ(opensim.Vector.createFromMat(rest + next(shift)))
        state.setU(opensim.Vector(state.getNU(), 0.1))
        solver.solve(state, udot)

    return best(call, calls)


def _lengths_seconds(calls: int) -> float:
    """Return the time of all muscles' lengths, without their moment arms."""
    model, state = _opensim_model(muscles=True)
    paths = [muscle.getGeometryPath() for muscle in model.getMuscles()]
    flexion = model.getCoordinateSet().get("hip_flexion_r")
    angles = iter(np.linspace(0.0, 0.5, 2 * calls))

    def call() -> None:
        flexion.setValue(state, float(next(angles)), False)
        model.realizePosition(state)
        for path in paths:
            path.getLength(state)

    return best(call, calls)


def tracking_table() -> Table:
    """Time the markers of a whole trial, beside OpenSim's solver on its first frames."""
    columns = ("marker inverse kinematics", "frames", "us a frame, warm", "OpenSim, us", "ratio")
    if importlib.util.find_spec("opensim") is None:
        return table_of("no opensim, no trial's model", columns, [])
    from inverse_kinematics import Args, solved

    found = solved(TRACKED, Args(repeats=5, opensim_frames=60))
    row = [
        TRACKED, str(len(found.ours.q)), f"{1e6 * found.warm_s:.0f}",
        f"{1e6 * found.opensim_s:.0f}", f"{found.opensim_s / found.warm_s:.0f}",
    ]  # fmt: skip
    return table_of("a whole trial", columns, [row])


def engine_seconds(calls: int = 300) -> dict[str, float]:
    """Return the times of mj_inverse and mj_forward (skeleton with its ties, no contact), s."""
    mj = skeleton(mujoco.MjSpec.from_file(str(asset(DEFAULT_MODEL))))
    data = mujoco.MjData(mj)
    mujoco.mj_forward(mj, data)
    return {
        "inverse dynamics": best(lambda: mujoco.mj_inverse(mj, data), calls),
        "forward dynamics": best(lambda: mujoco.mj_forward(mj, data), calls),
    }


def compile_table() -> Table:
    """Time tracing and compiling, with an empty cache and with a full one."""
    model = Model.load(asset(DEFAULT_MODEL))
    q, qd, qdd = (x[:512] for x in states(model, 512))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        for name, function in functions(model).items():
            seconds = []
            for _ in range(2):
                jax.clear_caches()
                start = time.perf_counter()
                jax.jit(jax.vmap(function)).lower(q, qd, qdd).compile()
                seconds.append(time.perf_counter() - start)
            rows.append([name, *(f"{s:.1f}" for s in seconds)])
        jax.config.update("jax_compilation_cache_dir", None)
    return table_of("compile times, s", ("function", "cold", "from the cache"), rows)


def engines_table(steps: int = 20) -> Table:
    """Step the standing default model, every muscle at 5 %, in MJX and in C, from one state."""
    mj = mujoco.MjModel.from_xml_path(str(asset(DEFAULT_MODEL)))
    # one at a time on a CPU: with two cores, a batch's second step waits for ever (jax 0.10.2)
    batch = 8192 if jax.default_backend() == "gpu" else 1
    data = mujoco.MjData(mj)
    data.ctrl[:] = 0.05
    mx = mjx.put_model(mj)
    start = mjx.put_data(mj, data)
    step = jax.jit(mjx.step)
    if batch > 1:
        step = jax.jit(jax.vmap(mjx.step, (None, 0)))
        start = jax.tree.map(lambda x: jnp.stack([x] * batch), start)

    def run() -> jax.Array:
        at = start
        for _ in range(steps):
            at = jax.block_until_ready(step(mx, at))
        return at.qpos

    began = time.perf_counter()
    found = np.asarray(run())
    compiling = time.perf_counter() - began
    mjx_s = best(run, 3)
    mujoco.mj_step(mj, data, steps)
    apart = float(np.abs(found - data.qpos).max())

    threads = os.cpu_count() or 1
    starts = np.zeros((64, mujoco.mj_stateSize(mj, mujoco.mjtState.mjSTATE_FULLPHYSICS)))
    fresh = mujoco.MjData(mj)
    mujoco.mj_getState(mj, fresh, starts[0], mujoco.mjtState.mjSTATE_FULLPHYSICS)
    starts[:] = starts[0]
    controls = np.full((64, steps, mj.nu), 0.05)
    each = [mujoco.MjData(mj) for _ in range(threads)]
    with Rollout(nthread=threads) as many:
        c_s = best(lambda: many.rollout(mj, each, starts, controls), 5)
    rows = [
        [
            "mjx.step",
            str(batch),
            f"{batch * steps / mjx_s:,.0f}",
            f"{compiling:.0f}",
            f"{apart:.1e}",
        ],
        [f"C engine, rollout, {threads} threads", "64", f"{64 * steps / c_s:,.0f}", "", ""],
    ]
    columns = ("engine", "batch", "steps a second", "first run, s", "apart, rad or m")
    return table_of(f"whole model, {steps} steps of {1e3 * mj.opt.timestep:g} ms", columns, rows)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
