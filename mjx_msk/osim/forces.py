"""Measured ground reaction forces: from force plates in a ``.mot`` to a wrench on each foot."""

import csv
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mjx_msk.errors import MskError
from mjx_msk.osim.axes import z_up_from_y_up
from mjx_msk.osim.tables import Table, read_table

#: A contact is a time of vertical force above the second value that gets above the first, N:
#: a plate that never gets so far is noise, as is the center of pressure at still less force.
CONTACT_N, UNLOADED_N = 20.0, 5.0
#: A foot this far (m) from the center of pressure does not stand on it.
_REACH = 0.5
#: A shorter "contact" (s) far from both feet is a plate that rings, not a step.
_RINGING_S = 0.05
_SIDES = {"r": 0, "l": 1}


@dataclass(frozen=True, eq=False)
class ForcePlate:
    """One group of force columns: the force of the ground on whatever stands on it."""

    name: str  #: prefix of its force columns, e.g. ``ground_force_r_`` for ``ground_force_r_vx``
    time: np.ndarray  #: (P,) s
    force: np.ndarray  #: (P, 3) N, Z up
    cop: np.ndarray  #: (P, 3) m, Z up; NaN where the file gives none
    moment: (
        np.ndarray
    )  #: (P, 3) N m about the center of pressure, Z up; 0 where the file gives none


def read_forces(path: str | os.PathLike[str]) -> list[ForcePlate]:
    """Read every force group of a ``.mot`` or ``.sto`` file.

    A group is any prefix with columns ``vx vy vz``, its point ``px py pz`` and its moment either
    ``mx my mz`` or the prefix with ``torque`` for ``force`` and ``x y z``. Raises ``MskError``
    when the table cannot be read, holds no such group, or holds a value that is not finite.
    """
    table = read_table(path)
    prefixes = [c[:-2] for c in table.columns if c.endswith("vx")]
    plates = [_plate(table, prefix) for prefix in prefixes if _has(table, prefix, "v")]
    if not plates:
        raise MskError(
            "no ground reaction force columns were found.",
            where=str(path),
            remedy="Name them ground_force_r_vx, ground_force_r_vy, ground_force_r_vz and so on.",
        )
    for plate in plates:
        if not (np.all(np.isfinite(plate.force)) and np.all(np.isfinite(plate.moment))):
            raise MskError(
                f"force group {plate.name!r} holds values that are not finite.",
                where=str(path),
                remedy="Fill the gaps before using the forces.",
            )
    return plates


def assign_to_feet(
    plates: list[ForcePlate],
    times: np.ndarray,
    feet: np.ndarray,
    *,
    loads: str | os.PathLike[str] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ground's wrench on each foot at the given times.

    ``times`` (T,) s; ``feet`` (T, 2, 3) m, a point near the middle of the right and of the left
    sole. Without ``loads`` (a ``_loads.csv`` that names force columns and bodies), every contact
    on a plate belongs to the foot that is nearest to its center of pressure.

    Returns force (T, 2, 3) N, center of pressure (T, 2, 3) m, NaN without contact, and moment
    about it (T, 2, 3) N m. Times that no plate covers are NaN throughout. Several plates under
    one foot become one equivalent wrench. Raises ``MskError`` when the force file and the motion
    do not overlap in time, or a contact is near neither foot, or ``loads`` names other columns.
    """
    start, end = max(p.time[0] for p in plates), min(p.time[-1] for p in plates)
    covered = (times >= start - 1e-6) & (times <= end + 1e-6)
    if not np.any(covered):
        raise MskError(
            f"the forces last from {start:g} to {end:g} s, the motion from {times[0]:g} to "
            f"{times[-1]:g} s.",
            remedy="Give the force file of the same trial.",
        )
    shares = _named_feet(plates, loads) if loads else _nearest_feet(plates, times, feet)
    force = np.zeros((len(times), 2, 3))
    weighted_cop, moment_at_origin = np.zeros_like(force), np.zeros_like(force)
    for foot, plate in shares:
        loaded = _loaded(plate)
        f = np.where(loaded[:, None], plate.force, 0.0)
        cop = np.where(loaded[:, None], plate.cop, 0.0)
        m = np.where(loaded[:, None], plate.moment, 0.0) + np.cross(cop, f)
        force[:, foot] += _resample(plate.time, f, times)
        weighted_cop[:, foot] += _resample(plate.time, cop * f[:, 2:], times)
        moment_at_origin[:, foot] += _resample(plate.time, m, times)
    contact = force[..., 2] > UNLOADED_N
    cop = np.full_like(force, np.nan)
    cop[contact] = weighted_cop[contact] / force[contact][:, 2:]
    moment = np.where(contact[..., None], moment_at_origin - np.cross(cop, force), 0.0)
    force = np.where(contact[..., None], force, 0.0)
    force[~covered], cop[~covered], moment[~covered] = np.nan, np.nan, np.nan
    return force, cop, moment


def _has(table: Table, prefix: str, kind: str) -> bool:
    return all(f"{prefix}{kind}{axis}" in table.columns for axis in "xyz")


def _plate(table: Table, prefix: str) -> ForcePlate:
    """Collect the columns of one force group; NaN or zero stand for what the file lacks."""

    def vectors(start: str, kind: str, absent: float) -> np.ndarray:
        if not _has(table, start, kind):
            return np.full((len(table.time), 3), absent)
        columns = [table.column(f"{start}{kind}{axis}") for axis in "xyz"]
        return z_up_from_y_up(np.stack(columns, axis=-1))

    torque = re.sub("force", "torque", prefix, flags=re.IGNORECASE)
    moment = vectors(prefix, "m", 0.0) if torque == prefix or _has(table, prefix, "m") else None
    return ForcePlate(
        name=prefix,
        time=table.time,
        force=vectors(prefix, "v", 0.0),
        cop=vectors(prefix, "p", np.nan),
        moment=vectors(torque, "", 0.0) if moment is None else moment,
    )


def _named_feet(
    plates: list[ForcePlate], loads: str | os.PathLike[str]
) -> Iterator[tuple[int, ForcePlate]]:
    """Yield (foot, plate) as a ``_loads.csv`` says; plates it does not name are unused."""
    by_name = {plate.name: plate for plate in plates}
    try:
        with open(loads, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            plate = by_name[row["force_columns"].removesuffix("v{x,y,z}")]
            foot = _SIDES[row["body"].rsplit("_", 1)[-1]]
            start = float(row.get("t_start") or -np.inf)
            end = float(row.get("t_end") or np.inf)
            active = (plate.time >= start) & (plate.time <= end)
            # No torque columns are named where the file's torques are not free moments.
            moment = plate.moment if row.get("torque_columns") else np.zeros_like(plate.moment)
            yield foot, replace(plate, moment=moment, force=plate.force * active[:, None])
    except (OSError, KeyError, ValueError, AttributeError, csv.Error) as error:
        raise MskError(
            f"this assignment of forces to feet cannot be used ({error}).",
            where=str(loads),
            remedy=f"Name body (calcn_r, calcn_l) and force_columns; plates: {sorted(by_name)}.",
        ) from error


def _nearest_feet(
    plates: list[ForcePlate], times: np.ndarray, feet: np.ndarray
) -> Iterator[tuple[int, ForcePlate]]:
    """Yield (foot, plate with only that foot's contacts), each contact to the nearest foot."""
    for plate in plates:
        near = _resample(times, feet.reshape(len(times), 6), plate.time).reshape(-1, 2, 3)
        distance = np.linalg.norm((near - plate.cop[:, None])[..., :2], axis=-1)
        owner = np.full(len(plate.time), -1)
        for begin, end in _runs(_loaded(plate)):
            observed = distance[begin:end][(plate.time[begin:end] >= times[0])
                                           & (plate.time[begin:end] <= times[-1])]  # fmt: skip
            if not len(observed):
                continue
            mean = np.mean(observed, axis=0)
            if not np.min(mean) < _REACH:
                if plate.time[end - 1] - plate.time[begin] < _RINGING_S:
                    continue
                raise MskError(
                    f"force group {plate.name!r} is loaded at {plate.time[begin]:.2f} s, but no "
                    f"foot is near its center of pressure.",
                    remedy="Check that forces and motion share one time and one origin, or give "
                    "a _loads.csv.",
                )
            owner[begin:end] = int(np.argmin(mean))
        for foot in (0, 1):
            if np.any(owner == foot):
                yield foot, replace(plate, force=plate.force * (owner == foot)[:, None])


def _loaded(plate: ForcePlate) -> np.ndarray:
    """Return when something stands on a plate, (P,)."""
    loaded = plate.force[:, 2] > UNLOADED_N
    for begin, end in _runs(loaded):
        loaded[begin:end] = np.any(plate.force[begin:end, 2] > CONTACT_N)
    return loaded


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Return [begin, end) of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _resample(time: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Interpolate columns (P, k) linearly; the ends hold beyond the range."""
    return np.stack([np.interp(at, time, column) for column in values.T], axis=-1)
