"""Synthetic people: a stick figure of 33 points that walks through the image."""

import numpy as np
import pytest

from mjx_msk.errors import MskError
from mjx_msk.vision import tracks
from mjx_msk.vision.landmarks import BODY, FEET, MIRROR, NAMES, from_arrays
from mjx_msk.vision.tracks import Detection, associate, select_person

RATE_HZ = 30.0
SIZE = (1280, 720)


def figure(scale_px: float = 300.0) -> np.ndarray:
    """(33, 2) a standing person, left and right 0.2 apart, 1 high, feet at the origin."""
    heights = {"eye": 0.95, "ear": 0.95, "nose": 0.95, "mouth": 0.92, "shoulder": 0.82}
    heights |= {"elbow": 0.63, "wrist": 0.48, "pinky": 0.43, "index": 0.43, "thumb": 0.45}
    heights |= {"hip": 0.52, "knee": 0.28, "ankle": 0.05, "heel": 0.02, "foot": 0.0}
    side = {"left": 0.1, "right": -0.1}
    points = []
    for name in NAMES:
        words = name.split("_")
        x = next((side[w] for w in words if w in side), 0.0)
        points.append((x, -next(heights[w] for w in words if w in heights)))
    return np.array(points) * scale_px


def walker(start_x, speed_px_s, time, scale_px=300.0, y=600.0):
    """(T, 33, 2) a figure with swinging legs and arms."""
    phase = 2 * np.pi * 1.0 * time
    swing = 0.18 * scale_px * np.sin(phase)
    points = np.repeat(figure(scale_px)[None], len(time), axis=0)
    points += np.stack([start_x + speed_px_s * time, np.full_like(time, y)], axis=-1)[:, None]
    for part, share in (("knee", 0.6), ("ankle", 1.0), ("heel", 1.0), ("foot_index", 1.0)):
        points[:, NAMES.index(f"left_{part}"), 0] += share * swing
        points[:, NAMES.index(f"right_{part}"), 0] -= share * swing
    return points


def detection(pixels):
    world = np.zeros((33, 3))
    world[:, :2] = (pixels - pixels.mean(axis=0)) / 200.0
    return Detection(pixels=pixels, world=world, visibility=np.full(33, 0.9))


def test_people_who_cross_keep_their_identity():
    time = np.arange(90) / RATE_HZ
    a, b = walker(200, 250, time), walker(950, -250, time, scale_px=280, y=590)
    rng = np.random.default_rng(0)
    a, b = a + rng.normal(0, 2, a.shape), b + rng.normal(0, 2, b.shape)
    hidden = np.abs(a[:, 0, 0] - b[:, 0, 0]) < 60  # a is in front
    assert 5 < hidden.sum() < 15
    found = []
    for frame in range(len(time)):
        people = [detection(a[frame])] + ([] if hidden[frame] else [detection(b[frame])])
        found.append(people if rng.random() < 0.5 else people[::-1])
    people = associate(time, found, SIZE)
    assert len(people) == 2
    assert [p.person_id for p in people] == [1, 2]
    for person, truth in zip(people, (a, b), strict=True):
        distance = np.linalg.norm(person.pixels - truth, axis=-1)
        assert np.nanmax(distance) == 0
    assert people[0].seen.all()
    assert (people[1].seen == ~hidden).all()


def test_a_person_seen_twice_in_a_frame_is_one():
    time = np.arange(30) / RATE_HZ
    a = walker(300, 100, time)
    found = [[detection(p), detection(p + 3.0)] for p in a]
    assert len(associate(time, found, SIZE)) == 1


def test_the_most_complete_track_comes_first_and_others_are_reported():
    time = np.arange(60) / RATE_HZ
    near, far = walker(300, 100, time), walker(1000, 0, time, scale_px=100)
    late = walker(700, 0, time, scale_px=320)
    found = [
        [detection(far[i]), detection(near[i])] + ([detection(late[i])] if i >= 40 else [])
        for i in range(60)
    ]
    people = associate(time, found, SIZE)
    chosen, warnings = select_person(people)
    assert chosen.pixels == pytest.approx(near)
    assert any("person 2, 60 of 60 frames" in w or "person 2, 20 of 60" in w for w in warnings)
    third, _ = select_person(people, person=people[1].person_id)
    assert third.person_id == 2
    with pytest.raises(MskError, match="no person 4; found: person 1, 60 of 60 frames"):
        select_person(people, person=4)


def test_the_chosen_person_s_time_keeps_the_video_s_clock():
    time = np.arange(60) / RATE_HZ
    a = walker(300, 100, time)
    found = [[detection(a[i])] if 10 <= i < 50 else [] for i in range(60)]
    chosen, warnings = select_person(associate(time, found, SIZE))
    assert chosen.time == pytest.approx(time[10:50])
    assert chosen.seen.all()
    assert not any("lost" in w for w in warnings)


def test_nobody_in_view_is_an_error():
    with pytest.raises(MskError, match="no person was found"):
        select_person(associate(np.arange(9) / RATE_HZ, [[] for _ in range(9)], SIZE))


def person(visibility, frames=60, pixels=None):
    time = np.arange(frames) / RATE_HZ
    pixels = walker(300, 100, time) if pixels is None else pixels
    world = np.zeros((frames, 33, 3))
    return from_arrays(time, pixels, world, visibility, SIZE)


def test_what_is_out_of_view_is_said():
    full = np.full((60, 33), 0.9)
    assert tracks.view_warnings(person(full)) == []
    feet = full.copy()
    feet[:, FEET] = 0.05
    assert any("feet are never in view" in w for w in tracks.view_warnings(person(feet)))
    feet[:30, FEET] = 0.9
    assert any("out of view in 50% of" in w for w in tracks.view_warnings(person(feet)))
    assert any("short" in w for w in tracks.view_warnings(person(full[:20], frames=20)))


def test_points_outside_the_image_lose_their_visibility():
    time = np.arange(60) / RATE_HZ
    low = walker(300, 100, time, y=800.0)  # the image ends at 720: knees and feet are below it
    below = person(np.full((60, 33), 0.9), pixels=low)
    assert (below.visibility[:, FEET] <= 0.1).all()
    assert (below.visibility[:, list(BODY[:6])] == 0.9).all()
    says = tracks.view_warnings(below)
    assert any("feet are never" in w for w in says)
    assert any("quarter of the body" in w for w in says)


def test_mirror_exchanges_left_and_right():
    assert (MIRROR[MIRROR] == np.arange(33)).all()
    assert NAMES[MIRROR[NAMES.index("left_foot_index")]] == "right_foot_index"
    assert NAMES[MIRROR[NAMES.index("mouth_left")]] == "mouth_right"
    assert MIRROR[0] == 0
