"""Time whole-trial marker inverse kinematics beside OpenSim's solver and compare the results.

    python benchmarks/inverse_kinematics.py
    python benchmarks/inverse_kinematics.py --trials opencap/expert1/squats1 --repeats 5

Same markers and weights (all 1), locked and clamped coordinates respected. "cold" is the first
call of a model, compilation included; "warm" the best of the repeats. OpenSim's time is that of
``InverseKinematicsSolver`` from Python, assembling the first frame and tracking the others, over
at most ``--opensim-frames`` frames. Differences are over these frames and all free angles.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import opensim
import tyro
from rich.console import Console
from rich.table import Table
from trials import DATA

from mjx_msk.fit.inverse_kinematics import Trial, track_markers
from mjx_msk.fit.marker_checks import undetermined
from mjx_msk.fit.marker_names import match_markers
from mjx_msk.fit.points import points
from mjx_msk.fit.subject import read_model
from mjx_msk.model import Model
from mjx_msk.osim.markers import read_trc
from mjx_msk.runtime import enable_compilation_cache

MOTIONS = DATA / "motions"
TRIALS = (
    "opencap/expert1/walking1",
    "opencap/expert1/squats1",
    "opencap/expert1/DJ1",
    "opencap/laiarnold5/walking2",
    "rajagopal2016/walk_subject/walk",
    "moco_walk/full80musc/walk",
)


@dataclass(frozen=True, kw_only=True)
class Args:
    trials: tuple[str, ...] = TRIALS  #: below shared/data/motions
    repeats: int = 3  #: warm runs, of which the best counts
    opensim_frames: int = 150  #: frames that OpenSim solves
    accuracy: float = 1e-5  #: OpenSim's; smaller converges further and takes longer
    details: bool = False  #: print every coordinate's difference


def main(args: Args) -> None:
    enable_compilation_cache()
    opensim.Logger.setLevelString("Off")
    table = Table(title="Marker inverse kinematics", title_justify="left")
    for heading in (
        "trial", "frames", "steps", "cold s", "warm us/frame", "OpenSim us/frame", "ratio",
        "markers RMS mm", "OpenSim's", "angles RMS deg", "worst",
    ):  # fmt: skip
        table.add_column(heading, justify="left" if heading in ("trial", "worst") else "right")
    for trial in args.trials:
        table.add_row(*measure(trial, args))
    Console(width=200).print(table)


class Solved(NamedTuple):
    """A trial solved here and, its first frames, by OpenSim."""

    model: Model
    names: tuple[str, ...]  #: markers
    ours: Trial
    cold_s: float  #: the first call
    warm_s: float  #: a frame
    q: np.ndarray  #: (T', n) OpenSim's
    error_m: np.ndarray  #: (T', m) OpenSim's
    opensim_s: float  #: a frame


def solved(trial: str, args: Args) -> Solved:
    """Solve a trial's markers here and in OpenSim."""
    path = MOTIONS / f"{trial}.trc"
    osim = path.parent / "model.osim"
    model = Model.from_spec(read_model(osim))
    markers = read_trc(path)
    found = match_markers(model, markers.names, markers.positions, path.name)
    names = tuple(found.values())
    positions = markers.positions[:, list(found)]
    times = []
    for _ in range(args.repeats + 1):
        start = time.perf_counter()
        ours = track_markers(model, names, positions)
        times.append(time.perf_counter() - start)
    count = min(len(positions), args.opensim_frames)
    q, error, seconds = with_opensim(
        osim, model, markers.time[:count], names, positions[:count], args.accuracy
    )
    warm = min(times[1:]) / len(positions)
    return Solved(model, names, ours, times[0], warm, q, error, seconds / count)


def measure(trial: str, args: Args) -> list[str]:
    """Return one row of the table."""
    found = solved(trial, args)
    model, ours, count = found.model, found.ours, len(found.q)
    free = np.array(model.layout.rotational) & ~np.array(model.layout.locked)
    sites = np.array([model.layout.site_index[name] for name in found.names])
    seen = points(model, 1.0, ours.q, np.zeros(0)).by_q[:, sites]
    left_open = undetermined(model, seen, np.isfinite(ours.error_m))
    free &= ~np.isin(model.layout.coordinate_names, left_open)
    apart = (np.rad2deg(ours.q[:count] - found.q) + 180.0) % 360.0 - 180.0
    rms = np.sqrt(np.mean(apart**2, axis=0)) * free
    if args.details:
        print(trial, dict(zip(model.layout.coordinate_names, rms.round(3).tolist(), strict=True)))
    return [
        trial, str(len(ours.q)), f"{ours.iterations.mean():.1f} / {ours.iterations.max()}",
        f"{found.cold_s:.1f}", f"{1e6 * found.warm_s:.0f}", f"{1e6 * found.opensim_s:.0f}",
        f"{found.opensim_s / found.warm_s:.0f}",
        f"{1e3 * np.sqrt(np.nanmean(ours.error_m[:count] ** 2)):.3f}",
        f"{1e3 * np.sqrt(np.nanmean(found.error_m**2)):.3f}",
        f"{np.sqrt(np.mean(apart[:, free] ** 2)):.3f}",
        f"{model.layout.coordinate_names[int(rms.argmax())]} {rms.max():.3f}",
    ]  # fmt: skip


def with_opensim(
    osim: Path,
    model: Model,
    time_s: np.ndarray,
    names: tuple[str, ...],
    positions: np.ndarray,
    accuracy: float,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return OpenSim's coordinates (T, n), marker errors (T, m) in m, and the seconds it took."""
    theirs = opensim.Model(str(osim))
    state = theirs.initSystem()
    y_up = np.stack([positions[..., 0], positions[..., 2], -positions[..., 1]], axis=-1)
    table = opensim.TimeSeriesTableVec3()
    table.setColumnLabels(list(names))
    for t, row in zip(time_s, y_up, strict=True):
        vectors = opensim.RowVectorVec3(len(names))
        for k, place in enumerate(row):
            vectors[k] = opensim.Vec3(*place.tolist())
        table.appendRow(float(t), vectors)
    weights = opensim.SetMarkerWeights()
    for name in names:
        weights.cloneAndAppend(opensim.MarkerWeight(name, 1.0))
    reference = opensim.MarkersReference(table, weights)
    solver = opensim.InverseKinematicsSolver(
        theirs, reference, opensim.SimTKArrayCoordinateReference()
    )
    solver.setAccuracy(accuracy)
    found = {c.getName(): c for c in theirs.getCoordinateSet()}
    coordinates = [found[name] for name in model.layout.coordinate_names]
    q, error = np.zeros((len(time_s), model.n)), np.full(positions.shape[:2], np.nan)
    seconds, order = 0.0, []
    for i, t in enumerate(time_s):
        start = time.perf_counter()
        state.setTime(float(t))
        (solver.track if i else solver.assemble)(state)
        seconds += time.perf_counter() - start
        q[i] = [c.getValue(state) for c in coordinates]
        if not i:  # the solver knows its markers only now
            used = range(solver.getNumMarkersInUse())
            order = [names.index(solver.getMarkerNameForIndex(k)) for k in used]
        error[i, order] = [solver.computeCurrentMarkerError(names[k]) for k in order]
    return q, error, seconds


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
