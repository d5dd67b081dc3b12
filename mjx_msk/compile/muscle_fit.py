"""Fit MuJoCo's muscle to a source muscle's force curves.

MuJoCo (documentation, "Muscle actuators") computes tension = a F f(L) g(V) + p(L) from one length
and one velocity along the tendon. Its shapes are piecewise quadratic:

- f: a hump from 0 over 1 to 0, each half made of two parabolas that meet at half its width;
- g: (1 + V)^2 when shortening, 0 beyond V = -1; when lengthening it rises, with the same slope
  at 0, to the plateau e, reached at V = e - 1;
- p: 0 up to its onset, a parabola over one width, then straight on.

Lengths here are in optimal fiber lengths along the tendon, forces in F0.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares

from mjx_msk.compile.curves import passive_tension, tension
from mjx_msk.compile.source import ForceCurves, Muscle

SPEED_POINTS = 16  #: of each sign, evenly spread up to the largest velocity
LENGTH_POINTS = 40  #: quantiles of the lengths that the path has
OUTSIDE = np.linspace(0.45, 1.65, 25)  #: fiber lengths that keep the fit sane elsewhere
OUTSIDE_SHARE = 0.1  #: their part of all weight


class Hump(NamedTuple):
    """Active force over length: its height, where it peaks, its widths below and above."""

    force: float
    peak: float
    below: float
    above: float


class Slope(NamedTuple):
    """Passive force over length: onset, width of the parabola, force scale A in A x^2 / 2."""

    onset: float
    width: float
    force: float


class Velocity(NamedTuple):
    """Force over velocity: where shortening force ends, in largest velocities, and the plateau."""

    end: float
    plateau: float


class MuscleShape(NamedTuple):
    """MuJoCo's muscle, fitted."""

    active: Hump
    velocity: Velocity
    passive: Slope


def fit_muscle(muscle: Muscle) -> MuscleShape:
    """Return the shapes of MuJoCo's muscle that come closest to a source muscle's.

    Least squares of tension at full activation, one third of the weight each on isometric,
    shortening and lengthening states; velocities are uniform up to the largest one, lengths are
    those that the path has in the sampled poses, held where fibers are longer than 0.4 optimal
    lengths and pull passively with less than F0. A share of 10 % goes to fiber lengths of 0.45 to
    1.65, so that the shapes stay sane where the path never was. The passive curve is fitted by
    itself, so that it holds at every activation.
    """
    along, weight = _lengths(muscle)
    velocity = _fit_velocity(muscle.curves)
    passive = _fit_passive(muscle, along, weight)
    active = _fit_active(muscle, velocity, passive, along, weight)
    return MuscleShape(active, velocity, passive)


def hump(x: np.ndarray, below: float, above: float) -> np.ndarray:
    """Return MuJoCo's active force-length curve; ``x`` is the length beyond the peak."""
    u = np.where(x.real < 0, -x / below, x / above)
    inner, outer = 1 - 2 * u**2, 2 * (1 - u) ** 2
    return np.where(u.real < 0.5, inner, np.where(u.real < 1, outer, 0.0))


def slope(x: np.ndarray) -> np.ndarray:
    """Return MuJoCo's passive force-length curve; ``x`` is counted in widths from the onset."""
    return np.where(x.real <= 0, 0.0, np.where(x.real < 1, x**2 / 2, x - 0.5))


def force_velocity(v: np.ndarray, end: float, plateau: float) -> np.ndarray:
    """Return MuJoCo's force-velocity curve; ``v`` is in largest velocities."""
    u, y = v / end, plateau - 1
    lengthening = np.where(u.real <= y.real, plateau - (y - u) ** 2 / y, plateau)
    return np.where(u.real <= -1, 0.0, np.where(u.real <= 0, (u + 1) ** 2, lengthening))


def _lengths(muscle: Muscle) -> tuple[np.ndarray, np.ndarray]:
    """Return lengths along the tendon (m) to fit at, and their weights, which add up to 1."""
    seen = np.quantile(muscle.lengths, (np.arange(LENGTH_POINTS) + 0.5) / LENGTH_POINTS)
    width = np.sin(muscle.pennation)
    last = reached(muscle.curves, 1.0)
    shortest, longest = (
        muscle.fiber_length * np.sqrt(max(0.01, fiber**2 - width**2)) for fiber in (0.4, last)
    )
    seen = np.clip(seen - muscle.tendon_length, shortest, longest)
    outside = np.sqrt(np.clip(OUTSIDE**2 - width**2, 0.01, None)) * muscle.fiber_length
    outside = np.minimum(outside, longest)
    shares = ((1 - OUTSIDE_SHARE) / LENGTH_POINTS, OUTSIDE_SHARE / len(OUTSIDE))
    return np.concatenate([seen, outside]), np.repeat(shares, (LENGTH_POINTS, len(OUTSIDE)))


def reached(curves: ForceCurves, force: float) -> float:
    """Return the normalised fiber length at which passive force reaches ``force`` (in F0)."""
    curve = np.maximum.accumulate(curves.passive)
    if curve[-1] <= force:
        return float(curves.lengths[-1])
    after = int(np.searchsorted(curve, force))
    return float(
        np.interp(force, curve[after - 1 : after + 1], curves.lengths[after - 1 : after + 1])
    )


def _speeds() -> tuple[np.ndarray, np.ndarray]:
    """Return velocities in largest velocities, and their weights: a third at 0, below, above."""
    positive = (np.arange(SPEED_POINTS) + 0.5) / SPEED_POINTS
    speeds = np.concatenate([-positive[::-1], [0.0], positive])
    return speeds, np.where(speeds == 0, 1.0, 1.0 / SPEED_POINTS) / 3


def _fit_velocity(curves: ForceCurves) -> Velocity:
    """Fit the force-velocity curve at optimal fiber length, where force counts most."""
    speeds, _ = _speeds()
    peak = curves.active.max()
    force = peak * np.interp(speeds, curves.speeds, curves.velocity) + curves.damping * speeds
    return _velocity_through(tuple(np.maximum(0.0, force / peak).tolist()))


@lru_cache(maxsize=64)
def _velocity_through(forces: tuple[float, ...]) -> Velocity:
    speeds, weight = _speeds()
    target = np.array(forces)

    def shape(p: np.ndarray) -> np.ndarray:
        return force_velocity(speeds, np.exp(p[0]), 1.02 + np.exp(p[1]))

    p, _ = _least_squares(shape, target, weight, np.log([0.7, 0.4]))
    return Velocity(float(np.exp(p[0])), float(1.02 + np.exp(p[1])))


def _fit_passive(muscle: Muscle, along: np.ndarray, weight: np.ndarray) -> Slope:
    """Fit onset and scale; the parabola ends where the source's curve reaches F0.

    There, or nearby, the source's curves become straight lines as well.
    """
    target = passive_tension(muscle.curves, muscle, along)
    x = along / muscle.fiber_length
    end = np.sqrt(reached(muscle.curves, 1.0) ** 2 - np.sin(muscle.pennation) ** 2)

    def shape(p: np.ndarray) -> np.ndarray:
        width = np.exp(p[0])
        return slope((x - end) / width + 1)

    p, force = _least_squares(shape, target, weight, np.log([0.6]))
    width = float(np.exp(p[0]))
    return Slope(float(end - width), width, force)


def _fit_active(
    muscle: Muscle, velocity: Velocity, passive: Slope, along: np.ndarray, weight: np.ndarray
) -> Hump:
    """Fit the active curve to what full activation adds; its best height has a closed form."""
    speeds, share = _speeds()
    metres = speeds * muscle.fiber_length * muscle.max_velocity / np.cos(muscle.pennation)
    total = tension(muscle.curves, muscle, along[:, None], metres)
    x = along / muscle.fiber_length
    rest = passive.force * slope((x - passive.onset) / passive.width)
    curve = force_velocity(speeds, *velocity)
    # For a given g(V), least squares over velocities leaves one target per length.
    target = (total - rest[:, None]) @ (share * curve) / (share @ curve**2)

    def shape(p: np.ndarray) -> np.ndarray:
        return hump(x - p[0], np.exp(p[1]), np.exp(p[2]))

    p, force = _least_squares(shape, target, weight, np.array([1.0, np.log(0.8), np.log(0.8)]))
    return Hump(force, float(p[0]), float(np.exp(p[1])), float(np.exp(p[2])))


def _least_squares(
    shape: Callable[[np.ndarray], np.ndarray],
    target: np.ndarray,
    weight: np.ndarray,
    start: np.ndarray,
) -> tuple[np.ndarray, float]:
    """Return the parameters and the factor with which ``shape`` comes closest to ``target``."""

    def factor(y: np.ndarray) -> np.ndarray:
        return (weight * y) @ target / ((weight * y) @ y)

    def residual(p: np.ndarray) -> np.ndarray:
        y = shape(p)
        return np.sqrt(weight) * (factor(y) * y - target)

    # Complex steps and the tightest tolerances: every machine must find the same digits.
    fit = least_squares(residual, start, method="lm", jac="cs", ftol=1e-15, xtol=1e-15, gtol=1e-15)
    best = np.round(fit.x, 3)  # finer than a fit is good for, and far coarser than its noise
    return best, float(factor(shape(best)))
