"""Newton's and Euler's laws for the whole body, as residuals of a sampled motion.

The feet's forces must move the center of mass, ``m (c'' - g) = sum F``, and change the angular
momentum about it, ``dL/dt = sum (p - c) x F`` (Orin et al. 2013, eq. 1). Derivatives are central
differences of the samples, so that the residuals are sparse in time.
"""

import numpy as np

from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.points import Points, centroidal
from mjx_msk.fit.solver import Term
from mjx_msk.model import Model
from mjx_msk.physics.contact_forces import ForcePriors, Told, point_forces

#: How closely a motion obeys the laws: share of body weight, and of body weight x 1 m.
FORCE_SPREAD_BW, MOMENT_SPREAD_BW_M = 0.03, 0.02


#: Sole points' forces that are those told of the feet, whatever the motion demands.
AS_TOLD = ForcePriors(
    force_spread=1.0, moment_spread=1.0, told_force_spread=0.01, told_moment_spread=0.01
)


def _mass_and_gravity(model: Model) -> tuple[float, np.ndarray]:
    return float(np.sum(model.mjx.body_mass)), np.asarray(model.mjx.opt.gravity, float)


def _momentum_rates(
    model: Model, q: np.ndarray, center: np.ndarray, dt: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return m c'' (T-2, 3), dL/dt (T-2, 3) and the angular matrices (T-1, 3, n) between frames."""
    mass, _ = _mass_and_gravity(model)
    linear = mass * (center[2:] - 2 * center[1:-1] + center[:-2]) / dt**2
    A = centroidal(model, 0.5 * (q[1:] + q[:-1]))[:, 3:]
    L = (A @ (q[1:] - q[:-1])[..., None])[..., 0] / dt
    return linear, (L[1:] - L[:-1]) / dt, A


def sole_points(centre: np.ndarray) -> np.ndarray:
    """Return where spheres (T, c, 3) would be pressed: under their centres on the floor."""
    return np.concatenate([centre[..., :2], np.zeros_like(centre[..., 2:])], axis=-1)


def consistent_forces(
    model: Model, q: np.ndarray, center: np.ndarray, soles: np.ndarray, touch: np.ndarray,
    dt: float, told: FootLoads | None = None, priors: ForcePriors | None = None,
) -> np.ndarray:  # fmt: skip
    """Return the sole points' forces (T, c, 3), N, that come closest to what the motion demands.

    ``q`` (T, n) has its center of mass at ``center`` (T, 3); the points ``soles`` (T, c, 3) may
    push, each as likely as ``touch`` (T, c) says; the first of them are the model's own. The feet's
    loads stay near those ``told``.
    """
    mass, gravity = _mass_and_gravity(model)
    if len(q) < 4:
        linear = angular = np.zeros((max(len(q) - 2, 1), 3))
    else:
        linear, angular, _ = _momentum_rates(model, q, center, dt)
    demand = np.concatenate([linear - mass * gravity, angular], axis=1)
    demand = demand[np.clip(np.arange(len(q)) - 1, 0, len(demand) - 1)]
    arms = sole_points(soles) - center[:, None]
    weight = mass * float(np.linalg.norm(gravity))
    beliefs = None if told is None else _told(model, told, center, soles.shape[1])
    return np.asarray(point_forces(demand, arms, touch, weight, dt, priors, beliefs), float)


def _told(model: Model, loads: FootLoads, center: np.ndarray, count: int) -> Told:
    """Return the feet's loads as wrenches about the center of mass, of ``count`` points."""
    arms = np.nan_to_num(loads.cop - center[:, None])
    moment = loads.moment + np.cross(arms, loads.force)
    feet = np.array(model.layout.contact_feet)
    member = np.zeros((loads.force.shape[1], count))
    member[feet, np.arange(len(feet))] = 1.0
    return Told(np.concatenate([loads.force, moment], axis=-1), member)


def balance_terms(
    model: Model,
    q: np.ndarray,
    p: Points,
    soles: slice,
    forces: np.ndarray,
    dt: float,
    weight: float,
) -> list[Term]:
    """Return the residuals of both laws under ``forces`` (T, c, 3), for interior frames."""
    if len(q) < 4:
        return []
    mass, gravity = _mass_and_gravity(model)
    body_weight = mass * np.linalg.norm(gravity)
    linear, angular, A = _momentum_rates(model, q, p.position[:, -1], dt)
    inner = slice(1, -1)
    F = forces[inner]
    scale = weight / (FORCE_SPREAD_BW * body_weight)
    by_center = p.by_q[:, -1] * mass / dt**2
    force_term = Term(
        _padded((linear - mass * gravity - F.sum(axis=1)) * scale),
        {
            0: by_center * scale,
            1: -2 * _shift(by_center, 1) * scale,
            2: _shift(by_center, 2) * scale,
        },
    )
    arms = sole_points(p.position[inner, soles]) - p.position[inner, -1:]
    scale = weight / (MOMENT_SPREAD_BW_M * body_weight)
    by_point = p.by_q[inner, soles].copy()
    by_point[:, :, 2] = 0.0
    by_arm = by_point - p.by_q[inner, -1:]
    by_moment = np.cross(by_arm, F[..., None], axis=2).sum(axis=1)
    A = A / dt**2
    moment_term = Term(
        _padded((angular - np.cross(arms, F).sum(axis=1)) * scale),
        {
            0: _padded(A[:-1] * scale),
            1: _padded((-A[1:] - A[:-1] - by_moment) * scale),
            2: _padded(A[1:] * scale),
        },
    )
    return [force_term, moment_term]


def _padded(rows: np.ndarray) -> np.ndarray:
    """Append two empty frames, which reach past the end and do not count."""
    return np.concatenate([rows, np.zeros((2, *rows.shape[1:]))])


def _shift(values: np.ndarray, frames: int) -> np.ndarray:
    """Return values ``frames`` later, indexed by now."""
    return np.concatenate([values[frames:], np.zeros((frames, *values.shape[1:]))])


def central_differences(time: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first two derivatives of evenly sampled ``values`` (T, ...), ends repeated.

    The very differences in which the laws are stated here.
    """
    if len(time) < 3:
        return np.zeros_like(values), np.zeros_like(values)
    dt = float(time[1] - time[0])
    second = (values[2:] - 2 * values[1:-1] + values[:-2]) / dt**2
    return np.gradient(values, dt, axis=0), np.concatenate([second[:1], second, second[-1:]])
