"""Smooth foot-ground contact: spheres under the feet against the floor z = 0.

Hunt and Crossley's force (1975, J Appl Mech 42:440) on Hertz's (1882), with friction that changes
smoothly with sliding speed, in the form that Serrancoli et al. 2019 (IEEE TNSRE 27:1597) made
differentiable and OpenSim offers as ``SmoothSphereHalfSpaceForce``. A sphere above the floor is
pushed a little already, so that an optimiser feels the floor before touchdown.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mjx_msk.model import Model
from mjx_msk.physics.dynamics import Loads
from mjx_msk.physics.kinematics import pose_of, position_data, spatial_jacobian


class Ground(NamedTuple):
    """What sole and floor are like.

    Defaults are the contact of the predictive simulations of Falisse et al. 2019 (J R Soc Interface
    16:20190402, stiffness, dissipation and friction) with OpenSim's smoothing.
    """

    stiffness: jax.Array | float = 1e6  #: Pa, plane-strain modulus
    dissipation: jax.Array | float = 2.0  #: s/m, above zero
    static_friction: jax.Array | float = 0.8
    dynamic_friction: jax.Array | float = 0.8
    viscous_friction: jax.Array | float = 0.5  #: s/m
    transition_speed: jax.Array | float = 0.2  #: m/s, where friction is largest
    #: m^2 and (m/s)^2 under the roots of depth and of sliding speed: no kink at zero
    softening: jax.Array | float = 1e-5
    hertz_smoothing: jax.Array | float = 300.0  #: 1/m, of the onset of the elastic force
    damping_smoothing: jax.Array | float = 50.0  #: s/m, of the end of the force in fast rebound


def sphere_force(
    depth: jax.Array, velocity: jax.Array, radius: jax.Array, ground: Ground
) -> jax.Array:
    """Return the force of the floor (..., 3), N, on spheres.

    ``depth`` (...) is how far a sphere reaches below the floor, m, negative above it; ``velocity``
    (..., 3), m/s, is that of its point of contact. Serrancoli et al. 2019, eq. 1-5, in OpenSim's
    form: ``(1 + tanh x) / 2``, written ``sigmoid(2 x)``, keeps its tail in float32.
    """
    k = 0.5 * ground.stiffness ** (2.0 / 3.0)
    rounded = (depth**2 + ground.softening) ** 0.75
    elastic = (4.0 / 3.0) * k * jnp.sqrt(radius * k) * rounded
    elastic = elastic * jax.nn.sigmoid(2.0 * ground.hertz_smoothing * depth)
    sinking = -velocity[..., 2]
    rebound = 2.0 / (3.0 * ground.dissipation)
    damping = 1.0 + sinking / rebound
    normal = elastic * damping
    normal = normal * jax.nn.sigmoid(2.0 * ground.damping_smoothing * (sinking + rebound))
    across = velocity[..., :2]
    sliding = jnp.sqrt(jnp.sum(across**2, axis=-1) + ground.softening)
    share = sliding / ground.transition_speed
    extra = 2.0 * (ground.static_friction - ground.dynamic_friction)
    coulomb = (ground.dynamic_friction + extra / (1.0 + share**2)) / jnp.maximum(
        sliding, ground.transition_speed
    )
    friction = -(normal * (coulomb + ground.viscous_friction))[..., None] * across
    return jnp.concatenate([friction, normal[..., None]], axis=-1)


def _contact(model: Model, q: jax.Array, qd: jax.Array, ground: Ground) -> tuple[Loads, jax.Array]:
    """Return the spheres' loads, and the Jacobians (c, 3, n) of their points of contact."""
    data = position_data(model, q)
    centre = pose_of(model, data).contacts
    depth = model.contact_radius - centre[:, 2]
    # half way between the floor and the lowest point of the sphere
    point = centre.at[:, 2].add(0.5 * depth - model.contact_radius)
    bodies = jnp.array(model.layout.contact_bodies, int)
    by_q, _ = spatial_jacobian(model, data, q, point, bodies)
    force = sphere_force(depth, by_q @ qd, model.contact_radius, ground)
    return Loads(force, point, jnp.zeros_like(force)), by_q


def contact_loads(model: Model, q: jax.Array, qd: jax.Array, ground: Ground | None = None) -> Loads:
    """Return the floor's forces on the foot contact spheres, one load each (c, 3), world axes.

    ``q`` and ``qd`` (n,) are coordinates and speeds. The loads act on the bodies
    ``model.layout.contact_bodies``, as ``forward_dynamics`` and ``rollout`` take them.
    """
    return _contact(model, q, qd, ground or Ground())[0]


def contact_force(
    model: Model, q: jax.Array, qd: jax.Array, ground: Ground | None = None
) -> jax.Array:
    """Return the generalized force (n,), N m or N, of ``contact_loads``."""
    loads, by_q = _contact(model, q, qd, ground or Ground())
    return jnp.einsum("cxn,cx->n", by_q, loads.force)


class FootWrench(NamedTuple):
    """What the floor does to the right and to the left foot, world axes."""

    force: jax.Array  #: (..., 2, 3) N
    cop: jax.Array  #: (..., 2, 3) m, center of pressure on the floor; NaN below ``LOADED_N``
    moment: jax.Array  #: (..., 2, 3) N m, vertical free moment about the center of pressure


#: A foot that carries less than this has no center of pressure, N.
LOADED_N = 1.0


def foot_wrench(feet: tuple[int, ...], force: jax.Array, point: jax.Array) -> FootWrench:
    """Gather forces (..., c, 3) N at points (..., c, 3) m into one wrench per foot.

    ``feet`` names the foot of each point, 0 right and 1 left (``model.layout.contact_feet``). The
    center of pressure lies on the floor z = 0 where the horizontal moment vanishes; only a vertical
    free moment remains there.
    """
    own = jnp.array([[f == foot for f in feet] for foot in (0, 1)], force.dtype)
    total = jnp.einsum("fc,...cx->...fx", own, force)
    about_origin = jnp.einsum("fc,...cx->...fx", own, jnp.cross(point, force))
    loaded = total[..., 2] > LOADED_N
    vertical = jnp.where(loaded, total[..., 2], 1.0)
    x, y = -about_origin[..., 1] / vertical, about_origin[..., 0] / vertical
    free = about_origin[..., 2] - (x * total[..., 1] - y * total[..., 0])
    zero = jnp.zeros_like(x)
    cop = jnp.where(loaded[..., None], jnp.stack([x, y, zero], axis=-1), jnp.nan)
    moment = jnp.stack([zero, zero, jnp.where(loaded, free, 0.0)], axis=-1)
    return FootWrench(total, cop, moment)
