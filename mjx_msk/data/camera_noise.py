"""What a pose network gets wrong, as statistics: read from ``assets/camera_noise.json``.

Every error is a sum of three Gaussian parts: constant over the clip, slowly varying (AR(1), an
Ornstein-Uhlenbeck process), and white. Errors spread along the limbs (``landmark_tree``), grow
where a landmark is badly seen, and are metres at the person's depth. ``benchmarks/camera_noise.py``
fits them; docs/virtual_camera.md has the table.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.data.landmark_tree import (
    LANDMARKS,
    PART_OF,
    PARTS,
    hangs_from,
    middles,
    spread_along,
)
from mjx_msk.resources import asset

NOISE_FILE = "camera_noise.json"
Array = jax.Array | np.ndarray


class Field(NamedTuple):
    """One kind of error: N nodes of the tree, L landmarks."""

    spread: Array  #: (L, N) from the nodes' own errors to the landmarks' errors
    sd: Array  #: (N,) standard deviation of a node's own error where it is seen well
    share: Array  #: (3,) of the variance: constant, slow, white
    tau_s: Array  #: () time constant of the slow part, s
    hidden: Array  #: () own errors grow by exp(hidden (1 - visibility))


class CameraNoise(NamedTuple):
    """The statistics of one pose network."""

    image: Field  #: m across the image at the landmark's depth, alike in x and y
    across: Field  #: m, the metric guess in x and y
    depth: Field  #: m, the metric guess along the optical axis
    visibility: Field  #: of the logit of visibility
    reach: Array  #: (2, L, L) from true landmarks about the hips to the mean guess: across, depth
    log_scale_sd: Array  #: () of the whole guess's size from clip to clip
    logit: Array  #: (L,) of visibility where nothing hides a landmark
    logit_cover: Array  #: () what full cover by the body adds
    logit_far: Array  #: (1/m) what lying behind its counterpart adds, per m
    clip_log_sd: Array  #: () all errors of a clip are exp(N(0, sd)) times the usual
    jitter_s: Array  #: () s, of a frame's time
    lost_per_s: Array  #: () how often the person is lost
    lost_s: Array  #: () s, how long on average
    swaps_per_s: Array  #: () how often left and right of a half of the body are exchanged
    swap_s: Array  #: () s, how long on average


@lru_cache
def load(path: Path | None = None) -> CameraNoise:
    """Return the shipped statistics, or those of a file that the benchmark wrote."""
    return from_dict(json.loads((path or asset(NOISE_FILE)).read_text(encoding="utf-8")))


def from_dict(values: dict[str, Any]) -> CameraNoise:
    """Return the statistics that the benchmark's dictionary holds."""
    fields = {name: _field(values[name]) for name in ("image", "across", "depth", "visibility")}
    read: dict[str, Any] = {
        **fields,
        "reach": np.stack([reach(values["gain"][kind]) for kind in ("across", "depth")]),
        "logit": _by_node(values["logit"])[: len(LANDMARKS)],
    }
    for name in CameraNoise._fields:
        if name not in read:
            read[name] = np.array(values[name], float)
    return CameraNoise(**read)


def _by_node(parts: dict[str, float]) -> np.ndarray:
    return np.array([float(parts[PARTS[p]]) for p in PART_OF])


def _field(values: dict[str, Any]) -> Field:
    return Field(
        spread=spread_along(_by_node(values["carried"])),
        sd=_by_node(values["sd"]),
        share=np.array([values["share"][kind] for kind in ("constant", "slow", "white")]),
        tau_s=np.array(values["tau_s"]),
        hidden=np.array(values["hidden"]),
    )


def reach(gain: dict[str, float]) -> np.ndarray:
    """Return the matrix (L, L) that makes each part's segment ``gain`` times as long.

    It acts on landmarks (L, k) that are centred between the hips.
    """
    hangs, add = hangs_from(), middles()
    segments = _by_node(gain)[:, None] * ((np.eye(len(hangs)) - hangs) @ add)
    return np.linalg.solve(np.eye(len(hangs)) - hangs, segments)[: len(LANDMARKS)]


def own_errors(
    key: jax.Array, field: Field, frames: int, dt: Array | float, axes: int
) -> jax.Array:
    """Return every node's own error (T, N, axes) where it is seen well."""
    constant, slow, white = jax.random.split(key, 3)
    shape = (frames, len(field.sd), axes)
    noise = jax.random.normal(slow, shape)
    parts = (
        jax.random.normal(constant, shape[1:]),
        jnp.einsum("st,tna->sna", _slowly(frames, dt / field.tau_s), noise),
        jax.random.normal(white, shape),
    )
    share = jnp.sqrt(jnp.asarray(field.share, noise.dtype))
    mixed = share[0] * parts[0] + share[1] * parts[1] + share[2] * parts[2]
    return jnp.asarray(field.sd, noise.dtype)[:, None] * mixed


def _slowly(frames: int, step: Array) -> jax.Array:
    """Return the matrix (T, T) that turns white noise into a stationary AR(1) of variance 1.

    ``step`` is the sampling interval over the time constant.
    """
    lag = jnp.arange(frames)[:, None] - jnp.arange(frames)[None, :]
    fresh = jnp.where(jnp.arange(frames) == 0, 1.0, jnp.sqrt(-jnp.expm1(-2.0 * step)))
    return jnp.where(lag >= 0, jnp.exp(-jnp.maximum(lag, 0) * step), 0.0) * fresh


def spread(
    field: Field, own: jax.Array, visibility: jax.Array, clip: Array | float = 1.0
) -> jax.Array:
    """Return the landmarks' errors (T, L, axes) from the nodes' own ones (T, N, axes).

    ``visibility`` (T, L) says how badly each is seen; ``clip`` () scales them all.
    """
    seen = jnp.asarray(middles(), own.dtype) @ visibility[..., None]
    grown = own * jnp.exp(field.hidden * (1.0 - seen)) * clip
    return jnp.asarray(field.spread, own.dtype) @ grown


def episodes(
    key: jax.Array, frames: int, dt: Array | float, per_s: Array, mean_s: Array
) -> jax.Array:
    """Return (T,) bool: during episodes that start at random and last exponentially long."""
    start_key, length_key = jax.random.split(key)
    starts = jax.random.uniform(start_key, (frames,)) < per_s * dt
    lasts = jnp.maximum(jax.random.exponential(length_key, (frames,)) * mean_s, dt)
    since = (jnp.arange(frames)[:, None] - jnp.arange(frames)[None, :]) * dt
    return jnp.any(starts & (since >= 0) & (since < lasts), axis=1)
