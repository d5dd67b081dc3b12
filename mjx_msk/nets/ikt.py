"""IKT, the inverse kinematics transformer: one camera's landmarks to a motion on the model.

A spatial transformer over the landmarks of a frame and a temporal one over frames (MonoMSK, Koleini
et al. 2025). By construction, coordinates keep their limits, locked ones their default,
segments are constant over the clip, and the motion is upright in the world.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mjx_msk.model import ROOT_COORDINATES, Model
from mjx_msk.nets.layers import Block, encode
from mjx_msk.nets.sight import FRAME_FEATURES, LANDMARK_FEATURES, Seen
from mjx_msk.physics.root import root_coordinates

#: Segments stay within this of their usual share of stature (log).
_SEGMENT_REACH = 0.3
#: Standard deviations lie between these, in rad or m.
_STD_RANGE = (0.003, 2.0)
_HEIGHT_SCALE_M = 1.5


@dataclass(frozen=True, kw_only=True)
class IKTConfig:
    """Size of the network."""

    landmarks: int = 22
    segments: int = 8
    landmark_width: int = 48
    """Features of a landmark."""
    landmark_blocks: int = 2
    landmark_heads: int = 3
    width: int = 192
    """Features of a frame."""
    blocks: int = 4
    heads: int = 6


class Kinematics(NamedTuple):
    """What the network says; the world is the sight's level frame with its floor at z = 0."""

    q: jax.Array  #: (T, n) rad or m
    std: jax.Array  #: (T, n) rad or m, 0 for locked coordinates
    pelvis: jax.Array  #: (T, 3, 3) world_from_pelvis
    log_segments: jax.Array  #: (k,)
    camera_height: jax.Array  #: () m, of the camera over the floor


def movable(model: Model) -> np.ndarray:
    """Return the indices of the coordinates beyond the root that are not locked."""
    free = ~np.array(model.layout.locked)
    free[:ROOT_COORDINATES] = False
    return np.flatnonzero(free)


class IKT(nnx.Module):
    """The network; ``model`` gives coordinates and their limits, ``usual`` (n,) where it starts."""

    def __init__(
        self,
        config: IKTConfig,
        model: Model,
        *,
        usual: np.ndarray | None = None,
        dtype: jnp.dtype = jnp.float32,
        rngs: nnx.Rngs,
    ) -> None:
        self.config = config
        wide, width = config.landmark_width, config.width
        joints = len(movable(model))
        kinds: dict[str, Any] = {"dtype": dtype, "rngs": rngs}
        self.landmark = nnx.Linear(LANDMARK_FEATURES, wide, **kinds)
        self.name = nnx.Param(0.1 * jax.random.normal(rngs.params(), (config.landmarks, wide)))
        self.spatial = nnx.List(
            [Block(wide, config.landmark_heads, **kinds) for _ in range(config.landmark_blocks)]
        )
        self.gather = nnx.Linear(config.landmarks * wide, width, **kinds)
        self.frame = nnx.Linear(FRAME_FEATURES + 1, width, **kinds)
        self.temporal = nnx.List(
            [Block(width, config.heads, **kinds) for _ in range(config.blocks)]
        )
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        small = nnx.initializers.normal(0.02)
        count = 6 + 4 + joints + ROOT_COORDINATES + joints
        self.pose = nnx.Linear(width, count, kernel_init=small, rngs=rngs)
        self.clip = nnx.Linear(width, config.segments + 1, kernel_init=small, rngs=rngs)
        self.pose.bias = nnx.Param(_start(model, usual, count))

    def __call__(self, model: Model, seen: Seen, time: jax.Array, height: jax.Array) -> Kinematics:
        """Return the motion behind what was ``seen`` at ``time`` (T,) s of a person, ``height`` m.

        ``model`` is the generic default model; nothing of it but names and limits is used.
        """
        visible = seen.weight > 0.0
        x = self.landmark(seen.landmarks) + self.name[...]
        x = encode(self.spatial, x, visible)
        frames = jnp.concatenate(
            [seen.frames, jnp.full((len(time), 1), jnp.log(height / 1.7))], axis=-1
        )
        x = self.gather((x * visible[..., None]).reshape(len(time), -1)) + self.frame(frames)
        known = visible.any(axis=-1)
        x = self.norm(encode(self.temporal, x, known, time)).astype(jnp.float32)
        share = known / jnp.maximum(jnp.sum(known), 1.0)
        clip = self.clip(jnp.sum(x * share[:, None], axis=0))
        return _decoded(model, seen, self.pose(x), clip, height)


def _start(model: Model, usual: np.ndarray | None, count: int) -> jax.Array:
    """Return the biases with which an untrained network says: upright, in the usual pose."""
    low, high = np.asarray(model.q_range)[movable(model)].T
    pose = np.zeros(model.n) if usual is None else usual
    share = np.clip((pose[movable(model)] - low) / (high - low), 0.05, 0.95)
    bias = np.zeros(count)
    bias[[0, 5]] = 1.0  # columns x and z of the pelvis: forward is x, up is y
    bias[10 : 10 + len(share)] = np.log(share / (1.0 - share))
    bias[10 + len(share) :] = -1.0
    return jnp.asarray(bias, jnp.float32)


def _orthonormal(six: jax.Array) -> jax.Array:
    """Return rotations (..., 3, 3) from six numbers: two columns (Zhou et al. 2019, sec. 4.2)."""
    a, b = six[..., :3], six[..., 3:]
    x = a / jnp.linalg.norm(a, axis=-1, keepdims=True)
    b = b - jnp.sum(x * b, axis=-1, keepdims=True) * x
    y = b / jnp.linalg.norm(b, axis=-1, keepdims=True)
    return jnp.stack([x, y, jnp.cross(x, y)], axis=-1)


def _decoded(
    model: Model, seen: Seen, pose: jax.Array, clip: jax.Array, height: jax.Array
) -> Kinematics:
    free = movable(model)
    low, high = model.q_range[free].T
    six, moved = pose[:, :6], pose[:, 6:10]
    joints = low + (high - low) * jax.nn.sigmoid(pose[:, 10 : 10 + len(free)])
    spread = pose[:, 10 + len(free) :]
    pelvis = _orthonormal(six)
    above = _HEIGHT_SCALE_M * jax.nn.softplus(clip[-1] + 0.3)
    position = seen.place * jnp.exp(moved[:, :1]) + height * moved[:, 1:]
    position = position.at[:, 2].add(above)
    root = root_coordinates(model, pelvis, position)
    q = jnp.broadcast_to(model.q_default, (len(pose), model.n))
    q = q.at[:, :ROOT_COORDINATES].set(root).at[:, free].set(joints)
    least, most = _STD_RANGE
    std = least + (most - least) * jax.nn.sigmoid(spread - 2.0)
    where = np.concatenate([np.arange(ROOT_COORDINATES), free])
    std = jnp.zeros_like(q).at[:, where].set(std)
    return Kinematics(q, std, pelvis, _SEGMENT_REACH * jnp.tanh(clip[:-1]), above)
