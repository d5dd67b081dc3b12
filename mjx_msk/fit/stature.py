"""The standing height of a body as its segments grow."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.fit.scaling import VERTEX_SITE, body_factors
from mjx_msk.model import Model
from mjx_msk.physics.kinematics import pose
from mjx_msk.physics.scaling import stretch


@jax.jit
def _heights_by_factors(model: Model) -> jax.Array:
    """Return the slopes (nbody, 3, 1 + c) of the heights of vertex and sole spheres, standing."""

    def heights(factors: jax.Array) -> jax.Array:
        standing = pose(stretch(model, factors), jnp.zeros(model.n))
        vertex = standing.sites[model.layout.site_index[VERTEX_SITE], 2]
        return jnp.append(vertex, standing.contacts[:, 2]) - standing.body_position[1, 2]

    axes = jnp.eye(3 * len(model.layout.body_names)).reshape(-1, len(model.layout.body_names), 3)
    return jax.vmap(heights)(axes).reshape(len(model.layout.body_names), 3, -1)


class Stature(NamedTuple):
    """Heights over the pelvis, which are linear in the factors of the bodies (``stretch``)."""

    vertex: np.ndarray  #: (nbody, 3) m, the top of the head
    soles: np.ndarray  #: (c, nbody, 3) m, centres of the contact spheres

    @classmethod
    def of(cls, model: Model) -> "Stature":
        """Return that of a model as it is."""
        slopes = np.asarray(_heights_by_factors(model), float)
        return cls(slopes[..., 0], np.moveaxis(slopes[..., 1:], -1, 0))

    def at(self, model: Model, base: float, log_segments: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the standing height of the scaled model, m, and its slope by the segments (k,)."""
        factors, slopes = (np.asarray(x, float) for x in body_factors(model, base, log_segments))
        lowest = int(np.argmin(np.sum(self.soles * factors, axis=(1, 2))))
        along = self.vertex - self.soles[lowest]
        height = np.sum(along * factors) + float(model.contact_radius[lowest])
        return float(height), np.sum(along * slopes, axis=(1, 2))
