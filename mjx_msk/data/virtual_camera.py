"""A person's motion as one camera and a pose network would deliver it, drawn at random.

Pure functions of a key: they run inside a training step, under ``jit`` and ``vmap``. What is drawn
and why: docs/virtual_camera.md.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.data.camera_noise import Array, CameraNoise, episodes, own_errors, spread
from mjx_msk.data.landmark_tree import COUNTERPART, HALF, HIPS, LANDMARKS
from mjx_msk.data.occlusion import cover
from mjx_msk.vision.gravity import gravity_from_person

#: What is nearer to the camera than this is not in its picture, m.
_NEAREST_M = 0.2
#: The network's guess of a point outside the picture stays within this many half pictures.
_GUESSED = 1.5
#: The most that the pipeline believes a point outside the picture (``vision.landmarks``).
_OUTSIDE_VISIBILITY = 0.1
#: Gaps that the pipeline bridges, and what it then makes of the visibility (``vision.repair``).
_BRIDGED_S, _BRIDGED_VISIBILITY = 0.3, 0.3
#: Error of a gravity direction that a calibration or a sensor gives, rad.
_KNOWN_GRAVITY_RAD = 0.005
_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, kw_only=True)
class CameraRanges:
    """Where cameras stand and how they look: phones on tripods, shelves and in hands."""

    field_of_view_deg: tuple[float, float] = (40.0, 80.0)
    """Along the long side: two-fold zoom to wide main cameras."""
    long_over_short: tuple[float, float] = (4 / 3, 16 / 9)
    """Shape of the picture, upright or lying with equal chance."""
    height_m: tuple[float, float] = (0.4, 2.2)
    """Of the lens: a low table to a tripod drawn out."""
    aim_m: float = 0.4
    """The middle of the picture lies at most this far above or below the motion's middle."""
    room: tuple[float, float] = (1.02, 2.0)
    """Distance over the least at which the whole motion is in the picture."""
    nearest_m: float = 1.5
    """Least distance from the motion's middle."""
    farthest_m: float = 10.0
    """Largest distance, unless the motion needs more to be in the picture."""
    roll_sd_deg: float = 3.0
    """A camera put up with care."""
    tilted: tuple[float, float] = (0.15, 30.0)
    """Share of cameras put up without, and how far those are rolled at most, deg."""
    focal_log_sd: float = 0.03
    """Error of the focal length that the pipeline believes, where it is not calibrated."""
    calibrated: float = 0.5
    """Share of cameras of known focal length."""
    gravity_known: float = 0.5
    """Share of cameras that know gravity; the others judge it from the person."""


class Placement(NamedTuple):
    """One camera in the world."""

    camera_from_world: jax.Array  #: (3, 3)
    position: jax.Array  #: (3,) m
    half_picture: jax.Array  #: (2,) x/z and y/z at the picture's right and lower border


class View(NamedTuple):
    """What the pipeline would know of a clip of T frames, and the truth about its camera.

    As in ``fit.observation``; a landmark of visibility 0 was not seen and its numbers are 0.
    """

    rays: jax.Array  #: (T, L, 2) x/z and y/z without distortion
    metric: jax.Array  #: (T, L, 3) m, camera axes (x right, y down, z away), from between the hips
    visibility: jax.Array  #: (T, L) 0..1
    down: jax.Array  #: (3,) gravity's direction in camera axes, as the pipeline believes it
    gravity_known: jax.Array  #: () 1 if it was measured, 0 if it was judged from the person
    camera_from_world: jax.Array  #: (3, 3) the truth
    position: jax.Array  #: (3,) m, the truth


def view(
    key: jax.Array,
    noise: CameraNoise,
    landmarks: jax.Array,
    *,
    dt: Array | float,
    ranges: CameraRanges = CameraRanges(),
) -> View:
    """Return what a random camera sees of ``landmarks`` (T, L, 3) m in the world, Z up.

    ``landmarks`` are in the order of ``landmark_tree.LANDMARKS``; ``dt`` s lies between frames.
    """
    place_key, see_key = jax.random.split(key)
    placement = place(place_key, landmarks, ranges)
    return see(see_key, noise, placement, landmarks, dt=dt, ranges=ranges)


def place(key: jax.Array, landmarks: jax.Array, ranges: CameraRanges) -> Placement:
    """Return a random camera that has ``landmarks`` (T, L, 3) in its picture."""
    keys = iter(jax.random.split(key, 11))

    def between(limits: tuple[float, float]) -> jax.Array:
        return jax.random.uniform(next(keys), minval=limits[0], maxval=limits[1])

    points = landmarks.reshape(-1, 3)
    middle = 0.5 * (points.min(axis=0) + points.max(axis=0))
    middle = middle + between((-ranges.aim_m, ranges.aim_m)) * _UP
    long = jnp.tan(jnp.deg2rad(between(ranges.field_of_view_deg)) / 2)
    short = long / between(ranges.long_over_short)
    lying = jax.random.bernoulli(next(keys))
    half = jnp.where(lying, jnp.stack([long, short]), jnp.stack([short, long]))
    heading = between((-np.pi, np.pi))
    height, room, aside = between(ranges.height_m), between(ranges.room), between((-1.0, 1.0))
    tilted = jax.random.bernoulli(next(keys), ranges.tilted[0])
    careful = ranges.roll_sd_deg * jax.random.normal(next(keys))
    roll = jnp.deg2rad(jnp.where(tilted, between((-ranges.tilted[1], ranges.tilted[1])), careful))

    pitch = jnp.zeros(())
    for _ in range(3):  # the height fixes the pitch, which changes the distance a little
        R = look(heading, pitch, roll)
        x, y, z = ((points - middle) @ R.T).T
        least = jnp.max(jnp.maximum(jnp.abs(x) / half[0], jnp.abs(y) / half[1]) - z)
        least = jnp.maximum(least, ranges.nearest_m)
        distance = jnp.maximum(least, jnp.minimum(room * least, ranges.farthest_m))
        pitch = jnp.arcsin(jnp.clip((height - middle[2]) / distance, -0.6, 0.6))
    # then to the side, level, as far as the picture's borders allow
    right = jnp.stack([jnp.sin(heading), -jnp.cos(heading), jnp.zeros(())])
    room_left = half * (z + distance)[:, None] - jnp.abs(jnp.stack([x, y], axis=-1))
    slack = jnp.min(room_left / (jnp.abs(R[:2] @ right) + 1e-6))
    position = middle - distance * R[2] + aside * jnp.maximum(slack, 0.0) * right
    return Placement(R, position, half)


def look(heading: Array, pitch: Array, roll: Array) -> jax.Array:
    """Return camera_from_world (3, 3) of a camera that looks along ``heading``, rad.

    ``pitch`` looks down; a positive ``roll`` turns the picture's right side down in the world.
    """
    c, s = jnp.cos(heading), jnp.sin(heading)
    forward = jnp.stack([c * jnp.cos(pitch), s * jnp.cos(pitch), -jnp.sin(pitch)])
    right = jnp.stack([s, -c, jnp.zeros_like(s)])
    below = jnp.cross(forward, right)
    return jnp.stack(
        [
            jnp.cos(roll) * right + jnp.sin(roll) * below,
            jnp.cos(roll) * below - jnp.sin(roll) * right,
            forward,
        ]
    )


def see(
    key: jax.Array,
    noise: CameraNoise,
    placement: Placement,
    landmarks: jax.Array,
    *,
    dt: Array | float,
    ranges: CameraRanges,
) -> View:
    """Return what a placed camera and its pose network make of ``landmarks`` (T, L, 3)."""
    keys = iter(jax.random.split(key, 8))
    R, position = placement.camera_from_world, placement.position
    frames = len(landmarks)
    late = noise.jitter_s * jax.random.normal(next(keys), (frames, 1, 1))
    velocity = _velocity(landmarks, dt)
    x = (landmarks + late * velocity - position) @ R.T
    clip = _clip_factors(next(keys), noise)
    visibility = _visibility(next(keys), noise, x, dt)
    rays = _rays(next(keys), noise, x, visibility, dt, clip[0])
    metric = _metric(next(keys), noise, x, visibility, dt, clip[1])
    outside = jnp.any(jnp.abs(rays) > placement.half_picture, axis=-1)
    visibility = jnp.where(outside, jnp.minimum(visibility, _OUTSIDE_VISIBILITY), visibility)
    visibility = jnp.where(x[..., 2] > _NEAREST_M, visibility, 0.0)
    reach = _GUESSED * placement.half_picture
    columns = jnp.concatenate(
        [jnp.clip(rays, -reach, reach), metric, visibility[..., None]], axis=-1
    )
    columns = _bridged(next(keys), noise, _swapped(next(keys), noise, columns, dt), dt)
    rays, metric, visibility = columns[..., :2], columns[..., 2:5], columns[..., 5]
    down, known, stretch = _believed(next(keys), R, metric, visibility, ranges)
    return View(rays * stretch, metric, visibility, down, known, R, position)


def _velocity(landmarks: jax.Array, dt: Array | float) -> jax.Array:
    if len(landmarks) < 2:
        return jnp.zeros_like(landmarks)
    return jnp.asarray(jnp.gradient(landmarks, dt, axis=0))


def _clip_factors(key: jax.Array, noise: CameraNoise) -> jax.Array:
    """Return by how much image and metric errors of the clip differ from the usual, (2,)."""
    sd = noise.clip_log_sd
    return jnp.exp(sd * jax.random.normal(key, (2,)) - sd**2)  # mean square 1


def _visibility(key: jax.Array, noise: CameraNoise, x: jax.Array, dt: Array | float) -> jax.Array:
    """Return how sure the network is of each landmark (T, L)."""
    far = x[..., 2] - x[..., COUNTERPART, 2]
    own = own_errors(key, noise.visibility, len(x), dt, 1)
    logit = noise.logit + noise.logit_cover * cover(x) + noise.logit_far * far
    everywhere = jnp.ones(x.shape[:2], x.dtype)
    return jax.nn.sigmoid(logit + spread(noise.visibility, own, everywhere)[..., 0])


def _rays(
    key: jax.Array,
    noise: CameraNoise,
    x: jax.Array,
    visibility: jax.Array,
    dt: Array | float,
    clip: Array,
) -> jax.Array:
    own = own_errors(key, noise.image, len(x), dt, 2)
    error = spread(noise.image, own, visibility, clip)
    return (x[..., :2] + error) / jnp.maximum(x[..., 2:], _NEAREST_M)


def _metric(
    key: jax.Array,
    noise: CameraNoise,
    x: jax.Array,
    visibility: jax.Array,
    dt: Array | float,
    clip: Array,
) -> jax.Array:
    """Return the metric guess (T, L, 3): sizes are off, and so is the direction of sight.

    The network sees a cut-out of the picture and cannot know how far off the axis it lies: its
    axes may be those of the ray to the person rather than of the camera. How much of that it
    corrects, the recording cannot tell (its rays are within 6 deg): any share.
    """
    across, depth, size, off_axis = jax.random.split(key, 4)
    hips = x[:, HIPS].mean(axis=1)
    turn = towards(hips * jnp.array([1.0, 1.0, 0.0]) * jax.random.uniform(off_axis) + hips * _UP)
    true = jnp.einsum("tli,tji->tlj", x - hips[:, None], turn)
    mean = expected_guess(noise.reach, true) * jnp.exp(noise.log_scale_sd * jax.random.normal(size))
    own = own_errors(across, noise.across, len(x), dt, 2)
    away = own_errors(depth, noise.depth, len(x), dt, 1)
    error = jnp.concatenate(
        [spread(noise.across, own, visibility, clip), spread(noise.depth, away, visibility, clip)],
        axis=-1,
    )
    guess = mean + error
    return guess - guess[:, HIPS].mean(axis=1, keepdims=True)


def expected_guess(reach: Array, true: Array) -> jax.Array:
    """Return the mean guess (..., L, 3) of landmarks ``true`` (..., L, 3) about the hips."""
    true = jnp.asarray(true)
    reach = jnp.asarray(reach, true.dtype)
    return jnp.concatenate([reach[0] @ true[..., :2], reach[1] @ true[..., 2:]], axis=-1)


def towards(ray: Array) -> jax.Array:
    """Return the rotations (T, 3, 3) into axes whose z points along ``ray`` (T, 3), x level."""
    z = ray / jnp.sqrt(jnp.sum(ray**2, axis=-1, keepdims=True) + 1e-12)
    x = jnp.stack([z[:, 2], jnp.zeros_like(z[:, 0]), -z[:, 0]], axis=-1)
    x = x / jnp.sqrt(jnp.sum(x**2, axis=-1, keepdims=True) + 1e-12)
    return jnp.stack([x, jnp.cross(z, x), z], axis=1)


def _swapped(
    key: jax.Array, noise: CameraNoise, columns: jax.Array, dt: Array | float
) -> jax.Array:
    """Exchange left and right of the upper or the lower body now and then."""
    halves = jax.random.split(key)
    exchanged = jnp.stack(
        [episodes(k, len(columns), dt, noise.swaps_per_s, noise.swap_s) for k in halves], axis=1
    )
    return jnp.where(exchanged[:, HALF, None], columns[:, COUNTERPART], columns)


def _bridged(
    key: jax.Array, noise: CameraNoise, columns: jax.Array, dt: Array | float
) -> jax.Array:
    """Lose the person now and then; short gaps are bridged as the pipeline does, others are 0."""
    frames = len(columns)
    index = jnp.arange(frames)
    seen = ~episodes(key, frames, dt, noise.lost_per_s, noise.lost_s)
    before = jax.lax.cummax(jnp.where(seen, index, -1))
    after = jax.lax.cummin(jnp.where(seen, index, frames), reverse=True)
    inside = (before >= 0) & (after < frames) & ((after - before) * dt <= _BRIDGED_S)
    share = (index - before) / jnp.maximum(after - before, 1)
    a, b = columns[jnp.clip(before, 0)], columns[jnp.clip(after, 0, frames - 1)]
    bridge = a + share[:, None, None] * (b - a)
    bridge = bridge.at[..., -1].multiply(_BRIDGED_VISIBILITY)
    found = jnp.where(seen[:, None, None], columns, bridge)
    return jnp.where((seen | inside)[:, None, None], found, 0.0)


def _believed(
    key: jax.Array, R: jax.Array, metric: jax.Array, visibility: jax.Array, ranges: CameraRanges
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return where down is thought to be, whether it was measured, and how far rays are off."""
    keys = jax.random.split(key, 5)
    measured = -R[:, 2] + _KNOWN_GRAVITY_RAD * jax.random.normal(keys[0], (3,))
    judged = gravity_from_person(metric, visibility**2, LANDMARKS)
    known = jax.random.bernoulli(keys[1], ranges.gravity_known)
    down = jnp.where(known, measured / jnp.linalg.norm(measured), judged)
    calibrated = jax.random.bernoulli(keys[2], ranges.calibrated)
    error = jnp.exp(ranges.focal_log_sd * jax.random.normal(keys[3]))
    return down, known.astype(R.dtype), jnp.where(calibrated, 1.0, error)
