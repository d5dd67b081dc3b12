"""Equations of motion in independent coordinates.

With ``qpos = g(q)`` and ``G = dg/dq``, the motion of the tied joints drops out of Lagrange's
equations: ``G^T [M (G qdd + dG/dt qd) + bias - J^T f] = tau`` (Featherstone 2008, sec. 3.2), with
``M`` and ``bias`` (Coriolis, centrifugal, gravity) of the tree without its ties.

Inverse dynamics is Newton's and Euler's laws body by body, without ``M`` (Featherstone 2008,
sec. 5.3); ``M`` comes from composite rigid bodies (sec. 6.2). Spatial vectors are world-aligned and
refer to one point; sums along the tree are products with constant tables (``physics.tree``).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.model import Model
from mjx_msk.physics.coordinates import (
    congruent,
    full_acceleration,
    full_velocity,
    reduce_force,
)
from mjx_msk.physics.kinematics import (
    Frames,
    Spatial,
    body_acceleration,
    body_velocity,
    dof_motion,
    frames_of,
    joint_places,
    mass_frames,
    summed,
)
from mjx_msk.physics.paths import muscle_wrenches
from mjx_msk.physics.tree import Tree, tree_of
from mjx_msk.physics.vectors import (
    Rotation,
    Vector,
    add,
    cross,
    dot,
    each,
    gather,
    gather_all,
    outer,
    stacked,
    subtract,
    times,
    turn,
    turn_back,
    vector,
)


class Loads(NamedTuple):
    """External wrenches on k bodies: forces at world points, and free moments."""

    force: jax.Array  #: (k, 3) N
    point: jax.Array  #: (k, 3) m, point of application
    moment: jax.Array  #: (k, 3) N m, beyond that of the force


class _Moving(NamedTuple):
    """A model in a pose, ready for its dynamics; arms are relative to the point of reference."""

    tree: Tree
    frames: Frames
    origin: Vector  #: () the point of reference: any will do, one near the bodies rounds least
    motion: Spatial  #: (nv,) what each dof does to the bodies that it moves
    arm: Vector  #: (nbody,) centers of mass
    principal: Rotation  #: (nbody,) principal axes of inertia


def _at(model: Model, q: jax.Array) -> _Moving:
    tree = tree_of(model)
    frames = frames_of(model, tree, q)
    center, principal = mass_frames(model, frames)
    # No result depends on it, so neither does any derivative.
    x, y, z = (jax.lax.stop_gradient(part[1]) for part in center)
    origin = (x, y, z)
    motion = dof_motion(tree, frames, origin)
    return _Moving(tree, frames, origin, motion, subtract(center, origin), principal)


def _inverse(
    model: Model, at: _Moving, qvel: jax.Array, qacc: jax.Array, loads: Spatial | None
) -> Spatial:
    """Return the wrench (nbody,) that each body needs, beyond ``loads``, to move as it does."""
    tree, motion = at.tree, at.motion
    body = body_velocity(tree, motion, qvel)
    rate = body_acceleration(tree, motion, qvel, qacc)
    # from the point of reference to the center of mass, and from spatial to ordinary acceleration
    omega, alpha = body.angular, rate.angular
    center_velocity = add(body.linear, cross(omega, at.arm))
    acceleration = add(rate.linear, cross(alpha, at.arm), cross(omega, center_velocity))
    gravity = vector(model.mjx.opt.gravity)
    force = times(model.mjx.body_mass, subtract(acceleration, gravity))
    own_omega, own_alpha = turn_back(at.principal, omega), turn_back(at.principal, alpha)
    inertia = vector(model.mjx.body_inertia)
    spin, change = each(inertia, own_omega), each(inertia, own_alpha)
    torque = turn(at.principal, add(change, cross(own_omega, spin)))
    needed = Spatial(add(torque, cross(at.arm, force)), force)
    if loads is None:
        return needed
    return Spatial(*(subtract(a, b) for a, b in zip(needed, loads, strict=True)))


def _applied(at: _Moving, bodies: tuple[int, ...], loads: Loads | None) -> Spatial | None:
    """Return the wrench of loads on each body, (nbody,)."""
    if loads is None:
        return None
    table = np.zeros((len(bodies), at.tree.moved.shape[1]))
    table[np.arange(len(bodies)), list(bodies)] = 1.0
    force, arm = vector(loads.force), subtract(vector(loads.point), at.origin)
    return summed(Spatial(add(vector(loads.moment), cross(arm, force)), force), table)


def _dof_forces(at: _Moving, wrench: Spatial) -> jax.Array:
    """Return the force (nv,) along every dof that supplies the bodies' wrenches."""
    total = summed(wrench, at.tree.moved.T)
    return dot(at.motion.angular, total.angular) + dot(at.motion.linear, total.linear)


def generalized_force(
    model: Model, q: jax.Array, bodies: tuple[int, ...], loads: Loads
) -> jax.Array:
    """Return the generalized force (n,) of ``loads`` on ``bodies`` (indices, one per load)."""
    at = _at(model, q)
    wrench = _applied(at, bodies, loads)
    assert wrench is not None
    return reduce_force(model, q, _dof_forces(at, wrench))


def inverse_dynamics(
    model: Model,
    q: jax.Array,
    qd: jax.Array,
    qdd: jax.Array,
    bodies: tuple[int, ...] = (),
    loads: Loads | None = None,
) -> jax.Array:
    """Return the generalized forces (n,), N m or N, that produce ``qdd`` under ``loads``.

    The first six entries belong to the root and are residuals: nothing acts there in reality.
    ``q``, ``qd``, ``qdd`` are (n,) in rad or m and their time derivatives; ``bodies`` are the body
    indices that carry ``loads``.
    """
    at = _at(model, q)
    qvel, qacc = full_velocity(model, q, qd), full_acceleration(model, q, qd, qdd)
    wrench = _inverse(model, at, qvel, qacc, _applied(at, bodies, loads))
    force = _dof_forces(at, wrench) + model.mjx.dof_armature * qacc
    return reduce_force(model, q, force)


def mass_matrix(model: Model, q: jax.Array) -> jax.Array:
    """Return the mass matrix (n, n) of the independent coordinates, ``G^T M G``."""
    return _mass_matrix(model, _at(model, q), q)


def _mass_matrix(model: Model, at: _Moving, q: jax.Array) -> jax.Array:
    """Composite rigid bodies: all that a dof moves resists it as one rigid body."""
    carried = at.tree.moved.T
    mass = gather(jnp.broadcast_to(model.mjx.body_mass, at.arm[0].shape), carried)
    first = gather_all(times(model.mjx.body_mass, at.arm), carried)
    second = tuple(gather_all(row, carried) for row in _second_moments(model, at))
    product = composite_matrix(at.tree, at.motion, mass, first, second)
    return congruent(model, q, product + jnp.diag(model.mjx.dof_armature))


def composite_matrix(
    tree: Tree, motion: Spatial, mass: jax.Array, first: Vector, second: Rotation
) -> jax.Array:
    """Return the mass matrix (nv, nv) of composites, without armature.

    ``mass``, ``first`` and ``second`` (nv,) are the mass, the mass times the place and the inertia
    about the point of reference of all that a dof moves.
    """
    push = subtract(times(mass, motion.linear), cross(first, motion.angular))
    twist = add(turn(second, motion.angular), cross(first, motion.linear))
    product = outer((*motion.angular, *motion.linear), (*twist, *push))
    # upper[i, j]: dof i carries dof j; those that carry each other are counted twice below
    half = product * (tree.carried * (1.0 - 0.5 * tree.carried.T))
    return half + half.T


def _second_moments(model: Model, at: _Moving) -> Rotation:
    """Return each body's inertia (nbody,) about the point of reference, rows of a matrix."""
    mass, arm, P = model.mjx.body_mass, at.arm, at.principal
    inertia, squared = vector(model.mjx.body_inertia), dot(arm, arm)

    def entry(i: int, j: int) -> jax.Array:
        own = sum(moment * P[i][k] * P[j][k] for k, moment in enumerate(inertia))
        return own + mass * ((squared if i == j else 0.0) - arm[i] * arm[j])

    xx, yy, zz, xy, xz, yz = (entry(*ij) for ij in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)))
    return (xx, xy, xz), (xy, yy, yz), (xz, yz, zz)


def forward_dynamics(
    model: Model,
    q: jax.Array,
    qd: jax.Array,
    tau: jax.Array,
    bodies: tuple[int, ...] = (),
    loads: Loads | None = None,
) -> jax.Array:
    """Return ``qdd`` (n,) under generalized forces ``tau`` (n,) and external ``loads``."""
    at = _at(model, q)
    qvel = full_velocity(model, q, qd)
    drift = full_acceleration(model, q, qd, jnp.zeros_like(qd))
    wrench = _inverse(model, at, qvel, drift, _applied(at, bodies, loads))
    rest = reduce_force(model, q, _dof_forces(at, wrench) + model.mjx.dof_armature * drift)
    M = _mass_matrix(model, at, q)
    return jax.scipy.linalg.solve(M, tau - rest, assume_a="pos")


class Energy(NamedTuple):
    """Mechanical energy, J."""

    kinetic: jax.Array  #: ()
    potential: jax.Array  #: () zero at the world's origin


def energy(model: Model, q: jax.Array, qd: jax.Array) -> Energy:
    """Return the mechanical energy of a state ``q``, ``qd`` (n,)."""
    at = _at(model, q)
    qvel = full_velocity(model, q, qd)
    body = body_velocity(at.tree, at.motion, qvel)
    center = add(body.linear, cross(body.angular, at.arm))
    spin = turn_back(at.principal, body.angular)
    mass, inertia = model.mjx.body_mass, vector(model.mjx.body_inertia)
    rotation = dot(spin, each(inertia, spin))
    kinetic = jnp.sum(mass * dot(center, center) + rotation)
    kinetic = 0.5 * (kinetic + jnp.sum(model.mjx.dof_armature * qvel**2))
    height = dot(vector(model.mjx.opt.gravity), add(at.arm, at.origin))
    return Energy(kinetic, -jnp.sum(mass * height))


class Reaction(NamedTuple):
    """What the joint above each body transmits to it, world axes; zero for the world."""

    force: jax.Array  #: (nbody, 3) N
    moment: jax.Array  #: (nbody, 3) N m about ``point``
    point: jax.Array  #: (nbody, 3) m, where the joint lies in the body


def joint_reactions(
    model: Model,
    q: jax.Array,
    qd: jax.Array,
    qdd: jax.Array,
    bodies: tuple[int, ...] = (),
    loads: Loads | None = None,
    tension: jax.Array | None = None,
) -> Reaction:
    """Return the force and the moment of each body's parent on the body, through their joint.

    They move all that hangs from the joint as ``q``, ``qd``, ``qdd`` (n,) say, beside what
    ``loads`` on ``bodies`` do (Newton and Euler for that part of the body). Without ``tension`` the
    joint's moments are ideal torques and part of the reaction. With the muscles' ``tension`` (m,),
    N, the rest is what bones and ligaments bear: the joint contact force (Steele et al. 2012, Gait
    & Posture 35:556). Row ``model.layout.body_names.index("tibia_r")`` is the right knee's, that of
    ``"femur_r"`` the hip's. Multiply by the transpose of ``pose(...).body_rotation`` for the axes
    of the child.
    """
    at = _at(model, q)
    qvel, qacc = full_velocity(model, q, qd), full_acceleration(model, q, qd, qdd)
    needed = _inverse(model, at, qvel, qacc, _applied(at, bodies, loads))
    if tension is not None:
        everything = tuple(range(model.mjx.nbody))
        force, couple = muscle_wrenches(model, q, tension)
        pull = _applied(at, everything, Loads(force, stacked(at.frames.position), couple))
        assert pull is not None
        needed = Spatial(*(subtract(a, b) for a, b in zip(needed, pull, strict=True)))
    wrench = summed(needed, at.tree.within)
    point = joint_places(model, at.frames)
    moment = subtract(wrench.angular, cross(subtract(point, at.origin), wrench.linear))
    moving = (np.arange(model.mjx.nbody) > 0)[:, None]
    return Reaction(stacked(wrench.linear) * moving, stacked(moment) * moving, stacked(point))
