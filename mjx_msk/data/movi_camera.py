"""The two fixed cameras of BML-MoVi.

MATLAB writes them: matrices act on row vectors, so that ``x_camera = x_world R + t`` (mm), and the
first pixel's centre is (1, 1). What the fields are called is in docs/datasets.md.
"""

from pathlib import Path

import av
import numpy as np

from mjx_msk.data.reading import read_npz
from mjx_msk.errors import MskError
from mjx_msk.vision.camera import Camera

CAMERAS = ("PG1", "PG2")


def read_camera(intrinsics: Path, extrinsics: Path, *, video: Path | None = None) -> Camera:
    """Return a camera of ``cameraParams_PGn.npz`` and ``Extrinsics_PGn.npz``.

    The size of the picture is that of the file, else of the video, else twice the principal
    point. Raises ``MskError`` where one of the files is no such file.
    """
    inner = read_npz(
        intrinsics, ["IntrinsicMatrix", "RadialDistortion"], ["TangentialDistortion", "ImageSize"]
    )
    outer = read_npz(extrinsics, ["rotationMatrix", "translationVector"])
    try:
        k = inner["IntrinsicMatrix"].astype(float).reshape(3, 3).T.copy()
        radial = inner["RadialDistortion"].astype(float).ravel()
        tangential = inner.get("TangentialDistortion", np.zeros(2)).astype(float).ravel()
        rotation = outer["rotationMatrix"].astype(float).reshape(3, 3).T
        translation_m = outer["translationVector"].astype(float).reshape(3) * 1e-3
        radial = np.pad(radial, (0, 3 - len(radial)))
        lens = np.array([*radial[:2], *tangential.reshape(2), radial[2]])
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3):
            raise ValueError("'rotationMatrix' is no rotation matrix")
    except ValueError as error:
        raise MskError(
            f"this is no camera of BML-MoVi ({error}).",
            where=f"{intrinsics}, {extrinsics.name}",
            remedy="Use the files that the data set published.",
        ) from error
    size = _stored_size(inner.get("ImageSize")) or _video_size(video)
    k[:2, 2] -= 1.0  # our first pixel's centre is (0, 0)
    return Camera(
        intrinsics=k,
        distortion=lens,
        image_size=size or (round(2 * k[0, 2]), round(2 * k[1, 2])),
        gravity=-rotation[:, 2],
        source=f"calibration files {intrinsics.name} and {extrinsics.name}",
        rotation_camera_from_world=rotation,
        translation_m=translation_m,
    )


def _stored_size(rows_and_columns: np.ndarray | None) -> tuple[int, int] | None:
    if rows_and_columns is None or rows_and_columns.size != 2:
        return None
    rows, columns = (int(n) for n in rows_and_columns.ravel())
    return columns, rows


def _video_size(video: Path | None) -> tuple[int, int] | None:
    """Return the size that a video's header says; None where it cannot be opened."""
    if video is None:
        return None
    try:
        with av.open(str(video)) as container:
            stream = container.streams.video[0]
            return stream.width, stream.height
    except (OSError, IndexError, ValueError):  # av's errors are one of these
        return None
