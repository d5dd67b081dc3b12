"""Bodies, joints and couplings: a `Source` as a MuJoCo tree in which ``qpos == q``."""

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from mjx_msk.compile.functions import quartic
from mjx_msk.compile.motions import Motion, interval_of, read_motions, terms_of
from mjx_msk.compile.moves import Move, chunks, moves_of
from mjx_msk.compile.source import GROUND, Body, Fastening, Frame, Joint, Source
from mjx_msk.compile.tree import grow
from mjx_msk.errors import MskError

#: Turns OpenSim's ground (Y up) into the world (Z up): x -> x, y -> z, z -> -y.
WORLD_FROM_GROUND = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])

#: Keeps the mass matrix regular where joints in series share an axis; far too little to feel.
ARMATURE = {True: 1e-5, False: 1e-2}  # hinge: kg m^2, slide: kg

#: The same where nothing that a coordinate moves has mass: what a hand has.
MASSLESS_ARMATURE = {True: 1e-3, False: 0.1}

#: kg and kg m^2, of bodies that OpenSim lets weigh nothing and MuJoCo does not.
NOTHING = 1e-9

PATH_GROUP = 5


def add_skeleton(spec: mujoco.MjSpec, source: Source, *, free_root: bool = False) -> None:
    """Add every body and joint of ``source`` to an empty ``spec``, then its couplings.

    With ``free_root`` the bodies that hang from the ground by six coordinates get a free joint,
    named after the joint, in their place. Raises ``MskError`` for loops, bodies without a joint,
    and roots that cannot be free.
    """
    if not source.joints:
        raise MskError("the model has no joints.", remedy="Give a model of a body.")
    joints, loops = grow(source)
    freed = _freed(source, joints) if free_root else ()
    for joint in joints:
        if joint in freed:
            _add_free(spec, source, joint)
        else:
            _add_joint(spec, source, joint)
    for fastening in (*source.fastenings, *loops):
        _fasten(spec, fastening)
    _add_armature(spec)
    _add_notes(spec, source)


def _add_notes(spec: mujoco.MjSpec, source: Source) -> None:
    for name in source.couplings:
        terms = terms_of(source, name)
        if len(terms) == 1:
            ((independent, function),) = terms
            polynomial = quartic(function, interval_of(source.coordinates[independent]))
            numbers = " ".join(repr(float(c)) for c in polynomial)
            spec.add_text(name=f"coordinate/{name}", data=f"{independent} {numbers}")
    for coordinate in source.coordinates.values():
        if coordinate.prescribed:
            spec.add_text(name=f"prescribed/{coordinate.name}", data=repr(coordinate.default))
        if coordinate.locked and coordinate.name not in source.couplings:
            spec.add_text(name=f"locked/{coordinate.name}", data=repr(coordinate.default))
    for kind, notes in (("approximated", source.approximated), ("simplified", source.simplified)):
        for name, words in notes.items():
            spec.add_text(name=f"{kind}/{name}", data=words)


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


def neighbours(body: mujoco.MjsBody) -> list[tuple[str, np.ndarray]]:
    """Return the bones that hang from a body, with their places (3,) in its frame.

    Bodies in between, which only carry joints, are stepped over.
    """
    found = []
    for child in body.bodies:
        position = np.array(child.pos)
        if is_bone(child):
            found.append((child.name, position))
        else:
            turn = matrix(child.quat)
            found += [(name, position + turn @ below) for name, below in neighbours(child)]
    return found


def is_bone(body: mujoco.MjsBody) -> bool:
    """Return whether a body is one of the source, not one that only carries joints."""
    return "/" not in body.name


def _freed(source: Source, joints: list[Joint]) -> tuple[Joint, ...]:
    """Return the joints to the ground that a free joint can replace."""
    roots = [joint for joint in joints if joint.parent == GROUND]
    freed = tuple(
        joint
        for joint in roots
        if len(joint.coordinates) == len({*joint.coordinates} - {*source.couplings, *source.held})
        and len(joint.coordinates) == 6
    )
    if not freed:
        names = ", ".join(f"'{joint.name}' ({len(joint.coordinates)})" for joint in roots)
        raise MskError(
            "a free root needs a joint to the ground with six coordinates of its own; "
            f"this model has {names}.",
            remedy="Leave out --root free.",
        )
    return freed


def _add_free(spec: mujoco.MjSpec, source: Source, joint: Joint) -> None:
    """Add the child of a joint on a free joint, where the default values put it."""
    motions, _ = read_motions(source, joint)
    values = {name: source.coordinates[name].default for name in joint.coordinates}
    chain = [_held(motion, values) for motion in motions]
    frames = (joint.parent_frame, joint.child_frame)
    body = _add_body(spec, joint.parent, joint.child, *frames, chain)
    body.add_freejoint(name=joint.name)
    _add_inertia(spec, body, next(b for b in source.bodies if b.name == joint.child))


def _held(motion: Motion, values: dict[str, float]) -> Move:
    """Return a motion that stays where the coordinates have the given values."""
    at = np.array(values[motion.coordinate] if motion.coordinate else 0.0)
    return Move(motion.axis.hinge, motion.axis.direction, float(motion.function.evaluate(at)))


def _add_joint(spec: mujoco.MjSpec, source: Source, joint: Joint) -> None:
    """Add the child of a joint, placed where its coordinates are zero, and its MuJoCo joints.

    OpenSim: parent_from_child = parent_frame * motions * child_frame^-1. More joints than MuJoCo
    allows in one body lie in bodies in between, ``<joint>/1`` and so on. A coordinate that moves
    no axis one to one has its joint on a body at the side, ``<joint>/<coordinate>``.
    """
    motions, approximate = read_motions(source, joint)
    for name, words in approximate.items():
        spec.add_text(name=f"approximated/{joint.name}/{name}", data=words)
    carried = _carriers(source, joint, motions)
    for name in set(joint.coordinates) - {*carried, *source.couplings, *source.held}:
        _add_aside(spec, source, joint, name, motions)
    *between, last = chunks(moves_of(joint, motions, carried))
    parent, frame = joint.parent, joint.parent_frame
    for index, moves in enumerate(between):
        name = f"{joint.name}/{index + 1}"
        body = _add_body(spec, parent, name, frame, _NOWHERE, moves)
        _add_nothing(body)
        _add_joints(spec, source, joint, body, _NOWHERE, moves, bool(between))
        parent, frame = name, _NOWHERE
    body = _add_body(spec, parent, joint.child, frame, joint.child_frame, last)
    _add_joints(spec, source, joint, body, joint.child_frame, last, bool(between))
    _add_inertia(spec, body, next(b for b in source.bodies if b.name == joint.child))
    if not any(move.joint for move in last):
        body.userdata = joint.child_frame.position  # where it is welded, for scaling
    for motion in motions:
        if motion.error > _EXACT:
            unit = "rad" if motion.axis.hinge else "m"
            words = f"fitted with an error of up to {motion.error:.1g} {unit}"
            spec.add_text(name=f"fitted/{joint.name}/{motion.axis.name}", data=words)


_EXACT = 1e-9  #: rad or m, an error that only rounding makes
_NOWHERE = Frame(np.zeros(3), np.eye(3))


def _add_body(
    spec: mujoco.MjSpec,
    parent: str,
    name: str,
    parent_frame: Frame,
    child_frame: Frame,
    moves: list[Move],
) -> mujoco.MjsBody:
    """Add a body where its coordinates are zero; the rest of every move is part of its place."""
    turned, shift = np.eye(3), np.zeros(3)
    for move in moves:
        if move.hinge:
            turned = turned @ move.turn
        else:
            shift = shift + turned @ move.direction * move.rest
    rotation = parent_frame.rotation @ turned @ child_frame.rotation.T
    position = parent_frame.position + parent_frame.rotation @ shift
    position = position - rotation @ child_frame.position
    if parent == GROUND:
        rotation, position = WORLD_FROM_GROUND @ rotation, WORLD_FROM_GROUND @ position
    return mujoco_body(spec, parent).add_body(name=name, pos=position, quat=quaternion(rotation))


def _add_joints(
    spec: mujoco.MjSpec,
    source: Source,
    joint: Joint,
    body: mujoco.MjsBody,
    child_frame: Frame,
    moves: list[Move],
    divided: bool,
) -> None:
    """Add the joints of a body, and tie those that follow a coordinate.

    Each MuJoCo axis is OpenSim's seen from the child at rest, so it is turned back by the rest
    rotations that come after it, and a hinge lies where the later slides have not yet been.
    The user data of tied joints hold the axis in the joint's parent frame, for scaling.
    """
    after, place = np.eye(3), child_frame.position
    axes = []
    for move in reversed(moves):
        axes.append((child_frame.rotation @ after.T @ move.direction, place))
        after = move.turn @ after
        if not move.hinge and move.rest:
            place = place - axes[-1][0] * move.rest
    for move, (axis, position) in zip(moves, reversed(axes), strict=True):
        if move.joint is None:
            continue
        own = source.coordinates.get(move.joint) if move.driver is None else None
        light = own is None and (divided or move.shares)
        body.add_joint(
            name=move.joint,
            type=_JOINT_TYPE[move.hinge],
            axis=axis * move.sign,
            pos=position if move.hinge else child_frame.position,
            range=own.range if own else [0, 0],
            # The room and the heading of a recording do not bound where a person may go.
            limited=own is not None and own.clamped and joint.parent != GROUND,
            armature=ARMATURE[move.hinge] if light else 0.0,
            userdata=[] if own else move.direction,
        )
        if move.driver is not None:
            tie(spec, move.joint, move.driver, move.polynomial * [0, 1, 1, 1, 1])


def _add_aside(
    spec: mujoco.MjSpec, source: Source, joint: Joint, name: str, motions: list[Motion]
) -> None:
    """Add the joint of a coordinate that moves no axis one to one, on a body at the side."""
    coordinate = source.coordinates[name]
    axes = [motion.axis for motion in motions if motion.coordinate == name]
    axis = next((axis for axis in axes if axis.hinge), axes[0] if axes else None)
    hinge, direction = (axis.hinge, axis.direction) if axis else (True, np.eye(3)[0])
    move = Move(hinge, direction, joint=name)
    place = _add_body(spec, joint.parent, f"{joint.name}/{name}", joint.parent_frame, _NOWHERE, [])
    _add_nothing(place)
    place.add_joint(
        name=name,
        type=_JOINT_TYPE[hinge],
        axis=move.direction,
        range=coordinate.range,
        limited=coordinate.clamped,
        armature=ARMATURE[hinge],
    )


def _carriers(source: Source, joint: Joint, motions: list[Motion]) -> dict[str, Motion]:
    """Return the motions that become the joints of the coordinates this joint owns."""
    carriers: dict[str, Motion] = {}
    for motion in motions:
        name = motion.coordinate
        if name in joint.coordinates and name not in carriers and motion.one_to_one:
            carriers[name] = motion
    return carriers


def _add_nothing(body: mujoco.MjsBody) -> None:
    """Give a body the least mass that MuJoCo takes."""
    body.explicitinertial = True
    body.mass, body.ipos, body.inertia = NOTHING, np.zeros(3), np.full(3, NOTHING)


def _add_armature(spec: mujoco.MjSpec) -> None:
    """Give an armature to coordinates that move nothing with mass, and note it.

    OpenSim poses such models and cannot accelerate them; MuJoCo could not even step them.
    """
    tied = {equality.name1 for equality in spec.equalities}
    driving = {equality.name2 for equality in spec.equalities}
    for body in spec.bodies[1:]:
        if _mass_below(body) > 1e-6:
            continue
        for joint in body.joints:
            if joint.name in tied | driving:
                joint.armature = max(joint.armature, ARMATURE[joint.type == _JOINT_TYPE[True]])
            else:
                joint.armature = MASSLESS_ARMATURE[joint.type == _JOINT_TYPE[True]]
                words = f"nothing that it moves has mass: an armature of {joint.armature} was added"
                spec.add_text(name=f"repaired/{joint.name}", data=words)


def _mass_below(body: mujoco.MjsBody) -> float:
    return body.mass + sum(_mass_below(child) for child in body.bodies)


def _fasten(spec: mujoco.MjSpec, fastening: Fastening) -> None:
    """Add the equality that keeps two frames, or their origins, together."""
    names = []
    for index, (name, frame) in enumerate((fastening.first, fastening.second)):
        names.append(f"fastened/{fastening.name}/{index + 1}")
        rotation = WORLD_FROM_GROUND @ frame.rotation if name == GROUND else frame.rotation
        mujoco_body(spec, name).add_site(
            name=names[-1],
            pos=in_world(name, frame.position),
            quat=quaternion(rotation),
            size=[0.003, 0, 0],
            group=PATH_GROUP,
        )
    spec.add_equality(
        name=fastening.name,
        type=mujoco.mjtEq.mjEQ_WELD if fastening.turns else mujoco.mjtEq.mjEQ_CONNECT,
        objtype=mujoco.mjtObj.mjOBJ_SITE,
        name1=names[0],
        name2=names[1],
    )


def _add_inertia(spec: mujoco.MjSpec, body: mujoco.MjsBody, source: Body) -> None:
    """Set mass, center and inertia; an inertia that no rigid body can have is repaired and noted.

    The note is the text ``repaired/<body>`` with OpenSim's six numbers.
    """
    if source.mass == 0 and not source.inertia.any() and not body.joints:
        return
    body.explicitinertial = True
    body.mass = source.mass or NOTHING
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


def tie(
    spec: mujoco.MjSpec,
    dependent: str,
    independent: str,
    polynomial: np.ndarray,
    impedance: tuple[float, float] = (0.99, 0.999),
) -> None:
    """Add the equality ``dependent = polynomial(independent)`` between two joints.

    ``impedance`` (MuJoCo's ``solimp``, at rest and pulled away) says how little it gives way.
    """
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
        solimp=[*impedance, 0.001, 0.5, 2.0],
    )


_JOINT_TYPE = {True: mujoco.mjtJoint.mjJNT_HINGE, False: mujoco.mjtJoint.mjJNT_SLIDE}
