"""What is drawn over the source video: observed landmarks and the fitted skeleton."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from mjx_msk.motion import Motion
from mjx_msk.report.style import LEFT, RIGHT, confidence_rgb

_LIMBS = (
    ("shoulder", "elbow"), ("elbow", "wrist"), ("shoulder", "hip"), ("hip", "knee"),
    ("knee", "ankle"), ("ankle", "heel"), ("heel", "foot_index"), ("ankle", "foot_index"),
)  # fmt: skip
#: The part of the picture that is shown: margin around the person (of their height), least height
#: (of the video's) and the narrowest and widest shape (width by height).
_MARGIN, _LEAST, _NARROWEST, _WIDEST = 0.15, 0.4, 0.6, 1.7
_ACROSS = (("right_shoulder", "left_shoulder"), ("right_hip", "left_hip"))


def project(points: np.ndarray, camera: Mapping[str, Any]) -> np.ndarray:
    """Return the pixels (..., 2) of world points (..., 3) m; NaN behind the camera.

    ``camera`` is ``Motion.camera``: x_cam = R x_world + t with OpenCV's axes and its five
    distortion coefficients k1, k2, p1, p2, k3. The same formula as ``vision.camera.project``, in
    numpy: the drawing process starts faster without JAX.
    """
    rotation = np.asarray(camera["rotation_camera_from_world"])
    x, y, z = np.moveaxis(points @ rotation.T + np.asarray(camera["translation_m"]), -1, 0)
    z = np.where(z > 1e-3, z, np.nan)
    x, y = x / z, y / z
    k1, k2, p1, p2, k3 = np.pad(np.asarray(camera.get("distortion") or [], dtype=float), (0, 5))[:5]
    r2 = x**2 + y**2
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    distorted = np.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2),
            y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y,
            np.ones_like(x),
        ],
        axis=-1,
    )
    return (distorted @ np.asarray(camera["intrinsics"]).T)[..., :2]


class Overlay:
    """Draws one motion over its video frames."""

    def __init__(self, motion: Motion) -> None:
        self.motion = motion
        self.fitted = None
        posed = motion.camera.get("rotation_camera_from_world") is not None
        if motion.landmarks_fitted is not None and posed:
            self.fitted = project(motion.landmarks_fitted, motion.camera)
        self.bones = _bones(motion.landmark_names)
        self.box: tuple[int, int, int, int] | None = None

    def draw(self, image: np.ndarray, frame: int, height: int) -> np.ndarray:
        """Return the part of the video frame where the person is, with landmarks and skeleton.

        The result is ``height`` px high, its width is even and the same for every frame. Lines are
        drawn at the video's size and then reduced, which makes them smooth.
        """
        self.box = self.box or person_box(self.motion, image.shape[1], image.shape[0])
        left, top, right, bottom = self.box
        canvas = Image.fromarray(image)
        pen = ImageDraw.Draw(canvas)
        unit = max((bottom - top) / height, 0.5)  # about one pixel of the result
        self._draw_skeleton(pen, frame, unit)
        self._draw_landmarks(pen, frame, unit)
        size = (2 * round((right - left) * height / (bottom - top) / 2), height)
        smooth = Image.Resampling.BOX if unit > 1 else Image.Resampling.BILINEAR
        return np.asarray(canvas.resize(size, smooth, box=self.box))

    def _draw_skeleton(self, pen: ImageDraw.ImageDraw, frame: int, unit: float) -> None:
        if self.fitted is None:
            return
        for a, b, colour in self.bones:
            ends = self.fitted[frame, [a, b]]
            if np.all(np.isfinite(ends)):
                line = [tuple(end) for end in ends.tolist()]
                pen.line(line, fill="white", width=round(5 * unit))
                pen.line(line, fill=colour, width=round(3 * unit))

    def _draw_landmarks(self, pen: ImageDraw.ImageDraw, frame: int, unit: float) -> None:
        if self.motion.landmark_pixels is None:
            return
        places = self.motion.landmark_pixels[frame]
        for (x, y), seen in zip(places.tolist(), self._seen(frame), strict=True):
            if np.isfinite(x) and np.isfinite(y):
                pen.circle((x, y), 4.2 * unit, fill="black")
                pen.circle((x, y), 3.2 * unit, fill=confidence_rgb(seen))

    def _seen(self, frame: int) -> np.ndarray:
        visibility = self.motion.landmark_visibility
        if visibility is None:
            return np.ones(len(self.motion.landmark_names))
        return np.nan_to_num(visibility[frame])


def person_box(motion: Motion, width: int, height: int) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) px that hold the person throughout, with some margin."""
    whole = (0, 0, width, height)
    if motion.landmark_pixels is None or not np.any(np.isfinite(motion.landmark_pixels)):
        return whole
    low = np.nanmin(motion.landmark_pixels, axis=(0, 1))
    high = np.nanmax(motion.landmark_pixels, axis=(0, 1))
    margin = _MARGIN * (high - low)[1]
    half = np.maximum((high - low) / 2 + margin, height * _LEAST / 2)
    half[0] = np.clip(half[0], _NARROWEST * half[1], None)
    half[1] = max(half[1], half[0] / _WIDEST)
    middle = (low + high) / 2
    left, top = np.clip(middle - half, 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(middle + half, (left + 1, top + 1), (width, height)).astype(int)
    return int(left), int(top), int(right), int(bottom)


def _bones(names: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """Return (landmark, landmark, colour) of every limb whose two ends are known."""
    pairs = [(f"{side}_{a}", f"{side}_{b}") for side in ("right", "left") for a, b in _LIMBS]
    colours = [RIGHT] * len(_LIMBS) + [LEFT] * len(_LIMBS) + ["#30363D"] * len(_ACROSS)
    index = {name: i for i, name in enumerate(names)}
    return [
        (index[a], index[b], colour)
        for (a, b), colour in zip([*pairs, *_ACROSS], colours, strict=True)
        if a in index and b in index
    ]
