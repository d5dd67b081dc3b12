"""A motion as one table: a column for everything that is known at every frame."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import mujoco
import numpy as np

from mjx_msk.export.take import Take


class Column(NamedTuple):
    """One column of the table."""

    name: str  #: ``q/knee_angle_r``, ``foot_force/r/z``, ``markers/RASI/x``
    unit: str
    values: np.ndarray  #: (T,); NaN where unknown


def columns(take: Take) -> list[Column]:
    """Return time and every known array of a motion under the names of ``motion.npz``."""
    motion = take.motion
    turns = [
        take.mj.joint(name).type[0] == mujoco.mjtJoint.mjJNT_HINGE
        for name in motion.coordinate_names
    ]
    angle = ["rad" if turning else "m" for turning in turns]
    moment = ["N m" if turning else "N" for turning in turns]
    coordinates, feet = motion.coordinate_names, motion.foot_names
    groups: list[tuple[str, Sequence[str], Sequence[str] | str, str]] = [
        ("q", coordinates, angle, ""),
        ("qd", coordinates, [f"{unit}/s" for unit in angle], ""),
        ("qdd", coordinates, [f"{unit}/s^2" for unit in angle], ""),
        ("generalized_force", coordinates, moment, ""),
        ("reserve", coordinates, moment, ""),
        ("confidence", coordinates, "1", ""),
        ("q_std", coordinates, angle, ""),
        ("foot_force", feet, "N", "xyz"),
        ("foot_cop", feet, "m", "xyz"),
        ("foot_moment", feet, "N m", "xyz"),
        ("contact", feet, "bool", ""),
        ("activation", motion.muscle_names, "1", ""),
        ("muscle_force", motion.muscle_names, "N", ""),
        ("joint_force", motion.loaded_joint_names, "N", "xyz"),
        ("markers", motion.marker_names, "m", "xyz"),
        ("landmarks_fitted", motion.landmark_names, "m", "xyz"),
    ]
    found = [Column("time", "s", motion.time)]
    for field, names, unit, axes in groups:
        values = getattr(motion, field)
        if values is not None:
            units = [unit] * len(names) if isinstance(unit, str) else unit
            found += _columns(field, names, units, axes, values)
    return found


def _columns(
    field: str, names: Sequence[str], units: Sequence[str], axes: str, values: np.ndarray
) -> Iterator[Column]:
    for i, (name, unit) in enumerate(zip(names, units, strict=True)):
        if not axes:
            yield Column(f"{field}/{name}", unit, values[:, i])
        for k, axis in enumerate(axes):
            yield Column(f"{field}/{name}/{axis}", unit, values[:, i, k])
