"""The camera: how points before it become pixels, and which way is down for it.

Camera axes: x right, y down, z forward. Pixels: origin at the centre of the top-left pixel. The
lens is OpenCV's five-parameter model (k1, k2, p1, p2, k3).
"""

import json
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from mjx_msk.errors import MskError
from mjx_msk.vision.video import FILM_WIDTH_MM, VideoInfo

#: Main cameras of phones have a 35 mm equivalent focal length of about 26 mm.
DEFAULT_FOCAL_LENGTH_MM = 26.0
#: The field of view along the long side that this means: 69 degrees.
DEFAULT_FOV_DEG = float(np.rad2deg(2 * np.arctan(FILM_WIDTH_MM / 2 / DEFAULT_FOCAL_LENGTH_MM)))

_NEAREST_M = 1e-3  # points closer to the image plane than this, or behind it, are put here


@dataclass(frozen=True, kw_only=True, eq=False)
class Camera:
    """A calibrated or assumed camera; the pose is filled in by the fit."""

    intrinsics: np.ndarray  #: (3, 3) px
    distortion: np.ndarray  #: (5,) k1 k2 p1 p2 k3
    image_size: tuple[int, int]  #: (width, height) px, upright
    gravity: np.ndarray | None  #: (3,) unit vector pointing down, in camera axes
    source: str  #: where the values come from, for the report
    rotation_camera_from_world: np.ndarray | None = None  #: (3, 3)
    translation_m: np.ndarray | None = None  #: (3,) x_camera = R x_world + t

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers, fit for JSON; unknown values are None."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in vars(self).items()
        } | {"image_size": list(self.image_size)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Camera":
        """Return the camera that ``to_dict`` described."""
        arrays = ("intrinsics", "distortion", "gravity", *_POSE)
        kept = dict(json.loads(json.dumps(values)))
        kept |= {k: np.array(kept[k], dtype=float) for k in arrays if kept.get(k) is not None}
        kept["image_size"] = (int(kept["image_size"][0]), int(kept["image_size"][1]))
        return cls(**kept)


_POSE = ("rotation_camera_from_world", "translation_m")


def default_camera(image_size: tuple[int, int], fov_deg: float | None = None) -> Camera:
    """Return a distortion-free camera with a stated field of view along the image's long side.

    Without ``fov_deg`` this is the main camera of a phone (``DEFAULT_FOV_DEG``).
    """
    width, height = image_size
    fov = DEFAULT_FOV_DEG if fov_deg is None else fov_deg
    focal = max(image_size) / 2 / np.tan(np.deg2rad(fov) / 2)
    how = "assumed, as of a phone's main camera" if fov_deg is None else "as given"
    return Camera(
        intrinsics=np.array(
            [[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]], dtype=float
        ),
        distortion=np.zeros(5),
        image_size=image_size,
        gravity=None,
        source=f"field of view of {fov:.1f} degrees along the long side, {how}",
    )


def camera_from_metadata(info: VideoInfo) -> Camera:
    """Return the camera by the focal length in the video's metadata, else the default one."""
    if info.focal_length_px is None:
        return default_camera(info.image_size)
    fov = 2 * np.arctan(max(info.image_size) / 2 / info.focal_length_px)
    camera = default_camera(info.image_size, float(np.rad2deg(fov)))
    return Camera(**vars(camera) | {"source": "focal length in the video's metadata"})


def project(points_camera: Any, intrinsics: Any, distortion: Any) -> jnp.ndarray:
    """Return the pixels (..., 2) of points (..., 3) m given in camera axes.

    Differentiable. Points behind the camera are projected as if 1 mm in front of it, so that
    the result stays finite.
    """
    points, k = jnp.asarray(points_camera), jnp.asarray(intrinsics)
    z = jnp.maximum(points[..., 2:], _NEAREST_M)
    x = _distorted(points[..., :2] / z, jnp.asarray(distortion))
    return x @ k[:2, :2].T + k[:2, 2]


def pixels(camera: Camera, points_world: Any) -> jnp.ndarray:
    """Return the pixels (..., 2) of points (..., 3) m in the world, Z up.

    Differentiable; for points behind the camera see ``project``. The camera must have a pose.
    """
    R, t = camera.rotation_camera_from_world, camera.translation_m
    if R is None or t is None:
        raise MskError(
            "the camera has no pose, so that points in the world have no pixels.",
            remedy="Fit a video first, or give rotation_camera_from_world and translation_m.",
        )
    return project(jnp.asarray(points_world) @ R.T + t, camera.intrinsics, camera.distortion)


def undistort(pixels: np.ndarray, intrinsics: np.ndarray, distortion: np.ndarray) -> np.ndarray:
    """Return the (..., 2) coordinates x/z, y/z whose projection is ``pixels`` (..., 2)."""
    seen = (np.asarray(pixels) - intrinsics[:2, 2]) @ np.linalg.inv(intrinsics[:2, :2]).T
    ideal = seen
    for _ in range(20):  # a contraction for lenses of moderate distortion
        ideal = ideal + seen - _distorted(ideal, np.asarray(distortion))
    return ideal


def _distorted(x: Any, distortion: Any) -> Any:
    """Return the distorted (..., 2) coordinates of ideal ones, by OpenCV's model."""
    k1, k2, _, _, k3 = distortion
    r2 = (x**2).sum(-1, keepdims=True)
    xy = x[..., :1] * x[..., 1:]
    radial = x * (1 + r2 * (k1 + r2 * (k2 + r2 * k3)))
    p1_p2, p2_p1 = distortion[2:4], distortion[3:1:-1]
    return radial + 2 * xy * p1_p2 + p2_p1 * (r2 + 2 * x**2)
