"""Print how exact and how fast the dynamics are: against OpenSim, the C engine and real trials.

    python benchmarks/dynamics.py                          # everything
    python benchmarks/dynamics.py --parts speed compile    # some of it
    python benchmarks/dynamics.py --parts trials --trial walking1 --details

speed    microseconds a frame, the default model, float32, batch 512 (8192 on a GPU), best of many,
         beside OpenSim's solver (one Python call a frame) and the C engine in the same process
compile  seconds to trace and compile each function, cold, and again from the persistent cache
exact    FD(ID) on the default model and subjects; the energy of a passive fall
engines  steps a second of the whole compiled model with muscles and contact: mjx.step and the C
         engine's rollout, and how far apart they are after 20 steps
trials   joint moments under measured forces against `_id_opensim.sto`, and motions integrated
         again from their own moments and forces in windows of 0.1 s, beside the C engine
"""

import csv
import functools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import tyro
from mujoco import mjx
from mujoco.rollout import Rollout
from rich import box
from rich.console import Console
from rich.table import Table

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
    energy,
    forward_dynamics,
    full_position,
    full_velocity,
    inverse_dynamics,
    pose,
    rollout,
)
from mjx_msk.resources import DEFAULT_MODEL, asset

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
OPENSIM_MODEL = DATA / "models" / "RajagopalLaiUhlrich2023.osim"
CUTOFF_HZ = 6.0  #: of the coordinates in the stored results; forces are as they are
WINDOW_S, STEP_S = 0.1, 1e-3  #: of the re-simulation
ENGINE_STEP_S = 2.5e-5  #: the C engine holds ties by a spring of twice this time constant
CHUNK, WINDOWS = 1024, 16  #: frames of inverse dynamics, and windows, at a time
C_WINDOWS = 4  #: windows of a trial that the C engine integrates too
Part = Literal["speed", "compile", "exact", "engines", "trials"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to print."""

    parts: tuple[Part, ...] = ("speed", "compile", "exact", "engines", "trials")
    """Which tables."""
    trial: str = ""
    """Only trials whose path contains this."""
    details: bool = False
    """Print every coordinate of every trial as well."""
    repeats: int = 30
    """How often a timing is taken; the best counts."""


def main(options: Options) -> None:
    console = Console(width=200)
    if "speed" in options.parts:
        console.print(speed_table(options.repeats))
    if "compile" in options.parts:
        console.print(compile_table())
    if "engines" in options.parts:
        console.print(engines_table())
    with jax.enable_x64(True):
        if "exact" in options.parts:
            console.print(exact_table())
            print(f"passive fall of 1 s, RK4 at 1 ms: {fall():.2e} of the kinetic energy drifts")
        if "trials" in options.parts:
            results = []
            for trial in trials(options.trial):
                results.append(measure(trial))
                console.print(_table("", TRIAL_COLUMNS, [results[-1].row()]))
                if options.details:
                    print(trial, {k: round(v, 2) for k, v in results[-1].moment_pct.items()})
            console.print(_table("trials", TRIAL_COLUMNS, [result.row() for result in results]))


def _table(title: str, columns: tuple[str, ...], rows: list[list[str]]) -> Table:
    table = Table(title=title, box=box.MARKDOWN)
    for k, column in enumerate(columns):
        table.add_column(column, justify="left" if k == 0 else "right")
    for row in rows:
        table.add_row(*row)
    return table


# --- speed ---------------------------------------------------------------------------------------


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


def functions(model: Model) -> dict[str, Callable]:
    """Return what is timed: functions of (q, qd, third) for one frame."""

    def fifty(q: jax.Array, qd: jax.Array, tau: jax.Array) -> jax.Array:
        found = rollout(model, lambda t, s: Drive(tau), State(q, qd), step=1e-3, steps=50)
        return found.q[-1]

    def slope(f: Callable) -> Callable:
        return jax.grad(lambda *a: jnp.sum(f(*a) ** 2), (0, 1, 2))

    def sites(q: jax.Array, qd: jax.Array, third: jax.Array) -> jax.Array:
        return pose(model, q).sites

    inverse, forward = partial(inverse_dynamics, model), partial(forward_dynamics, model)
    return {
        "forward kinematics": sites,
        "inverse dynamics": inverse,
        "forward dynamics": forward,
        "50 steps of RK4": fifty,
        "forward kinematics, gradient": slope(sites),
        "inverse dynamics, gradient": slope(inverse),
        "forward dynamics, gradient": slope(forward),
        "50 steps of RK4, gradient": slope(fifty),
    }


def speed_table(repeats: int) -> Table:
    """Time every function, OpenSim and the C engine on the default model."""
    model = Model.load(asset(DEFAULT_MODEL))
    batch = 8192 if jax.default_backend() == "gpu" else 512
    q, qd, qdd = states(model, batch)
    opensim_s, engine = opensim_seconds(muscles=True), engine_seconds()
    without = opensim_seconds(muscles=False)
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
        row.append(f"{opensim_s / seconds:.0f}" if name.startswith("inverse") else "")
        row.append(f"{engine[name] / seconds:.2f}" if name in engine else "")
        rows.append(row)
    for name, seconds in (("80 muscles", opensim_s), ("no muscle forces", without)):
        ratio = f"{opensim_s / seconds:.2f}"
        rows.append([f"OpenSim solver, {name}", "1", f"{1e6 * seconds:.0f}", "", ratio, ""])
    rows += [[f"C engine: {k}", "1", f"{1e6 * v:.1f}", "", "", "1"] for k, v in engine.items()]
    columns = ("default model, float32", "batch", "us a frame", "a second", "x OpenSim", "x C")
    return _table(f"speed on {jax.devices()[0].device_kind}", columns, rows)


def opensim_seconds(*, muscles: bool, calls: int = 100) -> float:
    """Return the time of one Python call of OpenSim's solver in a new pose, s.

    The stored model has 80 muscles; its solver counts their forces unless they are switched off.
    """
    import opensim

    opensim.Logger.setLevelString("Off")
    model = opensim.Model(str(OPENSIM_MODEL))
    for muscle in model.getMuscles():
        muscle.set_appliesForce(muscles)
    state = model.initSystem()
    solver = opensim.InverseDynamicsSolver(model)
    rest, udot = state.getQ().to_numpy().copy(), opensim.Vector(state.getNU(), 0.1)
    shift = iter(np.linspace(0.01, 0.1, 2 * calls))

    def call() -> None:
        state.setQ(opensim.Vector.createFromMat(rest + next(shift)))
        state.setU(opensim.Vector(state.getNU(), 0.1))
        solver.solve(state, udot)

    return best(call, calls)


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
    return _table("compile times, s", ("function", "cold", "from the cache"), rows)


# --- exactness -----------------------------------------------------------------------------------


def exact_table(count: int = 256) -> Table:
    """FD(ID(q, qd, qdd)) against qdd, relative to its norm, worst frame."""
    subjects = ("gait_opensim/gait2392", "hamner/subject01", "opencap/expert1")
    sources = {"default model": mujoco.MjSpec.from_file(str(asset(DEFAULT_MODEL)))}
    for name in subjects:
        sources[name] = compile_osim(DATA / "motions" / name / "model.osim")
    rows = []
    for name, spec in sources.items():
        row = [name]
        for double in (True, False):
            with jax.enable_x64(double):
                model = Model.from_spec(spec)
                q, qd, qdd = states(model, count)
                tau = jax.jit(jax.vmap(partial(inverse_dynamics, model)))(q, qd, qdd)
                found = jax.jit(jax.vmap(partial(forward_dynamics, model)))(q, qd, tau)
                error = np.linalg.norm(found - qdd, axis=1) / np.linalg.norm(qdd, axis=1)
                row.append(f"{error.max():.1e}")
        rows.append(row)
    return _table("FD(ID(qdd)) - qdd, relative", ("model", "float64", "float32"), rows)


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


# --- MuJoCo's engines ----------------------------------------------------------------------------


def engines_table(steps: int = 20) -> Table:
    """Step the standing default model, every muscle at 5 %, in MJX and in C, from one state."""
    mj = mujoco.MjModel.from_xml_path(str(asset(DEFAULT_MODEL)))
    batch = 8192 if jax.default_backend() == "gpu" else 16
    data = mujoco.MjData(mj)
    data.ctrl[:] = 0.05
    mx = mjx.put_model(mj)
    step = jax.jit(jax.vmap(mjx.step, (None, 0)))
    start = jax.tree.map(lambda x: jnp.stack([x] * batch), mjx.put_data(mj, data))

    def run() -> jax.Array:
        at = start
        for _ in range(steps):
            at = step(mx, at)
        return at.qpos

    began = time.perf_counter()
    found = np.asarray(run())
    compiling = time.perf_counter() - began
    mjx_s = best(run, 3)
    mujoco.mj_step(mj, data, steps)
    apart = float(np.abs(found - data.qpos).max())

    threads = os.cpu_count() or 1
    states = np.zeros((64, mujoco.mj_stateSize(mj, mujoco.mjtState.mjSTATE_FULLPHYSICS)))
    fresh = mujoco.MjData(mj)
    mujoco.mj_getState(mj, fresh, states[0], mujoco.mjtState.mjSTATE_FULLPHYSICS)
    states[:] = states[0]
    controls = np.full((64, steps, mj.nu), 0.05)
    each = [mujoco.MjData(mj) for _ in range(threads)]
    with Rollout(nthread=threads) as many:
        c_s = best(lambda: many.rollout(mj, each, states, controls), 5)
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
    return _table(f"whole model, {steps} steps of {1e3 * mj.opt.timestep:g} ms", columns, rows)


# --- trials --------------------------------------------------------------------------------------

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
    with open(DATA / "manifest.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name = f"{row['dataset']}/{row['subject']}/{row['trial']}"
            trial = Trial(name, row["activity"])
            if only in name and trial.file("_id_opensim.sto").is_file():
                yield trial


def coordinates_of(trial: Trial, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Return the sample times (T,) and the published coordinates (T, n), rad and m."""
    path = trial.file("_ik.mot")
    table = read_table(path if path.is_file() else trial.file("_ik_opensim.mot"))
    even = np.linspace(table.time[0], table.time[-1], len(table.time))
    q = np.tile(np.asarray(model.q_default), (len(even), 1))
    layout = model.layout
    for k, name in enumerate(layout.coordinate_names):
        if name in table.columns:
            q[:, k] = np.interp(even, table.time, table.column(name))
            if table.in_degrees and layout.rotational[k]:
                q[:, k] = np.deg2rad(q[:, k])
    return even, q


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
