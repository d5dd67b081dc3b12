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

Second derivatives of a tree of hinges and slides: ``d2x / dq_i dq_j = axis_i x dx/dq_j`` for a
hinge i at or above j, 0 for a slide i (Featherstone 2008, ch. 2: the axis j turns with i).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from mjx_msk.model import Model
from mjx_msk.physics.coordinates import jacobian, reduce_force
from mjx_msk.physics.kinematics import position_data

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
    iterations: jax.Array  #: () Gauss-Newton steps tried


class _System(NamedTuple):
    """The normal equations at a point."""

    hessian: jax.Array  #: (n, n) Gauss-Newton's
    curvature: jax.Array  #: (n, n) what Newton's has beside it
    gradient: jax.Array  #: (n,)
    cost: jax.Array  #: ()


class _State(NamedTuple):
    q: jax.Array
    system: _System
    damping: jax.Array
    near: jax.Array  #: whether the curvature counts
    count: jax.Array
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
    locked. Iterations end when no coordinate moves by more than ``tolerance``, rad or m.

    The result has derivatives in both modes with respect to everything but ``start``, by the
    implicit function theorem on the projected gradient ``q - clip(q - grad, bounds) = 0`` with the
    exact second derivatives (Krantz and Parks 2002); what no goal determines has derivative zero.
    """
    start = jnp.clip(start, bounds[:, 0], bounds[:, 1])

    def condition(q: jax.Array) -> jax.Array:
        return q - jnp.clip(q - _system(model, sites, goals, q).gradient, *bounds.T)

    def solve(_: object, q: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        state = _iterate(model, sites, goals, bounds, q, iterations, tolerance)
        count = state.count.astype(q.dtype)  # integers have no tangents here
        return state.q, (state.system.cost, count)

    q, (cost, count) = jax.lax.custom_root(condition, start, solve, _solve_linear, has_aux=True)
    return Tracked(q, cost, count.astype(int))


def _solve_linear(linear: object, y: jax.Array) -> jax.Array:
    """Return the least-norm solution of ``linear(x) = y``."""
    matrix = jax.vmap(linear, out_axes=1)(jnp.eye(len(y), dtype=y.dtype))
    return jnp.linalg.pinv(matrix, rtol=_ROUNDINGS * len(y) * jnp.finfo(y.dtype).eps) @ y


def _system(model: Model, sites: jax.Array, goals: Goals, q: jax.Array) -> _System:
    data = position_data(model, q)
    seen = goals.weight > 0.0
    total = jnp.sum(goals.weight)
    share = (goals.weight / jnp.where(total > 0.0, total, 1.0))[:, None]
    apart = jnp.where(seen[:, None], data.site_xpos[sites] - goals.target, 0.0)
    moves, above, hinge = _tree(model)
    bodies = jnp.asarray(model.mjx.site_bodyid)[sites]
    moved = jnp.asarray(moves, q.dtype)[bodies][..., None]
    axis = data.xaxis
    turning = jnp.cross(axis, data.site_xpos[sites][:, None] - data.xanchor)
    J = jnp.where(hinge[:, None], turning, axis) * moved  # (m, nq, 3)
    weighted = share * apart
    force = jnp.einsum("kjx,kx->j", J, weighted)
    lever = jnp.sum(jnp.cross(J, weighted[:, None]), axis=0)  # (nq, 3)
    bend = (axis @ lever.T) * above
    bend = bend + bend.T - jnp.diag(jnp.diagonal(bend))
    rows = (J * jnp.sqrt(share)[..., None]).swapaxes(1, 2).reshape(-1, J.shape[1])
    G = jacobian(model, q)
    # every joint follows one coordinate, so that the second derivatives of qpos are a diagonal
    tied = jax.jvp(lambda x: reduce_force(model, x, force), (q,), (jnp.ones_like(q),))[1]
    strayed = q - goals.q_target
    rows_q = rows @ G
    return _System(
        hessian=rows_q.T @ rows_q + jnp.diag(goals.q_weight),
        curvature=G.T @ bend @ G + jnp.diag(tied),
        gradient=force @ G + goals.q_weight * strayed,
        cost=0.5 * jnp.sum(share * apart**2) + 0.5 * jnp.sum(goals.q_weight * strayed**2),
    )


def _tree(model: Model) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which joints move which bodies (nbody, nq), turn which joints (nq, nq), are hinges."""
    parent = np.asarray(model.mjx.body_parentid)
    joint_body = np.asarray(model.mjx.jnt_bodyid)
    hinge = np.asarray(model.mjx.jnt_type) == mujoco.mjtJoint.mjJNT_HINGE
    moves = np.zeros((len(parent), len(joint_body)))
    for body in range(1, len(parent)):
        moves[body] = moves[parent[body]] + (joint_body == body)
    above = np.triu(moves[joint_body].T) * hinge[:, None]
    return moves, above, hinge


def _iterate(
    model: Model, sites: jax.Array, goals: Goals, bounds: jax.Array, start: jax.Array,
    iterations: int, tolerance: float,
) -> _State:  # fmt: skip
    low, high = bounds.T
    precision = jnp.finfo(start.dtype).eps
    least = 8.0 * precision

    def advance(s: _State) -> _State:
        step, expected, usable = _step(s, low, high)
        longest = jnp.max(jnp.where(jnp.array(model.layout.rotational), jnp.abs(step), 0.0))
        step = step * (_LONGEST / jnp.maximum(longest, _LONGEST))
        trial = jnp.clip(s.q + step, low, high)
        system = _system(model, sites, goals, trial)
        better = (system.cost <= s.system.cost) & usable
        begun = usable & (s.count > 0)  # the first round only looks
        small = begun & (jnp.max(jnp.abs(trial - s.q)) < tolerance)
        flat = begun & (expected <= _ROUNDINGS * precision * s.system.cost)
        shorter = jnp.where(usable | ~s.near, s.damping * 8.0, s.damping)  # else: Gauss-Newton
        damping = jnp.where(better, jnp.maximum(s.damping / 10.0, least), shorter)
        near = better & begun & (jnp.max(jnp.abs(trial - s.q)) < _NEAR)
        q, kept = jax.tree.map(
            lambda new, old: jnp.where(better, new, old), (trial, system), (s.q, s.system)
        )
        done = small | flat | (damping > _MOST_DAMPING)
        return _State(q, kept, damping, near, s.count + 1, done)

    n = len(start)
    none = jnp.zeros((n, n), start.dtype)
    unseen = _System(none, none, jnp.zeros(n, start.dtype), jnp.asarray(jnp.inf, start.dtype))
    first = _State(
        start, unseen, jnp.asarray(1e-3, start.dtype), jnp.asarray(False), jnp.asarray(0),
        jnp.asarray(False),
    )  # fmt: skip
    return jax.lax.while_loop(lambda s: ~s.done & (s.count < iterations), advance, first)


def _step(s: _State, low: jax.Array, high: jax.Array) -> tuple[jax.Array, ...]:
    """Return the damped step, how much it should lower the cost, and whether there is one."""
    gradient = s.system.gradient
    held = ((s.q <= low) & (gradient > 0.0)) | ((s.q >= high) & (gradient < 0.0)) | (low == high)
    diagonal = jnp.diagonal(s.system.hessian)
    moved = ~held & (diagonal > 0.0)
    scale = jnp.where(moved, 1.0 / jnp.sqrt(jnp.where(moved, diagonal, 1.0)), 0.0)
    hessian = s.system.hessian + jnp.where(s.near, s.system.curvature, 0.0)
    scaled = hessian * jnp.outer(scale, scale)
    damped = scaled + jnp.diag(jnp.where(moved, s.damping, 1.0))
    factor = jax.scipy.linalg.cho_factor(damped, lower=True)
    along = -scale * gradient
    step = jax.scipy.linalg.cho_solve(factor, along)
    usable = jnp.all(jnp.isfinite(step))  # Newton's matrix may be indefinite
    step = jnp.where(usable, step, 0.0)
    return scale * step, 0.5 * jnp.sum(step * (along + s.damping * step)), usable
