"""IDT, the inverse dynamics transformer: a motion to joint torques and foot-ground forces.

It sees the motion from the pelvis (MonoMSK, Koleini et al. 2025) and what Newton's and Euler's laws
ask of it. By construction, the floor only pushes, friction keeps its cone and centers of pressure
lie inside the soles.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from mjx_msk.model import Model
from mjx_msk.nets.ikt import movable
from mjx_msk.nets.layers import Block, encode
from mjx_msk.physics.contact_forces import ForcePriors
from mjx_msk.physics.dynamics import joint_reactions
from mjx_msk.physics.kinematics import pose
from mjx_msk.physics.points import point_motion
from mjx_msk.physics.root import about, root_frame

FEET = 2
#: Friction coefficient of the cone.
FRICTION = ForcePriors().friction
#: The free moment is at most that of the friction at this distance from the pressure's center, m.
_TWIST_ARM_M = 0.05
#: Torques are learned in shares of body weight x height.
_TORQUE_SCALE = 0.1


@dataclass(frozen=True, kw_only=True)
class IDTConfig:
    """Size of the network."""

    width: int = 192
    """Features of a frame."""
    blocks: int = 4
    heads: int = 6


class Kinetics(NamedTuple):
    """What moves the body, in the motion's world."""

    tau: jax.Array  #: (T, n) N m, 0 at the root and at locked coordinates
    force: jax.Array  #: (T, 2, 3) N on the right and left foot
    cop: jax.Array  #: (T, 2, 3) m, on the floor
    moment: jax.Array  #: (T, 2, 3) N m about the center of pressure
    contact: jax.Array  #: (T, 2) logit of the chance that the foot is loaded


class Moving(NamedTuple):
    """A motion as the network sees it: every frame from its own pelvis's heading."""

    features: jax.Array  #: (T, F)
    soles: jax.Array  #: (T, c, 3) m, sphere centres in the world
    heading: jax.Array  #: (T, 3, 3) world_from_heading
    weight: jax.Array  #: () N, of the body
    height: jax.Array  #: () m


def observe(model: Model, q: jax.Array, qd: jax.Array, qdd: jax.Array, height: jax.Array) -> Moving:
    """Return the features of a motion (T, n) of a person, ``height`` m, on the scaled ``model``."""
    mass = jnp.sum(model.mjx.body_mass)
    weight = mass * jnp.linalg.norm(model.mjx.opt.gravity)

    def one(q, qd, qdd):
        soles, speed = jax.jvp(lambda q: pose(model, q).contacts, (q,), (qd,))
        center = pose(model, q).center_of_mass
        # what the world would have to do at the pelvis, were there no floor
        whole = joint_reactions(model, q, qd, qdd)
        force, at = whole.force[1], whole.point[1]
        turning = whole.moment[1] + jnp.cross(at - center, force)
        pelvis = point_motion(model, q, qd, qdd, jnp.array([1]), jnp.zeros((1, 3)))
        return soles, speed, center, force, turning, jax.tree.map(lambda x: x[0], pelvis)

    soles, speed, center, force, turning, pelvis = jax.vmap(one)(q, qd, qdd)
    rotation, position = root_frame(model, q)
    forward = rotation[:, :, 0]
    turn = about(jnp.arctan2(forward[:, 1], forward[:, 0]), 2)

    def seen(v: jax.Array) -> jax.Array:
        return jnp.einsum("txy,t...x->t...y", turn, v)

    free = movable(model)
    low, high = model.q_range[free].T
    floor = seen(soles - position[:, None] * jnp.array([1.0, 1.0, 0.0]))
    features = jnp.concatenate(
        [
            2.0 * (q[:, free] - low) / (high - low) - 1.0, qd[:, free] / 5.0, qdd[:, free] / 100.0,
            seen(rotation[:, :, 1]), seen(pelvis.velocity), seen(pelvis.acceleration) / 10.0,
            seen(pelvis.angular_velocity) / 5.0, seen(pelvis.angular_acceleration) / 100.0,
            seen(force / weight),
            seen(turning) / (weight * height), seen(center - position) / height * 5.0,
            floor[..., :2].reshape(len(q), -1) / height, 10.0 * floor[..., 2],
            seen(speed).reshape(len(q), -1),
        ],
        axis=-1,
    )  # fmt: skip
    size = jnp.broadcast_to(jnp.stack([height - 1.7, mass / 70.0 - 1.0]), (len(q), 2))
    return Moving(jnp.concatenate([features, size], axis=-1), soles, turn, weight, height)


def feature_count(model: Model) -> int:
    """Return how many features ``observe`` makes."""
    joints, soles = len(movable(model)), len(model.layout.contact_names)
    return 3 * joints + 8 * 3 + 6 * soles + 2


class IDT(nnx.Module):
    """The network for the default model's coordinates and soles."""

    def __init__(
        self,
        config: IDTConfig,
        model: Model,
        *,
        dtype: jnp.dtype = jnp.float32,
        rngs: nnx.Rngs,
    ) -> None:
        self.config = config
        kinds: dict[str, Any] = {"dtype": dtype, "rngs": rngs}
        self.joints = len(movable(model))
        self.points = len(model.layout.contact_names) // FEET
        self.frame = nnx.Linear(feature_count(model), config.width, **kinds)
        self.temporal = nnx.List(
            [Block(config.width, config.heads, **kinds) for _ in range(config.blocks)]
        )
        self.norm = nnx.LayerNorm(config.width, rngs=rngs)
        self.out = nnx.Linear(
            config.width, self.joints + FEET * (5 + self.points),
            kernel_init=nnx.initializers.normal(0.02), rngs=rngs,
        )  # fmt: skip

    def __call__(
        self, model: Model, moving: Moving, time: jax.Array, known: jax.Array | None = None
    ) -> Kinetics:
        """Return what moves the body; ``time`` (T,) s; frames not ``known`` are padding."""
        known = jnp.ones(len(time), bool) if known is None else known
        x = self.frame(jnp.clip(moving.features, -10.0, 10.0))
        x = self.norm(encode(self.temporal, x, known, time)).astype(jnp.float32)
        out = self.out(x)
        free = movable(model)
        torque = _TORQUE_SCALE * moving.weight * moving.height * out[:, : self.joints]
        tau = jnp.zeros((len(out), model.n), out.dtype).at[:, free].set(torque)
        foot = out[:, self.joints :].reshape(len(out), FEET, 5 + self.points)
        return self._on_feet(model, moving, tau, foot)

    def _on_feet(self, model: Model, moving: Moving, tau: jax.Array, foot: jax.Array) -> Kinetics:
        contact = foot[..., 0]
        vertical = moving.weight * jax.nn.sigmoid(contact) * jax.nn.softplus(foot[..., 1])
        aside = foot[..., 2:4]
        aside = aside / jnp.sqrt(1.0 + jnp.sum(aside**2, axis=-1, keepdims=True))
        flat = jnp.concatenate([FRICTION * vertical[..., None] * aside, vertical[..., None]], -1)
        force = jnp.einsum("txy,tfy->tfx", moving.heading, flat)
        share = jax.nn.softmax(foot[..., 5:], axis=-1)
        own = jnp.array([[f == g for g in model.layout.contact_feet] for f in range(FEET)])
        soles = jnp.stack(
            [moving.soles[:, jnp.flatnonzero(row, size=self.points)] for row in own], 1
        )
        cop = jnp.einsum("tfp,tfpx->tfx", share, soles).at[..., 2].set(0.0)
        twist = FRICTION * _TWIST_ARM_M * vertical * jnp.tanh(foot[..., 4])
        moment = jnp.stack([jnp.zeros_like(twist), jnp.zeros_like(twist), twist], axis=-1)
        return Kinetics(tau, force, cop, moment, contact)
