"""Print how exact the dynamics are: forward after inverse dynamics, and the energy of a fall.

    python benchmarks/exactness.py

FD(ID) on the default model and subjects, float64 and float32, and how far ID in float32 is from ID
in float64; a passive fall of the whole body. Without ../shared/data the default model alone.
"""

from functools import partial

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from common import states, table_of
from rich.console import Console
from rich.table import Table
from trials import DATA

from mjx_msk.compile import compile_osim
from mjx_msk.model import Model
from mjx_msk.physics import Drive, State, energy, forward_dynamics, inverse_dynamics, rollout
from mjx_msk.resources import DEFAULT_MODEL, asset

SUBJECTS = ("gait_opensim/gait2392", "hamner/subject01", "opencap/expert1")
STEP_S = 1e-3  #: of the fall


def main() -> None:
    with jax.enable_x64(True):
        Console(width=200).print(exact_table())
        print(f"passive fall of 1 s, RK4 at 1 ms: {fall():.2e} of the kinetic energy drifts")


def exact_table(count: int = 256) -> Table:
    """FD(ID(q, qd, qdd)) against qdd, relative to its norm, worst frame."""
    sources = {"default model": mujoco.MjSpec.from_file(str(asset(DEFAULT_MODEL)))}
    for name in SUBJECTS if DATA.is_dir() else ():
        sources[name] = compile_osim(DATA / "motions" / name / "model.osim")
    rows = []
    for name, spec in sources.items():
        row, torques = [name], []
        for double in (True, False):
            with jax.enable_x64(double):
                model = Model.from_spec(spec)
                q, qd, qdd = states(model, count)
                tau = jax.jit(jax.vmap(partial(inverse_dynamics, model)))(q, qd, qdd)
                torques.append(np.asarray(tau, float))
                found = jax.jit(jax.vmap(partial(forward_dynamics, model)))(q, qd, tau)
                error = np.linalg.norm(found - qdd, axis=1) / np.linalg.norm(qdd, axis=1)
                row.append(f"{error.max():.1e}")
        apart = np.linalg.norm(torques[1] - torques[0], axis=1) / np.linalg.norm(torques[0], axis=1)
        rows.append([*row, f"{apart.max():.1e}"])
    columns = ("model", "float64", "float32", "ID, float32 - float64")
    title = f"FD(ID(qdd)) - qdd, relative, on {jax.devices()[0].device_kind}"
    return table_of(title, columns, rows)


def fall(seconds: float = 1.0) -> float:
    """Return the change of energy over the greatest kinetic energy, falling without forces."""
    model = Model.load(asset(DEFAULT_MODEL))
    q = model.q_default
    qd = jnp.asarray(np.random.default_rng(3).normal(0, 2, model.n))  # limbs that flail
    steps = round(seconds / STEP_S)

    @jax.jit
    def run(q: jax.Array, qd: jax.Array):
        still = jnp.zeros_like(qd)
        found = rollout(model, lambda t, s: Drive(still), State(q, qd), step=STEP_S, steps=steps)
        return jax.vmap(partial(energy, model))(found.q, found.qd)

    kinetic, potential = run(q, qd)
    total = np.asarray(kinetic + potential)
    return float(np.abs(total - total[0]).max() / np.asarray(kinetic).max() / seconds)


if __name__ == "__main__":
    main()
