"""Joint moments of a motion and the ground forces behind them."""

from typing import NamedTuple

import jax
import numpy as np

from mjx_msk.fit.balance import consistent_forces, sole_points
from mjx_msk.fit.ground_forces import FootLoads, foot_loads
from mjx_msk.fit.points import in_chunks, places
from mjx_msk.fit.root import root_wrench
from mjx_msk.model import FOOT_BODIES, ROOT_COORDINATES, Model
from mjx_msk.physics.coordinates import full_acceleration, full_position, full_velocity
from mjx_msk.physics.dynamics import Loads, inverse_dynamics


class Kinetics(NamedTuple):
    """What moves the body."""

    generalized_force: np.ndarray  #: (T, n) N m or N; the root's rows are residuals
    residual_force: np.ndarray  #: (T, 3) N, on the pelvis, world axes
    residual_moment: np.ndarray  #: (T, 3) N m, about the pelvis, world axes


@jax.jit
def _inverse_dynamics(model, q, qd, qdd, force, point, moment):
    bodies = tuple(model.layout.body_names.index(name) for name in FOOT_BODIES)

    def one(q, qd, qdd, force, point, moment):
        return inverse_dynamics(model, q, qd, qdd, bodies, Loads(force, point, moment))

    return (jax.vmap(one)(q, qd, qdd, force, point, moment),)


@jax.jit
def _full(model, q, qd, qdd):
    def one(q, qd, qdd):
        return (
            full_position(model, q),
            full_velocity(model, q, qd),
            full_acceleration(model, q, qd, qdd),
        )

    return jax.vmap(one)(q, qd, qdd)


def full_motion(
    model: Model, q: np.ndarray, qd: np.ndarray, qdd: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return MuJoCo's qpos, qvel, qacc (T, nq) of a motion in independent coordinates."""
    full = in_chunks(lambda *a: _full(model, *a), q, qd, qdd)
    return full[0], full[1], full[2]


def joint_forces(
    model: Model, q: np.ndarray, qd: np.ndarray, qdd: np.ndarray, loads: FootLoads
) -> Kinetics:
    """Return the generalized forces of a motion (T, n) under the feet's loads."""
    arrays = (q, qd, qdd, loads.force, np.nan_to_num(loads.cop), loads.moment)
    (tau,) = in_chunks(lambda *a: _inverse_dynamics(model, *a), *arrays)
    force, moment = root_wrench(model, q, tau[:, :ROOT_COORDINATES])
    return Kinetics(tau, force, moment)


def estimated_loads(model: Model, q: np.ndarray, touch: np.ndarray, dt: float) -> FootLoads:
    """Return the feet's loads that come closest to what the motion demands.

    ``touch`` (T, c) says how surely each sole point touches the floor z = 0.
    """
    p = places(model, q)
    forces = consistent_forces(model, q, p.center, p.soles, touch, dt)
    return foot_loads(forces, sole_points(p.soles), model.layout.contact_feet)
