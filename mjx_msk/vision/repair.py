"""Repairing one person's track: left and right mixed up, single wild points, short gaps."""

import numpy as np
from scipy.ndimage import median_filter

from mjx_msk.vision.landmarks import BODY, MIRROR, NAMES, Landmarks, from_arrays

BRIDGED_GAP_S = 0.3  # longer gaps stay NaN
_BRIDGED_VISIBILITY = 0.3  # times what both sides of the gap have
_SWAPPED_VISIBILITY = 0.7  # the labels are repaired, the network was confused all the same
_WILD_VISIBILITY = 0.3

_UPPER, _LOWER = np.arange(1, 23), np.arange(23, 33)  # what can be mixed up on its own
_STATES = 4  # bit 0: upper body mirrored, bit 1: lower body mirrored

# Costs of a labelling, in mean landmark distance over body sizes.
_SWITCH = 0.03  # the labels change from one frame to the next, per half of the body
_DISAGREE = 0.01  # one half of the body is mirrored and the other is not, per frame
_MIRRORED = 1e-3  # a half is mirrored, per frame: of two consistent labellings, the majority's
_BACKWARD = 0.003  # a half faces away from where feet and nose point, per frame
_IMPLAUSIBLE = 0.08  # farther than this from the middle of its neighbours, a frame is nonsense
_FAR = 0.2  # distances are counted up to here: a wild point must not decide


def repaired(person: Landmarks) -> tuple[Landmarks, np.ndarray]:
    """Return the repaired track and where left and right were exchanged, (T, 2) bool.

    The columns are upper and lower body. Repaired points have a lower visibility.
    """
    person, mirrored = unswapped(person)
    return bridged(without_wild_points(person)), mirrored


def unswapped(person: Landmarks) -> tuple[Landmarks, np.ndarray]:
    """Exchange left and right where that makes the motion continuous.

    Each frame's upper and lower body are mirrored or not; the sequence with the least second
    difference of image and metric positions is found by dynamic programming (Viterbi) over pairs
    of successive states. Feet and nose point forward whatever the labels are: a half whose left
    and right say otherwise costs too. Of two equal sequences the one with fewer exchanges wins.
    Frames that fit their neighbours under no labelling are left out of it: they would let the
    labels of everything after them change for free.
    """
    index = np.flatnonzero(person.seen)
    mirrored = np.zeros((len(person), 2), dtype=bool)
    if len(index) < 5:
        return person, mirrored
    x, time = _scaled(person, index), person.time[index]
    sound = ~_implausible(x)
    if sound.sum() < 3:
        return person, mirrored
    states = np.zeros(len(index), dtype=int)
    facing = _facing(person.world[index[sound]])
    states[sound] = _cheapest_states(_roughness(x[sound], time[sound]), _own_costs(facing))
    # an unsound frame takes the labels of the sound frame closest in time
    nearest = np.abs(time[:, None] - time[sound]).argmin(axis=1)
    states = states[sound][nearest]
    mirrored[index] = np.stack([states & 1, states >> 1], axis=1).astype(bool)
    visibility = person.visibility.copy()
    visibility[index[~sound]] *= _WILD_VISIBILITY
    return _exchanged(person.replace(visibility=visibility), mirrored), mirrored


def _exchanged(person: Landmarks, mirrored: np.ndarray) -> Landmarks:
    pixels, world, visibility = person.pixels.copy(), person.world.copy(), person.visibility.copy()
    for half, points in enumerate((_UPPER, _LOWER)):
        rows = mirrored[:, half]
        here, there = np.ix_(rows, points), np.ix_(rows, MIRROR[points])
        pixels[here], world[here] = person.pixels[there], person.world[there]
        visibility[here] = _SWAPPED_VISIBILITY * person.visibility[there]
    return _rebuilt(person, pixels, world, visibility)


def _scaled(person: Landmarks, index: np.ndarray) -> np.ndarray:
    """Return (n, 33, 5): image and metric positions in body sizes, equally weighted."""
    parts = (person.pixels[index], person.world[index])
    sizes = (np.median(np.linalg.norm(np.ptp(p[:, BODY], axis=1), axis=-1)) for p in parts)
    return np.concatenate([p / size for p, size in zip(parts, sizes, strict=True)], axis=-1)


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the mean landmark distance (n,) of image and metric positions, capped."""
    error = a - b
    image, metric = np.linalg.norm(error[..., :2], axis=-1), np.linalg.norm(error[..., 2:], axis=-1)
    return (np.minimum(image, _FAR) + np.minimum(metric, _FAR)).mean(axis=-1) / 2


def _halves() -> list[np.ndarray]:
    return [np.intersect1d(points, BODY) for points in (_UPPER, _LOWER)]


def _implausible(x: np.ndarray) -> np.ndarray:
    """Return (n,) bool: frames far from the middle of their neighbours, however labelled."""
    n = len(x)
    worst = np.zeros(n)
    for points in _halves():
        best = np.full(n, np.inf)
        for step in (1, 2):  # beside one bad frame, the neighbours two frames away are sound
            before, after = (
                np.maximum(np.arange(n) - step, 0),
                np.minimum(np.arange(n) + step, n - 1),
            )
            for left in (points, MIRROR[points]):
                for right in (points, MIRROR[points]):
                    middle = (x[before][:, left] + x[after][:, right]) / 2
                    best = np.minimum(best, _distance(x[:, points], middle))
        worst = np.maximum(worst, best)
    return worst > _IMPLAUSIBLE


def _roughness(x: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Return (n - 2, 4, 4, 4): the cost of the states of three successive frames."""
    steps = np.diff(time)
    ahead = np.minimum(steps[1:] / steps[:-1], 3.0)[:, None, None]
    known = np.maximum(steps[1:], steps[:-1]) <= BRIDGED_GAP_S
    total = np.zeros((len(x) - 2, _STATES, _STATES, _STATES))
    for half, points in enumerate(_halves()):
        cost = np.zeros((len(x) - 2, 2, 2, 2))
        for bits in np.ndindex(2, 2, 2):
            a, b, c = (x[:, MIRROR[points] if bit else points] for bit in bits)
            expected = b[1:-1] + ahead * (b[1:-1] - a[:-2])
            cost[(slice(None), *bits)] = np.where(known, _distance(c[2:], expected), 0.0)
        bit = (np.arange(_STATES) >> half) & 1
        total += cost[:, bit[:, None, None], bit[:, None], bit]
    return total


def _facing(world: np.ndarray) -> np.ndarray:
    """Return (n, 2) in -1..1: how far shoulders and hips face where feet and nose point."""

    def middle(part: str) -> np.ndarray:
        return (world[:, NAMES.index(f"left_{part}")] + world[:, NAMES.index(f"right_{part}")]) / 2

    def left(part: str) -> np.ndarray:
        return world[:, NAMES.index(f"left_{part}")] - world[:, NAMES.index(f"right_{part}")]

    up = _unit(middle("shoulder") - middle("hip"))
    feet = _unit(middle("foot_index") - middle("heel"))
    ahead = _unit(feet + _unit(world[:, NAMES.index("nose")] - middle("ear")))
    turns = (
        np.sum(_unit(np.cross(left(part), up)) * ahead, axis=1) for part in ("shoulder", "hip")
    )
    return np.stack(list(turns), axis=1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def _own_costs(facing: np.ndarray) -> np.ndarray:
    """Return (n, 4): what each state costs in each frame, by itself."""
    state = np.arange(_STATES)
    mirrored = np.stack([state & 1, state >> 1])  # (2, 4)
    bits = mirrored.sum(axis=0)
    signed = facing[:, :, None] * (1 - 2 * mirrored)
    backward = _BACKWARD * np.maximum(-signed, 0.0).sum(axis=1)
    return _MIRRORED * bits + _DISAGREE * (bits == 1) + backward


def _cheapest_states(roughness: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return the cheapest sequence of n states.

    ``roughness`` (n - 2, 4, 4, 4) are the costs of triples, ``own`` (n, 4) of single frames.
    """
    state = np.arange(_STATES)
    bits = (state & 1) + (state >> 1)
    switch = _SWITCH * bits[state[:, None] ^ state]
    # of ending in the pair of states (previous, last)
    best = own[0][:, None] + own[1] + switch
    came_from = []
    for triple, last_own in zip(roughness, own[2:], strict=True):
        options = best[:, :, None] + triple + switch + last_own
        came_from.append(options.argmin(axis=0))
        best = options.min(axis=0)
    previous, last = np.unravel_index(best.argmin(), best.shape)
    path = [int(last), int(previous)]
    for source in reversed(came_from):
        path.append(int(source[path[-1], path[-2]]))
    return np.array(path[::-1])


def without_wild_points(person: Landmarks) -> Landmarks:
    """Replace points that leave the median of five frames by more than any limb could.

    The limit is 6 % of the body's size or five times the usual deviation, whichever is larger.
    """
    pixels, world, visibility = person.pixels.copy(), person.world.copy(), person.visibility.copy()
    for run in _runs(person.seen):
        if len(run) < 5:
            continue
        size = np.median(np.linalg.norm(np.ptp(pixels[run][:, BODY], axis=1), axis=-1))
        middle = median_filter(pixels[run], size=(5, 1, 1), mode="nearest")
        distance = np.linalg.norm(pixels[run] - middle, axis=-1)
        wild = distance > np.maximum(0.06 * size, 5.0 * np.median(distance, axis=0))
        frame, point = run[np.nonzero(wild)[0]], np.nonzero(wild)[1]
        pixels[frame, point] = middle[wild]
        world[frame, point] = median_filter(world[run], size=(5, 1, 1), mode="nearest")[wild]
        visibility[frame, point] *= _WILD_VISIBILITY
    return _rebuilt(person, pixels, world, visibility)


def bridged(person: Landmarks) -> Landmarks:
    """Interpolate gaps of up to ``BRIDGED_GAP_S`` between seen frames, with a low visibility."""
    seen = person.seen
    columns = np.concatenate([person.pixels, person.world, person.visibility[..., None]], axis=-1)
    for run in _runs(~seen):
        before, after = run[0] - 1, run[-1] + 1
        if before < 0 or after >= len(person):
            continue
        gap = person.time[after] - person.time[before]
        if gap > BRIDGED_GAP_S:
            continue
        share = ((person.time[run] - person.time[before]) / gap)[:, None, None]
        columns[run] = (1 - share) * columns[before] + share * columns[after]
        columns[run, :, -1] *= _BRIDGED_VISIBILITY
    return _rebuilt(person, columns[..., :2], columns[..., 2:5], columns[..., 5])


def _runs(mask: np.ndarray) -> list[np.ndarray]:
    """Return the index ranges of the True stretches of a mask."""
    index = np.flatnonzero(mask)
    return [run for run in np.split(index, np.flatnonzero(np.diff(index) > 1) + 1) if len(run)]


def _rebuilt(
    person: Landmarks, pixels: np.ndarray, world: np.ndarray, visibility: np.ndarray
) -> Landmarks:
    return from_arrays(person.time, pixels, world, visibility, person.image_size, person.person_id)
