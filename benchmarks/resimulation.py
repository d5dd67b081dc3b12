"""Print joint moments of real trials beside OpenSim's, and the trials integrated from them.

    python benchmarks/resimulation.py
    python benchmarks/resimulation.py --trial walking1 --details

Joint moments under measured forces against `_id_opensim.sto`, and motions integrated again from
their own moments and forces in windows of 0.1 s, some of them in the C engine as well.
"""

import csv
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import tyro
from common import skeleton, table_of
from rich.console import Console
from trials import DATA, coordinates_at, manifest

from mjx_msk.compile import compile_osim
from mjx_msk.fit.derivatives import motion_spline
from mjx_msk.model import Model
from mjx_msk.osim.forces import read_forces
from mjx_msk.osim.tables import read_table
from mjx_msk.physics import (
    Drive,
    Loads,
    Signal,
    State,
    full_position,
    full_velocity,
    inverse_dynamics,
    rollout,
)

CUTOFF_HZ = 6.0  #: of the coordinates in the stored results; forces are as they are
WINDOW_S, STEP_S = 0.1, 1e-3  #: of the re-simulation
CHUNK, WINDOWS = 1024, 16  #: frames of inverse dynamics, and windows, at a time
C_WINDOWS = 4  #: windows of a trial that the C engine integrates too


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which trials."""

    trial: str = ""
    """Only trials whose path contains this."""
    details: bool = False
    """Print every coordinate of every trial as well."""


def main(options: Options) -> None:
    console = Console(width=200)
    results = []
    with jax.enable_x64(True):
        for trial in trials(options.trial):
            results.append(measure(trial))
            console.print(table_of("", TRIAL_COLUMNS, [results[-1].row()]))
            if options.details:
                print(trial, {k: round(v, 2) for k, v in results[-1].moment_pct.items()})
    console.print(table_of("trials", TRIAL_COLUMNS, [result.row() for result in results]))


TRIAL_COLUMNS = (
    "trial", "activity", "frames", "worst leg joint", "% peak", "worst joint", "% peak",
    "pelvis residual, %", "windows", "deg RMS", "mm RMS", "C engine",
)  # fmt: skip
_LEG = ("hip", "knee", "ankle", "subtalar", "mtp")


@dataclass(frozen=True)
class Trial:
    """A trial's files, by name."""

    name: str
    activity: str

    @property
    def folder(self) -> Path:
        return (DATA / "motions" / self.name).parent

    def file(self, ending: str) -> Path:
        return self.folder / f"{Path(self.name).name}{ending}"


@dataclass(frozen=True)
class Result:
    """What one trial gives."""

    trial: Trial
    frames: int
    moment_pct: dict[str, float]  #: RMSE in percent of the coordinate's peak
    windows: int
    deg: float  #: RMS of all rotations over all windows
    mm: float  #: RMS of all translations
    engine: float  #: greatest difference to the C engine, rad or m

    def row(self) -> list[str]:
        joints = {k: v for k, v in self.moment_pct.items() if not k.startswith("pelvis")}
        legs = {k: v for k, v in joints.items() if k.startswith(_LEG)}
        leg, joint = max(legs, key=legs.__getitem__), max(joints, key=joints.__getitem__)
        root = max((v for k, v in self.moment_pct.items() if k not in joints), default=0.0)
        return [
            self.trial.name, self.trial.activity, str(self.frames), leg, f"{legs[leg]:.2f}", joint,
            f"{joints[joint]:.2f}", f"{root:.2f}", str(self.windows), f"{self.deg:.4f}",
            f"{self.mm:.4f}", f"{self.engine:.1e}",
        ]  # fmt: skip


def trials(only: str) -> Iterator[Trial]:
    """Yield the trials that have a stored inverse dynamics result under measured forces."""
    for name, row in manifest().items():
        trial = Trial(name, row["activity"])
        if only in name and trial.file("_id_opensim.sto").is_file():
            yield trial


def coordinates_of(trial: Trial, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Return even sample times (T,) and the published coordinates (T, n), rad and m."""
    path = trial.file("_ik.mot")
    table = read_table(path if path.is_file() else trial.file("_ik_opensim.mot"))
    even = np.linspace(table.time[0], table.time[-1], len(table.time))
    return even, coordinates_at(model, table, even)


def plates_of(trial: Trial, model: Model) -> tuple[tuple[int, ...], Callable[[np.ndarray], Loads]]:
    """Return the bodies under load, and their loads as functions of time (K,) -> (K, k, 3)."""
    plates = {plate.name: plate for plate in read_forces(trial.file("_grf.mot"))}
    with open(trial.file("_loads.csv"), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    bodies = tuple(model.layout.body_names.index(row["body"]) for row in rows)

    def at(times: np.ndarray) -> Loads:
        found = []
        for row in rows:
            plate = plates[row["force_columns"].removesuffix("v{x,y,z}")]
            moment = plate.moment if row["torque_columns"] else np.zeros_like(plate.moment)
            start, end = float(row["t_start"] or -np.inf), float(row["t_end"] or np.inf)
            active = ((times >= start) & (times <= end))[:, None]
            columns = (plate.force, np.nan_to_num(plate.cop), moment)
            force, point, moment = (
                np.stack([np.interp(times, plate.time, c) for c in x.T], axis=1) for x in columns
            )
            found.append((force * active, point, moment * active))
        return Loads(*(jnp.asarray(np.stack(x, axis=1)) for x in zip(*found, strict=True)))

    return bodies, at


@functools.cache
def subject(path: Path) -> mujoco.MjSpec:
    return compile_osim(path)


@partial(jax.jit, static_argnums=0)
def inverse(bodies: tuple[int, ...], model: Model, *motion: Any) -> jax.Array:
    """Return the generalized forces of a chunk of frames."""
    return jax.vmap(lambda *a: inverse_dynamics(model, *a[:3], bodies, a[3]))(*motion)


@partial(jax.jit, static_argnums=0)
def windows(bodies: tuple[int, ...], model: Model, acting: Any, states: State) -> State:
    """Return the states (W, steps + 1, ...) of windows, each driven by samples of its own."""

    def run(acting: Any, state: State) -> State:
        signal = Signal(0.0, STEP_S / 2, acting)
        steps = round(WINDOW_S / STEP_S)
        drive = lambda t, _: Drive(*signal.at(t))  # noqa: E731
        return rollout(model, drive, state, step=STEP_S, steps=steps, bodies=bodies)

    return jax.vmap(run)(acting, states)


def measure(trial: Trial) -> Result:
    """Compile a subject and run one of its trials."""
    spec = subject(trial.folder / "model.osim")
    model = Model.from_spec(spec)
    times, q = coordinates_of(trial, model)
    spline = motion_spline(times, q, CUTOFF_HZ)
    bodies, loads = plates_of(trial, model)

    def moments(at: np.ndarray) -> np.ndarray:
        found = []
        for k in range(0, len(at), CHUNK):  # one compiled shape
            t = np.pad(at[k : k + CHUNK], (0, max(0, k + CHUNK - len(at))), mode="edge")
            motion = (spline(t), spline.derivative(1)(t), spline.derivative(2)(t))
            found.append(np.asarray(inverse(bodies, model, *map(jnp.asarray, motion), loads(t))))
        return np.concatenate(found)[: len(at)]

    table = read_table(trial.file("_id_opensim.sto"))
    expected = moment_columns(model, table)
    found = moments(np.clip(table.time, times[0], times[-1]))
    errors = {}
    for k, name in enumerate(model.layout.coordinate_names):
        if name in expected and np.abs(expected[name]).max() > 0.5:  # N m: else nothing to speak of
            rms = np.sqrt(np.mean((found[:, k] - expected[name]) ** 2))
            errors[name] = 100 * float(rms / np.abs(expected[name]).max())
    return Result(
        trial, len(times), errors, *resimulated(spec, model, spline, bodies, loads, moments, times)
    )


def moment_columns(model: Model, table: Any) -> dict[str, np.ndarray]:
    """Return OpenSim's moments in independent coordinates: coupled ones add to their drivers."""
    found = {}
    for column in table.columns:
        found[column.removesuffix("_moment").removesuffix("_force")] = table.column(column)
    for name, driver, polynomial in model.layout.coupled:
        if name in found and driver in found:
            found[driver] = found[driver] + polynomial[1] * found.pop(name)
    return found


def resimulated(
    spec: mujoco.MjSpec,
    model: Model,
    spline: Any,
    bodies: tuple[int, ...],
    loads: Callable,
    moments: Callable,
    times: np.ndarray,
) -> tuple[int, float, float, float]:
    """Return windows, RMS deg and mm, and the greatest difference to the C engine."""
    steps = round(WINDOW_S / STEP_S)
    count = int((times[-1] - times[0]) / WINDOW_S + 1e-9)
    begin = times[0] + WINDOW_S * np.arange(count)
    # RK4 asks for the middle of steps
    grid = np.minimum(begin[:, None] + STEP_S / 2 * np.arange(2 * steps + 1), times[-1])
    tau = moments(grid.ravel()).reshape(*grid.shape, model.n)
    acting = loads(grid.ravel())
    acting = jax.tree.map(lambda x: x.reshape(*grid.shape, *x.shape[1:]), acting)
    starts = State(jnp.asarray(spline(begin)), jnp.asarray(spline.derivative(1)(begin)))
    pieces = []
    for k in range(0, count, WINDOWS):
        index = np.minimum(np.arange(k, k + WINDOWS), count - 1)
        piece = jax.tree.map(lambda x, i=index: x[i], ((jnp.asarray(tau), acting), starts))
        pieces.append(np.asarray(windows(bodies, model, *piece).q))
    found = np.concatenate(pieces)[:count]
    wanted = np.stack([spline(t + STEP_S * np.arange(steps + 1)) for t in begin])
    error = found - wanted
    rotational = np.array(model.layout.rotational)
    deg = float(np.rad2deg(np.sqrt(np.mean(error[..., rotational] ** 2))))
    mm = 1e3 * float(np.sqrt(np.mean(error[..., ~rotational] ** 2)))
    mj = skeleton(spec)
    chosen = np.unique(np.linspace(0, count - 1, C_WINDOWS).astype(int))
    far = 0.0
    for w in chosen:
        state = jax.tree.map(lambda x, w=w: x[w], starts)
        end = engine_window(mj, model, begin[w], state, moments, loads, bodies)
        ours = found[w, -1]
        far = max(far, float(np.abs(end[list(model.layout.independent)] - ours).max()))
    return count, deg, mm, far


def engine_window(
    mj: mujoco.MjModel, model: Model, start: float, state: State,
    moments: Callable, loads: Callable, bodies: tuple[int, ...],
) -> np.ndarray:  # fmt: skip
    """Return the C engine's qpos after a window under the same torques and forces."""
    steps = round(WINDOW_S / mj.opt.timestep)
    half = 0.5 * mj.opt.timestep
    grid = start + half * np.arange(2 * steps + 1)
    tau, arrays = moments(grid), [np.asarray(x) for x in loads(grid)]
    data = mujoco.MjData(mj)
    data.qpos[:] = full_position(model, state.q)
    data.qvel[:] = full_velocity(model, state.q, state.qd)
    independent = list(model.layout.independent)
    names = [model.layout.body_names[b] for b in bodies]
    ids = [mj.body(name).id for name in names]

    def act(_: mujoco.MjModel, d: mujoco.MjData) -> None:
        k = round(d.time / half)
        d.qfrc_applied[:] = 0.0
        d.qfrc_applied[independent] = tau[k]
        for i, body in enumerate(ids):
            force, point, moment = (x[k, i] for x in arrays)
            mujoco.mj_applyFT(mj, d, force, moment, point, body, d.qfrc_applied)

    mujoco.set_mjcb_control(act)
    try:
        for _ in range(steps):
            mujoco.mj_step(mj, data)
    finally:
        mujoco.set_mjcb_control(None)
    return data.qpos.copy()


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
