"""Does the camera stand still? Judged from the background of frames spread over the video."""

from itertools import pairwise

import numpy as np

from mjx_msk.vision.landmarks import Landmarks

_FEATURES = 300
_FEWEST = 20  # matched background points below which nothing is said
_MOVED = 0.006  # of the image's diagonal, over the whole clip; a tripod stays below 0.002


def moving_camera(samples: list[tuple[float, np.ndarray]], people: list[Landmarks]) -> str | None:
    """Return a warning if the camera moves, turns or zooms, else None.

    ``samples`` are ``(time_s, image)`` from ``video.sample``. Background corners outside the
    boxes of ``people`` are followed from each sample to the next, and one similarity transform
    is fitted to them; what counts is how far it carries the image's corners away in all.
    """
    height, width = samples[0][1].shape[:2]
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], dtype=float)
    moved, farthest = corners, 0.0
    for (time_a, a), (time_b, b) in pairwise(samples):
        step = _similarity(a, b, _background(a, time_a, people) & _background(b, time_b, people))
        if step is None:
            return None
        moved = moved @ step[:, :2].T + step[:, 2]
        farthest = max(farthest, float(np.linalg.norm(moved - corners, axis=1).max()))
    share = farthest / float(np.hypot(width, height))
    if share < _MOVED:
        return None
    return (
        f"the camera moves (the background shifts by up to {share:.1%} of the image's diagonal): "
        "global travel and the floor are uncertain"
    )


def _background(image: np.ndarray, time_s: float, people: list[Landmarks]) -> np.ndarray:
    """Return (height, width) bool, True outside the people's boxes with a margin."""
    height, width = image.shape[:2]
    mask = np.ones((height, width), dtype=bool)
    for person in people:
        points = person.pixels[np.abs(person.time - time_s).argmin()] * width / person.image_size[0]
        if not np.isfinite(points).all():
            continue
        margin = 0.15 * np.ptp(points, axis=0).max()
        left, top = np.maximum(points.min(axis=0) - margin, 0).astype(int)
        right, bottom = np.maximum(points.max(axis=0) + margin, 0).astype(int)
        mask[top:bottom, left:right] = False
    return mask


def _similarity(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> np.ndarray | None:
    """Return the (2, 3) transform that carries background points of ``a`` to ``b``, or None."""
    import cv2

    gray_a, gray_b = (np.asarray(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)) for x in (a, b))
    corners = cv2.goodFeaturesToTrack(gray_a, _FEATURES, 0.01, 8, mask=where.astype(np.uint8))
    if corners is None or len(corners) < _FEWEST:
        return None
    points = np.asarray(corners)
    there, found = _followed(gray_a, gray_b, points)
    back, found_back = _followed(gray_b, gray_a, there)
    sound = found & found_back & (np.linalg.norm(back - points, axis=-1).ravel() < 0.5)
    if sound.sum() < _FEWEST:
        return None
    step, inliers = cv2.estimateAffinePartial2D(points[sound], there[sound])
    if step is None or inliers.mean() < 0.5:
        return None
    return step


def _followed(
    gray_a: np.ndarray, gray_b: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where points (n, 1, 2) of ``gray_a`` are in ``gray_b``, and which were found."""
    import cv2

    there, found, _ = cv2.calcOpticalFlowPyrLK(gray_a, gray_b, points, points.copy())
    return np.asarray(there), np.asarray(found).ravel().astype(bool)
