"""Force curves of muscles, from the parameters that a compiled model keeps of its source.

Curves are normalised: force in F0, length in optimal fiber lengths (the tendon's in slack lengths),
velocity in the largest shortening velocity. All kinds become values and slopes on even grids.

- Millard et al. 2013 (J Biomech Eng 135:021005), sec. 3.1: each curve is a series of quintic Bezier
  curves; ``_corner`` has their control points, which OpenSim's documentation of
  ``SmoothSegmentedFunctionFactory`` defines.
- De Groote et al. 2016 (Ann Biomed Eng 44:2922), eqs. S1 to S5, with the parameters of OpenSim.
- Thelen 2003 (J Biomech Eng 125:70), eqs. 1 to 7 and the linear tails of OpenSim's force-velocity.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

LENGTHS = np.linspace(0.0, 2.5, 501)
SPEEDS = np.linspace(-1.5, 1.5, 601)
TENDON = np.linspace(0.98, 1.15, 341)

Table = np.ndarray  #: (points, 2) value and slope


class Curves(NamedTuple):
    """The curves of a muscle on the grids above, and what else shapes its force."""

    active: Table
    passive: Table
    velocity: Table
    tendon: Table
    damping: float  #: F0 per largest velocity
    slowing: float  #: share of the largest velocity that inactive fibers lack (Thelen 2003, eq. 6)
    known: bool  #: False: another class's curves stand in


def curves_of(kind: str, parameters: dict[str, float]) -> Curves:
    """Return the curves of an OpenSim class of muscle, Millard's default ones if it is not known.

    ``parameters`` are those that differ from the class's defaults, by the names of OpenSim's
    properties (``ActiveForceLengthCurve/minimum_value``).
    """
    makers: dict[str, Callable[[dict[str, float]], Curves]] = {
        "Millard2012EquilibriumMuscle": _millard,
        "Millard2012AccelerationMuscle": _millard,
        "DeGrooteFregly2016Muscle": _degroote,
        "Thelen2003Muscle": _thelen,
    }
    if kind in makers:
        return makers[kind](parameters)
    return _millard({})._replace(known=False)


def _millard(p: dict[str, float]) -> Curves:
    def get(name: str, default: float) -> float:
        return p.get(name, default)

    fiber_strain = get("FiberForceLengthCurve/strain_at_one_norm_force", 0.7)
    fiber_start = get("FiberForceLengthCurve/strain_at_zero_force", 0.0)
    tendon_strain = get("TendonForceLengthCurve/strain_at_one_norm_force", 0.049)
    return Curves(
        active=_active(
            get("ActiveForceLengthCurve/min_norm_active_fiber_length", 0.4441),
            get("ActiveForceLengthCurve/transition_norm_fiber_length", 0.73),
            get("ActiveForceLengthCurve/max_norm_active_fiber_length", 1.8123),
            get("ActiveForceLengthCurve/minimum_value", 0.0),
            get("ActiveForceLengthCurve/shallow_ascending_slope", 0.8616),
        ),
        passive=_passive(
            fiber_start,
            fiber_strain,
            get("FiberForceLengthCurve/stiffness_at_low_force", 0.2),
            get(
                "FiberForceLengthCurve/stiffness_at_one_norm_force",
                2.0 / (fiber_strain - fiber_start),
            ),
            get("FiberForceLengthCurve/curviness", 0.75),
        ),
        velocity=_velocity(
            tuple(get(f"ForceVelocityCurve/{name}", default) for name, default in _VELOCITY)
        ),
        tendon=_tendon(
            tendon_strain,
            get("TendonForceLengthCurve/stiffness_at_one_norm_force", 1.375 / tendon_strain),
            get("TendonForceLengthCurve/norm_force_at_toe_end", 2.0 / 3.0),
            get("TendonForceLengthCurve/curviness", 0.5),
        ),
        damping=get("fiber_damping", 0.1),
        slowing=0.0,
        known=True,
    )


_VELOCITY = (
    ("max_eccentric_velocity_force_multiplier", 1.4),
    ("concentric_slope_at_vmax", 0.0),
    ("concentric_slope_near_vmax", 0.25),
    ("isometric_slope", 5.0),
    ("eccentric_slope_at_vmax", 0.0),
    ("eccentric_slope_near_vmax", 0.15),
    ("concentric_curviness", 0.6),
    ("eccentric_curviness", 0.9),
)

_Knot = tuple[float, float, float]  #: x, y, slope


def _corner(start: _Knot, end: _Knot, curviness: float) -> np.ndarray:
    """Return six control points (6, 2): a curve that follows the corner of two tangents."""
    (x0, y0, s0), (x1, y1, s1) = start, end
    parallel = abs(s0 - s1) < 1.5e-8
    x = (x0 + x1) / 2 if parallel else (y1 - y0 - x1 * s1 + x0 * s0) / (s0 - s1)
    corner = np.array([x, (x - x1) * s1 + y1])
    ends = np.array([[x0, y0], [x1, y1]])
    first, last = ends + curviness * (corner - ends)
    return np.array([ends[0], first, first, last, last, ends[1]])


def _bezier(knots: Sequence[_Knot], curviness: Sequence[float], grid: np.ndarray) -> Table:
    """Return values and slopes on a grid; straight on beyond the first and last knot."""
    value = knots[0][1] + knots[0][2] * (grid - knots[0][0])
    slope = np.full(len(grid), knots[0][2])
    beyond = grid >= knots[-1][0]
    value[beyond] = knots[-1][1] + knots[-1][2] * (grid[beyond] - knots[-1][0])
    slope[beyond] = knots[-1][2]
    binomial = np.array([1, 5, 10, 10, 5, 1])
    for start, end, bend in zip(knots[:-1], knots[1:], curviness, strict=True):
        points = _corner(start, end, 0.1 + 0.8 * bend)
        inside = (grid >= start[0]) & (grid < end[0])
        low, high = np.zeros(inside.sum()), np.ones(inside.sum())

        def at(u: np.ndarray, of: np.ndarray, n: int = 5, b: np.ndarray = binomial) -> np.ndarray:
            k = np.arange(n + 1)
            return (b * u[:, None] ** k * (1 - u[:, None]) ** (n - k)) @ of

        for _ in range(54):  # x grows with u: halving finds it to the last digit
            middle = (low + high) / 2
            left = at(middle, points[:, 0]) < grid[inside]
            low, high = np.where(left, middle, low), np.where(left, high, middle)
        u = (low + high) / 2
        rates = 5 * np.diff(points, axis=0)
        dx, dy = at(u, rates, 4, np.array([1, 4, 6, 4, 1])).T
        value[inside] = at(u, points[:, 1])
        slope[inside] = dy / dx
    return np.stack([value, slope], axis=1)


@lru_cache
def _active(low: float, transition: float, high: float, least: float, shallow: float) -> Table:
    width = 0.05  # half the plateau
    y1 = 1.0 - shallow * (1.0 - width - transition)
    steep = 1.25 * y1 / (transition - low)
    descent = -1.0 / ((high - width) - (1.0 + width))
    knots = [
        (low, least, 0.0),
        ((low + transition) / 2, y1 / 2, steep),
        ((transition + 1.0 - width) / 2, (y1 + 1.0) / 2, shallow),
        (1.0, 1.0, 0.0),
        ((1.0 + width + high) / 2, 0.5, descent),
        (high, least, 0.0),
    ]
    return _bezier(knots, [1.0] * 5, LENGTHS)


@lru_cache
def _passive(start: float, strain: float, low: float, stiffness: float, bend: float) -> Table:
    toe = min(0.1 / stiffness, 0.1 * (strain - start))
    knots = [
        (1.0 + start, 0.0, 0.0),
        (1.0 + start + toe, low * toe / 2, low),
        (1.0 + strain, 1.0, stiffness),
    ]
    return _bezier(knots, [bend] * 2, LENGTHS)


@lru_cache
def _velocity(p: tuple[float, ...]) -> Table:
    largest, end, near, isometric, far_end, far_near, bend, far_bend = p
    knots = [
        (-1.0, 0.0, end),
        (-0.9, 0.05 * (near + end), near),
        (0.0, 1.0, isometric),
        (0.9, largest - 0.05 * (far_near + far_end), far_near),
        (1.0, largest, far_end),
    ]
    return _bezier(knots, [bend, bend, far_bend, far_bend], SPEEDS)


@lru_cache
def _tendon(strain: float, stiffness: float, toe: float, bend: float) -> Table:
    end = (toe - 1.0) / stiffness + 1.0 + strain
    foot = 1.0 + (end - 1.0) / 10.0
    middle = (toe / 2 - 1.0) / stiffness + 1.0 + strain
    slope = (toe / 2) / (middle - foot)
    knots = [
        (1.0, 0.0, 0.0),
        ((foot + middle) / 2, slope * (middle - foot) / 2, slope),
        (end, toe, stiffness),
    ]
    return _bezier(knots, [bend] * 2, TENDON)


def _degroote(p: dict[str, float]) -> Curves:
    scale = p.get("active_force_width_scale", 1.0)
    x = (LENGTHS - 1.0) / scale + 1.0
    active = np.zeros_like(x)
    active_slope = np.zeros_like(x)
    for height, center, a, b in (
        (0.8150671134243542, 1.055033428970575, 0.162384573599574, 0.063303448465465),
        (0.433004984392647, 0.716775413397760, -0.029947116970696, 0.200356847296188),
        (0.1, 1.0, 0.353553390593274, 0.0),
    ):
        width = a + b * x
        u = (x - center) / width
        part = height * np.exp(-0.5 * u**2)
        active += part
        active_slope -= part * u * (width - b * (x - center)) / width**2 / scale
    strain, shape, shortest = p.get("passive_fiber_strain_at_one_norm_force", 0.6), 4.0, 0.2
    least = np.exp(shape * (shortest - 1.0) / strain)
    rise = np.exp(shape * (LENGTHS - 1.0) / strain)
    passive = np.stack([rise - least, shape / strain * rise], axis=1) / (np.exp(shape) - least)
    if p.get("ignore_passive_fiber_force", 0.0):
        passive = np.zeros_like(passive)
    d1, d2, d3, d4 = -0.3211346127989808, -8.149, -0.374, 0.8825327733249912
    u = d2 * SPEEDS + d3
    velocity = np.stack([d1 * np.arcsinh(u) + d4, d1 * d2 / np.sqrt(u**2 + 1)], axis=1)
    c1, c2, c3 = 0.200, 1.0, 0.200
    stiff = np.log((1 + c3) / c1) / (1 + p.get("tendon_strain_at_one_norm_force", 0.049) - c2)
    pull = c1 * np.exp(stiff * (TENDON - c2))
    return Curves(
        active=np.stack([active, active_slope], axis=1),
        passive=passive,
        velocity=velocity,
        tendon=np.stack([pull - c3, stiff * pull], axis=1),
        damping=p.get("fiber_damping", 0.0),
        slowing=0.0,
        known=True,
    )


def _thelen(p: dict[str, float]) -> Curves:
    shape = p.get("KshapeActive", 0.45)
    active = np.exp(-((LENGTHS - 1) ** 2) / shape)
    bend, strain = p.get("KshapePassive", 5.0), p.get("FmaxMuscleStrain", 0.6)
    stretch = np.maximum(0.0, (LENGTHS - 1) / strain)
    passive = np.stack([np.expm1(bend * stretch), bend / strain * np.exp(bend * stretch)], axis=1)
    passive[LENGTHS < 1, 1] = 0.0
    af, flen = p.get("Af", 0.25), p.get("Flen", 1.4)
    steep = (2 + 2 / af) / (flen - 1)
    last = p.get("fv_linear_extrap_threshold", 0.95) * flen
    v_last = (last - 1) / (steep * (flen - last))
    tail = steep * (flen - last) ** 2 / (flen - 1)
    v, u = np.clip(SPEEDS, 0, None), np.clip(SPEEDS, -1, 0)
    slowest = af / (1 + af)  # slope at the largest velocity; OpenSim goes straight on there
    curved, lengthening = v <= v_last, SPEEDS > 0
    value = np.where(
        lengthening,
        np.where(curved, (1 + steep * flen * v) / (1 + steep * v), last + tail * (v - v_last)),
        (1 + u) / (1 - u / af) + slowest * np.minimum(0, SPEEDS + 1),
    )
    slope = np.where(
        lengthening,
        np.where(curved, steep * (flen - 1) / (1 + steep * v) ** 2, tail),
        (1 + 1 / af) / (1 - u / af) ** 2,
    )
    e0 = p.get("FmaxTendonStrain", 0.04)
    toe, k = 0.33, 3.0
    e_toe = 0.99 * e0 * np.exp(k) / (1.66 * np.exp(k) - 0.67)
    linear = 0.67 / (e0 - e_toe)
    e = TENDON - 1.0
    rise = toe / np.expm1(k)
    bent = np.clip(e / e_toe, 0.0, 1.0)
    tendon = np.where(e > e_toe, linear * (e - e_toe) + toe, rise * np.expm1(k * bent))
    tendon_slope = np.where(e > e_toe, linear, rise * k / e_toe * np.exp(k * bent))
    return Curves(
        active=np.stack([active, -2 * (LENGTHS - 1) / shape * active], axis=1),
        passive=passive / np.expm1(bend),
        velocity=np.stack([value, slope], axis=1),
        tendon=np.stack([tendon, np.where(e < 0, 0.0, tendon_slope)], axis=1),
        damping=0.0,
        slowing=0.75,
        known=True,
    )
