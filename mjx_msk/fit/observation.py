"""What one camera saw of one person, and the first guess that follows from it."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from mjx_msk.fit.root import with_root_pose
from mjx_msk.model import LANDMARK_PREFIX, Model

#: Facing directions and places are averaged over this long for the first guess, s.
_SMOOTH_S = 0.1


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


def landmark_sites(model: Model, names: tuple[str, ...]) -> dict[str, int]:
    """Return the model's site index of each landmark that it carries."""
    sites = model.layout.site_index
    return {n: sites[LANDMARK_PREFIX + n] for n in names if LANDMARK_PREFIX + n in sites}


def upright(observation: ImageObservation) -> np.ndarray:
    """Return the first guess of camera_from_world (3, 3): Z against gravity, X where one faces."""
    up = -observation.down / np.linalg.norm(observation.down)
    right_hip, left_hip = observation.hips
    seen = observation.weight[:, [right_hip, left_hip]].min(axis=1) > 0
    left = observation.metric[seen, left_hip] - observation.metric[seen, right_hip]
    facing = np.cross(left, up)
    facing /= np.linalg.norm(facing, axis=1, keepdims=True)
    forward = facing.mean(axis=0)
    if np.linalg.norm(forward) < 0.2:  # turning round and round: any direction is as good
        forward = facing[0]
    forward -= up * (forward @ up)
    forward /= np.linalg.norm(forward)
    return np.column_stack([forward, np.cross(up, forward), up])


def first_guess(
    model: Model, observation: ImageObservation, rotation: np.ndarray, base: float, mean: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return coordinates (T, n) in the habitual pose ``mean``, placed and facing as seen.

    Also returns the person's depths (T,), m along the optical axis. ``rotation`` is
    camera_from_world; the camera is at the world's origin.
    """
    metric = np.nan_to_num(observation.metric)
    sigma = _SMOOTH_S / observation.dt
    place = _place(metric, np.nan_to_num(observation.rays), observation.weight)
    place = gaussian_filter1d(_fill(place, observation.weight), sigma, axis=0, mode="nearest")
    right_hip, left_hip = observation.hips
    left = (metric[:, left_hip] - metric[:, right_hip]) @ rotation
    left = gaussian_filter1d(left, sigma, axis=0, mode="nearest")
    yaw = np.arctan2(-left[:, 0], left[:, 1])
    # The pelvis's own axes: x forward, y up, z right.
    neutral = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    turn = Rotation.from_rotvec(yaw[:, None] * np.array([0.0, 0.0, 1.0])).as_matrix()
    pelvis = turn @ neutral
    hips = np.asarray(model.mjx.site_pos)[observation.sites[[right_hip, left_hip]]]
    offset = pelvis @ hips.mean(axis=0) * base
    q = np.tile(mean, (len(place), 1))
    return with_root_pose(model, q, pelvis, place @ rotation - offset), place[:, 2]


def _place(metric: np.ndarray, rays: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the translations (T, 3) that best put metric points onto their rays (linear)."""
    frames, count, _ = metric.shape
    A = np.zeros((frames, count, 2, 3))
    A[..., 0, 0] = A[..., 1, 1] = 1.0
    A[..., 2] = -rays
    b = rays * metric[..., 2:] - metric[..., :2]
    A = (A * weight[..., None, None]).reshape(frames, -1, 3)
    b = (b * weight[..., None]).reshape(frames, -1, 1)
    normal = A.swapaxes(1, 2) @ A + 1e-9 * np.eye(3)
    return np.linalg.solve(normal, A.swapaxes(1, 2) @ b)[..., 0]


def _fill(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Interpolate frames in which too little was seen to place the person."""
    good = (weight > 0.1).sum(axis=1) >= 4
    if not good.any():
        good[:] = True
    index = np.arange(len(values))
    return np.column_stack([np.interp(index, index[good], column[good]) for column in values.T])
