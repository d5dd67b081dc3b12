"""Marker inverse kinematics of one frame: weighted least squares, differentiable, for ``vmap``.

The coordinates minimise half of
``sum_i w_i |x_i(q) - y_i|^2 / sum_i w_i + sum_j v_j (q_j - p_j)^2`` within their bounds: markers
``y`` with weights ``w``, and coordinates' values ``p`` with weights ``v``, as in OpenSim's inverse
kinematics (Lu and O'Connor 1999, J Biomech 32:129; Delp et al. 2007, IEEE TBME 54:1940).
Steps are Gauss-Newton's with Levenberg-Marquardt damping on the scaled normal
equations (Marquardt 1963, J SIAM 11:431), and Newton's near the solution, where skin that moves
leaves residuals too large for Gauss-Newton to converge fast (Nocedal and Wright 2006, sec. 10.3).
A coordinate at a bound that the gradient pushes outward stands still (projected Newton, Bertsekas
1982, SIAM J Control Optim 20:221).

No marker's Jacobian is made. Gauss-Newton's matrix is the mass matrix of a body whose mass are its
markers, ``w_i`` each (composite rigid bodies, Featherstone 2008, sec. 6.2). Second derivatives of a
tree of hinges and slides are ``d2x / dq_i dq_j = axis_i x dx/dq_j`` for a hinge i at or above j, 0
for a slide i (the axis j turns with i); summed over all markers that j moves, they need the sums
of ``f`` and ``x f^T`` alone, with ``f = w (x - y)``.
"""

import itertools
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.errors import MskError
from mjx_msk.model import Model
from mjx_msk.physics.coordinates import congruent, reduce_force
from mjx_msk.physics.dynamics import composite_matrix
from mjx_msk.physics.kinematics import Spatial, dof_motion, frames_of
from mjx_msk.physics.tree import Tree, tree_of
from mjx_msk.physics.vectors import (
    Rotation,
    Vector,
    add,
    cross,
    dot,
    matrix,
    outer,
    subtract,
    times,
    turn,
    vector,
)

#: Newton's steps, if the last step was shorter, rad or m.
_NEAR = 0.3
#: No coordinate turns by more than this in one step, rad: angles do not leave by a full turn.
_LONGEST = 1.0
#: A step that the model says lowers the cost by less than this many roundings ends the iterations.
_ROUNDINGS = 4.0
_MOST_DAMPING = 1e6


class Goals(NamedTuple):
    """What one frame shall meet."""

    target: jax.Array  #: (m, 3) m, measured markers; not read where the weight is 0
    weight: jax.Array  #: (m,) of squared distances, 0 where a marker is missing
    q_target: jax.Array  #: (n,) rad or m
    q_weight: jax.Array  #: (n,) of squared differences, 0 where a coordinate has no value to meet


class Tracked(NamedTuple):
    """The solution of one frame."""

    q: jax.Array  #: (n,) rad or m
    cost: jax.Array  #: () the minimised function
    iterations: jax.Array  #: () how often it was evaluated
    converged: jax.Array  #: () whether the iterations ended by themselves


class _System(NamedTuple):
    """The normal equations at a point."""

    matrix: jax.Array  #: (n, n) Gauss-Newton's, or Newton's
    gradient: jax.Array  #: (n,)
    cost: jax.Array  #: ()


class _Marked(NamedTuple):
    """What the markers say at a point; sums are over those that a dof moves (nv,)."""

    tree: Tree
    motion: Spatial
    mass: jax.Array  #: of weights
    first: Vector  #: of weights times places
    inertia: Rotation  #: of weights about the point of reference
    pull: Vector  #: of ``f``
    moment: Rotation  #: of ``x f^T``
    along: jax.Array  #: (nv,) the slope of the cost
    cost: jax.Array  #: ()


class _State(NamedTuple):
    trial: jax.Array  #: (n,) to be evaluated
    q: jax.Array  #: (n,) the best so far
    system: _System  #: there
    damping: jax.Array
    near: jax.Array  #: whether the next step may be Newton's
    passes: jax.Array
    done: jax.Array


def inverse_kinematics(
    model: Model,
    sites: jax.Array,
    goals: Goals,
    bounds: jax.Array,
    start: jax.Array,
    *,
    iterations: int = 50,
    tolerance: float = 1e-4,
) -> Tracked:
    """Return the coordinates (n,) that bring ``sites`` (m,) to their markers, from ``start`` (n,).

    ``bounds`` (n, 2) are rad or m, infinite where there are none and equal where a coordinate is
    locked. Iterations end when a step moves no coordinate by more than ``tolerance``, rad or m.
    Raises ``MskError`` for a model with a free joint, whose place is no vector of coordinates.

    ``q`` and ``cost`` have first derivatives in both modes with respect to the model, ``goals`` and
    ``bounds``, by the implicit function theorem at the solution with the exact second derivatives
    (Krantz and Parks 2002); what no goal determines has derivative zero.
    """
    if model.layout.free:
        raise MskError(
            "marker inverse kinematics needs coordinates for the root, not a free joint.",
            remedy="Compile the model with: mjx-msk compile MODEL.osim --root coordinates",
        )
    q, cost, count, done = _solved(model, sites, goals, bounds, start, iterations, tolerance)
    return Tracked(q, cost, count.astype(int), done > 0.5)


@partial(jax.custom_jvp, nondiff_argnums=(5, 6))
def _solved(
    model: Model, sites: jax.Array, goals: Goals, bounds: jax.Array, start: jax.Array,
    iterations: int, tolerance: float,
) -> tuple[jax.Array, ...]:  # fmt: skip
    state = _iterate(model, sites, goals, bounds, start, iterations, tolerance)
    counts = (state.passes.astype(start.dtype), state.done.astype(start.dtype))
    return state.q, state.system.cost, *counts  # integers would need tangents of their own


@_solved.defjvp
def _solved_jvp(iterations: int, tolerance: float, primals, tangents):
    """Differentiate ``gradient = 0`` for free coordinates, ``q = bound`` for those held there."""
    model, sites, goals, bounds, start = primals
    change_model, _, change_goals, change_bounds, _ = tangents
    solution = _solved(model, sites, goals, bounds, start, iterations, tolerance)
    q = solution[0]

    def slope(model: Model, goals: Goals, q: jax.Array) -> tuple[jax.Array, jax.Array]:
        marked = _marked(model, sites, goals, q)
        return _gradient(model, goals, q, marked), _cost(goals, q, marked)

    held = _held(q, slope(model, goals, q)[0], *bounds.T)
    side = jnp.where(q <= bounds[:, 0], change_bounds[:, 0], change_bounds[:, 1])
    moved = jnp.where(held, side, 0.0)
    changes = (change_model, change_goals)
    _, (residual, _) = jax.jvp(slope, (model, goals, q), (*changes, moved))
    marked = _marked(model, sites, goals, q)
    matrix = _matrix(model, goals, q, marked, jnp.asarray(True)) * jnp.outer(~held, ~held)
    smallest = _ROUNDINGS * len(q) * jnp.finfo(q.dtype).eps
    inverse = jnp.linalg.pinv(matrix, rtol=smallest, hermitian=True)
    change = moved - inverse @ jnp.where(held, 0.0, residual)
    _, (_, change_cost) = jax.jvp(slope, (model, goals, q), (*changes, change))
    zero = jnp.zeros_like(solution[1])
    return solution, (change, change_cost, zero, zero)


def _held(q: jax.Array, gradient: jax.Array, low: jax.Array, high: jax.Array) -> jax.Array:
    """Return which coordinates stand at a bound, (n,)."""
    return ((q <= low) & (gradient > 0.0)) | ((q >= high) & (gradient < 0.0)) | (low == high)


def _marked(model: Model, sites: jax.Array, goals: Goals, q: jax.Array) -> _Marked:
    tree = tree_of(model)
    frames = frames_of(model, tree, q)
    x, y, z = (jax.lax.stop_gradient(part[1]) for part in frames.position)
    origin = (x, y, z)  # no result depends on it; one near the markers rounds least
    motion = dof_motion(tree, frames, origin)
    bodies = jnp.asarray(model.mjx.site_bodyid)[sites]
    chosen = jax.nn.one_hot(bodies, model.mjx.nbody, dtype=q.dtype, axis=0)
    rows = (*subtract(frames.position, origin), *itertools.chain(*matrix(frames.orientation)))
    x, y, z, *r = _product(jnp.stack(rows), chosen)
    rotation = (r[0], r[1], r[2]), (r[3], r[4], r[5]), (r[6], r[7], r[8])
    place = add((x, y, z), turn(rotation, vector(model.mjx.site_pos[sites])))

    seen = goals.weight > 0.0
    total = jnp.sum(goals.weight)
    share = goals.weight / jnp.where(total > 0.0, total, 1.0)
    x, y, z = subtract(place, subtract(vector(goals.target), origin))
    apart = (jnp.where(seen, x, 0.0), jnp.where(seen, y, 0.0), jnp.where(seen, z, 0.0))
    force, first = times(share, apart), times(share, place)
    second = [first[i] * place[j] for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))]
    mixed = [a * b for a in place for b in force]
    sums = _product(
        jnp.stack([share, *first, *second, *force, *mixed]),
        jnp.asarray(tree.moved.T, q.dtype)[bodies],
    )
    mass, x, y, z, xx, yy, zz, xy, xz, yz, fx, fy, fz, *m = sums
    pull, torque = (fx, fy, fz), (m[5] - m[7], m[6] - m[2], m[1] - m[3])
    return _Marked(
        tree, motion, mass, (x, y, z),
        inertia=((yy + zz, -xy, -xz), (-xy, xx + zz, -yz), (-xz, -yz, xx + yy)),
        pull=pull, moment=((m[0], m[1], m[2]), (m[3], m[4], m[5]), (m[6], m[7], m[8])),
        along=dot(motion.linear, pull) + dot(motion.angular, torque),
        cost=0.5 * jnp.sum(share * dot(apart, apart)),
    )  # fmt: skip


def _product(values: jax.Array, table: jax.Array) -> jax.Array:
    return jnp.matmul(values, table, precision="highest")


def _cost(goals: Goals, q: jax.Array, marked: _Marked) -> jax.Array:
    return marked.cost + 0.5 * jnp.sum(goals.q_weight * (q - goals.q_target) ** 2)


def _gradient(model: Model, goals: Goals, q: jax.Array, marked: _Marked) -> jax.Array:
    return reduce_force(model, q, marked.along) + goals.q_weight * (q - goals.q_target)


def _matrix(
    model: Model, goals: Goals, q: jax.Array, marked: _Marked, newton: jax.Array
) -> jax.Array:
    """Return Newton's matrix (n, n) of second derivatives, or Gauss-Newton's part of it."""
    tree, motion = marked.tree, marked.motion
    straight = composite_matrix(tree, motion, marked.mass, marked.first, marked.inertia)
    bent = _curvature(tree, motion, marked.pull, marked.moment)
    # every joint follows one coordinate, so that the second derivatives of qpos are a diagonal
    tied = jax.jvp(lambda x: reduce_force(model, x, marked.along), (q,), (jnp.ones_like(q),))[1]
    diagonal = goals.q_weight + jnp.where(newton, tied, 0.0)
    full = congruent(model, q, straight + jnp.where(newton, bent, 0.0))
    return full + jnp.diag(diagonal)


def _curvature(tree: Tree, motion: Spatial, pull: Vector, moment: Rotation) -> jax.Array:
    """Return ``sum f . d2x / dqpos dqpos``, (nv, nv).

    A dof moves ``x`` by ``v + w x x``, and ``(w x x) x f = x (f . w) - w (x . f)``.
    """
    w, v = motion.angular, motion.linear
    trace = moment[0][0] + moment[1][1] + moment[2][2]
    lever = add(turn(moment, w), times(-trace, w), cross(v, pull))
    upper = np.triu(tree.carried) * (1.0 - 0.5 * np.eye(len(tree.carried)))
    half = outer(w, lever) * upper
    return half + half.T


def _iterate(
    model: Model, sites: jax.Array, goals: Goals, bounds: jax.Array, start: jax.Array,
    iterations: int, tolerance: float,
) -> _State:  # fmt: skip
    low, high = bounds.T
    precision = jnp.finfo(start.dtype).eps
    least = 8.0 * precision
    rotational = np.array(model.layout.rotational)

    def advance(s: _State) -> _State:
        marked = _marked(model, sites, goals, s.trial)
        cost = _cost(goals, s.trial, marked)
        better = cost <= s.system.cost
        newton = s.near & better & (jnp.max(jnp.abs(s.trial - s.q)) < _NEAR)
        at_trial = _System(
            _matrix(model, goals, s.trial, marked, newton),
            _gradient(model, goals, s.trial, marked),
            cost,
        )
        q, system = jax.tree.map(
            lambda new, old: jnp.where(better, new, old), (s.trial, at_trial), (s.q, s.system)
        )
        damping = jnp.where(better, jnp.maximum(s.damping / 10.0, least), s.damping * 8.0)
        step, expected, usable = _step(system, q, low, high, damping)
        longest = jnp.max(jnp.where(rotational, jnp.abs(step), 0.0))
        step = step * (_LONGEST / jnp.maximum(longest, _LONGEST))
        trial = jnp.clip(q + step, low, high)
        length = jnp.max(jnp.abs(trial - q))
        small = length < tolerance
        flat = expected <= _ROUNDINGS * precision * system.cost
        done = (usable & (small | flat)) | (damping > _MOST_DAMPING)
        # a last step that is small needs no look at where it leads
        last = done & usable & (length < jnp.maximum(tolerance, 4.0 * jnp.sqrt(precision)))
        q = jnp.where(last, trial, q)
        # Newton's matrix may be indefinite: then Gauss-Newton's, from the same place
        damping = jnp.where(usable, damping, damping * 80.0)
        return _State(trial, q, system, damping, usable, s.passes + 1, done)

    n = len(start)
    none = jnp.zeros((n, n), start.dtype)
    unseen = _System(none, jnp.zeros(n, start.dtype), jnp.asarray(jnp.inf, start.dtype))
    start = jnp.clip(start, low, high)
    first = _State(
        start, start, unseen, jnp.asarray(1e-2, start.dtype), jnp.asarray(False), jnp.asarray(0),
        jnp.asarray(False),
    )  # fmt: skip
    return jax.lax.while_loop(lambda s: ~s.done & (s.passes < iterations), advance, first)


def _step(
    system: _System, q: jax.Array, low: jax.Array, high: jax.Array, damping: jax.Array
) -> tuple[jax.Array, ...]:
    """Return the damped step, how much it should lower the cost, and whether there is one."""
    diagonal = jnp.diagonal(system.matrix)
    free = ~_held(q, system.gradient, low, high)
    rounding = jnp.finfo(q.dtype).eps  # of markers about a meter away whose weights add up to one
    moved = free & (diagonal > rounding)
    scale = jnp.where(moved, 1.0 / jnp.sqrt(jnp.where(moved, diagonal, 1.0)), 0.0)
    damped = system.matrix * scale[:, None] * scale + jnp.diag(jnp.where(moved, damping, 1.0))
    factor = jax.scipy.linalg.cho_factor(damped, lower=True)
    along = -scale * system.gradient
    step = jax.scipy.linalg.cho_solve(factor, along)
    usable = jnp.all(jnp.isfinite(step)) & ~jnp.any(free & (diagonal < -rounding))
    step = jnp.where(usable, step, 0.0)
    return scale * step, 0.5 * jnp.sum(step * (along + damping * step)), usable
