"""Subject scaling: a few segment lengths, symmetric and differentiable.

The factors are those of ``compile.scale_spec`` and ``physics.stretch``.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.model import Model

#: Segment -> bodies (names without side) and axes that one factor stretches, and the standard
#: deviation of its logarithm among adults once stature is known (our choice; breadths
#: differ more than lengths).
SEGMENTS: dict[str, tuple[tuple[str, ...], str, float]] = {
    "pelvis_width": (("pelvis",), "z", 0.08),
    "thigh": (("femur", "patella"), "y", 0.05),
    "shank": (("tibia",), "y", 0.05),
    "foot": (("talus", "calcn", "toes"), "xyz", 0.05),
    "trunk": (("torso",), "y", 0.04),
    "shoulder_width": (("torso",), "z", 0.06),
    "upper_arm": (("humerus",), "y", 0.05),
    "forearm": (("ulna", "radius"), "y", 0.05),
}
#: Stature of the generic Rajagopal model, m (Rajagopal et al. 2016, IEEE TBME 63:2068).
GENERIC_HEIGHT_M = 1.70
#: Site at the top of the head.
VERTEX_SITE = "landmark/vertex"


def segment_spread() -> np.ndarray:
    """Return the prior standard deviation of each segment's log factor, (k,)."""
    return np.array([spread for _, _, spread in SEGMENTS.values()])


def segment_matrix(body_names: Sequence[str]) -> np.ndarray:
    """Return the 0/1 map (nbody, 3, k) from segments to the axes of bodies that they stretch."""
    matrix = np.zeros((len(body_names), 3, len(SEGMENTS)))
    for k, (bodies, axes, _) in enumerate(SEGMENTS.values()):
        for b, name in enumerate(body_names):
            if name.removesuffix("_r").removesuffix("_l") in bodies:
                for axis in axes:
                    matrix[b, "xyz".index(axis), k] = 1.0
    return matrix


def stretched(matrix: jax.Array, log_base: jax.Array, log_segments: jax.Array) -> jax.Array:
    """Return scale factors (nbody, 3), differentiable; ``matrix`` is ``segment_matrix``'s."""
    return jnp.exp(log_base + matrix @ log_segments).at[0].set(1.0)


def body_factors(
    model: Model, base: float, log_segments: np.ndarray
) -> tuple[jax.Array, jax.Array]:
    """Return scale factors (nbody, 3) and their slopes by the log segments (k, nbody, 3).

    ``base`` stretches everything, ``log_segments`` (k,) the segments beside it; the world keeps 1.
    """
    matrix = segment_matrix(model.layout.body_names)
    factors = base * np.exp(matrix @ log_segments)
    slopes = np.moveaxis(factors[..., None] * matrix, -1, 0)
    factors[0] = 1.0
    return jnp.asarray(factors, jnp.float32), jnp.asarray(slopes, jnp.float32)
