"""How far a compiled model is from its OpenSim source, measured at random poses."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import mujoco
import numpy as np

from mjx_msk.compile.exactness import fitted_bodies
from mjx_msk.compile.muscle_fidelity import muscle_force_errors
from mjx_msk.compile.muscle_reference import MuscleReference
from mjx_msk.compile.notes import Note, read_notes
from mjx_msk.compile.posing import Posing
from mjx_msk.compile.reference import Reference
from mjx_msk.compile.skeleton import matrix

POSES = 200
CROSSES = 1e-4  #: m; a muscle crosses a coordinate if OpenSim's moment arm is larger somewhere
FLIPS = 5e-3  #: m; a smaller moment arm may have the other sign
#: Smaller values of OpenSim's count as this where an error is relative to them (N m, kg, kg m^2).
SMALLEST = 1e-6
NO_BOUND = 1e3  #: rad or m; OpenSim's way to say that a range has no bound

OnPose = Callable[[int, int], None]


@dataclass(frozen=True)
class ArmError:
    """Errors over the poses of one muscle's moment arm about one coordinate.

    For a slide the arm is dimensionless, and metres read as metres per metre.
    """

    rms: float  #: m
    mean: float  #: m, of the absolute error
    worst: float  #: m
    flips: int  #: poses where OpenSim's arm exceeds 5 mm and ours has the other sign
    pose: int  #: the pose with the worst error


@dataclass(frozen=True)
class Fidelity:
    """Errors of a compiled model over ``poses`` (P, n) of the independent ``coordinates``.

    A model that has no mass in OpenSim has no errors relative to it: ``total_mass``,
    ``mass_center`` and ``mass_matrix`` are None, ``inertial`` and ``moment`` empty.
    """

    coordinates: tuple[str, ...]
    poses: np.ndarray
    seed: int
    position: dict[str, float]  #: m, origin of each body, largest over the poses
    angle: dict[str, float]  #: rad, orientation of each body, largest over the poses
    fitted: frozenset[str]  #: bodies below a joint that can only be fitted
    mass: float  #: kg, largest over bodies
    com: float  #: m, in the body, largest over bodies
    inertia: float  #: kg m^2, largest over bodies and elements
    total_mass: float | None  #: relative
    mass_center: float | None  #: m, of the whole model, largest over the poses
    mass_matrix: float | None  #: Frobenius norm of the error over OpenSim's, largest over the poses
    inertial: dict[str, float]  #: error of a coordinate's row i of M over sqrt(M_ii M_jj), largest
    moment: dict[str, float]  #: RMS error over RMS of OpenSim's generalized force
    length: dict[str, float]  #: m, RMS of each muscle's length
    arms: dict[tuple[str, str], ArmError]  #: (muscle, coordinate), against ``computeMomentArm``
    slopes: dict[tuple[str, str], ArmError]  #: the same against -dL/dq of OpenSim's lengths
    force: dict[str, float]  #: RMS error of each muscle's force at full activation, in F0
    missing: tuple[str, ...]  #: bodies, coordinates and muscles that the compiled model lacks
    notes: tuple[Note, ...]  #: what the compiled model says about itself


def compare(
    osim: str | os.PathLike[str],
    model: mujoco.MjModel,
    *,
    poses: int = POSES,
    seed: int = 0,
    on_pose: OnPose = lambda done, total: None,
) -> Fidelity:
    """Return the errors of ``model`` against OpenSim at random poses, speeds and accelerations.

    Coordinates are uniform in their ranges, speeds and accelerations normal with standard
    deviations of 2 and 10 (rad or m, s). Locked coordinates, and those without a joint of their
    name (that the compiled model holds still, or of a free root), stay at their default values;
    coupled ones follow. ``on_pose(done, total)`` is told the progress.
    """
    reference = Reference(osim)
    joints = {model.joint(index).name for index in range(model.njnt)}
    moves = np.array([name in joints for name in reference.names], bool)
    names = [name for name in reference.names if name in joints]
    q, qd, qdd = sample(reference, moves, poses, seed)
    posing = Posing(model, names)
    bodies = _named(model, mujoco.mjtObj.mjOBJ_BODY, reference.bodies)
    tendons = _named(model, mujoco.mjtObj.mjOBJ_TENDON, reference.muscles)
    muscles = MuscleReference(reference, list(tendons))

    position, angle = np.zeros((2, poses, len(bodies)))
    center, frobenius = np.zeros((2, poses))
    inertial = np.zeros((poses, len(names)))
    moment = np.zeros((2, poses, len(names)))
    length = np.zeros((2, poses, len(tendons)))
    arms = np.zeros((2, poses, len(tendons), len(names)))
    for index in range(poses):
        moment[0, index] = reference.inverse_dynamics(q[index], qd[index], qdd[index])[moves]
        posing.pose(q[index, moves], qd[index, moves], qdd[index, moves])
        moment[1, index] = posing.inverse_dynamics()
        position[index], angle[index] = _misplaced(reference, posing.data, bodies)
        center[index] = np.linalg.norm(posing.data.subtree_com[0] - reference.mass_center())
        expected = reference.mass_matrix(q[index])[np.ix_(moves, moves)]
        frobenius[index], inertial[index] = _mass_errors(posing.mass_matrix(), expected)
        length[0, index] = muscles.lengths()
        length[1, index] = posing.data.ten_length[list(tendons.values())]
        arms[0, index] = muscles.moment_arms(q[index])[:, moves]
        arms[1, index] = posing.moment_arms()[list(tendons.values())]
        on_pose(index + 1, 2 * poses)
    crosses = (np.abs(arms[0]) > CROSSES).any(axis=0)
    slopes = arms[0].copy()
    crossed = np.zeros((len(tendons), len(moves)), bool)
    crossed[:, moves] = crosses & muscles.wraps[:, None]
    for index in range(poses if crossed.any() else 0):
        found = muscles.length_slopes(q[index], crossed)[:, moves]
        slopes[index] = np.where(crossed[:, moves], found, slopes[index])
        on_pose(poses + index + 1, 2 * poses)

    pairs = {
        (muscle, name): (row, column)
        for row, muscle in enumerate(tendons)
        for column, name in enumerate(names)
        if crosses[row, column]
    }
    mass, com, inertia = _inertial_errors(reference, model)
    theirs, ours = reference.model.getTotalMass(reference.state), mujoco.mj_getTotalmass(model)
    wanted = {*reference.bodies, *reference.muscles, *reference.names}
    wanted -= reference.locked | _of_free_bodies(reference, model)
    return Fidelity(
        coordinates=tuple(reference.names),
        poses=q,
        seed=seed,
        position=_by(bodies, position.max(axis=0)),
        angle=_by(bodies, angle.max(axis=0)),
        fitted=frozenset(fitted_bodies(reference.model)),
        mass=mass,
        com=com,
        inertia=inertia,
        total_mass=abs(ours - theirs) / theirs if theirs else None,
        mass_center=float(center.max()) if theirs else None,
        mass_matrix=float(frobenius.max()) if theirs else None,
        inertial=_by(names, inertial.max(axis=0)) if theirs else {},
        moment=_by(names, _relative(moment[1] - moment[0], moment[0])) if theirs else {},
        length=_by(tendons, _rms(length[1] - length[0])),
        arms={pair: _arm_error(arms[0][:, *at], arms[1][:, *at]) for pair, at in pairs.items()},
        slopes={pair: _arm_error(slopes[:, *at], arms[1][:, *at]) for pair, at in pairs.items()},
        force=muscle_force_errors(osim, model, states=poses, seed=seed) if tendons else {},
        missing=tuple(sorted(wanted - {*bodies, *tendons, *names})),
        notes=tuple(read_notes(model)),
    )


def sample(
    reference: Reference, moves: np.ndarray, poses: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return random values, speeds and accelerations (poses, n) of independent coordinates.

    Those that are locked, or do not move, stay at their default values.
    """
    rng = np.random.default_rng(seed)
    low, high = bounded(reference.ranges).T
    shape = (poses, len(moves))
    still = ~moves | np.array([name in reference.locked for name in reference.names], bool)
    q = np.where(still, reference.defaults, rng.uniform(low, high, shape))
    qd, qdd = rng.normal(0, 2, shape), rng.normal(0, 10, shape)
    return q, np.where(still, 0.0, qd), np.where(still, 0.0, qdd)


def bounded(ranges: np.ndarray) -> np.ndarray:
    """Return the ranges (n, 2), -pi and pi where a range has no bound."""
    return np.where(np.abs(ranges) < NO_BOUND, ranges, [-np.pi, np.pi])


def _of_free_bodies(reference: Reference, model: mujoco.MjModel) -> set[str]:
    """Return the coordinates of bodies that have a free joint in the compiled model."""
    free = {
        model.body(model.jnt_bodyid[index]).name
        for index in np.flatnonzero(model.jnt_type == mujoco.mjtJoint.mjJNT_FREE)
    }
    return {
        coordinate.getName()
        for coordinate in reference.model.getCoordinateSet()
        if coordinate.getJoint().getChildFrame().findBaseFrame().getName() in free
    }


def _named(model: mujoco.MjModel, kind: mujoco.mjtObj, names: list[str]) -> dict[str, int]:
    """Return those of the names that the compiled model has, with their numbers."""
    found = {name: mujoco.mj_name2id(model, kind, name) for name in names}
    return {name: index for name, index in found.items() if index >= 0}


def _misplaced(
    reference: Reference, data: mujoco.MjData, bodies: dict[str, int]
) -> tuple[list[float], list[float]]:
    """Return the errors of the bodies' origins (m) and orientations (rad)."""
    places = {name: (place, rotation) for name, place, rotation in reference.places()}
    position = [
        float(np.linalg.norm(data.xpos[index] - places[name][0])) for name, index in bodies.items()
    ]
    angle = [
        _angle(data.xmat[index].reshape(3, 3), places[name][1]) for name, index in bodies.items()
    ]
    return position, angle


def _mass_errors(found: np.ndarray, expected: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the relative error of the mass matrix, and the largest of each row."""
    difference = np.abs(found - expected)
    scale = np.sqrt(np.maximum(np.diag(expected), SMALLEST))
    whole = float(np.linalg.norm(difference)) / max(float(np.linalg.norm(expected)), SMALLEST)
    return whole, (difference / np.outer(scale, scale)).max(axis=1, initial=0)


def _by(names: Iterable[str], errors: np.ndarray) -> dict[str, float]:
    return dict(zip(names, errors.tolist(), strict=True))


def _relative(error: np.ndarray, expected: np.ndarray) -> np.ndarray:
    return _rms(error) / np.maximum(_rms(expected), SMALLEST)


def _rms(error: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(error**2, axis=0))


def _arm_error(expected: np.ndarray, found: np.ndarray) -> ArmError:
    """Return the errors of a moment arm over the poses (P,) where OpenSim's is known."""
    error = np.where(np.isnan(expected), 0.0, np.abs(found - expected))
    known = max(1, np.count_nonzero(~np.isnan(expected)))
    return ArmError(
        rms=float(np.sqrt((error**2).sum() / known)),
        mean=float(error.sum() / known),
        worst=float(error.max()),
        flips=int(np.count_nonzero((np.abs(expected) > FLIPS) & (expected * found < 0))),
        pose=int(error.argmax()),
    )


def _inertial_errors(reference: Reference, model: mujoco.MjModel) -> tuple[float, float, float]:
    """Return the largest errors of mass, center of mass and inertia over bodies."""
    errors = np.zeros(3)
    for name in _named(model, mujoco.mjtObj.mjOBJ_BODY, reference.bodies):
        body, ours = reference.model.getBodySet().get(name), model.body(name)
        rotation = matrix(ours.iquat)
        inertia = rotation @ np.diag(ours.inertia) @ rotation.T
        six = [body.get_inertia().get(i) for i in range(6)]
        expected = np.array(
            [[six[0], six[3], six[4]], [six[3], six[1], six[5]], [six[4], six[5], six[2]]]
        )
        found = (
            abs(ours.mass[0] - body.getMass()),
            np.abs(ours.ipos - body.get_mass_center().to_numpy()).max(),
            np.abs(inertia - expected).max(),
        )
        errors = np.maximum(errors, found)
    return float(errors[0]), float(errors[1]), float(errors[2])


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    """Return the angle between two rotations, accurate near zero."""
    return float(2 * np.arcsin(min(1.0, np.linalg.norm(a - b) / np.sqrt(8))))
