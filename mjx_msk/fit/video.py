"""From one camera's landmarks to a motion on the anatomical model.

The whole clip is fitted at once: the image (reprojection), the network's metric depth, bone lengths
that are constant and symmetric, joint limits and habits, smoothness, and feet that stand on a flat
floor. The camera stands still at (0, 0, h); the world's X is where the person faces.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from mjx_msk.fit import terms
from mjx_msk.fit.config import LIMIT_SPREAD, FitConfig, habits
from mjx_msk.fit.contact import floor_level, touching
from mjx_msk.fit.points import Points, points
from mjx_msk.fit.root import shifted, with_root_pose
from mjx_msk.fit.scaling import (
    GENERIC_HEIGHT_M,
    SEGMENTS,
    VERTEX_IN_TORSO,
    body_factors,
    scaled,
    segment_spread,
)
from mjx_msk.fit.solver import Term, gauss_newton
from mjx_msk.model import LANDMARK_PREFIX, Model
from mjx_msk.physics.kinematics import pose

#: Landmarks that carry the body's shape; hands and face move on their own.
_HAND = ("pinky", "index", "thumb")
#: Standard deviation of the stature that a model's segments add up to, m.
_STATURE_SPREAD_M = 0.015
#: Where the camera starts, so that the floor is out of the way until it is found, m.
_FAR_ABOVE_M = 10.0


@dataclass(frozen=True, kw_only=True)
class ImageObservation:
    """What one camera saw of one person at T times, in the camera's axes."""

    time: np.ndarray  #: (T,) s, evenly spaced
    sites: np.ndarray  #: (L,) site index of each landmark
    rays: np.ndarray  #: (T, L, 2) x/z and y/z without distortion
    metric: np.ndarray  #: (T, L, 3) m, x right, y down, z away, centred between the hips
    weight: np.ndarray  #: (T, L) 0..1, 0 where unseen
    hips: tuple[int, int]  #: places of the right and left hip among the L landmarks
    down: np.ndarray  #: (3,) gravity's direction in camera axes
    gravity_known: bool

    @property
    def dt(self) -> float:
        """Sampling interval, s."""
        return float(self.time[1] - self.time[0]) if len(self.time) > 1 else 1.0


@dataclass(frozen=True, kw_only=True)
class VideoFit:
    """A fitted motion: coordinates, body size and the camera in the same world (Z up, m)."""

    q: np.ndarray  #: (T, n)
    base: float  #: whole-body scale
    log_segments: np.ndarray  #: (k,) log factors of ``scaling.SEGMENTS``
    touching: np.ndarray  #: (T, c)
    camera_from_world: np.ndarray  #: (3, 3)
    camera_position: np.ndarray  #: (3,) m
    landmarks: np.ndarray  #: (T, L, 3) m
    iterations: int


def landmark_sites(model: Model, names: tuple[str, ...]) -> dict[str, int]:
    """Return the model's site index of each landmark that it carries."""
    sites = model.layout.site_index
    return {n: sites[LANDMARK_PREFIX + n] for n in names if LANDMARK_PREFIX + n in sites}


@jax.jit
def _stature(model: Model, base: jax.Array, log_segments: jax.Array) -> jax.Array:
    """Return the standing height of the scaled model at its neutral pose, m."""
    model = scaled(model, body_factors(model, base, log_segments))
    torso = model.layout.body_names.index("torso")
    p = pose(model, jnp.zeros(model.n))
    factors = body_factors(model, base, log_segments)
    vertex = p.body_position[torso] + p.body_rotation[torso] @ (
        jnp.array(VERTEX_IN_TORSO) * factors[torso]
    )
    sole = jnp.min(p.contacts[:, 2] - model.contact_radius)
    return vertex[2] - sole


_stature_slope = jax.jit(jax.grad(_stature, argnums=2))


def upright(observation: ImageObservation) -> np.ndarray:
    """Return the first guess of camera_from_world (3, 3): Z against gravity, X where one faces."""
    up = -observation.down / np.linalg.norm(observation.down)
    right_hip, left_hip = observation.hips
    seen = observation.weight[:, list(observation.hips)].min(axis=1) > 0
    left = observation.metric[seen, left_hip] - observation.metric[seen, right_hip]
    facing = np.cross(left, up)
    facing /= np.linalg.norm(facing, axis=1, keepdims=True)
    forward = facing.mean(axis=0)
    if np.linalg.norm(forward) < 0.2:  # turning round and round: any direction is as good
        forward = facing[0]
    forward -= up * (forward @ up)
    forward /= np.linalg.norm(forward)
    return np.column_stack([forward, np.cross(up, forward), up])


def _place(metric: np.ndarray, rays: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the translations (T, 3) that put metric points onto their rays (linear least squares)."""
    frames, count, _ = metric.shape
    A = np.zeros((frames, count, 2, 3))
    A[..., 0, 0] = A[..., 1, 1] = 1.0
    A[..., 2] = -rays
    b = rays * metric[..., 2:] - metric[..., :2]
    w = weight[..., None]
    A = (A * w[..., None]).reshape(frames, -1, 3)
    b = (b * w).reshape(frames, -1, 1)
    normal = A.swapaxes(1, 2) @ A + 1e-9 * np.eye(3)
    return np.linalg.solve(normal, A.swapaxes(1, 2) @ b)[..., 0]


def _initial(
    model: Model, observation: ImageObservation, rotation: np.ndarray, base: float, mean: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the starting coordinates (T, n), standing and facing as seen, and depths (T,)."""
    metric = np.nan_to_num(observation.metric)
    place = _fill(_place(metric, observation.rays, observation.weight), observation.weight)
    place = gaussian_filter1d(place, 0.1 / observation.dt, axis=0, mode="nearest")
    right_hip, left_hip = observation.hips
    world = metric @ rotation
    left = gaussian_filter1d(world[:, left_hip] - world[:, right_hip], 0.1 / observation.dt, axis=0)
    yaw = np.arctan2(-left[:, 0], left[:, 1])
    # The pelvis's own axes: x forward, y up, z right.
    neutral = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    pelvis = Rotation.from_rotvec(yaw[:, None] * [0.0, 0.0, 1.0]).as_matrix() @ neutral
    hip_in_pelvis = np.asarray(model.mjx.site_pos)[observation.sites[[right_hip, left_hip]]]
    offset = pelvis @ hip_in_pelvis.mean(axis=0) * base
    q = np.tile(mean, (len(place), 1))
    return with_root_pose(model, q, pelvis, place @ rotation - offset), place[:, 2]


def _fill(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Interpolate frames in which too little was seen to place the person."""
    good = (weight > 0.1).sum(axis=1) >= 4
    index = np.arange(len(values))
    return np.column_stack([np.interp(index, index[good], column[good]) for column in values.T])


class _Problem:
    """All terms of the fit as functions of (q, g); g = segments, camera height, camera tilt."""

    def __init__(
        self, model: Model, observation: ImageObservation, config: FitConfig, height_m: float,
        treadmill_m_s: float,
    ) -> None:  # fmt: skip
        self.model, self.seen, self.config = model, observation, config
        self.base = height_m / GENERIC_HEIGHT_M
        self.height_m = height_m
        self.k = len(SEGMENTS)
        self.rotation = upright(observation)
        self.habits = habits(model)
        rate = 1.0 / observation.dt
        self.time_weight = np.sqrt(min(1.0, config.observation_rate_hz / rate))
        self.travel = np.array([-treadmill_m_s, 0.0])
        self.g = np.zeros(self.k + 3)
        self.g[self.k] = _FAR_ABOVE_M
        start, self.depth = _initial(model, observation, self.rotation, self.base, self.habits.mean)
        self.q = shifted(model, start, np.array([0.0, 0.0, _FAR_ABOVE_M]))
        self.touch = np.zeros((len(self.q), len(model.contact_radius)))
        self.bounds = np.asarray(model.q_range, float)
        self.bounds[:6] = (-np.inf, np.inf)

    def camera(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return camera_from_world and the camera's position for globals ``g``."""
        tilt = Rotation.from_rotvec([g[self.k + 1], 0.0, g[self.k + 2]]).as_matrix()
        return tilt @ self.rotation, np.array([0.0, 0.0, g[self.k]])

    def points(self, q: np.ndarray, g: np.ndarray) -> Points:
        return points(self.model, self.base, q, g[: self.k])

    def spheres(self, p: Points) -> slice:
        """Return where the contact spheres lie among the points."""
        count = len(self.model.contact_radius)
        return slice(p.position.shape[1] - 1 - count, p.position.shape[1] - 1)

    def terms(self, q: np.ndarray, g: np.ndarray) -> list[Term]:
        p = self.points(q, g)
        return [
            *self._image_terms(p, g),
            *self._body_terms(q, g),
            *self._floor_terms(p),
        ]

    def _image_terms(self, p: Points, g: np.ndarray) -> list[Term]:
        config, seen = self.config, self.seen
        R, center = self.camera(g)
        sites = seen.sites
        x = (p.position[:, sites] - center) @ R.T
        by_q = R @ p.by_q[:, sites]
        by_g = np.zeros((*x.shape, len(g)))
        by_g[..., : self.k] = R @ p.by_scale[:, sites]
        by_g[..., self.k] = -R[:, 2]
        by_g[..., self.k + 1] = np.cross([1.0, 0.0, 0.0], x)
        by_g[..., self.k + 2] = np.cross([0.0, 0.0, 1.0], x)
        weight = seen.weight * self.time_weight
        sharp = weight * self.depth[:, None] / config.pixel_spread_m
        image = terms.reprojection(x, (by_q, by_g), seen.rays, sharp)

        spread = np.array([config.lateral_spread_m, config.lateral_spread_m, config.depth_spread_m])
        hips = list(seen.hips)
        scale = (weight[..., None] / spread)[..., None]
        shape = (len(x), -1)
        metric = np.nan_to_num(seen.metric)
        r = (x - x[:, hips].mean(1, keepdims=True) - metric) * scale[..., 0]
        J = (by_q - by_q[:, hips].mean(1, keepdims=True)) * scale
        J_g = (by_g - by_g[:, hips].mean(1, keepdims=True)) * scale
        return [
            terms.robust(image[0], 2, config.robust_scale, image[1], image[2]),
            terms.robust(
                r.reshape(shape), 3, config.robust_scale,
                J.reshape(len(x), -1, by_q.shape[-1]), J_g.reshape(len(x), -1, len(g)),
            ),
        ]  # fmt: skip

    def _body_terms(self, q: np.ndarray, g: np.ndarray) -> list[Term]:
        h = self.habits
        tilt_spread = 0.002 if self.seen.gravity_known else self.config.gravity_spread_rad
        segments = jnp.asarray(g[: self.k], jnp.float32)
        stature = float(_stature(self.model, self.base, segments)) - self.height_m
        slope = np.zeros((1, len(g)))
        slope[0, : self.k] = np.asarray(_stature_slope(self.model, self.base, segments))
        own = np.concatenate([1.0 / segment_spread(), [0.0], [1.0 / tilt_spread] * 2])
        residual = np.concatenate([g * own, [stature / _STATURE_SPREAD_M]])
        J_g = np.concatenate([np.diag(own), slope / _STATURE_SPREAD_M])
        return [
            terms.prior(q, h.mean, h.spread, self.time_weight),
            terms.limits(q, self.bounds, np.full(q.shape[1], LIMIT_SPREAD)),
            terms.smoothness(q, self.seen.dt, h.jerk, self.time_weight),
            terms.shared(residual, J_g, q.shape),
        ]

    def _floor_terms(self, p: Points) -> list[Term]:
        config, soles = self.config, self.spheres(p)
        centre, by_q = p.position[:, soles], p.by_q[:, soles]
        by_scale = p.by_scale[:, soles]
        pad = np.zeros((*by_scale.shape[:-1], 3))
        by_g = np.concatenate([by_scale, pad], axis=-1)
        height = centre[..., 2] - np.asarray(self.model.contact_radius)
        touch = self.touch
        frames = len(centre)
        flat = (frames, 2 * height.shape[1], -1)
        return [
            terms.floor_height(
                height, (by_q[:, :, 2], by_g[:, :, 2]), touch * self.time_weight,
                spread_m=config.touch_height_m, clearance_m=0.01,
            ),
            terms.no_slip(
                centre[..., :2], (by_q[:, :, :2].reshape(flat), by_g[:, :, :2].reshape(flat)),
                touch * self.time_weight, self.travel * self.seen.dt,
                config.touch_slip_m_s * self.seen.dt,
            ),
        ]  # fmt: skip

    def find_floor(self, q: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (q, g) moved up or down together so that the floor is at z = 0."""
        p = self.points(q, g)
        radius = np.asarray(self.model.contact_radius)
        level = floor_level(p.position[:, self.spheres(p)], radius, self.seen.dt)
        lower = shifted(self.model, q, np.array([0.0, 0.0, -level]))
        moved = g.copy()
        moved[self.k] -= level
        return lower, moved

    def find_touch(self, q: np.ndarray, g: np.ndarray) -> None:
        """Update which sole points touch the floor."""
        p = self.points(q, g)
        radius = np.asarray(self.model.contact_radius)
        self.touch = touching(p.position[:, self.spheres(p)], radius, self.seen.dt, self.travel)


def fit_video(
    model: Model,
    observation: ImageObservation,
    *,
    height_m: float,
    treadmill_m_s: float = 0.0,
    config: FitConfig | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> VideoFit:
    """Fit the model's coordinates, its segment lengths and the camera's pose to one clip."""
    config = config or FitConfig()
    problem = _Problem(model, observation, config, height_m, treadmill_m_s)
    q, g = problem.q, problem.g
    steps = 0

    def solve(q: np.ndarray, g: np.ndarray, label: str):
        nonlocal steps
        if on_progress is not None:
            on_progress(label)
        solution = gauss_newton(problem.terms, q, g, iterations=config.iterations)
        steps += solution.iterations
        return solution.x, solution.g

    q, g = solve(q, g, "pose")
    q, g = problem.find_floor(q, g)
    for _ in range(3):
        problem.find_touch(q, g)
        q, g = solve(q, g, "floor")
    problem.find_touch(q, g)
    R, center = problem.camera(g)
    p = problem.points(q, g)
    return VideoFit(
        q=q, base=problem.base, log_segments=g[: problem.k], touching=problem.touch,
        camera_from_world=R, camera_position=center,
        landmarks=p.position[:, observation.sites], iterations=steps,
    )  # fmt: skip
