"""Who is who: detections frame by frame become one track per person."""

from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from mjx_msk.errors import MskError
from mjx_msk.vision.landmarks import BODY, FEET, MIRROR, NAMES, TRUNK, Landmarks, from_arrays
from mjx_msk.vision.repair import repaired

_MEMORY_S = 1.0  # how long a person who is out of sight is waited for
_RECENT_S = 0.5
_GATE = 0.35  # largest mean landmark distance to the prediction, in body sizes
_GATE_PER_S = 1.0  # the gate widens while a person is out of sight
SAME_PERSON = 0.08  # trunks closer than this, in body sizes, are one person found twice
_MIN_TRACK_S = 0.2  # shorter tracks are taken for mistakes of the network
_CLEAR = 0.4  # with less mean visibility the end of a track says too little
_HIDDEN = 0.3  # a visibility below this counts as not in view
_SHORT_S = 1.0


@dataclass(frozen=True, eq=False)
class Detection:
    """One person in one frame."""

    pixels: np.ndarray  #: (33, 2) px
    world: np.ndarray  #: (33, 3) m
    visibility: np.ndarray  #: (33,)

    @property
    def size(self) -> float:
        """Diagonal of the body's box in px."""
        return float(np.linalg.norm(np.ptp(self.pixels[list(BODY)], axis=0)))

    @property
    def trunk(self) -> np.ndarray:
        """Middle of shoulders and hips (2,) px."""
        return self.pixels[list(TRUNK)].mean(axis=0)


@dataclass(eq=False)
class _Track:
    times: list[float] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    detections: list[Detection] = field(default_factory=list)

    def add(self, frame: int, time_s: float, detection: Detection) -> None:
        self.frames.append(frame)
        self.times.append(time_s)
        self.detections.append(detection)

    def predicted(self, time_s: float) -> np.ndarray:
        """Return where the body's landmarks are expected: the last ones, moving on together.

        The velocity is the median over all pairs of recent frames: at a crossing, some of them
        have been drawn to the other person.
        """
        last = self.detections[-1].pixels[list(BODY)]
        recent = bisect_left(self.times, self.times[-1] - _RECENT_S)
        times = np.array(self.times[recent:])
        if len(times) < 3:
            return last
        trunks = np.array([detection.trunk for detection in self.detections[recent:]])
        i, j = np.triu_indices(len(times), k=1)
        velocity = np.median((trunks[j] - trunks[i]) / (times[j] - times[i])[:, None], axis=0)
        return last + velocity * (time_s - self.times[-1])

    def costs(self, time_s: float, detections: list[Detection]) -> list[float]:
        """Return the distances to the prediction over the gate; the sides may be mixed up."""
        expected = self.predicted(time_s)
        gate = min(_GATE + _GATE_PER_S * (time_s - self.times[-1]), 2 * _GATE)
        costs = []
        for detection in detections:
            size = max(detection.size, self.detections[-1].size, 1.0)
            distance = min(
                np.linalg.norm(detection.pixels[order][list(BODY)] - expected, axis=1).mean()
                for order in (np.arange(len(NAMES)), MIRROR)
            )
            costs.append(float(distance / size / gate))
        return costs


def associate(
    time: np.ndarray, found: list[list[Detection]], image_size: tuple[int, int]
) -> list[Landmarks]:
    """Join the detections of T frames into tracks, the most complete first.

    ``found`` has one list of detections per frame. Tracks are predicted at constant velocity and
    matched by the Hungarian method, so that people who cross keep their identity. All tracks share
    ``time``; ``person_id`` counts from 1 in the order of completeness.
    """
    tracks: list[_Track] = []
    for frame, (time_s, detections) in enumerate(zip(time, found, strict=True)):
        detections = distinct(detections)
        alive = [t for t in tracks if time_s - t.times[-1] <= _MEMORY_S]
        cost = np.array([t.costs(time_s, detections) for t in alive])
        taken = set()
        if cost.size:
            for row, column in zip(*linear_sum_assignment(np.minimum(cost, 10.0)), strict=True):
                if cost[row, column] <= 1.0:
                    alive[row].add(frame, time_s, detections[column])
                    taken.add(column)
        for column, detection in enumerate(detections):
            if column not in taken:
                tracks.append(_Track([time_s], [frame], [detection]))
    people = [
        _landmarks(t, time, image_size) for t in tracks if t.times[-1] - t.times[0] >= _MIN_TRACK_S
    ]
    people.sort(key=completeness, reverse=True)
    return [person.replace(person_id=i) for i, person in enumerate(people, start=1)]


def completeness(person: Landmarks) -> float:
    """Return the share of frames and landmarks seen, times the height in the image (0..1)."""
    height = np.median(np.ptp(person.pixels[person.seen][:, BODY, 1], axis=1))
    return float(person.confidence.mean() * min(1.0, height / person.image_size[1]))


def distinct(detections: list[Detection]) -> list[Detection]:
    """Return the detections without second ones of the same trunk; the more visible one stays."""
    kept: list[Detection] = []
    for candidate in sorted(detections, key=lambda d: -d.visibility.mean()):
        distances = [
            np.linalg.norm(candidate.trunk - other.trunk) / max(other.size, 1.0) for other in kept
        ]
        if all(distance > SAME_PERSON for distance in distances):
            kept.append(candidate)
    return kept


def _landmarks(track: _Track, time: np.ndarray, image_size: tuple[int, int]) -> Landmarks:
    shape = (len(time), len(NAMES))
    pixels, world = np.full((*shape, 2), np.nan), np.full((*shape, 3), np.nan)
    visibility = np.zeros(shape)
    for frame, detection in zip(track.frames, track.detections, strict=True):
        pixels[frame], world[frame] = detection.pixels, detection.world
        visibility[frame] = detection.visibility
    return from_arrays(time, pixels, world, visibility, image_size)


def select_person(
    tracks: list[Landmarks], person: int | None = None
) -> tuple[Landmarks, list[str]]:
    """Return one person's repaired landmarks and warnings about what was seen of everybody.

    ``person`` counts from 1, the most complete track first (the default). The result runs from
    the first to the last frame the person is seen in; its ``time`` keeps the video's clock.
    Raises ``MskError`` when nobody is in view or ``person`` does not exist.
    """
    if not tracks:
        raise MskError(
            "no person was found in the video.",
            remedy="Show the whole body, not too small, in good light; or give another video.",
        )
    number = 1 if person is None else person
    chosen = next((t for t in tracks if t.person_id == number), None)
    if chosen is None:
        raise MskError(
            f"there is no person {number}; found: {'; '.join(map(_described, tracks))}.",
            remedy="Choose one of them with --person.",
        )
    others = [track for track in tracks if track is not chosen]
    chosen, mirrored = repaired(chosen.trimmed())
    whole = len(chosen)
    chosen = _without_unclear_ends(chosen)
    warnings = view_warnings(chosen)
    if len(chosen) < whole:
        warnings.append(
            f"{whole - len(chosen)} frames at the ends were left out: too little is in view"
        )
    if mirrored.any():
        count = int(mirrored.any(axis=1).sum())
        warnings.append(f"left and right were mixed up in {count} frames and were exchanged back")
    if others:
        listed = "; ".join(map(_described, others))
        warnings.append(f"other people are in view ({listed}); choose with --person")
    return chosen, warnings


def _without_unclear_ends(person: Landmarks) -> Landmarks:
    """Drop frames before and after those in which the body shows, as when one walks into view.

    Someone who is half hidden most of the time is kept whole: that is said, not cut away.
    """
    clear = person.confidence >= _CLEAR
    if clear.mean() < 0.5:
        return person
    index = np.flatnonzero(clear)
    return person.sliced(slice(index[0], index[-1] + 1))


def view_warnings(person: Landmarks) -> list[str]:
    """Return what about this person's view makes the result less certain."""
    seen = person.seen
    body, feet = person.visibility[:, list(BODY)], person.visibility[:, list(FEET)]
    feet_hidden = float((feet[seen].mean(axis=1) < _HIDDEN).mean())
    half_hidden = float(((body[seen] < _HIDDEN).mean(axis=1) > 0.25).mean())
    span = float(person.time[-1] - person.time[0])
    warnings = []
    if feet_hidden > 0.95:
        warnings.append("the feet are never in view: contact and ground forces are guesses")
    elif feet_hidden > 0.3:
        warnings.append(f"the feet are out of view in {feet_hidden:.0%} of the frames")
    if half_hidden > 0.3:
        warnings.append(
            f"more than a quarter of the body is out of view in {half_hidden:.0%} of the frames"
        )
    if span < _SHORT_S:
        warnings.append(f"the clip is short ({span:.2f} s): averages over strides are uncertain")
    if (missing := float(1 - seen.mean())) > 0.02:
        warnings.append(f"the person is lost in {missing:.0%} of the frames in between")
    return warnings


def _described(track: Landmarks) -> str:
    seen = track.time[track.seen]
    return (
        f"person {track.person_id}, {track.seen.sum()} of {len(track)} frames, "
        f"{seen[0]:.1f} to {seen[-1]:.1f} s"
    )
