import numpy as np
import pytest
from test_vision_tracks import detection, walker

from mjx_msk.vision.landmarks import MIRROR
from mjx_msk.vision.tracks import Detection
from mjx_msk.vision.twice import combined, mirrored_back

WIDTH = 1280


def seen_in_a_mirror(one: Detection) -> Detection:
    """What a perfect network finds in the mirrored picture: its right is the true left."""
    pixels, world = one.pixels.copy(), one.world.copy()
    pixels[:, 0] = (WIDTH - 1) - pixels[:, 0]  # pixel centres count from 0
    world[:, 0] *= -1
    return Detection(pixels[MIRROR], world[MIRROR], one.visibility[MIRROR])


@pytest.fixture
def person():
    rng = np.random.default_rng(0)
    one = detection(walker(400, 0, np.array([0.2]))[0])
    return Detection(one.pixels, rng.normal(size=(33, 3)), rng.uniform(size=33))


def test_a_mirrored_sight_of_a_person_comes_back(person):
    back = mirrored_back(seen_in_a_mirror(person), WIDTH)
    for name in ("pixels", "world", "visibility"):
        assert getattr(back, name) == pytest.approx(getattr(person, name))


def test_opposite_errors_cancel(person):
    error = np.random.default_rng(1).normal(0, 4, (33, 2))
    low = Detection(person.pixels - error, person.world - 0.1, person.visibility)
    high = Detection(person.pixels + error, person.world + 0.1, person.visibility)
    (mean,) = combined([low], [high])
    assert mean.pixels == pytest.approx(person.pixels)
    assert mean.world == pytest.approx(person.world)


def test_sides_mixed_up_in_one_picture_do_not_blur_the_mean(person):
    mixed = Detection(person.pixels[MIRROR], person.world[MIRROR], person.visibility[MIRROR])
    (mean,) = combined([person], [mixed])
    assert mean.pixels == pytest.approx(person.pixels)
    (mean,) = combined([mixed], [person])
    assert mean.pixels == pytest.approx(mixed.pixels)


def test_other_people_are_not_averaged(person):
    other = detection(walker(900, 0, np.array([0.0]))[0])
    assert combined([person], [other])[0] is person
    assert combined([person], []) == [person]
    assert combined([], [other]) == [other]
    both = combined([person, other], [other, person])
    assert both[0].pixels == pytest.approx(person.pixels)
    assert both[1].pixels == pytest.approx(other.pixels)
