"""A motion that ends where it began, and may be played again and again."""

import numpy as np
from scipy.interpolate import BPoly

from mjx_msk.errors import MskError
from mjx_msk.export.edits import UNSEEN, noted, shift_of_coordinates, slide_axes
from mjx_msk.export.take import Take

#: A cycle lasts at least this long, s, and moves at least this share of the whole motion's range.
_SHORTEST_S, _RANGE = 0.4, 0.5
#: A difference in speed counts like the way that it makes in this time, s.
_SPEED_S = 0.1
#: Of cycles that close this much worse than the best (a share, and rad), the shortest is taken.
_WORSE, _ABOUT = 1.2, 2e-3
#: Pose and speeds at the end differ from those at the start by less than this share of the motion's
#: spread (the root of its variance).
_OPEN = 0.5
#: More frames make tables that are too large.
_MOST_FRAMES = 6000


def looped(take: Take, cycles: int) -> Take:
    """Return the part of a motion that closes best, ``cycles`` times one after the other.

    The way on the ground goes on from cycle to cycle; height and all angles return. The gap that
    is left is shared by both ends (a quintic that meets value, velocity and acceleration), so that
    the last frame is one step before the first. Forces and muscles are those of the frames, before
    the gap was closed. Raises ``MskError`` where no part of the motion returns to its start.
    """
    motion = take.motion
    if cycles < 1:
        raise MskError(f"{cycles} cycles are no motion.", where="--loop", remedy="Give 1 or more.")
    start, end = best_cycle(take)
    gap, way = _gap(take, start, end)
    frames = np.arange(start, end)
    own = motion.time[frames] - motion.time[start]
    period = float(motion.time[end] - motion.time[start])
    close = BPoly.from_derivatives([0.0, period], [0.5 * gap, -0.5 * gap])
    parts = [motion.q, motion.qd, motion.qdd]
    q, qd, qdd = (np.tile(x[frames] + close(own, k), (cycles, 1)) for k, x in enumerate(parts))
    number = np.repeat(np.arange(cycles), len(frames))
    shift = number[:, None] * way
    changes = {n: np.concatenate([v[frames]] * cycles) for n, v in motion.arrays().items()}
    changes |= UNSEEN
    if motion.foot_cop is not None:
        changes["foot_cop"] = changes["foot_cop"] + shift[:, None]
    for name in ("q", "qd", "qdd", "qpos", "qvel", "qacc"):
        del changes[name]
    changes["time"] = motion.time[start] + number * period + np.tile(own, cycles)
    q = q + shift_of_coordinates(take, shift)
    found = take.moving(q, qd, qdd, **changes)
    return noted(
        found,
        f"{cycles} times the cycle from {motion.time[start]:g} to {motion.time[end]:g} s, "
        f"which closed but for {np.abs(gap[0]).max():.4f} rad or m",
    )


def best_cycle(take: Take) -> tuple[int, int]:
    """Return the frames at which the cycle that closes best begins and would begin again."""
    columns, _ = slide_axes(take)
    q, qd = take.motion.q.copy(), take.motion.qd.copy()
    q[:, columns], qd[:, columns] = 0.0, 0.0
    q[:, columns[0]] = _height(take)
    return find_cycle(take.motion.time, q, qd)


def find_cycle(time: np.ndarray, positions: np.ndarray, speeds: np.ndarray) -> tuple[int, int]:
    """Return the frames at which the cycle that closes best begins and would begin again.

    ``positions`` (T, k) rad or m are what should return, without the way on the ground; ``speeds``
    (T, k) too. Of cycles that close about as well, the shortest is taken. Raises ``MskError`` where
    none is long enough, or none returns.
    """
    if len(time) > _MOST_FRAMES:
        raise MskError(
            f"{len(time)} frames are too many to look for a cycle.",
            where="--loop",
            remedy=f"Cut the motion with --start and --end to {_MOST_FRAMES} frames.",
        )
    state = np.hstack([positions, _SPEED_S * speeds])
    squared = np.sum(state**2, axis=1)
    away = squared[:, None] + squared - 2.0 * state @ state.T
    away = np.triu(np.sqrt(np.maximum(away, 0.0) / positions.shape[1]))
    reached = np.maximum.accumulate(away, axis=1)
    steps = np.arange(len(time)) - np.arange(len(time))[:, None]
    long = time - time[:, None] >= _SHORTEST_S - 1e-9
    allowed = long & (reached >= _RANGE * away.max())
    if not allowed.any() or away.max() == 0.0:
        raise MskError(
            "the motion is too short to hold a cycle.", where="--loop", remedy="Leave out --loop."
        )
    good = allowed & (away <= _WORSE * away[allowed].min() + _ABOUT)
    shortest = good & (steps == steps[good].min())
    place = np.argmin(np.where(shortest, away, np.inf))
    start, end = (int(i) for i in np.unravel_index(place, away.shape))
    gap = np.sum((state[end] - state[start]) ** 2) / np.sum(np.var(state, axis=0))
    if gap > _OPEN**2:
        worst = np.abs(positions[end] - positions[start]).max()
        raise MskError(
            "no part of the motion ends where it began, with the same speed: at best it is "
            f"{worst:.2f} rad or m off, and differs by {np.sqrt(gap):.2f} of the motion's spread.",
            where="--loop",
            remedy="Choose a cycle with --start and --end, or leave out --loop.",
        )
    return start, end


def _height(take: Take) -> np.ndarray:
    """Return the height of the root (T,), m, but for a constant."""
    columns, axes = slide_axes(take)
    return take.motion.q[:, columns] @ axes[:, 2]


def _gap(take: Take, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Return value, velocity and acceleration that are missing (3, n), and the way on the ground.

    The way (3,) m is what the root goes horizontally from one cycle to the next.
    """
    motion = take.motion
    gap = np.stack([x[end] - x[start] for x in (motion.q, motion.qd, motion.qdd)])
    columns, axes = slide_axes(take)
    way = gap[0, columns] @ axes * [1.0, 1.0, 0.0]
    gap[0] -= shift_of_coordinates(take, way)
    return gap, way
