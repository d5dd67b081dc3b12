"""What the networks propose for a whole clip, in the world of the fit.

The world is that of ``fit.observation.upright``.
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
from mjx_msk.fit.windows import FRAMES, STEP_S, blended, in_groups, padded, strided, windows_of
from mjx_msk.model import Model
from mjx_msk.nets.ikt import IKT, Kinematics
from mjx_msk.nets.sight import Sight, look


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

    def run(group: list[np.ndarray]) -> tuple[Kinematics, jax.Array]:
        rows = [_sight(seen, frames[window], height_m) for window in group]
        sights = jax.tree.map(lambda *x: jnp.asarray(np.stack(x), jnp.float32), *rows)
        return _kinematics(ikt, model, sights, seen.hips)

    found, level = in_groups(run, windows)
    rotation, position = root_pose(model, found.q.reshape(-1, model.n).astype(float))
    turn = upright(seen).T @ level.swapaxes(1, 2).astype(float)
    rotation = turn[:, None] @ rotation.reshape(len(windows), FRAMES, 3, 3)
    position = np.einsum("wxy,wty->wtx", turn, position.reshape(len(windows), FRAMES, 3))
    coarse = with_root_pose(
        model, blended(windows, found.q), _nearest_rotations(blended(windows, rotation)),
        blended(windows, position),
    )  # fmt: skip
    share = np.array([seen.weight[frames[w]].sum() for w in windows]) + 1e-9
    share /= share.sum()
    return Proposal(
        q=_resampled(frames, coarse, len(seen.time)),
        std=_resampled(frames, blended(windows, found.std), len(seen.time), degree=1),
        log_segments=share @ found.log_segments.astype(float),
        camera_height=float(share @ found.camera_height.astype(float)),
    )


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
