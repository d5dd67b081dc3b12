"""Standing, hopping and a treadmill, written down by hand."""

import numpy as np
import pytest

from mjx_msk.fit.contact import carried, floor_level, touching

DT = 0.01
FRAMES = 100
RADIUS = np.array([0.03, 0.03])  # one point under each foot
STILL = np.zeros(2)
G = 9.81


def feet(right: np.ndarray | float, left: np.ndarray | float) -> np.ndarray:
    """Return sphere centres (T, 2, 3) that stand in place at these heights over the floor."""
    place = np.zeros((FRAMES, 2, 3))
    place[:, 1, 1] = 0.2
    place[..., 2] = RADIUS
    place[:, 0, 2] += right
    place[:, 1, 2] += left
    return place


def center(height: np.ndarray | float = 1.0) -> np.ndarray:
    place = np.zeros((FRAMES, 3))
    place[:, 2] = height
    return place


def hop() -> tuple[np.ndarray, slice]:
    """Return how far someone is above standing (T,), and when in flight for sure.

    That is 0.15 s from take-off and landing, whose jerks the smoothing spreads.
    """
    flight = slice(30, 71)  # 0.4 s: 0.2 m high
    t = (np.arange(FRAMES)[flight] - 30) * DT
    lift = np.zeros(FRAMES)
    lift[flight] = G / 2 * t * (0.4 - t)
    return lift, slice(45, 56)


def test_standing_on_both_feet():
    assert touching(feet(0, 0), RADIUS, DT, STILL, center()).min() > 0.95


def test_standing_on_one_foot():
    touch = touching(feet(0, 0.2), RADIUS, DT, STILL, center())
    assert touch[:, 0].min() > 0.95
    assert touch[:, 1].max() < 0.05


def test_nothing_touches_in_flight():
    lift, core = hop()
    touch = touching(feet(lift, lift), RADIUS, DT, STILL, center(1 + lift))
    assert touch[core].max() < 0.1
    assert touch[:20].min() > 0.95
    assert touch[-20:].min() > 0.95


def test_what_is_carried_is_weight_plus_upward_acceleration():
    lift, core = hop()
    share = carried(center(1 + lift), DT)
    assert share[core].max() < 0.02
    np.testing.assert_allclose(share[[0, 5, -1]], 1.0, atol=1e-6)
    t = np.arange(FRAMES) * DT
    falling = carried(center(1 - 0.3 * G / 2 * t**2), DT)
    np.testing.assert_allclose(falling[20:-20], 0.7, atol=0.01)


def test_who_does_not_fall_is_carried_by_the_lowest_foot():
    touch = touching(feet(0.08, 0.2), RADIUS, DT, STILL, center())
    assert touch[:, 0].min() > 0.9
    assert touch[:, 1].max() < 0.2


def test_a_foot_that_swings_past_low_does_not_stand():
    place = feet(0, 0.02)
    place[:, 1, 0] = 1.5 * np.arange(FRAMES) * DT
    touch = touching(place, RADIUS, DT, STILL, center())
    assert touch[:, 0].min() > 0.95
    assert touch[:, 1].max() < 0.05


def test_on_a_treadmill_the_foot_that_moves_with_the_belt_stands():
    place = feet(0, 0)
    place[:, 0, 0] = -1.2 * np.arange(FRAMES) * DT
    belt = touching(place, RADIUS, DT, np.array([-1.2, 0.0]), center())
    assert belt[:, 0].min() > 0.95
    assert belt[:, 1].max() < 0.05
    ground = touching(place, RADIUS, DT, STILL, center())
    assert ground[:, 0].max() < 0.05
    assert ground[:, 1].min() > 0.95


def test_what_may_push_is_wider_than_what_stands():
    place = feet(0, 0.05)
    assert touching(place, RADIUS, DT, STILL, center())[:, 1].max() < 0.2
    assert touching(place, RADIUS, DT, STILL, center(), generosity=1.8)[:, 1].min() > 0.7


def test_a_flicker_is_no_stance():
    height = np.full(FRAMES, 0.1)
    height[50:53] = 0.0
    touch = touching(feet(0, height), RADIUS, DT, STILL, center())
    assert touch[:, 1].max() < 0.05


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_the_shortest_clips(frames):
    touch = touching(feet(0, 0.2)[:frames], RADIUS, DT, STILL, center()[:frames])
    assert touch.shape == (frames, 2)
    assert touch[:, 0].min() > 0.95
    assert touch[:, 1].max() < 0.05
    level = floor_level(feet(0.3, 0.5)[:frames], RADIUS, DT)
    assert level == pytest.approx(0.3)


def test_the_floor_is_where_feet_rest():
    """Two feet take turns on a floor at 0.37 m; one frame is nonsense."""
    t = np.arange(FRAMES) * DT
    swing = np.sin(2 * np.pi * t / 0.5)
    place = feet(0.37 + 0.15 * np.maximum(swing, 0), 0.37 + 0.15 * np.maximum(-swing, 0))
    for foot, sign in enumerate((1, -1)):
        place[:, foot, 0] = np.cumsum(2.0 * np.maximum(sign * swing, 0)) * DT
    place[40, 0, 2] -= 0.5
    random = np.random.default_rng(0)
    noisy = place + random.normal(0, 0.002, place.shape)
    assert floor_level(place, RADIUS, DT) == pytest.approx(0.37, abs=1e-3)
    assert floor_level(noisy, RADIUS, DT) == pytest.approx(0.37, abs=0.004)
