"""Damage done to a clean synthetic walk must be undone."""

import numpy as np
import pytest
from test_vision_tracks import SIZE, walker

from mjx_msk.vision.landmarks import FEET, MIRROR, NAMES, from_arrays
from mjx_msk.vision.repair import bridged, repaired, unswapped, without_wild_points

FRAMES = 90
LOWER = np.arange(23, 33)


def walk(rate_hz=30.0, noise_px=2.0, side_view=True):
    """A walk seen from the side (left and right overlap in the image, not in depth) or front."""
    time = np.arange(FRAMES) / rate_hz
    pixels = walker(200, 150, time)
    if side_view:
        middle = (pixels + pixels[:, MIRROR]) / 2
        centre = middle[:, [23]]
        spread = 0.15 if side_view else 1.0
        offset = pixels[..., 0] - middle[..., 0]
        base = offset - offset.mean(axis=0)  # the swing, without the width of the body
        pixels[..., 0] = middle[..., 0] + base + spread * offset.mean(axis=0)
        depth = np.array([0.12 if "left" in n else -0.12 if "right" in n else 0.0 for n in NAMES])
    else:
        centre = pixels[:, [23]]
        depth = np.zeros(33)
    world = np.zeros((FRAMES, 33, 3))
    world[..., :2] = (pixels - centre) / 180.0
    world[..., 2] = depth
    rng = np.random.default_rng(1)
    pixels = pixels + rng.normal(0, noise_px, pixels.shape)
    world = world + rng.normal(0, 0.01, world.shape)
    return from_arrays(time, pixels, world, np.full((FRAMES, 33), 0.9), SIZE)


def exchanged(person, frames, points=None):
    points = np.arange(33) if points is None else points
    pixels, world = person.pixels.copy(), person.world.copy()
    for array in (pixels, world):
        array[np.ix_(frames, points)] = array[np.ix_(frames, MIRROR[points])]
    return person.replace(pixels=pixels, world=world)


@pytest.mark.parametrize("side_view", [True, False])
@pytest.mark.parametrize(
    "frames", [[], [30], [30, 33], range(20, 50), [*range(5), *range(60, 90)]], ids=str
)
def test_exchanged_sides_are_found_exactly(frames, side_view):
    clean = walk(side_view=side_view)
    back, mirrored = unswapped(exchanged(clean, list(frames)))
    expected = np.zeros(FRAMES, dtype=bool)
    expected[list(frames)] = True
    assert (mirrored == expected[:, None]).all()
    assert np.array_equal(back.pixels, clean.pixels)
    assert np.array_equal(back.world, clean.world)
    assert (back.visibility[expected][:, 1:] < 0.9).all()  # the nose has no other side
    assert (back.visibility[~expected] == 0.9).all()


def test_legs_alone_can_be_exchanged():
    clean = walk()
    back, mirrored = unswapped(exchanged(clean, list(range(40, 52)), LOWER))
    assert not mirrored[:, 0].any()
    assert np.flatnonzero(mirrored[:, 1]).tolist() == list(range(40, 52))
    assert np.array_equal(back.pixels, clean.pixels)


def test_a_nonsense_frame_does_not_let_the_labels_change():
    clean = walk()
    pixels = clean.pixels.copy()
    pixels[45] = np.random.default_rng(2).uniform(0, 700, (33, 2))
    back, mirrored = unswapped(clean.replace(pixels=pixels))
    assert not mirrored.any()
    assert (back.visibility[45] < 0.3).all()


def test_wild_points_are_pulled_back_and_nothing_else():
    clean = walk(noise_px=0.5)
    pixels = clean.pixels.copy()
    wrist = NAMES.index("left_wrist")
    pixels[20, wrist] += (90, -40)
    calm = without_wild_points(clean.replace(pixels=pixels))
    assert np.linalg.norm(calm.pixels[20, wrist] - clean.pixels[20, wrist]) < 12
    assert calm.visibility[20, wrist] < 0.3
    untouched = np.ones((FRAMES, 33), dtype=bool)
    untouched[20, wrist] = False
    assert np.array_equal(calm.pixels[untouched], clean.pixels[untouched])


def without(person, frames):
    pixels, world = person.pixels.copy(), person.world.copy()
    pixels[frames], world[frames] = np.nan, np.nan
    return from_arrays(person.time, pixels, world, person.visibility, SIZE)


def test_short_gaps_are_bridged_and_long_ones_stay():
    clean = walk(noise_px=0.0)
    gappy = without(clean, [*range(20, 26), *range(50, 65)])  # 0.23 s and 0.53 s
    whole, _ = repaired(gappy)
    assert whole.seen[20:26].all()
    assert not whole.seen[50:65].any()
    assert np.linalg.norm(whole.pixels - clean.pixels, axis=-1)[20:26].max() < 15
    assert (whole.visibility[20:26] < 0.3).all()
    assert (whole.visibility[20:26] > 0.0).all()
    assert (whole.visibility[50:65] == 0.0).all()
    assert np.array_equal(bridged(clean).pixels, clean.pixels)


def test_a_fast_leg_at_a_low_rate_is_left_alone():
    sprint = walk(rate_hz=12.0, noise_px=0.0)
    back, mirrored = repaired(sprint)
    assert not mirrored.any()
    feet = np.linalg.norm((back.pixels - sprint.pixels)[:, FEET], axis=-1)
    assert feet.max() < 25


def facing_walk():
    """A side-view walk whose left side is farther away: shoulders, feet and nose face right (x)."""
    clean = walk()
    world = clean.world.copy()
    ears = [NAMES.index("left_ear"), NAMES.index("right_ear")]
    world[:, NAMES.index("nose"), 0] = world[:, ears, 0].mean(axis=1) + 0.12
    for side in ("left", "right"):
        ankle = world[:, NAMES.index(f"{side}_ankle"), 0]
        world[:, NAMES.index(f"{side}_foot_index"), 0] = ankle + 0.15
        world[:, NAMES.index(f"{side}_heel"), 0] = ankle - 0.05
    return clean.replace(world=world)


@pytest.mark.parametrize("frames", [range(90), range(60), range(20, 90)], ids=str)
def test_most_frames_exchanged_are_outvoted_by_feet_and_nose(frames):
    """A majority of wrong labels is continuous too; only where the feet point tells."""
    clean = facing_walk()
    back, mirrored = unswapped(exchanged(clean, list(frames)))
    expected = np.isin(np.arange(FRAMES), list(frames))
    assert (mirrored == expected[:, None]).all()
    assert np.array_equal(back.world, clean.world)
    _, untouched = unswapped(clean)
    assert not untouched.any()
