"""Reading a camera calibration file: our JSON, or a TOML as Pose2Sim, Sports2D and Caliscope write.

The page docs/video.md describes both.
"""

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from mjx_msk.errors import MskError
from mjx_msk.vision.camera import Camera

_REMEDY = "See docs/video.md for what a calibration file holds."


def load_camera(
    path: str | os.PathLike[str], image_size: tuple[int, int], name: str | None = None
) -> Camera:
    """Read a calibration file (.json or .toml) for a video of this upright image size.

    ``name`` (the video's name without suffix) chooses among several cameras of one TOML. The
    intrinsics are scaled if the video is a plain resize of the calibrated image. Raises
    ``MskError`` for a file that is missing, unreadable, incomplete, implausible, or made for
    another image shape.
    """
    where = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
        if Path(path).suffix.lower() == ".toml":
            values = _from_toml(tomllib.loads(text), name, where)
        else:
            values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError("no table of values")
        camera = _validated(values, image_size, where)
    except OSError as error:
        raise MskError(f"cannot be read ({error.strerror}).", where=where) from error
    except (ValueError, TypeError, KeyError) as error:  # json and toml errors are ValueErrors
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise MskError(
            f"this is no camera calibration: {reason}.", where=where, remedy=_REMEDY
        ) from error
    return _resized(camera, image_size, where)


def _from_toml(tables: dict[str, Any], name: str | None, where: str) -> dict[str, Any]:
    """Return the values of one camera table, in the keys of our JSON."""
    cameras = {k: v for k, v in tables.items() if isinstance(v, dict) and "matrix" in v}
    if len(cameras) == 1:
        name = next(iter(cameras))
    if name not in cameras:
        raise MskError(
            f"it has no camera {name!r}; found: {', '.join(cameras) or 'none'}.",
            where=where,
            remedy="Keep only the video's camera in it, or name that one like the video's file.",
        )
    table = cameras[name]
    values = {
        "intrinsics": table["matrix"],
        "distortion": table.get("distortions", []),
        "image_size": table["size"],
    }
    if "rotation" in table:
        turn = np.array(table["rotation"], dtype=float)
        matrix = turn if turn.shape == (3, 3) else Rotation.from_rotvec(turn).as_matrix()
        values["rotation"] = matrix.tolist()
    if "translation" in table:
        values["translation_m"] = table["translation"]
    return values


def _validated(values: dict[str, Any], image_size: tuple[int, int], where: str) -> Camera:
    """Return the camera a file describes; raises ``ValueError`` or ``KeyError`` saying why not."""
    if "intrinsics" in values:
        intrinsics = _array(values, "intrinsics", (3, 3))
    else:
        fx, fy, cx, cy = (float(values[key]) for key in ("fx", "fy", "cx", "cy"))
        intrinsics = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    width, height = (round(float(x)) for x in values.get("image_size") or image_size)
    focal = intrinsics[[0, 1], [0, 1]]
    if not np.all((focal > 0.2 * max(width, height)) & (focal < 20 * max(width, height))):
        raise ValueError(f"focal lengths of {focal} px do not suit an image of {width}x{height}")
    if not np.allclose(intrinsics[2], (0, 0, 1)) or intrinsics[1, 0] != 0:
        raise ValueError("the intrinsics are no upper triangular matrix with last row 0 0 1")
    lens = np.array(values.get("distortion") or [0.0] * 5, dtype=float)
    if lens.shape not in ((4,), (5,)) or not np.isfinite(lens).all():
        raise ValueError("the distortion is not k1 k2 p1 p2 (k3)")
    rotation = None
    for key in ("rotation", "rotation_camera_from_world"):
        if values.get(key) is not None:
            rotation = _array(values, key, (3, 3))
            if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3):
                raise ValueError("the rotation is no rotation matrix")
    gravity = None if rotation is None else -rotation[:, 2]  # down is minus the world's Z axis
    if values.get("gravity") is not None:
        gravity = _array(values, "gravity", (3,))
        if np.linalg.norm(gravity) == 0:
            raise ValueError("gravity has no direction")
    has_place = rotation is not None and values.get("translation_m") is not None
    return Camera(
        intrinsics=intrinsics,
        distortion=np.pad(lens, (0, 5 - len(lens))),
        image_size=(width, height),
        gravity=None if gravity is None else gravity / np.linalg.norm(gravity),
        source=f"calibration file {Path(where).name}",
        rotation_camera_from_world=rotation,
        translation_m=_array(values, "translation_m", (3,)) if has_place else None,
    )


def _array(values: dict[str, Any], key: str, shape: tuple[int, ...]) -> np.ndarray:
    array = np.array(values[key], dtype=float)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"{key} is not {' x '.join(map(str, shape))} numbers")
    return array


def _resized(camera: Camera, image_size: tuple[int, int], where: str) -> Camera:
    """Scale the intrinsics to another size of the same picture; pixel centres count from 0."""
    scale = np.array(image_size) / np.array(camera.image_size)
    if abs(scale[0] / scale[1] - 1) > 0.01:
        (w, h), (width, height) = camera.image_size, image_size
        turned = abs(w * width / (h * height) - 1) < 0.01
        reason = "it is turned by 90 degrees" if turned else "it is cropped or letterboxed"
        raise MskError(
            f"made for images of {w}x{h}, but the upright video is {width}x{height}: {reason}.",
            where=where,
            remedy="Give the calibration of the video's own upright pixels.",
        )
    intrinsics = camera.intrinsics.copy()
    intrinsics[:2, :2] *= scale[:, None]
    intrinsics[:2, 2] = (intrinsics[:2, 2] + 0.5) * scale - 0.5
    return Camera(**vars(camera) | {"intrinsics": intrinsics, "image_size": tuple(image_size)})
