"""Muscle force: fibers, tendons and what they do to the joints.

Hill's muscle as OpenSim has it (Millard, Uchida, Seth, Delp 2013, J Biomech Eng 135:021005, sec. 2;
Thelen 2003, J Biomech Eng 125:70): fibers at an angle to the tendon, of constant width,

    F = F0 (a f_l(l) f_v(v) + f_p(l) + d v) cos(alpha),   F = F0 f_t(tendon length),

with fiber length ``l`` and velocity ``v`` normalised by the optimal length and the largest
velocity. The curves are the source's own (``mjx_msk.force_curves``), cubic between the points of
their tables, so that values and first derivatives are continuous. Everything is per muscle, (m,).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.force_curves import LENGTHS, SPEEDS, TENDON
from mjx_msk.model import Model
from mjx_msk.physics.coordinates import full_position, full_velocity, reduce_force
from mjx_msk.physics.paths import muscle_paths

#: Fibers along the tendon are not shorter than this share of their optimal length.
SHORTEST = 0.01
#: Steps of the safeguarded Newton method: halving alone gives 1e-12 of the bracket.
_STEPS = 40


class Fibers(NamedTuple):
    """Fibers of muscles."""

    length: jax.Array  #: (m,) optimal fiber lengths
    velocity: jax.Array  #: (m,) largest velocities, lengthening is positive
    cosine: jax.Array  #: (m,) of the pennation angle


class Pull(NamedTuple):
    """Tension along the tendon, linear in activation: ``activation * active + passive``."""

    active: jax.Array  #: (m,) N, at full activation
    passive: jax.Array  #: (m,) N


def _curve(tables: jax.Array, grid: np.ndarray, sets: np.ndarray, x: jax.Array) -> jax.Array:
    """Return the curves' values: Hermite's cubics between points, straight on beyond them."""
    step = float(grid[1] - grid[0])
    inside = jnp.clip(x, float(grid[0]), float(grid[-1]))
    place = (inside - float(grid[0])) / step
    left = jnp.clip(jax.lax.stop_gradient(place).astype(int), 0, len(grid) - 2)
    u = place - left
    flat = tables.reshape(-1, 2)
    row = sets * len(grid) + left
    (y0, s0), (y1, s1) = flat[row].T, flat[row + 1].T
    rise, s0, s1 = y1 - y0, s0 * step, s1 * step
    value = y0 + u * (s0 + u * (3.0 * rise - 2.0 * s0 - s1 + u * (s0 + s1 - 2.0 * rise)))
    ends = tables[sets]
    below = jnp.minimum(x - float(grid[0]), 0.0) * ends[:, 0, 1]
    above = jnp.maximum(x - float(grid[-1]), 0.0) * ends[:, -1, 1]
    return value + below + above


def _sets(model: Model) -> np.ndarray:
    return np.array(model.layout.muscles.curve_set, int)


def active_force_length(model: Model, length: jax.Array) -> jax.Array:
    """Return f_l (m,) in F0 at fiber lengths (m,) in optimal ones."""
    return jnp.maximum(0.0, _curve(model.muscles.active, LENGTHS, _sets(model), length))


def passive_force_length(model: Model, length: jax.Array) -> jax.Array:
    """Return f_p (m,) in F0 at fiber lengths (m,) in optimal ones."""
    return _curve(model.muscles.passive, LENGTHS, _sets(model), length)


def force_velocity(model: Model, velocity: jax.Array, activation: jax.Array) -> jax.Array:
    """Return f_v (m,) at fiber velocities (m,) in largest ones.

    Less active fibers of Thelen's muscle are slower (2003, eq. 6).
    """
    speed = 1.0 - model.muscles.slowing * (1.0 - activation)
    return _curve(model.muscles.velocity, SPEEDS, _sets(model), velocity / speed)


def tendon_force(model: Model, length: jax.Array) -> jax.Array:
    """Return f_t (m,) in F0 at tendon lengths (m,) in slack lengths."""
    return _curve(model.muscles.tendon, TENDON, _sets(model), length)


def _pennated(model: Model, along: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return fiber length (m) and cosine of pennation for fibers ``along`` the tendon (m)."""
    own = model.muscles
    width = own.fiber_length * jnp.sin(own.pennation)
    length = jnp.sqrt(along**2 + width**2)
    return length, along / length


def rigid_fibers(model: Model, length: jax.Array, velocity: jax.Array) -> Fibers:
    """Return the fibers at muscle lengths (m,), m, and their rates (m,), m/s, on a rigid tendon."""
    own = model.muscles
    along = jnp.maximum(length - own.tendon_length, SHORTEST * own.fiber_length)
    fiber, cosine = _pennated(model, along)
    speed = velocity * cosine / (own.fiber_length * own.max_velocity)
    return Fibers(fiber / own.fiber_length, speed, cosine)


def rigid_pull(model: Model, length: jax.Array, velocity: jax.Array) -> Pull:
    """Return what muscles on rigid tendons pull with: F0 is reached, or not, at full activation.

    ``length`` (m,) m and ``velocity`` (m,) m/s are those of the paths. Damping does not push.
    """
    fibers = rigid_fibers(model, length, velocity)
    force = model.muscles.max_force * fibers.cosine
    full = jnp.ones_like(fibers.length)
    active = active_force_length(model, fibers.length)
    active = active * jnp.maximum(0.0, force_velocity(model, fibers.velocity, full))
    passive = passive_force_length(model, fibers.length) + model.muscles.damping * fibers.velocity
    return Pull(force * active, force * jnp.maximum(0.0, passive))


def rigid_tension(
    model: Model, activation: jax.Array, length: jax.Array, velocity: jax.Array
) -> jax.Array:
    """Return the tension (m,), N, of muscles on rigid tendons; never negative."""
    fibers = rigid_fibers(model, length, velocity)
    along = _fiber_force(model, activation, fibers.length, fibers.velocity)
    return model.muscles.max_force * fibers.cosine * jnp.maximum(0.0, along)


def _fiber_force(
    model: Model, activation: jax.Array, length: jax.Array, velocity: jax.Array
) -> jax.Array:
    """Return the force of fibers (m,) in F0, along themselves."""
    active = activation * active_force_length(model, length)
    active = active * force_velocity(model, velocity, activation)
    return active + passive_force_length(model, length) + model.muscles.damping * velocity


def compliant_tension(model: Model, fiber_length: jax.Array, length: jax.Array) -> jax.Array:
    """Return the tension (m,), N, of tendons, given fiber and path lengths (m,), m."""
    own = model.muscles
    along = _along(model, fiber_length)
    return own.max_force * tendon_force(model, (length - along) / own.tendon_length)


def _along(model: Model, fiber_length: jax.Array) -> jax.Array:
    """Return how much of the path fibers (m,) take up, m."""
    own = model.muscles
    width = own.fiber_length * jnp.sin(own.pennation)
    least = (SHORTEST * own.fiber_length) ** 2
    return jnp.sqrt(jnp.maximum(fiber_length**2 - width**2, least))


def fiber_velocity(
    model: Model, activation: jax.Array, fiber_length: jax.Array, length: jax.Array
) -> jax.Array:
    """Return the rate of fiber length (m,), m/s, at which fibers and tendon pull alike.

    ``fiber_length`` and ``length`` of the path (m,) are in m. Where no velocity of up to 1.5
    largest ones does, that is the answer. Derivatives are those of the implicit function.
    """
    own = model.muscles
    along = _along(model, fiber_length)
    tendon = tendon_force(model, (length - along) / own.tendon_length)
    norm, cosine = fiber_length / own.fiber_length, along / _pennated(model, along)[0]
    limit = jnp.full_like(length, 1.5)

    def excess(v: jax.Array) -> jax.Array:
        return _fiber_force(model, activation, norm, v) * cosine - tendon

    return _solve(excess, -limit, limit) * own.fiber_length * own.max_velocity


def equilibrium_fiber_length(model: Model, activation: jax.Array, length: jax.Array) -> jax.Array:
    """Return fiber lengths (m,), m, at which resting fibers and the tendon pull alike.

    ``length`` (m,) is that of the path, m. Derivatives are those of the implicit function.
    """
    own = model.muscles
    low = SHORTEST * own.fiber_length
    high = jnp.maximum(length - 0.98 * own.tendon_length, 2.0 * low)

    def excess(along: jax.Array) -> jax.Array:
        fiber, cosine = _pennated(model, along)
        force = _fiber_force(model, activation, fiber / own.fiber_length, jnp.zeros_like(fiber))
        return force * cosine - tendon_force(model, (length - along) / own.tendon_length)

    return _pennated(model, _solve(excess, low, high))[0]


def _solve(excess: Callable, low: jax.Array, high: jax.Array) -> jax.Array:
    """Return where ``excess`` rises through 0, element by element; a bound where it does not.

    Newton's method inside a bracket that halves where a step leaves it (Press et al. 2007, sec.
    9.4). Derivatives by the implicit function theorem; none at a bound.
    """

    def newton(f: Callable, start: jax.Array) -> jax.Array:
        def step(_: int, state: tuple) -> tuple:
            x, a, b = state
            value, slope = jax.jvp(f, (x,), (jnp.ones_like(x),))
            a, b = jnp.where(value < 0.0, x, a), jnp.where(value < 0.0, b, x)
            guess = x - value / jnp.where(jnp.abs(slope) < 1e-12, 1e-12, slope)
            inside = (guess >= a) & (guess <= b)  # a bound that is the root is kept
            return jnp.where(inside, guess, 0.5 * (a + b)), a, b

        return jax.lax.fori_loop(0, _STEPS, step, (start, low, high))[0]

    def implicit(g: Callable, y: jax.Array) -> jax.Array:
        slope = g(jnp.ones_like(y))
        flat = jnp.abs(slope) < 1e-9
        return jnp.where(flat, 0.0, y / jnp.where(flat, 1.0, slope))

    low, high = jax.lax.stop_gradient((low, high))
    root = jax.lax.custom_root(excess, 0.5 * (low + high), newton, implicit)
    value = jax.lax.stop_gradient(excess(root))
    width = high - low
    stuck = (root - low < 1e-6 * width) & (value > 1e-4)
    stuck |= (high - root < 1e-6 * width) & (value < -1e-4)
    return jnp.where(stuck, jax.lax.stop_gradient(root), root)


def muscle_force(
    model: Model,
    q: jax.Array,
    qd: jax.Array,
    activation: jax.Array,
    fiber_length: jax.Array | None = None,
) -> jax.Array:
    """Return the generalized force (n,), N m or N, of active muscles.

    ``activation`` (m,) lies between 0 and 1. With ``fiber_length`` (m,), m, tendons are elastic;
    without, rigid.
    """
    paths = muscle_paths(model, q)
    if fiber_length is None:
        tension = rigid_tension(model, activation, paths.length, paths.jacobian @ qd)
    else:
        tension = compliant_tension(model, fiber_length, paths.length)
    return -paths.jacobian.T @ tension


def passive_joint_force(model: Model, q: jax.Array, qd: jax.Array) -> jax.Array:
    """Return the generalized force (n,), N m or N, of the springs and dampers of joints.

    They are MuJoCo's: stiffness times the way from the spring's rest, damping times speed. Springs
    that OpenSim's ``CoordinateLimitForce`` became do not pull within the limits and set in at once
    beyond them, as in the compiled model; the slope at a limit is the mean of both sides.
    """
    m, springs = model.mjx, model.springs
    scalar = np.array([j for j in range(m.njnt) if j not in model.layout.free], int)
    place, dof = np.asarray(m.jnt_qposadr)[scalar], np.asarray(m.jnt_dofadr)[scalar]
    qpos, qvel = full_position(model, q), full_velocity(model, q, qd)
    force = -m.dof_damping * qvel
    force = force.at[dof].add(-m.jnt_stiffness[scalar] * (qpos - m.qpos_spring)[place])
    length = springs.arm[:, dof] @ qpos[place]
    low, high = springs.rest.T
    beyond = jnp.minimum(length - low, 0.0) + jnp.maximum(length - high, 0.0)
    pull = springs.stiffness * beyond + springs.damping * (springs.arm @ qvel)
    return reduce_force(model, q, force - springs.arm.T @ pull)
