"""Inverse kinematics of a whole trial: every frame for itself, all at once.

Some frames are solved from a rigid fit; the others start between them. Frames go through JAX in
chunks of one size and markers are padded, so that another trial compiles nothing new.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.fit.points import in_chunks, points
from mjx_msk.fit.root import root_pose, with_root_pose
from mjx_msk.model import Model
from mjx_msk.physics.kinematics import position_data
from mjx_msk.physics.tracking import Goals, inverse_kinematics

#: Every so many frames one is solved first.
_STRIDE = 8
#: Neighbouring solved frames that differ by more (rad or m) are not joined by a straight line.
_JUMP = 0.7
#: Starts keep this share of a coordinate's range from its bounds.
_INSIDE = 0.15
#: Markers are padded to a multiple of this.
_MARKERS = 16
#: Frames go through the solver in groups of this many, as long as the slowest of them takes ...
_FRAMES = 32
#: ... or for this many steps: those that need more form new groups, as often as this.
_STEPS, _ROUNDS = 8, 7


class Trial(NamedTuple):
    """The motion that follows the markers best, frame by frame."""

    q: np.ndarray  #: (T, n) rad or m
    error_m: np.ndarray  #: (T, m) distance of each marker, NaN where missing
    iterations: np.ndarray  #: (T,)


@jax.jit
def _solve(model: Model, sites: jax.Array, bounds: jax.Array, q_weight: jax.Array, *frames):
    def one(target, weight, q_target, start):
        goals = Goals(target, weight, q_target, q_weight)
        found = inverse_kinematics(model, sites, goals, bounds, start, iterations=_STEPS)
        return found.q, found.iterations, found.converged

    return jax.vmap(one)(*frames)


@jax.jit
def _markers(model: Model, sites: jax.Array, q: jax.Array):
    return (jax.vmap(lambda q_t: position_data(model, q_t).site_xpos[sites])(q),)


def track_markers(
    model: Model,
    names: tuple[str, ...],
    positions: np.ndarray,
    *,
    marker_weights: np.ndarray | None = None,
    coordinates: np.ndarray | None = None,
    coordinate_weights: np.ndarray | None = None,
    limits: bool = True,
) -> Trial:
    """Return the coordinates that follow markers ``positions`` (T, m, 3), m, Z up, NaN = missing.

    ``names`` (m) are the model's sites, ``marker_weights`` (m,) default to 1. ``coordinates``
    (T, n) or (n,) are followed with ``coordinate_weights`` (n,), by default not at all. Locked
    coordinates stay at their values; with ``limits``, the others within the model's ranges.
    """
    frames, count = positions.shape[:2]
    own = np.ones(count) if marker_weights is None else np.asarray(marker_weights, float)
    weight = np.isfinite(positions).all(axis=2) * own
    target = np.where(weight[..., None] > 0, np.nan_to_num(positions), 0.0)
    sites = np.array([model.layout.site_index[name] for name in names])
    default = np.asarray(model.q_default, float)
    held = np.array(model.layout.locked)
    bounds = np.array(model.q_range, float) if limits else np.tile([-np.inf, np.inf], (model.n, 1))
    bounds[held] = default[held, None]
    meet = np.broadcast_to(default if coordinates is None else coordinates, (frames, model.n))
    q_weight = np.zeros(model.n) if coordinate_weights is None else np.asarray(coordinate_weights)
    padding = -count % _MARKERS
    goals = (
        np.pad(target, ((0, 0), (0, padding), (0, 0))), np.pad(weight, ((0, 0), (0, padding))), meet
    )  # fmt: skip
    padded = jnp.asarray(np.pad(sites, (0, padding)))
    held_by = jnp.asarray(bounds, float), jnp.asarray(q_weight, float)

    q, iterations = np.zeros((frames, model.n)), np.zeros(frames)

    def solve(index: np.ndarray, start: np.ndarray) -> None:
        q[index] = start
        for _ in range(_ROUNDS):
            arrays = (*(a[index] for a in goals), q[index])
            q[index], steps, done = in_chunks(
                lambda *a: _solve(model, padded, *held_by, *a), *arrays, size=_FRAMES
            )
            iterations[index] += steps
            index = index[done == 0]
            if not len(index):
                break

    keys = np.arange(0, frames, _STRIDE)
    first = rigid_start(model, _inside(default, bounds), sites, target[keys], weight[keys] > 0)
    solve(keys, first)
    rest = np.setdiff1d(np.arange(frames), keys)
    if len(rest):
        solve(rest, _between(keys, q[keys], rest))
    (found,) = in_chunks(lambda q_: _markers(model, padded, q_), q)
    error = np.linalg.norm(found[:, :count] - positions, axis=2)
    return Trial(q, np.where(weight > 0, error, np.nan), iterations.astype(int))


def _inside(q: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Return ``q`` (n,) off its bounds (n, 2): a straight elbow at its bound may never leave it."""
    low, high = bounds.T
    width = np.where(np.isfinite(high - low), high - low, 0.0)
    return np.clip(q, low + _INSIDE * width, high - _INSIDE * width)


def _between(keys: np.ndarray, q: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Return starts for frames between solved ones: on the line, or the nearer one at jumps."""
    before = np.minimum(rest // _STRIDE, len(keys) - 1)
    after = np.minimum(before + 1, len(keys) - 1)
    share = ((rest - keys[before]) / _STRIDE)[:, None]
    step = q[after] - q[before]
    jumps = np.abs(step).max(axis=1, keepdims=True) > _JUMP
    return q[before] + step * np.where(jumps, share > 0.5, share)


def rigid_start(
    model: Model, pose: np.ndarray, sites: np.ndarray, target: np.ndarray, seen: np.ndarray,
    base: float = 1.0,
) -> np.ndarray:  # fmt: skip
    """Return ``pose`` (n,) laid onto each frame's markers ``target`` (T, m, 3) by a rigid fit.

    ``base`` scales the whole body.

    The pelvis's own markers place it where three are ``seen`` (T, m), else all markers do: people
    stand, lie and face anywhere. Frames that show too little keep the placement of the one before.
    """
    q = np.tile(pose, (len(seen), 1))
    own = points(model, base, q[:1], np.zeros(0)).position[:, sites]
    rotation, position = root_pose(model, q[:1])
    pelvis = np.asarray(model.mjx.site_bodyid)[sites] == 1
    turns, shifts = np.zeros((len(q), 3, 3)), np.zeros((len(q), 3))
    turn, shift = np.eye(3), np.zeros(3)
    for t, visible in enumerate(seen):
        use = visible & pelvis if np.sum(visible & pelvis) >= 3 else visible
        if np.sum(use) >= 3:
            turn, shift = _rigid(own[0, use], target[t, use])
        turns[t], shifts[t] = turn, shift
    return with_root_pose(model, q, turns @ rotation, turns @ position[0] + shifts)


def _rigid(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rotation and the shift that best carry points a (k, 3) onto b (Kabsch 1976)."""
    U, _, Vt = np.linalg.svd((a - a.mean(axis=0)).T @ (b - b.mean(axis=0)))
    mirror = np.diag([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))])
    turn = (U @ mirror @ Vt).T
    return turn, b.mean(axis=0) - turn @ a.mean(axis=0)
