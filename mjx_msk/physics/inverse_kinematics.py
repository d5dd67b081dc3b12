"""Marker inverse kinematics of one frame: weighted least squares, differentiable, for ``vmap``.

The coordinates minimise ``1/2 sum_i w_i |x_i(q) - y_i|^2 / sum_i w_i + 1/2 sum_j v_j (q_j - p_j)^2``
within their bounds: markers ``y`` with weights ``w``, and coordinates' values ``p`` with weights
``v``, as in OpenSim's inverse kinematics (Lu and O'Connor 1999, J Biomech 32:129; Delp et al. 2007,
IEEE TBME 54:1940). Gauss-Newton steps with Levenberg-Marquardt damping on the scaled normal
equations (Marquardt 1963, J SIAM 11:431; Nocedal and Wright 2006, sec. 10.3); a coordinate at a
bound that the gradient pushes outward stands still (projected Newton, Bertsekas 1982, SIAM J
Control Optim 20:221).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mjx_msk.model import Model
from mjx_msk.physics.kinematics import position_data, spatial_jacobian

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
    gradient: jax.Array  #: (n,)
    cost: jax.Array  #: ()


class _State(NamedTuple):
    q: jax.Array
    system: _System
    damping: jax.Array
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
        return state.q, (state.system.cost, state.count)

    q, (cost, count) = jax.lax.custom_root(condition, start, solve, _solve_linear, has_aux=True)
    return Tracked(q, cost, count)


def _solve_linear(linear: object, y: jax.Array) -> jax.Array:
    """Return the least-norm solution of ``linear(x) = y``."""
    matrix = jax.vmap(linear, out_axes=1)(jnp.eye(len(y), dtype=y.dtype))
    return jnp.linalg.pinv(matrix, rtol=_ROUNDINGS * len(y) * jnp.finfo(y.dtype).eps) @ y


def _system(model: Model, sites: jax.Array, goals: Goals, q: jax.Array) -> _System:
    data = position_data(model, q)
    position = data.site_xpos[sites]
    bodies = jnp.asarray(model.mjx.site_bodyid)[sites]
    J, _ = spatial_jacobian(model, data, q, position, bodies)
    seen = goals.weight > 0.0
    total = jnp.sum(goals.weight)
    share = goals.weight / jnp.where(total > 0.0, total, 1.0)
    apart = jnp.where(seen[:, None], position - goals.target, 0.0)
    strayed = q - goals.q_target
    rows = (J * jnp.sqrt(share)[:, None, None]).reshape(-1, len(q))
    return _System(
        hessian=rows.T @ rows + jnp.diag(goals.q_weight),
        gradient=jnp.einsum("kxn,kx,k->n", J, apart, share) + goals.q_weight * strayed,
        cost=0.5 * jnp.sum(share * jnp.sum(apart**2, axis=1))
        + 0.5 * jnp.sum(goals.q_weight * strayed**2),
    )


def _iterate(
    model: Model, sites: jax.Array, goals: Goals, bounds: jax.Array, start: jax.Array,
    iterations: int, tolerance: float,
) -> _State:  # fmt: skip
    low, high = bounds.T
    precision = jnp.finfo(start.dtype).eps
    least = 8.0 * precision

    def advance(s: _State) -> _State:
        step, expected = _step(s, low, high)
        trial = jnp.clip(s.q + step, low, high)
        system = _system(model, sites, goals, trial)
        better = system.cost <= s.system.cost
        small = jnp.max(jnp.abs(trial - s.q)) < tolerance
        flat = expected <= _ROUNDINGS * precision * s.system.cost
        damping = jnp.where(better, jnp.maximum(s.damping / 10.0, least), s.damping * 8.0)
        q, kept = jax.tree.map(
            lambda new, old: jnp.where(better, new, old), (trial, system), (s.q, s.system)
        )
        done = small | flat | (damping > _MOST_DAMPING)
        return _State(q, kept, damping, s.count + 1, done)

    first = _State(
        start, _system(model, sites, goals, start), jnp.asarray(1e-4, start.dtype),
        jnp.asarray(0), jnp.asarray(False),
    )  # fmt: skip
    return jax.lax.while_loop(lambda s: ~s.done & (s.count < iterations), advance, first)


def _step(s: _State, low: jax.Array, high: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the damped step and how much it should lower the cost."""
    gradient = s.system.gradient
    held = ((s.q <= low) & (gradient > 0.0)) | ((s.q >= high) & (gradient < 0.0)) | (low == high)
    diagonal = jnp.diagonal(s.system.hessian)
    moved = ~held & (diagonal > 0.0)
    scale = jnp.where(moved, 1.0 / jnp.sqrt(jnp.where(moved, diagonal, 1.0)), 0.0)
    scaled = s.system.hessian * jnp.outer(scale, scale)
    damped = scaled + jnp.diag(jnp.where(moved, s.damping, 1.0))
    factor = jax.scipy.linalg.cho_factor(damped, lower=True)
    along = -scale * gradient
    step = jax.scipy.linalg.cho_solve(factor, along)
    step = jnp.where(jnp.isfinite(step), step, 0.0)
    return scale * step, 0.5 * jnp.sum(step * (along + s.damping * step))
