"""A motion in a mirror: an exact symmetry, so that its kinetics stay right.

A pure function of a clip's arrays in the default model's coordinates, for use
inside a training step, under ``jit`` and ``vmap``.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.data.landmark_tree import COUNTERPART
from mjx_msk.model import Model

#: Coordinates that change their sign in a mirror; others change sides (docs/conventions.md).
_AGAINST = ("pelvis_tz", "pelvis_list", "pelvis_rotation", "lumbar_bending", "lumbar_rotation")
#: World vectors in the mirror y -> -y, and moments, which are pseudo-vectors.
MIRROR = np.array([1.0, -1.0, 1.0])


class ClipArrays(NamedTuple):
    """The arrays of a clip (``data.clip.Clip`` has their shapes and units)."""

    q: jax.Array
    qd: jax.Array
    qdd: jax.Array
    tau: jax.Array
    foot_force: jax.Array
    foot_cop: jax.Array
    foot_moment: jax.Array
    contact: jax.Array
    kinetics_known: jax.Array
    measured: jax.Array
    landmarks: jax.Array


def other_side(name: str) -> str:
    """Return the name of what is on the other side of the body: ``knee_l`` for ``knee_r``."""
    stem, side = name[:-2], name[-2:]
    return stem + {"_r": "_l", "_l": "_r"}[side] if side in ("_r", "_l") else name


def mirror_table(names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return which coordinate each takes its mirrored value from, and with which sign, (n,)."""
    place = {name: i for i, name in enumerate(names)}
    source = np.array([place[other_side(name)] for name in names])
    return source, np.array([-1.0 if name in _AGAINST else 1.0 for name in names])


def mirrored(model: Model, clip: ClipArrays) -> ClipArrays:
    """Return the clip in a mirror that stands in the world's x-z plane: left becomes right."""
    source, sign = mirror_table(model.layout.coordinate_names)
    feet = slice(None, None, -1)
    # JAX keeps one type for an array that it has seen, with x64 on and off
    mirror = jnp.asarray(MIRROR, clip.q.dtype)

    def coordinates(values: jax.Array) -> jax.Array:
        return values[..., source] * sign

    return clip._replace(
        q=coordinates(clip.q),
        qd=coordinates(clip.qd),
        qdd=coordinates(clip.qdd),
        tau=coordinates(clip.tau),
        foot_force=clip.foot_force[:, feet] * mirror,
        foot_cop=clip.foot_cop[:, feet] * mirror,
        foot_moment=clip.foot_moment[:, feet] * -mirror,
        contact=clip.contact[:, feet],
        landmarks=clip.landmarks[:, COUNTERPART] * mirror,
    )
