"""Print how well ground forces from motion alone agree with force plates, one row a trial.

    python benchmarks/ground_forces.py                      # every trial of ../shared/data
    python benchmarks/ground_forces.py --split train        # one half of the people
    python benchmarks/ground_forces.py --only stairs61      # trials whose name contains this

A trial's own joint angles (``_ik.mot``, low-passed at 6 Hz) move its own compiled model; plates are
only compared with. A frame counts when every contact is on a plate: the total measured vertical
force (low-passed at 6 Hz) is within ``EXPLAINED_BW`` of what moves the center of mass. Errors are
means over the counted frames in which the plate or the estimate loads that foot, both feet;
AP and ML are along and across where the pelvis faces. Events are crossings of ``STANCE_BW`` between
counted frames; "lost" are events without a counterpart within ``MATCH_S``. The residual is the mean
force on the pelvis that remains, with no ground force and with the estimated ones. A dash means
that nothing could be compared. Errors that miss their bar are marked with *.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from rich import box
from rich.console import Console
from rich.table import Table
from scipy.spatial import ConvexHull, QhullError
from trials import DATA, coordinates_at, manifest

from mjx_msk.compile import compile_osim, write_xml
from mjx_msk.errors import MskError
from mjx_msk.fit.derivatives import lowpass, motion_spline, smooth_motion
from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.kinetics import Kinetics, estimated_loads, joint_forces
from mjx_msk.fit.measured import measured_loads
from mjx_msk.fit.points import places
from mjx_msk.fit.root import root_pose
from mjx_msk.fit.seat import loads_beside_seat, seated
from mjx_msk.fit.soles import sole_touch
from mjx_msk.model import Model
from mjx_msk.osim.tables import read_table
from mjx_msk.runtime import enable_compilation_cache

CUTOFF_HZ = 6.0
#: How much of body weight may lack between plates and the center of mass's acceleration.
EXPLAINED_BW = 0.15
#: A foot stands when it carries this share of body weight.
STANCE_BW = 0.05
#: An event is looked for this far from the plate's, s.
MATCH_S = 0.15
#: Activities compared, and those with bars.
ACTIVITIES = ("walk", "squat", "sit-to-stand", "drop-jump", "run")
BARS = {"vertical": 8.0, "ap": 4.0, "inside": 99.0, "timing": 20.0}
#: The rigid marker sets of these models have no two feet with contact spheres.
NOT_FEET = ("planar2d", "leg6dof9musc", "leg39")


@dataclass(frozen=True, kw_only=True)
class Trial:
    name: str
    split: str
    activity: str
    folder: Path
    angles: Path
    forces: Path | None
    model: str


@dataclass(frozen=True)
class Moving:
    """A trial's motion on its own model."""

    model: Model
    time: np.ndarray
    q: np.ndarray
    qd: np.ndarray
    qdd: np.ndarray

    @property
    def dt(self) -> float:
        return float(self.time[1] - self.time[0])

    @property
    def weight(self) -> float:
        gravity = np.linalg.norm(self.model.mjx.opt.gravity)
        return float(np.sum(self.model.mjx.body_mass) * gravity)


def trials(data: Path) -> list[Trial]:
    """Return the trials with joint angles, and plates where they have feet to compare."""
    found = []
    for name, row in manifest(data).items():
        folder = data / "motions" / row["dataset"] / row["subject"]
        activity = row["activity"].split(" ")[0]
        wanted = row["has_grf"] == "1" or activity in ("squat", "sit-to-stand")
        if row["has_ik"] != "1" or activity not in ACTIVITIES or not wanted:
            continue
        if row["subject"] in NOT_FEET:
            continue
        forces = folder / f"{row['trial']}_grf.mot"
        found.append(
            Trial(
                name=name, split=row["split"], activity=activity, folder=folder,
                angles=folder / row["ik_file"], forces=forces if forces.is_file() else None,
                model=row["model"],
            )
        )  # fmt: skip
    return found


def compiled(trial: Trial, models: Path) -> Model:
    path = models / f"{trial.folder.parent.name}_{trial.folder.name}.xml"
    if not path.is_file():
        write_xml(compile_osim(trial.folder / trial.model), path)
    return Model.load(path)


def moving(trial: Trial, model: Model) -> Moving:
    """Return a trial's coordinates, evenly sampled at 100 Hz at most, low-passed."""
    table = read_table(trial.angles)
    rate = (len(table.time) - 1) / (table.time[-1] - table.time[0])
    rate = min(100.0, round(rate))
    time_s = np.arange(table.time[0], table.time[-1] + 1e-9, 1.0 / rate)
    locked, default = np.array(model.layout.locked), np.asarray(model.q_default, float)
    q = np.where(locked, default, coordinates_at(model, table, time_s))
    return Moving(model, time_s, *smooth_motion(time_s, q, CUTOFF_HZ))


def estimated(m: Moving) -> tuple[FootLoads, Kinetics, Kinetics, np.ndarray]:
    """Return the feet's loads, kinetics without and with them, and when a seat carries."""
    _, pushing = sole_touch(m.model, m.q, m.dt, 0.0)
    loads = estimated_loads(m.model, m.q, pushing, m.dt)
    none = FootLoads(0 * loads.force, 0 * loads.force, 0 * loads.force)
    before = joint_forces(m.model, m.q, m.qd, m.qdd, none)
    kinetics = joint_forces(m.model, m.q, m.qd, m.qdd, loads)
    seat = seated(m.model, m.q, kinetics, m.dt)
    if seat.any():
        loads = loads_beside_seat(m.model, m.q, pushing, seat, m.dt)
        kinetics = joint_forces(m.model, m.q, m.qd, m.qdd, loads)
    return loads, before, kinetics, seat


def on_plates(m: Moving, measured: np.ndarray) -> np.ndarray:
    """Return which frames (T,) have every contact on a plate; ``measured`` (T, 2, 3) N."""
    center = places(m.model, m.q).center
    acceleration = motion_spline(m.time, center, CUTOFF_HZ).derivative(2)(m.time)
    demand = m.weight * (1.0 + acceleration[:, 2] / np.linalg.norm(m.model.mjx.opt.gravity))
    total = measured.sum(axis=1)[:, 2]
    covered = np.isfinite(total)
    smooth = np.zeros_like(total)
    if covered.sum() > 3:
        smooth[covered] = lowpass(total[covered], 1.0 / m.dt, CUTOFF_HZ)
    return covered & (np.abs(smooth - demand) < EXPLAINED_BW * m.weight)


def headings(m: Moving) -> np.ndarray:
    """Return where the pelvis faces, (T, 2) unit vectors, low-passed at 1 Hz."""
    forward = root_pose(m.model, m.q)[0][:, :2, 0]
    forward = lowpass(forward, 1.0 / m.dt, 1.0)
    return forward / np.linalg.norm(forward, axis=1, keepdims=True)


def inside_sole(m: Moving, loads: FootLoads) -> float:
    """Return the share of loaded frames with the center of pressure in the sole, %."""
    soles, radius = places(m.model, m.q).soles, np.asarray(m.model.contact_radius)
    feet = np.array(m.model.layout.contact_feet)
    circle = np.linspace(0.0, 2 * np.pi, 12, endpoint=False)
    rim = np.column_stack([np.cos(circle), np.sin(circle)])
    good = count = 0
    for foot in (0, 1):
        for t in np.flatnonzero(loads.force[:, foot, 2] > STANCE_BW * m.weight):
            outline = soles[t, feet == foot, None, :2] + radius[feet == foot, None, None] * rim
            try:
                planes = ConvexHull(outline.reshape(-1, 2)).equations
            except QhullError:
                continue
            count += 1
            good += bool(np.all(planes[:, :2] @ loads.cop[t, foot, :2] + planes[:, 2] < 1e-6))
    return 100.0 * good / count if count else np.nan


def events(force: np.ndarray, threshold: float) -> list[tuple[int, float]]:
    """Return (direction, place in frames) of crossings: 1 touchdown, -1 lift-off."""
    above = force > threshold
    found = []
    known = np.isfinite(force[1:]) & np.isfinite(force[:-1])
    for k in np.flatnonzero((above[1:] != above[:-1]) & known):
        share = (threshold - force[k]) / (force[k + 1] - force[k])
        found.append((1 if above[k + 1] else -1, k + share))
    return found


def timing(
    m: Moving, measured: np.ndarray, force: np.ndarray, counted: np.ndarray
) -> tuple[dict[int, list[float]], int]:
    """Return errors (ms) of touchdowns (1) and lift-offs (-1), and how many were not found."""
    errors: dict[int, list[float]] = {1: [], -1: []}
    lost = 0
    for foot in (0, 1):
        own = events(force[:, foot, 2], STANCE_BW * m.weight)
        for kind, place in events(measured[:, foot, 2], STANCE_BW * m.weight):
            near = counted[max(0, int(place) - 1) : int(place) + 3]
            if not near.all():
                continue
            gaps = [abs(p - place) * m.dt for k, p in own if k == kind]
            if gaps and min(gaps) < MATCH_S:
                errors[kind].append(1e3 * min(gaps))
            else:
                lost += 1
    return errors, lost


def compare(trial: Trial, m: Moving) -> tuple[dict[str, float], str]:
    """Return the numbers of one row and what there is to say about it."""
    loads, before, after, seat = estimated(m)
    row = {
        "inside": inside_sole(m, loads),
        "before": 100 * np.nanmean(np.linalg.norm(before.residual_force, axis=1)) / m.weight,
        "after": 100 * np.nanmean(np.linalg.norm(after.residual_force, axis=1)) / m.weight,
        "seat": 100 * float(seat.mean()),
    }
    if trial.forces is None:
        return row, "no plates"
    plates = measured_loads(trial.forces, m.model, m.time, m.q)
    counted = on_plates(m, plates.force) & ~seat
    row["frames"] = int(counted.sum())
    if not counted.any():
        return row, "no frame with all contacts on plates"
    forward = headings(m)
    across = np.column_stack([-forward[:, 1], forward[:, 0]])
    loaded = np.maximum(plates.force[..., 2], loads.force[..., 2]) > STANCE_BW * m.weight
    use = loaded & counted[:, None]
    error = np.nan_to_num(loads.force - plates.force)
    to_percent = 100.0 / m.weight
    row["vertical"] = np.abs(error[..., 2])[use].mean() * to_percent
    row["ap"] = np.abs(np.einsum("tfx,tx->tf", error[..., :2], forward))[use].mean() * to_percent
    row["ml"] = np.abs(np.einsum("tfx,tx->tf", error[..., :2], across))[use].mean() * to_percent
    both = use & (np.minimum(plates.force[..., 2], loads.force[..., 2]) > STANCE_BW * m.weight)
    if both.any():
        apart = np.linalg.norm((loads.cop - plates.cop)[..., :2], axis=-1)
        row["cop"] = 1e3 * np.nanmean(apart[both])
    errors, lost = timing(m, plates.force, loads.force, counted)
    row["down"] = np.mean(errors[1]) if errors[1] else np.nan
    row["up"] = np.mean(errors[-1]) if errors[-1] else np.nan
    row["lost"] = lost
    return row, ""


COLUMNS = (
    ("frames", "frames", 0), ("V %BW", "vertical", 1), ("AP %BW", "ap", 1), ("ML %BW", "ml", 1),
    ("COP in %", "inside", 1), ("COP mm", "cop", 0), ("down ms", "down", 0), ("up ms", "up", 0),
    ("lost", "lost", 0), ("residual before %BW", "before", 0), ("after", "after", 1),
    ("seat %", "seat", 0),
)  # fmt: skip


def _cell(key: str, value: float, digits: int) -> str:
    if not np.isfinite(value):
        return "-"
    text = f"{value:.{digits}f}"
    bar = BARS.get("timing" if key in ("down", "up") else key)
    missed = bar is not None and (value < bar if key == "inside" else value > bar)
    return f"{text}*" if missed else text


def main(
    data: Path = DATA,
    split: Literal["train", "val", "both"] = "both",
    only: str = "",
    models: Path | None = None,
) -> None:
    """Compare estimated with measured ground forces.

    Args:
        data: The folder of the reference data.
        split: Whose trials.
        only: Only trials whose name contains this.
        models: Keep compiled models here, to find them the next time.
    """
    enable_compilation_cache()
    console = Console(width=170)
    with tempfile.TemporaryDirectory() as scratch:
        folder = models or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for part in ("train", "val"):
            if split not in (part, "both"):
                continue
            table = Table(title=f"split = {part}", box=box.MARKDOWN)
            for heading in ("trial", "activity", *(c[0] for c in COLUMNS)):
                table.add_column(heading)
            start = time.perf_counter()
            for trial in trials(data):
                if trial.split != part or only not in trial.name:
                    continue
                try:
                    row, note = compare(trial, moving(trial, compiled(trial, folder)))
                except MskError as error:
                    row, note = {}, str(error)
                cells = (_cell(key, row.get(key, np.nan), digits) for _, key, digits in COLUMNS)
                table.add_row(trial.name, trial.activity, *cells)
                if note:
                    console.print(f"{trial.name}: {note}")
            console.print(table)
            console.print(f"{time.perf_counter() - start:.0f} s\n")


if __name__ == "__main__":
    tyro.cli(main)
