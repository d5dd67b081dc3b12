"""What the networks are trained on: small functions, each of one quantity, averaged over frames.

Angles are in rad, lengths in m, forces in body weights, torques in body weight x height, unless a
function says otherwise. ``known`` (T,) is 1 where the truth is known.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.model import FOOT_BODIES, ROOT_COORDINATES, Model
from mjx_msk.nets.idt import Kinetics, Moving
from mjx_msk.nets.ikt import Kinematics, movable
from mjx_msk.physics.dynamics import Loads, inverse_dynamics
from mjx_msk.physics.integration import Drive, Signal, State, shoot
from mjx_msk.physics.points import point_jacobian

#: Errors beyond these count linearly: swing feet are light, and a short simulation may go astray.
_FAR_RAD, _FAR_RAD_S = 0.1, 2.0
#: Steps of the simulation per frame of a clip at 30 Hz.
SUBSTEPS = 4


def _mean(x: jax.Array, known: jax.Array) -> jax.Array:
    """Return the mean over frames (T,) that are known, 0 without any."""
    per_frame = x.reshape(len(x), -1).mean(axis=1)
    return jnp.sum(per_frame * known) / jnp.maximum(jnp.sum(known), 1.0)


def _soft(x: jax.Array, knee: float) -> jax.Array:
    """Return |x| beyond ``knee`` and a parabola below (Huber 1964), scaled to slope 1."""
    size = jnp.abs(x)
    return jnp.where(size < knee, 0.5 * size**2 / knee, size - 0.5 * knee)


def coordinate_error(model: Model, found: jax.Array, true: jax.Array) -> jax.Array:
    """Return differences (T, n); those of the pelvis's turns within half a turn."""
    turning = np.array(model.layout.rotational) & (np.arange(model.n) < ROOT_COORDINATES)
    apart = found - true
    return jnp.where(turning, jnp.arctan2(jnp.sin(apart), jnp.cos(apart)), apart)


def estimated(model: Model) -> np.ndarray:
    """Return the coordinates that the networks estimate: the root's, and those not locked."""
    return np.concatenate([np.arange(ROOT_COORDINATES), movable(model)])


def coordinates(model: Model, found: Kinematics, true: jax.Array) -> jax.Array:
    """Mean error of coordinates (T, n), rad or m."""
    error = coordinate_error(model, found.q, true)[:, estimated(model)]
    return jnp.mean(_soft(error, 0.02))


def uncertainty(model: Model, found: Kinematics, true: jax.Array) -> jax.Array:
    """Negative log likelihood of the stated standard deviations; errors are taken as they are."""
    own = estimated(model)
    error = jax.lax.stop_gradient(coordinate_error(model, found.q, true)[:, own])
    std = found.std[:, own]
    return jnp.mean(0.5 * (error / std) ** 2 + jnp.log(std))


def velocities(model: Model, found: Kinematics, true: jax.Array, dt: jax.Array) -> jax.Array:
    """Mean error of speeds, rad/s or m/s."""
    error = coordinate_error(model, found.q, true)[:, estimated(model)]
    return jnp.mean(jnp.abs(jnp.diff(error, axis=0))) / dt


def markers(found: jax.Array, true: jax.Array) -> jax.Array:
    """Mean distance of points (T, L, 3), m."""
    return jnp.mean(jnp.sqrt(jnp.sum((found - true) ** 2, axis=-1) + 1e-8))


def reprojection(
    points: jax.Array, camera_from_world: jax.Array, position: jax.Array, rays: jax.Array,
    weight: jax.Array,
) -> jax.Array:  # fmt: skip
    """Mean distance in the image (x/z, y/z) of points (T, L, 3) from rays (T, L, 2)."""
    x = (points - position) @ camera_from_world.T
    apart = x[..., :2] / jnp.maximum(x[..., 2:], 0.2) - rays
    miss = jnp.sqrt(jnp.sum(apart**2, axis=-1) + 1e-8)
    return jnp.sum(weight * _soft(miss, 0.02)) / jnp.maximum(jnp.sum(weight), 1.0)


def torques(moving: Moving, found: Kinetics, true: jax.Array, known: jax.Array) -> jax.Array:
    """Mean error of joint torques (T, n), body weight x height."""
    apart = (found.tau - true)[:, ROOT_COORDINATES:] / (moving.weight * moving.height)
    return _mean(jnp.abs(apart), known)


def ground_forces(moving: Moving, found: Kinetics, true: jax.Array, known: jax.Array) -> jax.Array:
    """Mean error of the feet's forces (T, 2, 3), body weights."""
    return _mean(jnp.abs(found.force - true) / moving.weight, known)


def pressure_centers(
    moving: Moving, found: Kinetics, force: jax.Array, cop: jax.Array, known: jax.Array
) -> jax.Array:
    """Mean distance of centers of pressure (T, 2, 3), m, by the share of weight on the foot."""
    share = jnp.clip(force[..., 2] / moving.weight, 0.0, 1.0)
    apart = jnp.sqrt(jnp.sum((found.cop - cop)[..., :2] ** 2, axis=-1) + 1e-8)
    return _mean(apart * share, known)


def contact(found: Kinetics, true: jax.Array, known: jax.Array) -> jax.Array:
    """Cross entropy of whether a foot (T, 2) is loaded."""
    z = found.contact
    return _mean(jnp.maximum(z, 0.0) - z * true + jnp.log1p(jnp.exp(-jnp.abs(z))), known)


class Demand(NamedTuple):
    """What a motion (T, n) asks for, and what forces on the feet give."""

    tau: jax.Array  #: (T, n) inverse dynamics without any load, N m or N
    place: jax.Array  #: (T, 2, 3) m, of the feet's bodies
    linear: jax.Array  #: (T, 2, 3, n) their Jacobians
    angular: jax.Array  #: (T, 2, 3, n)


def demand(model: Model, q: jax.Array, qd: jax.Array, qdd: jax.Array) -> Demand:
    """Return what a motion (T, n) of the person's ``model`` asks for."""
    feet = jnp.array(_feet(model))

    def one(q: jax.Array, qd: jax.Array, qdd: jax.Array) -> Demand:
        at = point_jacobian(model, q, feet, jnp.zeros((len(feet), 3)))
        return Demand(inverse_dynamics(model, q, qd, qdd), at.position, at.linear, at.angular)

    return jax.vmap(one)(q, qd, qdd)


def _feet(model: Model) -> tuple[int, ...]:
    return tuple(model.layout.body_names.index(name) for name in FOOT_BODIES)


def residual(
    model: Model, moving: Moving, found: Kinetics, asked: Demand, known: jax.Array
) -> jax.Array:
    """What the motion asks for beyond the predicted forces and torques (virtual work).

    The root's rows should be 0 (body weights, and body weight x height); torques should be what the
    others leave. Locked joints are held by whatever it takes.
    """
    turn = found.moment + jnp.cross(found.cop - asked.place, found.force)
    given = jnp.einsum("tfxn,tfx->tn", asked.linear, found.force)
    given += jnp.einsum("tfxn,tfx->tn", asked.angular, turn)
    scale = jnp.where(np.array(model.layout.rotational), moving.height, 1.0) * moving.weight
    missing = (asked.tau - given - found.tau) / scale
    return _mean(jnp.abs(missing)[:, estimated(model)], known)


def forward_inverse(
    model: Model, found: Kinetics, q: jax.Array, qd: jax.Array, dt: jax.Array, frames: int,
    known: jax.Array,
) -> jax.Array:  # fmt: skip
    """How far a simulation under the predicted torques and forces leaves the motion.

    Windows of ``frames`` start from the motion's own state and run side by side (multiple
    shooting); gradients flow through the integrator. Means over the estimated coordinates, rad or
    m, speeds weighted by the window's length.
    """
    count = (len(q) - 1) // frames
    feet, first = _feet(model), frames * jnp.arange(count)
    signal = Signal(0.0, dt, (found.tau, Loads(found.force, found.cop, found.moment)))

    def drive(t: jax.Array, state: State) -> Drive:
        return Drive(*signal.at(t))

    shots = shoot(
        model, drive, State(q[first], qd[first]), step=dt / SUBSTEPS, steps=frames * SUBSTEPS,
        bodies=feet, scheme="euler",
    )  # fmt: skip
    at = first[:, None] + jnp.arange(1, frames + 1)
    own = estimated(model)
    place = shots.states.q[:, SUBSTEPS::SUBSTEPS] - q[at]
    speed = shots.states.qd[:, SUBSTEPS::SUBSTEPS] - qd[at]
    far = _soft(place[..., own], _FAR_RAD) + frames * dt * _soft(speed[..., own], _FAR_RAD_S)
    # a simulation that explodes tells nothing more than that it is far
    far = jnp.where(jnp.isfinite(far), jnp.minimum(far, 10.0), 10.0)
    return _mean(far, jnp.min(known[at], axis=1))
