"""Subject scaling: a few segment lengths, symmetric and differentiable.

The rule for lengths is OpenSim's Scale Tool's, as in ``compile.scale_spec``: what lies in a body's
frame scales with that body's factors, what places its child scales with it too.
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


def scaled(model: Model, factors: jax.Array) -> Model:
    """Return the model with bones of other lengths; ``factors`` (nbody, 3) in body frames.

    The rule for places of ``compile.scale_spec``; masses and inertias stay.
    """
    m, layout = model.mjx, model.layout
    above = factors[m.body_parentid]
    rotate = jax.vmap(_rotate)
    before = rotate(m.body_quat, model.joint_place)
    after = rotate(m.body_quat, model.joint_place * factors)
    growth = model.growth
    if layout.dependent:
        tied = np.array(layout.dependent)
        along = jnp.sum(model.tied_axis**2 * above[m.jnt_bodyid[tied]], axis=1)
        hinge = jnp.all(model.tied_axis == 0.0, axis=1)
        growth = growth.at[tied].multiply(jnp.where(hinge, 1.0, along))
    return model.replace(
        mjx=m.replace(
            body_pos=above * (m.body_pos + before) - after,
            body_ipos=m.body_ipos * factors,
            jnt_pos=m.jnt_pos * factors[m.jnt_bodyid],
            site_pos=m.site_pos * factors[m.site_bodyid],
        ),
        growth=growth,
        joint_place=model.joint_place * factors,
        contact_position=model.contact_position * factors[np.array(layout.contact_bodies, int)],
    )


def _rotate(quaternion: jax.Array, vector: jax.Array) -> jax.Array:
    w, u = quaternion[0], quaternion[1:]
    return vector + 2.0 * jnp.cross(u, jnp.cross(u, vector) + w * vector)
