"""The loss of a training step: both networks, and the physics between them."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.data.augment import ClipArrays, mirrored
from mjx_msk.data.camera_noise import CameraNoise, Field
from mjx_msk.data.landmark_tree import HIPS
from mjx_msk.data.virtual_camera import View, view
from mjx_msk.fit.scaling import VERTEX_SITE, segment_matrix, segment_spread, stretched
from mjx_msk.model import ROOT_COORDINATES, Model
from mjx_msk.nets import losses
from mjx_msk.nets.idt import IDT, Kinetics, Moving, observe
from mjx_msk.nets.ikt import IKT, movable
from mjx_msk.nets.sight import Seen, Sight, look
from mjx_msk.physics.integration import with_locks
from mjx_msk.physics.kinematics import pose
from mjx_msk.physics.points import marker_positions
from mjx_msk.physics.root import about, root_coordinates, root_frame
from mjx_msk.physics.scaling import scale, stretch
from mjx_msk.train.config import TrainConfig
from mjx_msk.train.windows import Window

#: Periods of the errors of motions, s.
_NOISE_PERIODS_S = (0.3, 2.0)

#: The losses of the inverse kinematics, and of the inverse dynamics.
KINEMATIC = (
    "coordinates", "uncertainty", "velocities", "markers", "reprojection", "segments",
)  # fmt: skip
DYNAMIC = (
    "torques", "ground_forces", "pressure_centers", "contact", "residual", "forward_inverse",
)  # fmt: skip


def wanted(config: TrainConfig, *names: str) -> bool:
    """Return whether one of these losses counts."""
    return any(getattr(config.weights, name) > 0.0 for name in names)


@dataclass(frozen=True)
class Scene:
    """What does not change in a run."""

    model: Model  #: the generic default model
    noise: CameraNoise
    sites: tuple[int, ...]  #: of the landmarks

    def factors(self, base: jax.Array, log_segments: jax.Array) -> jax.Array:
        """Return the scale factors (nbody, 3) of a body."""
        matrix = jnp.asarray(segment_matrix(self.model.layout.body_names), jnp.float32)
        return stretched(matrix, jnp.log(base), log_segments)

    def person(self, w: Window) -> Model:
        """Return one person's model; locked joints hardly move, whatever pulls."""
        return with_locks(scale(self.model, self.factors(w.base, w.log_segments), w.mass))


def mirrored_half(scene: Scene, key: jax.Array, w: Window) -> Window:
    """Return one window, or with equal chance its mirror image."""
    own = ClipArrays(
        **{name: getattr(w, name) for name in ClipArrays._fields if name in Window._fields},
        kinetics_known=w.known, measured=w.known,
    )  # fmt: skip
    flip = jax.random.bernoulli(key)
    chosen = jax.tree.map(lambda a, b: jnp.where(flip, b, a), own, mirrored(scene.model, own))
    return w._replace(**{name: x for name, x in chosen._asdict().items() if name in Window._fields})


def level_truth(scene: Scene, w: Window, seen: Seen, v: View) -> tuple[jax.Array, jax.Array]:
    """Return the true coordinates (T, n) and turn (3, 3) of the world in a sight's level frame.

    The frame keeps the believed heading and stands truly upright, its floor under the camera at 0.
    """
    M = seen.level_from_camera @ v.camera_from_world
    turn = about(jnp.arctan2(M[1, 0] - M[0, 1], M[0, 0] + M[1, 1]), 2)
    rotation, position = root_frame(scene.model, w.q)
    flat = jnp.array([1.0, 1.0, 0.0])
    root = root_coordinates(scene.model, turn @ rotation, (position - v.position * flat) @ turn.T)
    return w.q.at[:, :ROOT_COORDINATES].set(root), turn


def sight_of(w: Window, v: View) -> Sight:
    """Return what the networks are told of a view; weights are the pipeline's."""
    time = w.dt * jnp.arange(len(w.q))
    return Sight(time, v.rays, v.metric, v.visibility**2, v.down, w.height)


def kinematic_losses(
    scene: Scene, config: TrainConfig, ikt: IKT, key: jax.Array, w: Window
) -> dict[str, jax.Array]:
    """Return the losses of the inverse kinematics for one window."""
    noise = scene.noise if config.noise else silent(scene.noise)
    view_key, place_key, vary_key = jax.random.split(key, 3)
    w = varied(scene, config, vary_key, w)
    # a network's landmark lies somewhat elsewhere on every body than on the model
    off = config.placement_m * jax.random.normal(place_key, w.landmarks.shape[1:])
    v = view(view_key, noise, w.landmarks + off, dt=w.dt)
    sight = sight_of(w, v)
    seen = look(sight, HIPS)
    found = ikt(scene.model, seen, sight.time, w.height)
    true, turn = level_truth(scene, w, seen, v)
    own = stretch(scene.model, scene.factors(w.base, found.log_segments))
    points = jax.vmap(lambda q: marker_positions(own, q, np.array(scene.sites)))(found.q)
    flat = jnp.array([1.0, 1.0, 0.0])
    goal = (w.landmarks - v.position * flat) @ turn.T
    camera = v.camera_from_world @ turn.T
    return {
        "coordinates": losses.coordinates(scene.model, found, true),
        "uncertainty": losses.uncertainty(scene.model, found, true),
        "velocities": losses.velocities(scene.model, found, true, w.dt),
        "markers": losses.markers(points, goal),
        "reprojection": losses.reprojection(
            points, camera, v.position * (1.0 - flat), v.rays, seen.weight
        ),
        "segments": jnp.mean(jnp.abs(found.log_segments - w.log_segments)),
    }


def varied(scene: Scene, config: TrainConfig, key: jax.Array, w: Window) -> Window:
    """Return a window with other joint angles, size and pace: more people than were recorded.

    Angles change by waves and by a constant, within their limits; each frame's lowest sole stays as
    high. Time as a whole runs faster or slower. Only what the inverse kinematics looks at changes:
    forces would be others.
    """
    if not (config.pose_variation or config.size_variation or config.pace_variation):
        return w
    keys = jax.random.split(key, 6)
    amount = config.pose_variation * jax.random.uniform(keys[0])
    model, free = scene.model, movable(scene.model)
    waved, _, _ = shaken(keys[1], amount, w)
    constant = amount * jax.random.normal(keys[2], (len(free),))
    low, high = model.q_range[free].T
    joints = waved[:, free] + constant
    inside = jnp.clip(joints, jnp.minimum(low, w.q[:, free]), jnp.maximum(high, w.q[:, free]))
    q = w.q.at[:, free].set(inside)
    larger = jnp.exp(config.size_variation * jax.random.normal(keys[3]))
    spread = config.segment_variation * jnp.asarray(segment_spread(), q.dtype)
    segments = w.log_segments + spread * jax.random.normal(keys[4], w.log_segments.shape)
    base, height = w.base * larger, w.height * larger

    def lowest(body: Model, q: jax.Array) -> jax.Array:
        return jax.vmap(lambda q_t: pose(body, q_t).contacts[:, 2].min())(q)

    def stature(log_segments: jax.Array) -> jax.Array:
        standing = pose(stretch(model, scene.factors(w.base, log_segments)), model.q_default)
        top = standing.sites[model.layout.site_index[VERTEX_SITE], 2]
        return top - standing.contacts[:, 2].min()

    # the height told stays the body's
    segments -= jnp.log(stature(segments) / stature(w.log_segments))
    before = stretch(model, scene.factors(w.base, w.log_segments))
    after = stretch(model, scene.factors(base, segments))
    rotation, position = root_frame(model, q)
    up = lowest(before, w.q) - lowest(after, q)
    position = position.at[:, 2].add(up)
    q = q.at[:, :ROOT_COORDINATES].set(root_coordinates(model, rotation, position))
    landmarks = jax.vmap(lambda q_t: marker_positions(after, q_t, np.array(scene.sites)))(q)
    slower = jnp.exp(config.pace_variation * jax.random.uniform(keys[5], minval=-1.0))
    return w._replace(
        dt=w.dt * slower, q=q, landmarks=landmarks, base=base, height=height, log_segments=segments
    )  # fmt: skip


def silent(noise: CameraNoise) -> CameraNoise:
    """Return a pose network without errors, for an ablation."""

    def still(field: Field) -> Field:
        return field._replace(sd=np.zeros_like(field.sd))

    none: dict[str, Any] = dict.fromkeys(
        ("log_scale_sd", "clip_log_sd", "jitter_s", "lost_per_s", "swaps_per_s"), np.zeros(())
    )
    return noise._replace(
        image=still(noise.image), across=still(noise.across), depth=still(noise.depth),
        reach=np.broadcast_to(np.eye(noise.reach.shape[-1]), noise.reach.shape), **none,
    )  # fmt: skip


def shaken(
    key: jax.Array, size: float | jax.Array, w: Window, count: int = 4
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return the motion (q, qd, qdd) with a smooth error: waves of random period and phase.

    Some windows are almost exact, others off by ``size``: estimates are of any quality.
    """
    keys = jax.random.split(key, 4)
    size *= jax.random.uniform(keys[3]) ** 2
    short, long = _NOISE_PERIODS_S
    n = w.q.shape[1]
    period = short * (long / short) ** jax.random.uniform(keys[0], (count, n))
    omega, phase = 2.0 * jnp.pi / period, jax.random.uniform(keys[1], (count, n), maxval=6.3)
    # slow errors are large ones: what is wrong in accelerations is alike for all periods
    height = size * (period / long) ** 2 * jax.random.normal(keys[2], (count, n))
    time = w.dt * jnp.arange(len(w.q))
    angle = omega * time[:, None, None] + phase
    wave, slope = height * jnp.sin(angle), height * omega * jnp.cos(angle)
    return (
        w.q + wave.sum(axis=1),
        w.qd + slope.sum(axis=1),
        w.qdd - (omega**2 * wave).sum(axis=1),
    )


class Setting(NamedTuple):
    """What the inverse dynamics of a window works on; nothing in it is learned."""

    person: Model
    moving: Moving
    asked: losses.Demand


def observed(config: TrainConfig, key: jax.Array, person: Model, w: Window) -> Moving:
    """Return one window's motion as the network sees it: with an error, from the pelvis."""
    return observe(person, *shaken(key, config.motion_noise, w), w.height)


def asked_for(person: Model, w: Window) -> losses.Demand:
    """Return what one window's motion asks for."""
    return losses.demand(person, w.q, w.qd, w.qdd)


def kinetics(idt: IDT, s: Setting, w: Window) -> Kinetics:
    """Return what the network says of one window."""
    return idt(s.person, s.moving, w.dt * jnp.arange(len(w.q)))


def kinetic_losses(
    config: TrainConfig, found: Kinetics, s: Setting, w: Window
) -> dict[str, jax.Array]:
    """Return the losses of the inverse dynamics for one window, but for the simulation's."""
    by_name = {
        "torques": losses.torques(s.moving, found, w.tau, w.known),
        "ground_forces": losses.ground_forces(s.moving, found, w.foot_force, w.known),
        "pressure_centers": losses.pressure_centers(
            s.moving, found, w.foot_force, w.foot_cop, w.known
        ),
        "contact": losses.contact(found, w.contact, w.known),
        "residual": losses.residual(s.person, s.moving, found, s.asked, w.known),
    }
    return {name: x for name, x in by_name.items() if getattr(config.weights, name)}


def simulated_loss(frames: int, found: Kinetics, person: Model, w: Window) -> jax.Array:
    """Return the mean forward-inverse loss of windows (B, ...), simulated ``frames`` at a time."""

    def one(found: Kinetics, person: Model, w: Window) -> jax.Array:
        return losses.forward_inverse(person, found, w.q, w.qd, w.dt, frames, w.known)

    return jnp.mean(jax.vmap(one)(found, person, w))


def limited(pull: Kinetics, moving: Moving) -> Kinetics:
    """Return gradients by kinetics (B, ...) whose size in each window is at most 1 / B.

    Sizes are by body weight, by a tenth of weight x height for torques, by centimetres for centers
    of pressure. A simulation that goes astray would drown everything else, and one that exploded
    has no direction.
    """
    weight, height = moving.weight, moving.height
    one = jnp.ones_like(weight)
    scale = Kinetics(0.1 * weight * height, weight, 0.01 * one, 0.01 * weight, one)

    def spread(s: jax.Array, x: jax.Array) -> jax.Array:
        return s.reshape(-1, *[1] * (x.ndim - 1))

    pull = jax.tree.map(lambda g: jnp.where(jnp.isfinite(g), g, 0.0), pull)
    squares = jax.tree.map(
        lambda g, s: jnp.sum((g * spread(s, g)) ** 2, axis=tuple(range(1, g.ndim))), pull, scale
    )
    size = jnp.sqrt(sum(jax.tree.leaves(squares)))
    factor = jnp.minimum(1.0, 1.0 / (len(weight) * size + 1e-12))
    return jax.tree.map(lambda g: g * spread(factor, g), pull)


def total(config: TrainConfig, parts: dict[str, jax.Array]) -> jax.Array:
    """Return the weighted sum of losses."""
    return jnp.asarray(sum(getattr(config.weights, name) * x for name, x in parts.items()))
