"""Anatomical forward kinematics: coordinates -> body poses, points and their Jacobians.

Rotations multiply along the tree; where everything is follows as sums over a node's ancestors,
which are products with constant tables. Jacobians are the analytic ones of a tree (Featherstone,
Rigid Body Dynamics Algorithms, 2008, ch. 4): a hinge moves a point by ``axis x (point - anchor)``,
a slide by ``axis``.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.model import Model
from mjx_msk.physics.coordinates import full_position, jacobian
from mjx_msk.physics.tree import Tree, tree_of
from mjx_msk.physics.vectors import (
    Quaternion,
    Rotation,
    Vector,
    add,
    cross,
    gather,
    gather_all,
    matrix,
    multiply,
    quaternion,
    stacked,
    subtract,
    times,
    turn,
    vector,
)


class Frames(NamedTuple):
    """Where bodies and axes are in the world, component by component (``physics.vectors``)."""

    position: Vector  #: (nbody,) m, origins of bodies
    orientation: Quaternion  #: (nbody,) world_from_body
    axis: Vector  #: (nv,) direction of every dof
    anchor: Vector  #: (nv,) m, a point on a hinge's axis


class Spatial(NamedTuple):
    """Motions or forces: an angular and a linear part, referred to one point of the world."""

    angular: Vector
    linear: Vector


class Places(NamedTuple):
    """Kinematics of one frame in MuJoCo's names; world, m."""

    xpos: jax.Array  #: (nbody, 3) origins of bodies
    xmat: jax.Array  #: (nbody, 3, 3) world_from_body
    xipos: jax.Array  #: (nbody, 3) centers of mass
    ximat: jax.Array  #: (nbody, 3, 3) world_from_inertia, the principal axes
    xaxis: jax.Array  #: (nv, 3) direction of every dof
    xanchor: jax.Array  #: (nv, 3) a point on a hinge's axis
    site_xpos: jax.Array  #: (nsite, 3) markers and landmarks


class Pose(NamedTuple):
    """World poses, Z up, metres."""

    body_position: jax.Array  #: (nbody, 3)
    body_rotation: jax.Array  #: (nbody, 3, 3) world_from_body
    sites: jax.Array  #: (nsite, 3) markers and landmarks
    contacts: jax.Array  #: (c, 3) centres of the foot contact spheres
    center_of_mass: jax.Array  #: (3,)


def frames_of(model: Model, tree: Tree, q: jax.Array) -> Frames:
    """Return where bodies and axes are for independent coordinates ``q``.

    As MuJoCo composes them: a body's fixed place in its parent, then its joints in turn, each about
    or along its axis in the frame that the ones before it have left.
    """
    m = model.mjx
    qpos = full_position(model, q)
    offset, fixed, axis, place = _constants(model, tree)
    value = gather(qpos, tree.value)
    half = 0.5 * value * tree.hinge
    cosine, sine = jnp.cos(half), jnp.sin(half)
    local = multiply(fixed, (cosine, *times(sine, axis)))
    if np.any(tree.free):
        local, placed = _freely_placed(tree, qpos, local)
    orientation, above = _chained(tree, local)
    rotation = matrix(orientation)
    along = turn(rotation, axis)
    step = subtract(turn(matrix(above), offset), turn(rotation, place))
    step = add(step, times(value * tree.slide, along))
    if np.any(tree.free):
        step = add(step, placed)
    position = gather_all(step, tree.above)
    anchor = add(position, turn(rotation, place))
    last = gather_all(orientation, tree.last)
    world = np.arange(m.nbody) == 0
    return Frames(
        gather_all(position, tree.last),
        (last[0] + world, *last[1:]),
        _dof_axes(tree, rotation, along),
        gather_all(anchor, tree.dof),
    )


def _constants(model: Model, tree: Tree) -> tuple[Vector, Quaternion, Vector, Vector]:
    """Return each node's place in its parent node, its rest orientation, and its axis and place.

    The place is that of a joint in its body; the first node of a body carries the body's own place.
    """
    m = model.mjx
    joint = 1.0 - tree.welded - tree.free
    held = tree.first * (1.0 - tree.free)
    identity = np.eye(4)[0]
    fixed = m.body_quat[tree.node_body] * held[:, None] + np.outer(1.0 - held, identity)
    if m.njnt == 0:
        axis = place = jnp.zeros((len(tree.node_body), 3))
    else:
        axis = m.jnt_axis[tree.node_joint] * joint[:, None]
        place = m.jnt_pos[tree.node_joint] * joint[:, None]
    rest = quaternion(fixed)
    offset = add(
        vector(m.body_pos[tree.node_body] * held[:, None]), turn(matrix(rest), vector(place))
    )
    return offset, rest, vector(axis), vector(place)


def _freely_placed(tree: Tree, qpos: jax.Array, local: Quaternion) -> tuple[Quaternion, Vector]:
    """Return orientations with those of free joints among them, and the free joints' positions."""
    x, y, z, *p = (gather(qpos, table) for table in tree.placed)
    squared = p[0] ** 2 + p[1] ** 2 + p[2] ** 2 + p[3] ** 2
    share = tree.free / jnp.sqrt(squared + (1.0 - tree.free))
    w, i, j, k = (a * (1.0 - tree.free) + b * share for a, b in zip(local, p, strict=True))
    return (w, i, j, k), (x, y, z)


def _chained(tree: Tree, local: Quaternion) -> tuple[Quaternion, Quaternion]:
    """Return every node's orientation in the world, and its parent's.

    Each round multiplies with the product of twice as many ancestors (parallel prefix; Hillis and
    Steele 1986), so that a chain of 18 joints takes five.
    """

    def chosen(of: Quaternion, table: np.ndarray) -> Quaternion:
        w, x, y, z = gather_all(of, table)
        return w + (1.0 - table.sum(axis=0)), x, y, z  # those at the root follow nothing

    world = local
    for jump in tree.jumps:
        world = multiply(chosen(world, jump), world)
    return world, chosen(world, tree.parent)


def _dof_axes(tree: Tree, rotation: Rotation, along: Vector) -> Vector:
    axes = gather_all(along, tree.dof)
    if not np.any(tree.free):
        return axes
    rows = (gather_all(row, tree.dof) for row in rotation)
    x, y, z = (
        axis + fixed + sum(part * own for part, own in zip(row, tree.own_axis, strict=True))
        for axis, fixed, row in zip(axes, tree.world_axis, rows, strict=True)
    )
    return x, y, z


def dof_motion(tree: Tree, frames: Frames, origin: Vector) -> Spatial:
    """Return what every dof (nv,) does to the bodies that it moves, referred to ``origin``."""
    turning = tree.turning
    around = cross(subtract(frames.anchor, origin), frames.axis)
    return Spatial(
        times(turning, frames.axis), add(times(turning, around), times(1.0 - turning, frames.axis))
    )


def summed(x: Spatial, table: np.ndarray) -> Spatial:
    """Apply ``vectors.gather`` to both parts."""
    return Spatial(gather_all(x.angular, table), gather_all(x.linear, table))


def body_velocity(tree: Tree, motion: Spatial, qvel: jax.Array) -> Spatial:
    """Return the bodies' spatial velocities (nbody,)."""
    return summed(_scaled(qvel, motion), tree.moved)


def body_acceleration(tree: Tree, motion: Spatial, qvel: jax.Array, qacc: jax.Array) -> Spatial:
    """Return the bodies' spatial accelerations (nbody,).

    The rate of a dof's motion is its cross product with the velocity that carries it (Featherstone
    2008, eq. 2.45).
    """
    moving = _scaled(qvel, motion)
    velocity = summed(moving, tree.carried)
    turning = Spatial(
        cross(velocity.angular, moving.angular),
        add(cross(velocity.angular, moving.linear), cross(velocity.linear, moving.angular)),
    )
    changing = Spatial(*(add(times(qacc, s), c) for s, c in zip(motion, turning, strict=True)))
    return summed(changing, tree.moved)


def _scaled(factor: jax.Array, x: Spatial) -> Spatial:
    return Spatial(times(factor, x.angular), times(factor, x.linear))


def joint_places(model: Model, frames: Frames) -> Vector:
    """Return where the bodies' joints lie in the world (nbody,)."""
    place = turn(matrix(frames.orientation), vector(model.joint_place))
    return add(frames.position, place)


def mass_frames(model: Model, frames: Frames) -> tuple[Vector, Rotation]:
    """Return the bodies' centers of mass (nbody,) and principal axes of inertia."""
    m = model.mjx
    center = add(frames.position, turn(matrix(frames.orientation), vector(m.body_ipos)))
    return center, matrix(multiply(frames.orientation, quaternion(m.body_iquat)))


@jax.jit  # traced once, whatever it is used in
def position_data(model: Model, q: jax.Array) -> Places:
    """Return the kinematics of independent coordinates ``q`` (n,), rad or m."""
    m = model.mjx
    frames = frames_of(model, tree_of(model), q)
    center, principal = mass_frames(model, frames)
    rotation = matrix(frames.orientation)
    bodies = np.asarray(m.site_bodyid)
    of = np.zeros((m.nbody, m.nsite))
    of[bodies, np.arange(m.nsite)] = 1.0
    turned = turn(tuple(gather_all(row, of) for row in rotation), vector(m.site_pos))
    return Places(
        xpos=stacked(frames.position),
        xmat=jnp.stack([stacked(row) for row in rotation], axis=-2),
        xipos=stacked(center),
        ximat=jnp.stack([stacked(row) for row in principal], axis=-2),
        xaxis=stacked(frames.axis),
        xanchor=stacked(frames.anchor),
        site_xpos=stacked(add(gather_all(frames.position, of), turned)),
    )


def pose_of(model: Model, data: Places) -> Pose:
    """Return the poses of kinematics."""
    body = np.array(model.layout.contact_bodies, dtype=int)
    contacts = data.xpos[body] + jnp.einsum("cij,cj->ci", data.xmat[body], model.contact_position)
    mass = model.mjx.body_mass
    center = mass @ data.xipos / jnp.sum(mass)
    return Pose(data.xpos, data.xmat, data.site_xpos, contacts, center)


def pose(model: Model, q: jax.Array) -> Pose:
    """Return the world poses for independent coordinates ``q`` (n,), rad or m."""
    return pose_of(model, position_data(model, q))


def spatial_jacobian(
    model: Model, data: Places, q: jax.Array, points: jax.Array, bodies: np.ndarray | jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return d point / d q (K, 3, n) and the angular Jacobian of its body (K, 3, n), world axes.

    ``points`` (K, 3) are fixed to ``bodies`` (K,). Columns belong to ``qd``.
    """
    tree = tree_of(model)
    mask = jnp.array(tree.moved.T, points.dtype)[bodies][:, :, None]
    axis = jnp.broadcast_to(data.xaxis, (len(bodies), *data.xaxis.shape))
    turning = jnp.cross(axis, points[:, None] - data.xanchor)
    rotates = jnp.array(tree.turning == 1.0)[None, :, None]
    linear = jnp.where(rotates, turning, axis) * mask
    angular = jnp.where(rotates, axis, 0.0) * mask
    G = jacobian(model, q)
    return jnp.einsum("kjx,jn->kxn", linear, G), jnp.einsum("kjx,jn->kxn", angular, G)


def centroidal_matrix(model: Model, q: jax.Array) -> jax.Array:
    """Return A (6, n) with ``A qd`` = linear momentum (kg m/s), angular momentum about the center.

    Orin, Goswami, Lee 2013, Autonomous Robots 35:161, eq. 16: the sum over bodies of ``m J_v`` and
    of ``R I R^T J_w + m (r - c) x J_v``.
    """
    data = position_data(model, q)
    mass = model.mjx.body_mass
    bodies = np.arange(len(model.layout.body_names))
    linear, angular = spatial_jacobian(model, data, q, data.xipos, bodies)
    arm = data.xipos - mass @ data.xipos / jnp.sum(mass)
    inertia = jnp.einsum("bij,bj,bkj->bik", data.ximat, model.mjx.body_inertia, data.ximat)
    momentum = jnp.einsum("b,bxn->xn", mass, linear)
    orbital = jnp.cross(arm[:, None, :], linear.swapaxes(1, 2)).swapaxes(1, 2)
    spin = jnp.einsum("bij,bjn->in", inertia, angular) + jnp.einsum("b,bxn->xn", mass, orbital)
    return jnp.concatenate([momentum, spin])
