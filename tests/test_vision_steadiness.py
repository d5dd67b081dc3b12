import cv2
import numpy as np
import pytest
from test_vision_tracks import walker

from mjx_msk.vision.landmarks import from_arrays
from mjx_msk.vision.steadiness import moving_camera

COUNT, WIDTH, HEIGHT = 8, 640, 360


def scene(transform):
    """Samples of a textured room in which a textured person walks; ``transform(i)`` is (2, 3)."""
    rng = np.random.default_rng(0)
    room = cv2.resize(rng.integers(0, 255, (60, 90, 3), dtype=np.uint8), (900, 600))
    time = np.arange(COUNT) / 4.0
    pixels = walker(80, 200, time, scale_px=200.0, y=330.0)
    coat = cv2.resize(rng.integers(0, 255, (20, 12, 3), dtype=np.uint8), (80, 200))
    samples = []
    for i in range(COUNT):
        image = cv2.warpAffine(room, np.asarray(transform(i), dtype=float), (WIDTH, HEIGHT))
        x = int(pixels[i, :, 0].mean())
        image[130:330, x - 40 : x + 40] = coat
        samples.append((float(time[i]), image))
    world, seen = np.zeros((COUNT, 33, 3)), np.full((COUNT, 33), 0.9)
    return samples, [from_arrays(time, pixels, world, seen, (WIDTH, HEIGHT))]


def shifted(dx, scale=1.0):
    return [[scale, 0, -100 - dx], [0, scale, -100]]


def test_a_standing_camera_gives_no_warning():
    assert moving_camera(*scene(lambda i: shifted(0))) is None


def test_a_pan_is_measured():
    warning = moving_camera(*scene(lambda i: shifted(3.0 * i)))
    assert warning is not None
    share = float(warning.split("up to ")[1].split("%")[0]) / 100
    assert share == pytest.approx(3.0 * (COUNT - 1) / np.hypot(WIDTH, HEIGHT), rel=0.1)


def test_a_zoom_is_seen():
    assert moving_camera(*scene(lambda i: shifted(0, scale=1 + 0.004 * i))) is not None


def test_nothing_is_said_without_a_background():
    samples, people = scene(lambda i: shifted(0))
    blank = [(t, np.zeros_like(image)) for t, image in samples]
    assert moving_camera(blank, people) is None
