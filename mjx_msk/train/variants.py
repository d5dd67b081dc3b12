"""The same motion on other bodies: joint angles stay, places follow the legs, forces are new.

Lengths scale with the leg and times with its square root, so that the motions are dynamically
similar: walking keeps its Froude number and free fall stays free fall (Alexander 1989, Physiol Rev
69:1199).
"""

from typing import NamedTuple

import numpy as np

from mjx_msk.data.clip import RATE_HZ
from mjx_msk.fit.derivatives import lowpass, motion_spline
from mjx_msk.fit.points import places
from mjx_msk.fit.root import root_pose, with_root_pose
from mjx_msk.fit.scaling import GENERIC_HEIGHT_M, segment_spread
from mjx_msk.fit.soles import sole_touch
from mjx_msk.model import Model
from mjx_msk.train.loads import Moving
from mjx_msk.train.sizes import STATURE_SPREAD_M, Size, Sizer

#: How much of what is special about a person a variant keeps; the rest is drawn anew, so that
#: variants of anybody spread like adults.
_KEPT = 0.5
#: Adults: standard deviation of the logarithm of stature; body mass index (kg/m^2), its median and
#: that of its logarithm.
_STATURE_LOG_SPREAD = 0.055
_BMI, _BMI_LOG_SPREAD = 24.0, 0.15
_STATURES_M, _BMIS = (1.45, 2.02), (17.0, 38.0)
#: Cutoff of what is added to a motion so that feet stay where they stood, Hz.
_CORRECTION_HZ = 6.0


class Body(NamedTuple):
    """A body drawn for a variant."""

    size: Size
    mass_kg: float


def draw(sizer: Sizer, size: Size, mass_kg: float, rng: np.random.Generator) -> Body:
    """Return another adult's body, about the person's."""

    def about(value: np.ndarray | float, spread: np.ndarray | float) -> np.ndarray:
        new = rng.standard_normal(np.shape(value)) * spread
        return _KEPT * np.asarray(value) + np.sqrt(1 - _KEPT**2) * new

    base = float(np.exp(about(np.log(size.base), _STATURE_LOG_SPREAD)))
    height = float(np.clip(base * GENERIC_HEIGHT_M, *_STATURES_M))
    log_segments = sizer.with_stature(
        about(size.log_segments, segment_spread()),
        GENERIC_HEIGHT_M + STATURE_SPREAD_M * rng.standard_normal(),
    )
    bmi = _BMI * np.exp(about(np.log(mass_kg / size.height_m**2 / _BMI), _BMI_LOG_SPREAD))
    mass = float(np.clip(bmi, *_BMIS)) * height**2
    return Body(Size(height / GENERIC_HEIGHT_M, log_segments, height, 0.0), mass)


def transferred(before: Model, after: Model, q: np.ndarray) -> Moving:
    """Return a motion (T, n) of the body ``before`` on the body ``after``.

    Joint angles stay. Each frame's lowest sole is as high as before, feet that stood stand.
    """
    ratio = leg_length(after) / leg_length(before)
    old, new = places(before, q).soles, places(after, q).soles
    touch, _ = sole_touch(before, q, 1.0 / RATE_HZ, 0.0)
    rotation, position = root_pose(before, q)
    scaled = position[:1] * [1.0, 1.0, 0.0] + ratio * (position - position[:1] * [1.0, 1.0, 0.0])
    correction = np.zeros_like(position)
    correction[:, 2] = (
        ratio * _lowest(before, old) - _lowest(after, new) - (scaled - position)[:, 2]
    )
    # where feet stand they move `ratio` times as far as before, whatever the leg's proportions
    wanted = ratio * np.diff(old[..., :2], axis=0) - np.diff(new[..., :2], axis=0)
    wanted -= np.diff(scaled - position, axis=0)[:, None, :2]
    weight = np.minimum(touch[1:], touch[:-1])[..., None]
    slip = np.sum(weight * wanted, axis=1) / np.maximum(weight.sum(axis=1), 1.0)
    correction[1:, :2] = np.cumsum(slip, axis=0)
    scaled = scaled + lowpass(correction, RATE_HZ, _CORRECTION_HZ)
    moved = with_root_pose(after, q, rotation, scaled)
    time = np.arange(len(q)) / RATE_HZ * np.sqrt(ratio)
    spline = motion_spline(time, moved, RATE_HZ)
    even = np.arange(int(time[-1] * RATE_HZ + 1e-6) + 1) / RATE_HZ
    return Moving(spline(even), spline.derivative(1)(even), spline.derivative(2)(even))


def leg_length(model: Model) -> float:
    """Return how high the hips of a standing model are over its soles, m."""
    q = np.zeros((1, model.n))
    hip = model.layout.site_index["landmark/right_hip"]
    p = places(model, q)
    return float(p.sites[0, hip, 2] - _lowest(model, p.soles)[0])


def _lowest(model: Model, soles: np.ndarray) -> np.ndarray:
    """Return the height (T,) of the lowest sole."""
    return (soles[..., 2] - np.asarray(model.contact_radius)).min(axis=1)
