"""Muscles: speed beside OpenSim, and static optimisation of a walk beside OpenSim's own and EMG.

    python benchmarks/muscles.py [--data ../shared/data] [--model compiled.xml] [--every 20]

Moments, coordinates and EMG are those of the trial moco_walk/full80musc. Processor seconds are
compared, so that other programs on the machine disturb less; ours count all threads.
"""

import csv
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import opensim
import tyro
from trials import coordinates_at

from mjx_msk.compile import compile_osim, to_xml
from mjx_msk.fit.derivatives import smooth_motion
from mjx_msk.model import Model
from mjx_msk.osim.tables import Table, read_table
from mjx_msk.physics import muscle_activations, muscle_paths

BATCH, REPEATS = 512, 15
#: Names of the EMG's channels, and the model's muscles they see.
EMG = {
    "soleus": ("soleus",),
    "gastrocnemius": ("gasmed", "gaslat"),
    "tibialis_anterior": ("tibant",),
    "medial_hamstrings": ("semimem", "semiten"),
    "biceps_femoris": ("bflh",),
    "vastus_lateralis": ("vaslat",),
    "vastus_medius": ("vasmed",),
    "rectus_femoris": ("recfem",),
    "gluteus_maximus": ("glmax1", "glmax2", "glmax3"),
    "gluteus_medius": ("glmed1", "glmed2", "glmed3"),
}


@dataclass
class Options:
    """What to run."""

    data: Path = Path("../shared/data")  #: folder of the reference data
    model: Path | None = None  #: the trial's model, compiled; compiled here if not given
    every: int = 20  #: use every so many-th frame of the trial
    opensim: bool = True  #: run OpenSim's static optimisation as well


def main() -> None:
    """Print all tables."""
    options = tyro.cli(Options)
    opensim.Logger.setLevelString("Off")
    folder = options.data / "motions/moco_walk/full80musc"
    with tempfile.TemporaryDirectory() as name:
        path = options.model
        if path is None:
            path = Path(name) / "model.xml"
            path.write_text(to_xml(compile_osim(folder / "model.osim")), encoding="utf-8")
        model = Model.load(path)
        print_speed(model, folder / "model.osim")
        time_s, ours, stretched = print_optimum(model, folder, options.every)
        if options.opensim:
            theirs = opensim_activations(folder, Path(name), options.every)
            print_agreement(model, time_s, (ours, stretched), theirs)
    print_emg(model, time_s, ours, read_table(folder / "walk_emg.sto"))


def print_speed(model: Model, osim: Path) -> None:
    """Print processor time per frame and the time to compile."""
    low, high = np.clip(np.asarray(model.q_range), -1.0, 1.0).T
    q = np.random.default_rng(0).uniform(low, high, (BATCH, model.n)).astype(np.float32)
    start = time.perf_counter()
    run = jax.jit(jax.vmap(muscle_paths, (None, 0))).lower(model, q).compile()
    compiled = time.perf_counter() - start
    ours = min(_seconds(lambda: jax.block_until_ready(run(model, q))) for _ in range(REPEATS))
    reference = opensim.Model(str(osim))
    state = reference.initSystem()
    muscles = reference.getMuscles()
    paths = [muscles.get(i).getGeometryPath() for i in range(muscles.getSize())]
    flexion = reference.getCoordinateSet().get("hip_flexion_r")

    def lengths(angle: float) -> float:
        flexion.setValue(state, angle, False)
        reference.realizePosition(state)
        return _seconds(lambda: [path.getLength(state) for path in paths])

    theirs = min(lengths(angle) for angle in np.linspace(0.0, 0.5, REPEATS))
    print(
        "| muscle paths | processor us/frame | ratio on one core | compile s |\n|---|---|---|---|"
    )
    print(f"| OpenSim, lengths | {theirs * 1e6:.0f} | 1 | |")
    ours /= BATCH
    print(
        f"| lengths and moment arms, batch {BATCH} | {ours * 1e6:.0f} | {theirs / ours:.1f} "
        f"| {compiled:.1f} |",
        flush=True,
    )


def _seconds(action) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def _moments(model: Model, table: Table) -> np.ndarray:
    """Return the moments and forces (T, n) of OpenSim's inverse dynamics, N m and N."""
    values = np.zeros((len(table.time), model.n))
    for i, name in enumerate(model.layout.coordinate_names):
        for column in (f"{name}_moment", f"{name}_force"):
            if column in table.columns:
                values[:, i] = table.column(column)
    return values


def print_optimum(
    model: Model, folder: Path, every: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Print how well muscles meet the moments.

    Returns times, activations, and activations beside passive forces of fibers.
    """
    motion = read_table(folder / "walk_ik.mot")
    moment = read_table(folder / "walk_id_opensim.sto")
    q, qd, _ = smooth_motion(motion.time, coordinates_at(model, motion, motion.time), 6.0)
    chosen = np.searchsorted(motion.time, moment.time[::every] - 1e-6)
    tau = _moments(model, moment)[::every]
    start = time.perf_counter()
    call = jax.jit(muscle_activations).lower(model, q[chosen], qd[chosen], tau).compile()
    compiled = time.perf_counter() - start
    found = call(model, jnp.array(q[chosen]), jnp.array(qd[chosen]), jnp.array(tau))
    jax.block_until_ready(found)
    seconds = min(
        _seconds(
            lambda: jax.block_until_ready(
                call(model, jnp.array(q[chosen]), jnp.array(qd[chosen]), jnp.array(tau))
            )
        )
        for _ in range(5)
    )
    print(
        f"\nstatic optimisation: {len(chosen)} frames, {seconds / len(chosen) * 1e6:.0f} processor "
        f"us/frame, compiled in {compiled:.1f} s\n"
    )
    print(
        "| coordinate | peak moment | reserve RMS / peak | reserve max / peak |\n|---|---|---|---|"
    )
    reserve = np.asarray(found.reserve)
    for i, name in enumerate(model.layout.coordinate_names):
        peak = np.abs(tau[:, i]).max()
        if np.any(reserve[:, i]) and peak > 0:
            rms, most = np.sqrt(np.mean(reserve[:, i] ** 2)), np.abs(reserve[:, i]).max()
            print(f"| {name} | {peak:.1f} | {rms / peak:.2%} | {most / peak:.2%} |")
    arrays = (jnp.array(q[chosen]), jnp.array(qd[chosen]), jnp.array(tau))
    stretched = muscle_activations(model, *arrays, passive=True)
    return moment.time[::every], np.asarray(found.activation), np.asarray(stretched.activation)


def opensim_activations(folder: Path, scratch: Path, every: int) -> Table:
    """Run OpenSim's static optimisation with reserves of 1 N m."""
    model = opensim.Model(str(folder / "model.osim"))
    model.initSystem()
    forces = model.updForceSet()
    for i in reversed(range(forces.getSize())):
        if opensim.Muscle.safeDownCast(forces.get(i)) is None:
            forces.remove(i)
    for coordinate in (model.getCoordinateSet().get(i) for i in range(model.getNumCoordinates())):
        if coordinate.isConstrained(model.initSystem()) or coordinate.get_locked():
            continue
        actuator = opensim.CoordinateActuator(coordinate.getName())
        actuator.setName(f"reserve_{coordinate.getName()}")
        strong = coordinate.getName().startswith("pelvis")
        actuator.setOptimalForce(1000.0 if strong else 1.0)
        actuator.setMinControl(-1000.0)
        actuator.setMaxControl(1000.0)
        model.addForce(actuator)
    model.finalizeConnections()
    path = scratch / "muscles.osim"
    model.printToXML(str(path))
    loads = opensim.ExternalLoads()
    with (folder / "walk_loads.csv").open() as file:
        for row in csv.DictReader(file):
            force = opensim.ExternalForce()
            force.setName(row["force_name"])
            force.set_applied_to_body(row["body"])
            for kind in ("force", "point", "torque"):
                getattr(force, f"set_{kind}_identifier")(row[f"{kind}_columns"].split("{")[0])
            force.set_force_expressed_in_body("ground")
            force.set_point_expressed_in_body("ground")
            loads.cloneAndAppend(force)
    loads.setDataFileName(str((folder / "walk_grf.mot").resolve()))
    loads.printToXML(str(scratch / "loads.xml"))
    first, *_, last = read_table(folder / "walk_id_opensim.sto").time
    analysis = opensim.StaticOptimization()
    analysis.setStartTime(first)
    analysis.setEndTime(last)
    analysis.setStepInterval(every)
    analysis.setUseModelForceSet(True)
    tool = opensim.AnalyzeTool()
    tool.setName("so")
    tool.setModelFilename(str(path))
    tool.setCoordinatesFileName(str((folder / "walk_ik.mot").resolve()))
    tool.setLowpassCutoffFrequency(6.0)
    tool.setExternalLoadsFileName(str(scratch / "loads.xml"))
    tool.setInitialTime(first)
    tool.setFinalTime(last)
    tool.setResultsDir(str(scratch))
    tool.updAnalysisSet().cloneAndAppend(analysis)
    tool.printToXML(str(scratch / "tool.xml"))
    opensim.AnalyzeTool(str(scratch / "tool.xml")).run()
    return read_table(scratch / "so_StaticOptimization_activation.sto")


def print_agreement(
    model: Model, time_s: np.ndarray, both: tuple[np.ndarray, np.ndarray], theirs: Table
) -> None:
    """Print correlations with OpenSim's activations for the strongest muscles of the legs.

    ``both`` are our activations, and those beside passive forces of fibers, which OpenSim's static
    optimisation leaves out.
    """
    print("\n| muscle | r with OpenSim | RMS difference | r beside passive forces |")
    print("|---|---|---|---|")
    names = model.layout.muscles.names
    strength = np.asarray(model.muscles.max_force)
    leg = sorted(range(len(names)), key=lambda i: -strength[i])
    for i in [i for i in leg if names[i].endswith("_r")][:10]:
        other = np.interp(time_s, theirs.time, theirs.column(names[i]))
        r, beside = (np.corrcoef(a[:, i], other)[0, 1] for a in both)
        apart = np.sqrt(np.mean((both[0][:, i] - other) ** 2))
        print(f"| {names[i]} | {r:.3f} | {apart:.3f} | {beside:.3f} |")


def print_emg(model: Model, time_s: np.ndarray, ours: np.ndarray, emg: Table) -> None:
    """Print in how many frames muscle and EMG are both on or both off (a fifth of their range)."""
    index = model.layout.muscles.index
    print("\n| EMG | frames that agree with the right leg |\n|---|---|")
    shares = []
    for channel, muscles in EMG.items():
        measured = np.interp(time_s, emg.time, emg.column(channel))
        activation = np.mean([ours[:, index[f"{m}_r"]] for m in muscles], axis=0)
        shares.append(np.mean(_on(activation) == _on(measured)))
        print(f"| {channel} | {shares[-1]:.0%} |")
    print(f"| mean | {np.mean(shares):.0%} |")


def _on(values: np.ndarray) -> np.ndarray:
    return (values - values.min()) > 0.2 * np.ptp(values)


if __name__ == "__main__":
    main()
