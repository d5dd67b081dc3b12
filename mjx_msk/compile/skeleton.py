"""Bodies, joints and couplings: a `Source` as a MuJoCo tree in which ``qpos == q``."""

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from mjx_msk.compile.functions import quartic
from mjx_msk.compile.motions import Motion, independent_of, interval_of, read_motion, refined
from mjx_msk.compile.source import GROUND, Axis, Body, Joint, Source
from mjx_msk.errors import MskError

#: Turns OpenSim's ground (Y up) into the world (Z up): x -> x, y -> z, z -> -y.
WORLD_FROM_GROUND = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])

#: Keeps the mass matrix regular where joints in series share an axis; far too little to feel.
ARMATURE = {True: 1e-5, False: 1e-2}  # hinge: kg m^2, slide: kg


def add_skeleton(spec: mujoco.MjSpec, source: Source) -> None:
    """Add every body and joint of ``source`` to an empty ``spec``, then its couplings.

    Raises ``MskError`` for loops, bodies without a joint, and motions that no joint can follow.
    """
    if not source.joints:
        raise MskError("the model has no joints.", remedy="Give a model of a body.")
    added = {GROUND}
    waiting = list(source.joints)
    while waiting:
        ready = [joint for joint in waiting if joint.parent in added]
        if not ready or len({joint.child for joint in ready} | added) < len(ready) + len(added):
            raise MskError(
                f"joint '{waiting[0].name}' closes a loop or hangs from nothing.",
                remedy="Cut the loop in the model.",
            )
        for joint in ready:
            _add_body(spec, source, joint)
            added.add(joint.child)
            waiting.remove(joint)
    for body in source.bodies:
        if body.name not in added:
            raise MskError(
                f"body '{body.name}' hangs from no joint.", remedy="Give it a joint in the model."
            )
    for name in source.couplings:
        independent, function = independent_of(source, name)
        polynomial = quartic(function, interval_of(source.coordinates[independent]))
        numbers = " ".join(repr(float(c)) for c in polynomial)
        spec.add_text(name=f"coordinate/{name}", data=f"{independent} {numbers}")
    for coordinate in source.coordinates.values():
        if coordinate.locked and coordinate.name not in source.couplings:
            spec.add_text(name=f"locked/{coordinate.name}", data=repr(coordinate.default))


def in_world(body: str, position: np.ndarray) -> np.ndarray:
    """Return a position of an OpenSim body's frame in the MuJoCo body's frame."""
    return WORLD_FROM_GROUND @ position if body == GROUND else position


def mujoco_body(spec: mujoco.MjSpec, name: str) -> mujoco.MjsBody:
    """Return the MuJoCo body of an OpenSim body or of the ground."""
    return spec.worldbody if name == GROUND else spec.body(name)


def quaternion(rotation: np.ndarray) -> np.ndarray:
    """Return the unit quaternion (w, x, y, z), w >= 0, of a rotation matrix."""
    return Rotation.from_matrix(rotation).as_quat(canonical=True, scalar_first=True)


def matrix(quaternion: np.ndarray) -> np.ndarray:
    """Return the rotation matrix (3, 3) of a quaternion (w, x, y, z)."""
    return Rotation.from_quat(quaternion, scalar_first=True).as_matrix()


def _add_body(spec: mujoco.MjSpec, source: Source, joint: Joint) -> None:
    """Add the child of a joint, placed where its coordinates are zero, and its MuJoCo joints.

    OpenSim: parent_from_child = parent_frame * motions * child_frame^-1. What the axes do at
    coordinate zero is part of the body's place; each MuJoCo axis is OpenSim's seen from the child
    in that place, so it is turned back by the rest rotations that come after it.
    """
    motions = refined([read_motion(source, axis) for axis in joint.axes])
    shift = sum((m.axis.direction * m.rest for m in motions if not m.axis.hinge), np.zeros(3))
    after = [np.eye(3)]  # the rest rotation of the axes after the last, the last but one, ...
    for motion in reversed(motions):
        after.append(motion.turn @ after[-1])
    rotation = joint.parent_frame.rotation @ after[-1] @ joint.child_frame.rotation.T
    position = joint.parent_frame.position + joint.parent_frame.rotation @ shift
    position = position - rotation @ joint.child_frame.position
    if joint.parent == GROUND:
        rotation, position = WORLD_FROM_GROUND @ rotation, WORLD_FROM_GROUND @ position

    parent = mujoco_body(spec, joint.parent)
    body = parent.add_body(name=joint.child, pos=position, quat=quaternion(rotation))
    _add_inertia(spec, body, next(b for b in source.bodies if b.name == joint.child))
    if not any(motion.coordinate for motion in motions):
        body.userdata = joint.child_frame.position  # where it is welded, for scaling
    carried = _carriers(source, joint, motions)
    for motion, turned in zip(motions, reversed(after[:-1]), strict=True):
        direction = joint.child_frame.rotation @ turned.T @ motion.axis.direction
        if motion in carried:
            _add_independent(body, source, joint, motion, direction)
        elif motion.coordinate is not None:
            _add_dependent(spec, body, joint, motion, direction)


def _carriers(source: Source, joint: Joint, motions: list[Motion]) -> list[Motion]:
    """Return the motions that become the joints of the coordinates this joint owns."""
    carriers = []
    for name in dict.fromkeys(axis.coordinate for axis in joint.axes):
        if name is None or name in source.couplings:
            continue
        candidates = [m for m in motions if m.coordinate == name and m.one_to_one]
        if not candidates:
            raise MskError(
                f"coordinate '{name}' of joint '{joint.name}' moves no axis one to one, "
                "which is not supported.",
                remedy="Give it a LinearFunction of slope 1 or -1 on one axis.",
            )
        carriers.append(candidates[0])
    return carriers


def _add_inertia(spec: mujoco.MjSpec, body: mujoco.MjsBody, source: Body) -> None:
    """Set mass, center and inertia; an inertia that no rigid body can have is repaired and noted.

    The note is the text ``repaired/<body>`` with OpenSim's six numbers.
    """
    if source.mass == 0 and not source.inertia.any():
        return  # MuJoCo accepts it on a body that is welded to the world, and only there
    body.explicitinertial = True
    body.mass = source.mass
    body.ipos = source.com
    body.fullinertia = possible_inertia(source.inertia)
    if not np.array_equal(body.fullinertia, source.inertia):
        numbers = " ".join(repr(float(value)) for value in source.inertia)
        spec.add_text(name=f"repaired/{source.name}", data=numbers)


def possible_inertia(six: np.ndarray) -> np.ndarray:
    """Return the inertia (xx yy zz xy xz yz), with too small principal moments raised.

    A rigid body's largest principal moment is at most the sum of the others. Many OpenSim models
    break this at the toes, and OpenSim computes with it all the same; MuJoCo does not.
    """
    xx, yy, zz, xy, xz, yz = six
    matrix = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    moments, axes = np.linalg.eigh(matrix)
    lack = moments[2] - moments[0] - moments[1]
    if lack <= 0 and moments[0] > 0:
        return np.asarray(six)
    smallest = 1e-9 + 1e-3 * moments[2]
    raised = np.maximum(moments, smallest)
    raised[:2] += max(0.0, lack) / 2 + smallest
    matrix = axes @ np.diag(raised) @ axes.T
    return matrix[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]


def _add_independent(
    body: mujoco.MjsBody, source: Source, joint: Joint, motion: Motion, direction: np.ndarray
) -> None:
    """Add the joint of a coordinate; a slope of -1 turns the axis round, so that qpos == q."""
    assert motion.coordinate is not None
    coordinate = source.coordinates[motion.coordinate]
    body.add_joint(
        name=coordinate.name,
        type=_joint_type(motion.axis),
        axis=direction * motion.polynomials[0][1],
        pos=joint.child_frame.position,
        range=coordinate.range,
        # The room and the heading of a recording do not bound where a person may go.
        limited=coordinate.clamped and joint.parent != GROUND,
    )


def _add_dependent(
    spec: mujoco.MjSpec,
    body: mujoco.MjsBody,
    joint: Joint,
    motion: Motion,
    direction: np.ndarray,
) -> None:
    """Add a joint that follows a coordinate by a polynomial, or joints in series that do.

    Their user data hold the axis in the joint's parent frame, for scaling.
    """
    assert motion.coordinate is not None
    first = f"{joint.name}/{motion.axis.name}"
    drivers = (motion.coordinate, first, motion.coordinate)
    for index, polynomial in enumerate(motion.polynomials):
        name = f"{first}/{index + 1}" if index else first
        body.add_joint(
            name=name,
            type=_joint_type(motion.axis),
            axis=direction,
            pos=joint.child_frame.position,
            limited=False,
            armature=ARMATURE[motion.axis.hinge] if len(motion.polynomials) > 1 else 0.0,
            userdata=motion.axis.direction,
        )
        tie(spec, name, drivers[index], polynomial * [0, 1, 1, 1, 1])


def tie(spec: mujoco.MjSpec, dependent: str, independent: str, polynomial: np.ndarray) -> None:
    """Add the equality ``dependent = polynomial(independent)`` between two joints."""
    data = np.zeros(mujoco.mjNEQDATA)
    data[:5] = polynomial
    spec.add_equality(
        name=dependent,
        type=mujoco.mjtEq.mjEQ_JOINT,
        objtype=mujoco.mjtObj.mjOBJ_JOINT,
        name1=dependent,
        name2=independent,
        data=data,
        solref=[0.005, 1.0],  # stiff: a dependent joint is no joint of its own
        solimp=[0.99, 0.999, 0.001, 0.5, 2.0],
    )


def _joint_type(axis: Axis) -> mujoco.mjtJoint:
    return mujoco.mjtJoint.mjJNT_HINGE if axis.hinge else mujoco.mjtJoint.mjJNT_SLIDE
