"""Static optimisation: which muscles make given joint moments with the least activation.

Per frame (Crowninshield and Brand 1981, J Biomech 14:793, with squares of activations)

    min  1/2 |a|^2 + 1/(2 e) |W (tau - A a)|^2,   0 <= a <= 1,

where ``A`` (n, m) are moments of fully active muscles on rigid tendons, ``tau`` what they have to
make and ``W`` how much of each coordinate's moment a reserve of one unit gives. What is left are
the reserves. The dual has one unknown per coordinate instead of one per muscle:
``a = clip(A^T y, 0, 1)`` with ``e y / W^2 + A a = tau``, a piecewise linear, strongly monotone
equation. A semismooth Newton method solves it in a few steps (Qi and Sun 1993, Math Program
58:353), and it gives the derivatives at once.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.model import ROOT_COORDINATES, Model
from mjx_msk.physics.muscles import Pull, rigid_pull
from mjx_msk.physics.paths import muscle_paths, spanned

#: N m or N: what a reserve of one gives. Reserves are as cheap as activation there.
RESERVE = 1.0
_NEWTON, _HALVINGS = 60, 30


class StaticOptimization(NamedTuple):
    """What muscles do in a frame."""

    activation: jax.Array  #: (m,)
    tension: jax.Array  #: (m,) N
    moment: jax.Array  #: (n,) N m or N, of the muscles
    reserve: jax.Array  #: (n,) what is missing of the wanted moments


def least_activation(moments: jax.Array, wanted: jax.Array, reserve: jax.Array) -> jax.Array:
    """Return activations (m,) that solve the problem above.

    ``moments`` (n, m) are those of fully active muscles, ``wanted`` (n,) what they have to make,
    ``reserve`` (n,) what a reserve of one gives, all N m or N; 0 leaves a coordinate out.
    """
    used = reserve > 0.0
    scale = jnp.where(used, reserve, 1.0)
    A = jnp.where(used, 1.0 / scale, 0.0)[:, None] * moments
    b = jnp.where(used, wanted / scale, 0.0)
    eye = jnp.eye(len(b), dtype=b.dtype)

    def regular(matrix: jax.Array) -> jax.Array:
        """Return the matrix with what it loses to rounding where reserves are next to nothing."""
        return matrix + len(b) * jnp.finfo(b.dtype).eps * jnp.trace(matrix) * eye

    def residual(y: jax.Array, A: jax.Array, b: jax.Array) -> jax.Array:
        return y + A @ jnp.clip(A.T @ y, 0.0, 1.0) - b

    def curvature(y: jax.Array) -> jax.Array:
        s = A.T @ y
        return regular(eye + (A * ((s > 0.0) & (s < 1.0))) @ A.T)

    def newton(f, start: jax.Array) -> jax.Array:
        def step(state: tuple) -> tuple:
            y, _, count = state
            way = -jax.scipy.linalg.solve(curvature(y), f(y), assume_a="pos")

            def slope(length: jax.Array) -> jax.Array:  # of the dual, which is convex
                return f(y + length * way) @ way

            def halve(_: int, ends: tuple) -> tuple:
                low, high = ends
                middle = 0.5 * (low + high)
                rises = slope(middle) > 0.0
                return jnp.where(rises, low, middle), jnp.where(rises, middle, high)

            one = jnp.ones((), b.dtype)
            low, high = jax.lax.fori_loop(0, _HALVINGS, halve, (jnp.zeros_like(one), one))
            far = slope(one) > -0.5 * slope(jnp.zeros_like(one))
            moved = y + jnp.where(far, 0.5 * (low + high), one) * way
            return moved, jnp.max(jnp.abs(f(moved))), count + 1

        tolerance = 1e-12 if b.dtype == jnp.float64 else 1e-5

        def go_on(state: tuple) -> jax.Array:
            _, size, count = state
            return (size > tolerance * (1.0 + jnp.max(jnp.abs(b)))) & (count < _NEWTON)

        first = (start, jnp.asarray(jnp.inf, b.dtype), 0)
        return jax.lax.while_loop(go_on, step, first)[0]

    def implicit(g, v: jax.Array) -> jax.Array:
        return jnp.linalg.solve(regular(jax.jacfwd(g)(jnp.zeros_like(v))), v)

    y = jax.lax.custom_root(lambda x: residual(x, A, b), jnp.zeros_like(b), newton, implicit)
    return jnp.clip(A.T @ y, 0.0, 1.0)


def crossed(model: Model) -> np.ndarray:
    """Return which coordinates muscles can move (n,): not the root, not locked ones."""
    free = np.arange(model.n) >= ROOT_COORDINATES
    return free & ~np.array(model.layout.locked) & spanned(model).any(axis=0)


def optimize_muscles(
    model: Model,
    q: jax.Array,
    qd: jax.Array,
    tau: jax.Array,
    used: jax.Array | np.ndarray,
    reserve: float = RESERVE,
    *,
    passive: bool = False,
) -> StaticOptimization:
    """Return the muscles' activations and tensions for joint moments ``tau`` (n,) of one frame.

    ``q`` and ``qd`` (n,) are coordinates and speeds; ``used`` (n,) says which coordinates' moments
    count (``crossed``). ``reserve`` is what a reserve of one gives, N m
    or N. ``passive`` counts what stretched fibers pull with, which on rigid tendons is too much;
    OpenSim's static optimisation leaves it out.
    """
    paths = muscle_paths(model, q)
    pull = _pull(model, paths.length, paths.jacobian @ qd, passive)
    return _optimized(paths.jacobian, pull, tau, jnp.where(jnp.asarray(used), reserve, 0.0))


def _pull(model: Model, length: jax.Array, velocity: jax.Array, passive: bool) -> Pull:
    pull = rigid_pull(model, length, velocity)
    return pull if passive else Pull(pull.active, jnp.zeros_like(pull.passive))


def _optimized(
    jacobian: jax.Array, pull: Pull, tau: jax.Array, reserve: jax.Array
) -> StaticOptimization:
    moments = -jacobian.T * pull.active
    passive = -jacobian.T @ pull.passive
    activation = least_activation(moments, tau - passive, reserve)
    made = moments @ activation + passive
    rest = jnp.where(reserve > 0.0, tau - made, 0.0)
    return StaticOptimization(activation, activation * pull.active + pull.passive, made, rest)


@partial(jax.jit, static_argnames="passive")
def muscle_activations(
    model: Model, q: jax.Array, qd: jax.Array, tau: jax.Array, *, passive: bool = False
) -> StaticOptimization:
    """Return what the muscles do in a motion: every field has one more axis, time (T, ...).

    ``q``, ``qd`` (rad or m, and per second) and joint moments ``tau`` (N m or N) are (T, n). The
    moments of the root, of locked coordinates and of those that no muscle crosses are left out.
    ``passive`` as in ``optimize_muscles``.
    """
    paths = jax.vmap(muscle_paths, (None, 0))(model, q)
    reserve = jnp.where(jnp.asarray(crossed(model)), RESERVE, 0.0)

    def frame(length, jacobian, speed, moment) -> StaticOptimization:
        pull = _pull(model, length, jacobian @ speed, passive)
        return _optimized(jacobian, pull, moment, reserve)

    return jax.vmap(frame)(paths.length, paths.jacobian, qd, tau)
