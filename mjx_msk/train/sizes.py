"""A person's size on the default model, from the joint centres of the person's own model."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import least_squares

from mjx_msk.fit.scaling import (
    GENERIC_HEIGHT_M,
    SEGMENTS,
    VERTEX_SITE,
    segment_matrix,
    segment_spread,
    stretched,
)
from mjx_msk.model import Model
from mjx_msk.physics.kinematics import pose
from mjx_msk.physics.scaling import stretch

#: Joint centres whose distances at zero say how long a person's segments are.
DISTANCES = (
    ("femur_r", "femur_l"),
    *((f"{a}_{side}", f"{b}_{side}") for side in "rl"
      for a, b in (("femur", "tibia"), ("tibia", "talus"), ("talus", "toes"), ("calcn", "toes"),
                   ("humerus", "ulna"), ("ulna", "hand"))),
    ("pelvis", "torso"),
    ("humerus_r", "humerus_l"),
    ("hips", "shoulders"),
)  # fmt: skip
_MIDDLES = {"hips": ("femur_r", "femur_l"), "shoulders": ("humerus_r", "humerus_l")}
#: Standard deviation of a distance: models place their joints differently, m.
_SPREAD_M = 0.005
#: Standard deviation of the stature that the segments add up to, m (as in ``fit.video``).
STATURE_SPREAD_M = 0.015
#: Adults' stature before anything is known, and a stature that was measured: standard deviation of
#: its logarithm.
_UNKNOWN, _MEASURED = 0.06, 1e-3


class Size(NamedTuple):
    """How the default model is stretched to a person."""

    base: float
    log_segments: np.ndarray  #: (k,)
    height_m: float
    error_m: float  #: root mean square of the distances left over


def distances(place: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return ``DISTANCES`` (m) between bodies' origins ``place``; NaN where an end is unknown."""
    known = dict(place)
    for name, (a, b) in _MIDDLES.items():
        if a in place and b in place:
            known[name] = 0.5 * (place[a] + place[b])
    return np.array([
        np.linalg.norm(known[a] - known[b]) if a in known and b in known else np.nan
        for a, b in DISTANCES
    ])  # fmt: skip


class Sizer:
    """Finds the size of one person after another on one generic model."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._matrix = jnp.asarray(segment_matrix(model.layout.body_names), jnp.float32)

    def stature(self, base: float, log_segments: np.ndarray) -> float:
        """Return the standing height of the stretched model, m."""
        return float(self._measured(np.concatenate([[np.log(base)], log_segments]))[-1])

    def distances(self, base: float, log_segments: np.ndarray) -> np.ndarray:
        """Return ``DISTANCES`` (d,) m of the stretched model."""
        return self._measured(np.concatenate([[np.log(base)], log_segments]))[:-1]

    def fit(self, wanted: np.ndarray, height_m: float | None) -> Size:
        """Return the size at which joint centres are as far apart as ``wanted`` (d,) m says.

        Lengths pull with 5 mm, habits as in ``fit.scaling``. The base is stature over the generic
        one's, as in the fit of a video; unknown stature is what the segments add up to.
        """
        known = np.isfinite(wanted)
        spread = np.concatenate([[_UNKNOWN], segment_spread()])
        start = np.zeros(1 + len(SEGMENTS))
        if height_m is not None:
            spread[0] = _MEASURED
            start[0] = np.log(height_m / GENERIC_HEIGHT_M)

        def residuals(x: np.ndarray) -> np.ndarray:
            found = self._measured(x)
            stature = found[-1] - GENERIC_HEIGHT_M * np.exp(x[0])
            lengths = (found[:-1] - wanted)[known] / _SPREAD_M
            return np.concatenate([lengths, (x - start) / spread, [stature / STATURE_SPREAD_M]])

        def slopes(x: np.ndarray) -> np.ndarray:
            found = np.asarray(_slopes(self._model, self._matrix, jnp.asarray(x)), float)
            stature = found[-1]
            stature[0] -= GENERIC_HEIGHT_M * np.exp(x[0])
            return np.vstack([
                found[:-1][known] / _SPREAD_M, np.diag(1 / spread), stature / STATURE_SPREAD_M
            ])  # fmt: skip

        x = least_squares(residuals, start, jac=slopes).x
        error = (self._measured(x)[:-1] - wanted)[known]
        base = float(np.exp(x[0]))
        return Size(base, x[1:], base * GENERIC_HEIGHT_M, float(np.sqrt(np.mean(error**2))))

    def with_stature(self, log_segments: np.ndarray, stature_m: float) -> np.ndarray:
        """Return log factors (k,) changed as little as habit allows, so that at base 1 they add up.

        One step of Newton's: stature is nearly linear in them.
        """
        x = np.concatenate([[0.0], log_segments])
        slope = np.asarray(_slopes(self._model, self._matrix, jnp.asarray(x)), float)[-1, 1:]
        pull = segment_spread() ** 2 * slope
        return log_segments + pull * (stature_m - self._measured(x)[-1]) / (slope @ pull)

    def _measured(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(_lengths(self._model, self._matrix, jnp.asarray(x)), float)


def _measure(model: Model, matrix: jax.Array, logs: jax.Array) -> jax.Array:
    """Return ``DISTANCES`` (d,) and, last, stature, m, for log factors (1 + k,)."""
    person = stretch(model, stretched(matrix, logs[0], logs[1:]))
    p = pose(person, jnp.zeros(model.n))
    index = model.layout.body_names.index
    place = {name: p.body_position[index(name)] for pair in DISTANCES for name in pair
             if name not in _MIDDLES}  # fmt: skip
    place |= {name: 0.5 * (place[a] + place[b]) for name, (a, b) in _MIDDLES.items()}
    lengths = [jnp.linalg.norm(place[a] - place[b]) for a, b in DISTANCES]
    vertex = p.sites[model.layout.site_index[VERTEX_SITE], 2]
    sole = jnp.min(p.contacts[:, 2] - person.contact_radius)
    return jnp.stack([*lengths, vertex - sole])


_lengths = jax.jit(_measure)
_slopes = jax.jit(jax.jacfwd(_measure, argnums=2))
