"""Poses that no recording has, for coverage: drawn about those of the training motions."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.data.augment import mirror_table
from mjx_msk.model import Model
from mjx_msk.physics.kinematics import pose

#: Drawn poses spread this many times as far as the training poses.
WIDER = 1.5
#: Root coordinates that say where one stands and looks, not how.
_PLACE = ("pelvis_tx", "pelvis_ty", "pelvis_tz", "pelvis_rotation")


class PosePrior(NamedTuple):
    """A Gaussian in coordinates, alike for left and right; place and heading are 0."""

    mean: jax.Array  #: (n,)
    factor: jax.Array  #: (n, n) times a standard normal gives the spread


def fit_pose_prior(model: Model, q: np.ndarray) -> PosePrior:
    """Return the prior of poses ``q`` (F, n), and of their mirror images."""
    names = model.layout.coordinate_names
    source, sign = mirror_table(names)
    both = np.concatenate([q, q[:, source] * sign]).astype(float)
    both[:, [names.index(name) for name in _PLACE]] = 0.0
    values, vectors = np.linalg.eigh(np.cov(both.T))
    return PosePrior(
        jnp.asarray(both.mean(axis=0)), jnp.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
    )


def draw_pose(key: jax.Array, prior: PosePrior, model: Model) -> jax.Array:
    """Return one pose (n,) inside the joints' limits, feet on the floor, facing anywhere.

    The pelvis stands above the world's origin. Values beyond a limit are reflected at it, then
    cut. Only the pose is known of it: it is at rest for kinematics and has no kinetics.
    """
    pose_key, heading_key = jax.random.split(key)
    spread = jnp.asarray(prior.factor) @ jax.random.normal(pose_key, prior.mean.shape)
    q = prior.mean + WIDER * spread
    low, high = model.q_range.T
    bounded = jnp.clip(high - jnp.abs(high - (low + jnp.abs(q - low))), low, high)
    limited = jnp.isfinite(low) & jnp.isfinite(high)
    q = jnp.where(limited, bounded, q)
    turn = model.layout.coordinate_index["pelvis_rotation"]
    q = q.at[turn].set(jax.random.uniform(heading_key, minval=-jnp.pi, maxval=jnp.pi))
    return standing(model, q)


def standing(model: Model, q: jax.Array) -> jax.Array:
    """Return ``q`` (n,) raised or lowered until its lowest sole point touches the floor."""
    soles = pose(model, q).contacts[:, 2] - model.contact_radius
    return q.at[model.layout.coordinate_index["pelvis_ty"]].add(-jnp.min(soles))
