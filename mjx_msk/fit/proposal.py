"""What the networks propose for a whole clip, in the world of the fit.

The inverse kinematics was trained on short windows. Windows that overlap by half cover the clip and
are blended, so that there is no seam; the world is that of ``fit.observation.upright``.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.interpolate import make_interp_spline

from mjx_msk.fit.observation import ImageObservation, upright
from mjx_msk.fit.root import root_pose, with_root_pose
from mjx_msk.model import Model
from mjx_msk.nets.ikt import IKT, Kinematics
from mjx_msk.nets.sight import Sight, look

#: Windows as in training: so many frames about so far apart, s.
FRAMES, STEP_S = 40, 1.0 / 30.0
#: Windows go through a network in groups of this many.
GROUP = 8


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A motion with the standard deviations that the network states, and the person's sizes."""

    q: np.ndarray  #: (T, n) rad or m; the camera stands over the origin
    std: np.ndarray  #: (T, n) rad or m
    log_segments: np.ndarray  #: (k,)
    camera_height: float  #: m over the floor z = 0


@partial(jax.jit, static_argnames=("hips",))
def _kinematics(
    ikt: IKT, model: Model, sights: Sight, hips: tuple[int, int]
) -> tuple[Kinematics, jax.Array]:
    def one(sight: Sight) -> tuple[Kinematics, jax.Array]:
        seen = look(sight, hips)
        return ikt(model, seen, sight.time, sight.height), seen.level_from_camera

    return jax.vmap(one)(sights)


def propose(ikt: IKT, model: Model, seen: ImageObservation, height_m: float) -> Proposal:
    """Return what the network makes of a clip of a person, ``height_m`` tall.

    ``model`` is the generic default model.
    """
    frames = strided(len(seen.time), seen.dt)
    windows = windows_of(len(frames))
    found, level = _in_groups(ikt, model, seen, height_m, [frames[w] for w in windows])
    world_from_camera = upright(seen).T
    shape = (len(frames), model.n)
    total, joints, std = np.zeros((len(frames), 1)), np.zeros(shape), np.zeros(shape)
    turns, places = np.zeros((len(frames), 3, 3)), np.zeros((len(frames), 3))
    for i, window in enumerate(windows):
        count = len(window)
        weight = hat(count)[:, None]
        turn = world_from_camera @ np.asarray(level[i], float).T
        q = np.asarray(found.q[i, :count], float)
        rotation, position = root_pose(model, q)
        total[window] += weight
        joints[window] += weight * q
        std[window] += weight * found.std[i, :count]
        turns[window] += weight[..., None] * (turn @ rotation)
        places[window] += weight * (position @ turn.T)
    turns = _nearest_rotations(turns)
    coarse = with_root_pose(model, joints / total, turns, places / total)
    q = _resampled(frames, coarse, len(seen.time))
    share = np.array([seen.weight[frames[w]].sum() for w in windows]) + 1e-9
    share /= share.sum()
    count = len(windows)  # the rest pads the last group
    return Proposal(
        q=q,
        std=_resampled(frames, std / total, len(seen.time), degree=1),
        log_segments=share @ np.asarray(found.log_segments[:count], float),
        camera_height=float(share @ np.asarray(found.camera_height[:count], float)),
    )


def strided(count: int, dt: float) -> np.ndarray:
    """Return the frames of a clip, ``dt`` s apart, that a network looks at."""
    return np.arange(0, count, max(1, round(STEP_S / dt)))


def windows_of(count: int) -> list[np.ndarray]:
    """Return the frames of each window: half of each is shared with the next."""
    last = max(count - FRAMES, 0)
    starts = sorted({*range(0, last, FRAMES // 2), last})
    return [np.arange(s, min(s + FRAMES, count)) for s in starts]


def padded(window: np.ndarray) -> np.ndarray:
    """Return a window's frames, the last one repeated, at the length of all windows."""
    return window[np.minimum(np.arange(FRAMES), len(window) - 1)]


def hat(count: int) -> np.ndarray:
    """Return weights that fall towards both ends of a window."""
    inside = np.arange(count) + 0.5
    return np.minimum(inside, count - inside) / count


def _in_groups(
    ikt: IKT, model: Model, seen: ImageObservation, height_m: float, windows: list[np.ndarray]
) -> tuple[Kinematics, np.ndarray]:
    """Return what the network says of each window, padded to one compiled shape."""
    answers = []
    for start in range(0, len(windows), GROUP):
        group = windows[start : start + GROUP]
        filled = [*group, *[group[0]] * (GROUP - len(group))]
        rows = [_sight(seen, window, height_m) for window in filled]
        sights = jax.tree.map(lambda *x: jnp.asarray(np.stack(x), jnp.float32), *rows)
        answers.append(jax.tree.map(np.asarray, _kinematics(ikt, model, sights, seen.hips)))
    return jax.tree.map(lambda *x: np.concatenate(x), *answers)


def _sight(seen: ImageObservation, frames: np.ndarray, height_m: float) -> Sight:
    """Return one window; frames that it lacks are ones in which nothing is seen."""
    index = padded(frames)
    weight = seen.weight[index] * (np.arange(FRAMES) < len(frames))[:, None]
    step = seen.dt * (frames[1] - frames[0]) if len(frames) > 1 else STEP_S
    parts: list[Any] = [
        step * np.arange(FRAMES), seen.rays[index], np.nan_to_num(seen.metric[index]), weight,
        seen.down, np.array(height_m),
    ]  # fmt: skip
    return Sight(*parts)


def _nearest_rotations(matrices: np.ndarray) -> np.ndarray:
    u, _, v = np.linalg.svd(matrices)
    flip = np.linalg.det(u @ v)
    u[..., -1] *= flip[:, None]
    return u @ v


def _resampled(frames: np.ndarray, values: np.ndarray, count: int, degree: int = 3) -> np.ndarray:
    """Return values (len(frames), n) at every frame up to ``count``."""
    degree = min(degree, len(frames) - 1)
    at = np.minimum(np.arange(count), frames[-1])
    return values[at] if degree < 1 or len(frames) == count else (
        make_interp_spline(frames, values, degree)(at)
    )  # fmt: skip
