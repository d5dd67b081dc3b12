"""The cameras of OpenCap's validation data, in the laboratory's frame.

OpenCap calibrates against a checkerboard, so its world is the board: x and y along its edges, z
away from the camera, mm. ``mocapToVideoTransform.yaml`` ties that board to the markers' laboratory
(Y up, m): ``x_board = R (x_laboratory - p)``. Where each fact comes from is in docs/datasets.md.
"""

from pathlib import Path
from typing import Any

import numpy as np

from mjx_msk.data.reading import read_yaml
from mjx_msk.data.safe_pickle import read_pickle
from mjx_msk.errors import MskError
from mjx_msk.osim.axes import y_up_from_z_up
from mjx_msk.osim.markers import Markers
from mjx_msk.vision.camera import Camera

_REMEDY = "Use the file that the data set published."
#: Less of the markers than this in the picture, and the camera is not where it is said to be.
_SEEN = 0.25
_LABORATORY_FROM_WORLD = y_up_from_z_up(np.eye(3)).T


def read_camera(calibration: Path, transform: Path | None) -> Camera:
    """Return a camera of OpenCap's ``cameraIntrinsicsExtrinsics.pickle``.

    Its pose is that in our world where ``transform`` (a ``mocapToVideoTransform.yaml``) is given,
    else it has none. Raises ``MskError`` where one of the files is no such file.
    """
    values = read_pickle(calibration)
    where = str(calibration)
    if not isinstance(values, dict):
        raise MskError("this pickle is no table of a camera.", where=where, remedy=_REMEDY)
    intrinsics = _array(values, "intrinsicMat", (3, 3), where)
    distortion = _array(values, "distortion", (5,), where)  # k1 k2 p1 p2 k3
    size = _image_size(_array(values, "imageSize", (2,), where), intrinsics)
    camera = Camera(
        intrinsics=intrinsics,
        distortion=distortion,
        image_size=size,
        gravity=None,
        source=f"calibration file {calibration.name}",
    )
    if transform is None:
        return camera
    camera_from_board = _array(values, "rotation", (3, 3), where)
    if not np.allclose(camera_from_board @ camera_from_board.T, np.eye(3), atol=1e-3):
        raise MskError("'rotation' is no rotation matrix.", where=where, remedy=_REMEDY)
    board_m = _array(values, "translation", (3,), where) * 1e-3
    return _placed(camera, camera_from_board, board_m, transform)


def sees(camera: Camera, markers: Markers) -> bool:
    """Say whether a camera with a pose has at least a quarter of a trial's markers in its picture.

    A lens bends nothing into the picture that is far outside, so distortion is left out.
    """
    points = markers.positions[np.isfinite(markers.positions).all(-1)]
    rotation, place = camera.rotation_camera_from_world, camera.translation_m
    if rotation is None or place is None or not len(points):
        return False
    seen = points @ rotation.T + place
    seen = seen[seen[:, 2] > 0]
    k = camera.intrinsics
    pixels = seen[:, :2] / seen[:, 2:] @ k[:2, :2].T + k[:2, 2]
    inside = np.all((pixels > 0) & (pixels < camera.image_size), axis=-1)
    return bool(inside.sum() >= _SEEN * len(points))


def _placed(camera: Camera, camera_from_board: Any, board_m: Any, transform: Path) -> Camera:
    """Return the camera with its pose in our world."""
    board_from_laboratory, origin, note = _read_transform(transform)
    camera_from_laboratory = camera_from_board @ board_from_laboratory
    rotation = camera_from_laboratory @ _LABORATORY_FROM_WORLD
    return Camera(
        **vars(camera)
        | {
            "gravity": -rotation[:, 2],
            "source": f"{camera.source} and {transform.name}{note}",
            "rotation_camera_from_world": rotation,
            "translation_m": board_m - camera_from_laboratory @ origin,
        }
    )


def _read_transform(path: Path) -> tuple[np.ndarray, np.ndarray, str]:
    """Return the board's rotation from the laboratory, its origin there (m), and what was mended.

    The files of the walking sessions hold a matrix whose last row repeats the first one; a
    rotation's last row is the cross product of the others, so it is known all the same.
    """
    values, where = read_yaml(path), str(path)
    stored = _array(values, "R_fromMocap_toVideo", (3, 3), where)
    origin = _array(values, "position_fromMocapOrigin_toVideoOrigin", (3,), where)
    rotation = np.stack([stored[0], stored[1], np.cross(stored[0], stored[1])])
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3):
        raise MskError("'R_fromMocap_toVideo' is no rotation matrix.", where=where, remedy=_REMEDY)
    mended = not np.allclose(rotation, stored, atol=1e-3)
    return rotation, origin, " (third row of its rotation mended)" if mended else ""


def _image_size(stored: np.ndarray, intrinsics: np.ndarray) -> tuple[int, int]:
    """Return (width, height); stored is (height, width) of a picture that was turned at times."""
    first, second = (round(float(n)) for n in stored)
    centre = intrinsics[:2, 2]
    upright = np.abs(np.array([second, first]) / 2 - centre).max()
    turned = np.abs(np.array([first, second]) / 2 - centre).max()
    return (second, first) if upright <= turned else (first, second)


def _array(values: dict[str, Any], key: str, shape: tuple[int, ...], where: str) -> np.ndarray:
    """Return one entry as numbers; a column or a row counts as a vector."""
    try:
        array = np.asarray(values[key], dtype=float)
        array = array.ravel() if len(shape) == 1 else array
        if array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"it has the shape {array.shape}")
    except (KeyError, TypeError, ValueError) as error:
        reason = "it is not there" if isinstance(error, KeyError) else str(error)
        raise MskError(
            f"{key!r} is not {' x '.join(map(str, shape))} numbers ({reason}).",
            where=where,
            remedy=_REMEDY,
        ) from error
    return array
