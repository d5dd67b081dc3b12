"""Upright people before tilted cameras: which way is down?"""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mjx_msk.vision.gravity import gravity_from_person

#: Height (m) and distance from the middle (m) of what tells the long axis.
BODY = {"shoulder": (1.42, 0.18), "hip": (0.92, 0.10), "knee": (0.5, 0.1), "ankle": (0.08, 0.1)}
NAMES = tuple(f"{side}_{part}" for part in BODY for side in ("right", "left"))
DOWN = np.array([0.0, 1.0, 0.0])


def person(frames: int, lean_deg: float, noise_m: float) -> np.ndarray:
    """Return someone who sways by ``lean_deg`` about the vertical, seen level: (T, L, 3)."""
    upright = np.array(
        [(sign * out, -height, 0.0) for height, out in BODY.values() for sign in (-1, 1)]
    )
    phase = np.linspace(0, 4 * np.pi, frames, endpoint=False)
    lean = np.deg2rad(lean_deg) * np.column_stack([np.cos(phase), 0 * phase, np.sin(phase)])
    leaning = np.stack([Rotation.from_rotvec(r).apply(upright) for r in lean])
    return leaning + np.random.default_rng(0).normal(0, noise_m, leaning.shape)


def angle_deg(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.rad2deg(np.arccos(np.clip(a @ b, -1.0, 1.0))))


@pytest.mark.parametrize("heading_deg", [0, 90, 215])
@pytest.mark.parametrize(
    ("pitch_deg", "roll_deg", "within_deg"),
    # a third of the tilt is the price of not believing people blindly
    [(0, 0, 1.0), (10, 0, 4.5), (-10, 0, 4.5), (8, 5, 4.5), (20, 5, 8.0)],
)
def test_down_is_found_before_a_tilted_camera(pitch_deg, roll_deg, within_deg, heading_deg):
    camera = Rotation.from_euler("yxz", [heading_deg, pitch_deg, roll_deg], degrees=True)
    body = camera.apply(person(60, 4.0, 0.03).reshape(-1, 3)).reshape(60, -1, 3)
    truth = camera.apply(DOWN)
    found = gravity_from_person(body, np.ones(body.shape[:2]), NAMES)
    assert np.linalg.norm(found) == pytest.approx(1.0)
    assert angle_deg(found, truth) < within_deg
    if pitch_deg:
        assert angle_deg(found, truth) < 0.5 * angle_deg(DOWN, truth)


def test_a_person_who_leans_is_not_a_tilted_camera():
    body = Rotation.from_euler("x", 30, degrees=True).apply(person(1, 0, 0)[0])[None]
    assert angle_deg(gravity_from_person(body, np.ones((1, 8)), NAMES), DOWN) < 30 * 0.75


def test_frames_that_were_not_seen_do_not_count():
    body = person(60, 0.0, 0.0)
    weight = np.ones(body.shape[:2])
    body[20:], weight[20:] = body[20:][..., [1, 0, 2]], 0.0  # lying on the side
    body[50:] = np.nan
    assert angle_deg(gravity_from_person(body, weight, NAMES), DOWN) < 0.1


def test_without_ankles_the_camera_is_taken_to_be_level():
    body = person(10, 0.0, 0.0)[..., [1, 0, 2]]
    weight = np.ones(body.shape[:2])
    weight[:, [NAMES.index("right_ankle"), NAMES.index("left_ankle")]] = 0.0
    np.testing.assert_allclose(gravity_from_person(body, weight, NAMES), DOWN)
