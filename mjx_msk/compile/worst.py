"""The moment arms that miss most, as curves over their coordinates."""

import os
from dataclasses import dataclass

import mujoco
import numpy as np

from mjx_msk.compile.fidelity import Fidelity, bounded
from mjx_msk.compile.muscle_reference import MuscleReference
from mjx_msk.compile.posing import Posing
from mjx_msk.compile.reference import Reference

COUNT, POINTS = 12, 61
NEGLIGIBLE = 1e-6  #: m; a smaller RMS error shows nothing as a curve


@dataclass(frozen=True)
class Sweep:
    """Lengths and moment arms (N,) of OpenSim (``theirs``) and of the compiled model (``ours``)."""

    length_theirs: np.ndarray
    length_ours: np.ndarray
    arm_theirs: np.ndarray
    arm_ours: np.ndarray


@dataclass(frozen=True)
class Curves:
    """One muscle over one coordinate at ``values`` (N,), rad or m.

    ``rest`` with the other coordinates at their defaults, ``worst`` with them as in the pose of
    the largest error, where the coordinate is ``at``.
    """

    muscle: str
    coordinate: str
    hinge: bool
    values: np.ndarray
    at: float
    rest: Sweep
    worst: Sweep


def worst_curves(
    osim: str | os.PathLike[str],
    model: mujoco.MjModel,
    fidelity: Fidelity,
    *,
    count: int = COUNT,
    points: int = POINTS,
) -> list[Curves]:
    """Return the curves of the muscle-coordinate pairs whose moment arms miss most (RMS)."""
    pairs = sorted(fidelity.arms, key=lambda pair: -fidelity.arms[pair].rms)[:count]
    pairs = [pair for pair in pairs if fidelity.arms[pair].rms > NEGLIGIBLE]
    if not pairs:
        return []
    reference = Reference(osim)
    ranges = bounded(reference.ranges)
    moves = [model.joint(index).name for index in range(model.njnt)]
    names = [name for name in reference.names if name in moves]
    posing = Posing(model, names)
    curves = []
    for muscle, coordinate in pairs:
        column = reference.names.index(coordinate)
        values = np.linspace(ranges[column, 0], ranges[column, 1], points)
        pose = fidelity.poses[fidelity.arms[muscle, coordinate].pose]
        rest, worst = (
            _sweep(reference, posing, muscle, column, values, others)
            for others in (reference.defaults, pose)
        )
        hinge = model.joint(coordinate).type[0] == mujoco.mjtJoint.mjJNT_HINGE
        at = float(pose[column])
        curves.append(Curves(muscle, coordinate, hinge, values, at, rest, worst))
    return curves


def _sweep(
    reference: Reference,
    posing: Posing,
    muscle: str,
    column: int,
    values: np.ndarray,
    others: np.ndarray,
) -> Sweep:
    """Move one coordinate through ``values``, the others as they are."""
    muscles = MuscleReference(reference, [muscle])
    tendon = posing.model.tendon(muscle).id
    ours = [reference.names.index(name) for name in posing.names]
    name = reference.names[column]
    found = np.zeros((4, len(values)))
    for index, value in enumerate(values):
        q = np.array(others, dtype=float)
        q[column] = value
        still = np.zeros(len(q))
        reference.pose(q, still)
        posing.pose(q[ours], still[ours], still[ours])
        found[0, index] = muscles.lengths()[0]
        found[1, index] = posing.data.ten_length[tendon]
        found[2, index] = muscles.moment_arms(q)[0, column]
        found[3, index] = posing.moment_arms()[tendon, posing.names.index(name)]
    return Sweep(*found)
