"""From one person's landmarks in a camera's image to what the fit works on, and back."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from mjx_msk.fit.clock import evenly
from mjx_msk.fit.observation import ImageObservation, landmark_sites
from mjx_msk.fit.video import VideoFit
from mjx_msk.model import Model
from mjx_msk.motion import Motion
from mjx_msk.vision.camera import Camera, undistort
from mjx_msk.vision.gravity import gravity_from_person
from mjx_msk.vision.landmarks import Landmarks

#: Landmarks of at least this weight count in the reprojection error.
_CLEAR = 0.25


@dataclass(frozen=True, eq=False)
class Sighting:
    """One person's landmarks as far as the model has them, on an even clock."""

    names: tuple[str, ...]  #: L landmarks
    pixels: np.ndarray  #: (T, L, 2) px of the upright image; NaN where unseen
    visibility: np.ndarray  #: (T, L) 0..1
    camera: Camera
    observation: ImageObservation


def sight(model: Model, person: Landmarks, camera: Camera) -> Sighting:
    """Return what a camera saw of a person as evenly spaced rays and metric points."""
    sites = landmark_sites(model, person.names)
    names = tuple(sites)
    column = [person.names.index(name) for name in names]
    seen = np.concatenate(
        [person.pixels[:, column], person.world[:, column], person.visibility[:, column, None]], -1
    )
    time, even = evenly(person.time, seen)
    pixels, metric, visibility = even[..., :2], even[..., 2:5], even[..., 5]
    weight = np.where(np.isfinite(even).all(axis=-1), np.nan_to_num(visibility) ** 2, 0.0)
    hips = (names.index("right_hip"), names.index("left_hip"))
    metric = metric - metric[:, hips].mean(axis=1, keepdims=True)
    known = camera.gravity is not None
    down = camera.gravity if known else gravity_from_person(metric, weight, names)
    observation = ImageObservation(
        time=time,
        sites=np.array(list(sites.values())),
        rays=undistort(np.nan_to_num(pixels), camera.intrinsics, camera.distortion),
        metric=metric,
        weight=weight,
        hips=hips,
        down=np.asarray(down),
        gravity_known=known,
    )
    return Sighting(names, pixels, visibility, camera, observation)


def with_sighting(motion: Motion, sighting: Sighting, fit: VideoFit) -> Motion:
    """Return the motion with its landmarks, the posed camera and how well the two agree."""
    R, camera, seen = fit.camera_from_world, sighting.camera, sighting.observation
    posed = dataclasses.replace(
        camera,
        gravity=-R[:, 2],
        rotation_camera_from_world=R,
        translation_m=-R @ fit.camera_position,
    )
    quality = dict(motion.quality)
    x = (fit.landmarks - fit.camera_position) @ R.T
    focal = float(camera.intrinsics[[0, 1], [0, 1]].mean())
    miss = focal * np.linalg.norm(x[..., :2] / x[..., 2:] - seen.rays, axis=-1)
    if (clear := seen.weight > _CLEAR).any():
        quality["reprojection_error_px"] = float(np.median(miss[clear]))
    if "walking_speed_m_s" in quality:  # along X; the optical axis is R[2] in the world
        quality["walking_direction_deg"] = float(np.rad2deg(np.arctan2(-R[2, 1], R[2, 0])))
    return motion.replace(
        landmark_names=sighting.names,
        landmark_pixels=sighting.pixels,
        landmark_visibility=sighting.visibility,
        landmarks_fitted=fit.landmarks,
        camera=posed.to_dict(),
        quality=quality,
    )
