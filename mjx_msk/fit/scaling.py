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
#: deviation of its logarithm among adults once stature is known (spread of segment length over
#: stature in Gordon et al. 2014, ANSUR II: 3 to 5 %; breadths more).
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
#: Top of the head on the generic torso, m in its frame: stature less the torso's own height.
VERTEX_IN_TORSO = (0.0, 0.679, 0.0)


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


def body_factors(model: Model, base: jax.Array, log_segments: jax.Array) -> jax.Array:
    """Return scale factors (nbody, 3): ``base`` everywhere times the segments' own factors."""
    matrix = jnp.array(segment_matrix(model.layout.body_names))
    factors = base * jnp.exp(matrix @ log_segments)
    return factors.at[0].set(1.0)


def scaled(model: Model, factors: jax.Array) -> Model:
    """Return the model with bones of other lengths; ``factors`` (nbody, 3) in body frames.

    Positions only: masses and inertias stay (``compile.scale_spec`` does the whole).
    """
    m, layout = model.mjx, model.layout
    parent = jnp.array(m.body_parentid)
    tied = jnp.array(layout.dependent, dtype=int)
    body = jnp.array(m.jnt_bodyid)[tied]
    # A tied slide moves along an axis of its parent's frame.
    axis = jax.vmap(_rotate)(m.body_quat[body], m.jnt_axis[tied])
    stretch = jnp.linalg.norm(axis * factors[parent[body]], axis=1)
    is_slide = jnp.array([model.mjx.jnt_type[j] == 2 for j in layout.dependent], dtype=bool)
    polynomial = model.polynomial * jnp.where(is_slide, stretch, 1.0)[:, None]
    contact_body = jnp.array(layout.contact_bodies, dtype=int)
    return model.replace(
        mjx=m.replace(
            body_pos=m.body_pos * factors[parent],
            body_ipos=m.body_ipos * factors,
            jnt_pos=m.jnt_pos * factors[jnp.array(m.jnt_bodyid)],
            site_pos=m.site_pos * factors[jnp.array(m.site_bodyid)],
        ),
        polynomial=polynomial,
        contact_position=model.contact_position * factors[contact_body],
    )


def _rotate(quaternion: jax.Array, vector: jax.Array) -> jax.Array:
    w, u = quaternion[0], quaternion[1:]
    return vector + 2.0 * jnp.cross(u, jnp.cross(u, vector) + w * vector)
