"""Print how far marker input is from OpenSim's inverse kinematics and inverse dynamics.

    python benchmarks/markers.py                    # every trial below
    python benchmarks/markers.py --trial squats1    # trials whose name contains this
    python benchmarks/markers.py --details          # every coordinate of every trial too

Each trial runs through the main job (``mjx_msk.pipeline.analyse``) with the subject's scaled
model and, where they were measured, the ground forces. Angles count unless the model locks them or
the fit says that the markers leave them to habit (``fit.marker_checks.undetermined``); "all free"
counts the latter too.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from trials import DATA, manifest

from mjx_msk.model import Model
from mjx_msk.motion import Motion
from mjx_msk.osim.tables import read_table
from mjx_msk.pipeline import Options, Run, analyse

TRIALS = (
    "opencap/expert1/walking1",
    "opencap/expert1/squats1",
    "opencap/expert1/STS1",
    "opencap/laiarnold5/walking2",
    "moco_walk/full80musc/walk",
    "rajagopal2016/walk_subject/walk",
    "stairs61/s1/squat2",
    "opencap/unfiltered/walking2",
    "opencap/test_original/walking1",
)
JOINTS = ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle")


@dataclass(frozen=True)
class Result:
    """What one trial gives; errors by coordinate, moments by joint."""

    trial: str
    split: str
    person: str
    frames: int
    seconds: float
    marker_error_mm: float
    angle_deg: dict[str, float]  #: MAE of the coordinates that markers determine
    undetermined: dict[str, float]  #: MAE of the others, but for those that the model locks
    pelvis_mm: float  #: mean distance of the pelvis
    moment_pct: dict[str, tuple[float, float]]  #: see ``moment_errors``; empty without forces
    warnings: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trial", default="", help="only trials whose path contains this")
    parser.add_argument("--details", action="store_true", help="print every coordinate")
    options = parser.parse_args()
    results = [measure(trial) for trial in TRIALS if options.trial in trial]
    Console(width=240).print(report(results))
    for result in results:
        for warning in result.warnings:
            print(f"{result.trial}: {warning}")
        if options.details:
            print(result.trial, {k: round(v, 2) for k, v in result.angle_deg.items()})
            print("  left to habit:", {k: round(v, 2) for k, v in result.undetermined.items()})


def measure(trial: str) -> Result:
    """Run one trial through the main job and compare it with OpenSim's results."""
    folder = DATA / "motions" / Path(trial).parent
    name = Path(trial).name
    forces = folder / f"{name}_grf.mot"
    row = manifest()[trial]
    start = time.perf_counter()
    run = Run(
        folder / f"{name}.trc",
        Options(model=folder / "model.osim", grf=forces if forces.is_file() else None),
    )
    spec, motion = analyse(run)
    seconds = time.perf_counter() - start
    angles, pelvis = angle_errors(motion, folder / row["ik_file"])
    layout = Model.from_spec(spec).layout
    locked = {n for n, held in zip(layout.coordinate_names, layout.locked, strict=True) if held}
    free = {k: v for k, v in angles.items() if k not in locked}
    habit = motion.quality["undetermined_coordinates"]
    determined = {k: v for k, v in free.items() if k not in habit}
    reference = folder / f"{name}_id_opensim.sto"
    return Result(
        trial=trial, split=row["split"], person=row["person"], frames=len(motion),
        seconds=seconds, marker_error_mm=motion.quality["marker_error_mm"],
        angle_deg=determined, undetermined={k: free[k] for k in free if k not in determined},
        pelvis_mm=pelvis,
        moment_pct=moment_errors(motion, reference) if forces.is_file() else {},
        warnings=tuple(motion.quality["warnings"]),
    )  # fmt: skip


def angle_errors(motion: Motion, reference: Path) -> tuple[dict[str, float], float]:
    """Return the MAE (deg) of every angle in the reference, and of the pelvis's place (mm)."""
    table = read_table(reference)
    inside = (motion.time >= table.time[0] - 1e-6) & (motion.time <= table.time[-1] + 1e-6)
    place, angles = [], {}
    for i, name in enumerate(motion.coordinate_names):
        if name not in table.columns:
            continue
        expected = np.interp(motion.time, table.time, table.column(name))[inside]
        found = motion.q[inside, i]
        if name in ("pelvis_tx", "pelvis_ty", "pelvis_tz"):
            place.append(found - expected)
            continue
        found = np.rad2deg(found)
        expected = expected if table.in_degrees else np.rad2deg(expected)
        angles[name] = float(np.mean(np.abs((found - expected + 180.0) % 360.0 - 180.0)))
    return angles, 1e3 * float(np.mean(np.linalg.norm(place, axis=0)))


def moment_errors(motion: Motion, reference: Path) -> dict[str, tuple[float, float]]:
    """Return the RMSE of each moment in percent of the reference's peak: both sides, worse side."""
    table = read_table(reference)
    assert motion.generalized_force is not None
    inside = (motion.time >= table.time[0] - 1e-6) & (motion.time <= table.time[-1] + 1e-6)
    inside &= np.isfinite(motion.generalized_force).all(axis=1)
    errors = {}
    for joint in JOINTS:
        names = [f"{joint}_{side}" for side in "rl"]
        columns = [table.column(f"{name}_moment") for name in names]
        expected = np.array([np.interp(motion.time, table.time, c)[inside] for c in columns])
        found = np.array([motion.generalized_force[inside, motion.index(name)] for name in names])
        squared, peak = np.mean((found - expected) ** 2, axis=1), np.abs(expected).max(axis=1)
        both = np.sqrt(squared.mean()) / peak.max()
        errors[joint] = (100 * float(both), 100 * float(np.max(np.sqrt(squared) / peak)))
    return errors


def report(results: list[Result]) -> Table:
    """Return the table of all trials."""
    table = Table(
        title="Marker input against OpenSim; moments: both sides / worse side", title_justify="left"
    )
    headings = (
        "trial", "split", "frames", "s", "markers\nmm", "pelvis\nmm", "angles\nMAE deg",
        "all free\nMAE deg", "worst coordinate\ndeg", "hip\nflex %",
        "hip\nadd %", "hip\nrot %", "knee\n%", "ankle\n%",
    )  # fmt: skip
    for heading in headings:
        left = heading in (*headings[:2], headings[8])
        table.add_column(heading, justify="left" if left else "right", no_wrap=True)
    for r in results:
        worst = max(r.angle_deg, key=r.angle_deg.__getitem__)
        table.add_row(
            r.trial, f"{r.split} {r.person}", str(r.frames), f"{r.seconds:.1f}",
            f"{r.marker_error_mm:.1f}", f"{r.pelvis_mm:.1f}",
            f"{mean(r.angle_deg):.2f}", f"{mean(r.angle_deg | r.undetermined):.2f}",
            f"{worst} {r.angle_deg[worst]:.1f}",
            *["{:.1f} / {:.1f}".format(*r.moment_pct[j]) if r.moment_pct else "-" for j in JOINTS],
        )  # fmt: skip
    return table


def mean(values: dict[str, float]) -> float:
    return float(np.mean(list(values.values())))


if __name__ == "__main__":
    main()
