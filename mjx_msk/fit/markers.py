"""From measured markers to a motion: inverse kinematics of a whole trial."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mjx_msk.fit import terms
from mjx_msk.fit.config import LIMIT_SPREAD, FitConfig, habits
from mjx_msk.fit.inverse_kinematics import rigid_start
from mjx_msk.fit.marker_checks import information, marker_warnings, swapped, undetermined
from mjx_msk.fit.points import Points, points
from mjx_msk.fit.scaling import GENERIC_HEIGHT_M, SEGMENTS, segment_spread
from mjx_msk.fit.solver import Solution, Term, gauss_newton
from mjx_msk.model import ROOT_COORDINATES, Model

#: How far a marker strays from its place on the bone, m, by body without side; elsewhere
#: ``FitConfig.marker_spread_m``. Skin moves most over the thigh, less over the shank and the foot,
#: least over bony places such as the pelvis's (Leardini et al. 2005, Gait & Posture 21:212; Peters
#: et al. 2010, Gait & Posture 31:1).
SPREAD_M = {"pelvis": 0.007, "tibia": 0.010, "talus": 0.010, "calcn": 0.010, "toes": 0.010}
#: Markers lose weight beyond this many standard deviations: first hardly, then in earnest.
_ROBUST_SCALES = (20.0, 4.0)
#: Habits matter this much beside markers: only where no marker speaks.
_HABIT_WEIGHT = 0.02
#: Smoothness matters this much beside markers, which are sampled exactly.
_SMOOTH_WEIGHT = 0.05
#: How firmly a coordinate that the model locks stays at its value, rad or m.
_LOCKED_SPREAD = 1e-4


@dataclass(frozen=True, kw_only=True)
class MarkerFit:
    """A fitted motion; the markers used, in the order of ``used``."""

    q: np.ndarray  #: (T, n)
    base: float  #: whole-body scale, 1 for a model that was given
    log_segments: np.ndarray  #: (k,), empty for a model that was given
    used: tuple[str, ...]
    error_m: np.ndarray  #: (T, len(used)) m, NaN where missing
    confidence: np.ndarray  #: (T, n) 0..1
    undetermined: tuple[str, ...]  #: coordinates that habit decides: ``marker_checks``
    warnings: tuple[str, ...]  #: labels put right, markers far off or rarely seen
    iterations: int


@dataclass(frozen=True)
class _Problem:
    """What the fit is given: markers, their weights, and what is believed without them."""

    model: Model
    base: float
    sites: np.ndarray  #: (m,)
    target: np.ndarray  #: (T, m, 3) m, 0 where missing
    weight: np.ndarray  #: (T, m) 1/m, 0 where missing
    dt: float
    scaling: bool
    mean: np.ndarray  #: (n,) habits
    spread: np.ndarray  #: (n,)
    jerk: np.ndarray  #: (n,)

    def rows(self, p: Points) -> terms.Rows:
        """Return whitened marker residuals (T, 3m) and their Jacobians."""
        frames, m = self.weight.shape
        whiten = self.weight[..., None]
        r = (p.position[:, self.sites] - self.target) * whiten
        J = p.by_q[:, self.sites] * whiten[..., None]
        J_g = p.by_scale[:, self.sites] * whiten[..., None]
        return (r.reshape(frames, 3 * m), J.reshape(frames, 3 * m, J.shape[-1]),
                J_g.reshape(frames, 3 * m, J_g.shape[-1]))  # fmt: skip

    def terms(self, q: np.ndarray, g: np.ndarray, scale: float) -> list[Term]:
        """Return all terms at (q, g), markers robust beyond ``scale`` standard deviations."""
        bounds = np.array(self.model.q_range, float)
        bounds[:ROOT_COORDINATES] = (-np.inf, np.inf)
        found = [
            terms.robust(*self.rows(points(self.model, self.base, q, g)), group=3, scale=scale),
            terms.prior(q, self.mean, self.spread, 1.0),
            terms.limits(q, bounds, np.full(self.model.n, LIMIT_SPREAD)),
            terms.smoothness(q, self.dt, self.jerk, _SMOOTH_WEIGHT),
        ]
        if self.scaling:
            own = np.sqrt(len(q)) / segment_spread()
            found.append(terms.shared(g * own, np.diag(own), len(q)))
        return found

    def solve(self, q: np.ndarray, g: np.ndarray, scale: float, iterations: int) -> Solution:
        """Return the best coordinates and segments from a start."""
        return gauss_newton(lambda q, g: self.terms(q, g, scale), q, g, iterations=iterations)


def fit_markers(
    model: Model,
    names: tuple[str, ...],
    positions: np.ndarray,
    dt: float,
    *,
    height_m: float | None = None,
    config: FitConfig | None = None,
    on_progress: Callable[[str], None] = lambda label: None,
) -> MarkerFit:
    """Fit coordinates (and, with ``height_m``, segment lengths) to markers (T, m, 3), m, Z up.

    ``names`` (m) are the model's; NaN marks a missing marker, which smoothness bridges. Without
    ``height_m`` the model keeps its size. Wild markers lose weight (Cauchy) instead of bending the
    motion; labels that are swapped throughout are put right. ``warnings`` says so.
    """
    config = config or FitConfig()
    sites = np.array([model.layout.site_index[name] for name in names])
    base = height_m / GENERIC_HEIGHT_M if height_m is not None else 1.0
    on_progress("fitting the markers")
    problem = _problem(model, base, sites, positions, dt, height_m is not None, config)
    g = np.zeros(len(SEGMENTS) if height_m is not None else 0)
    q = rigid_start(model, problem.mean, sites, problem.target, problem.weight > 0, problem.base)
    first, last = _ROBUST_SCALES
    rough = problem.solve(q, g, first, config.iterations // 3)
    expected = points(model, base, rough.x, rough.g).position[:, sites]
    exchanged = swapped(expected, positions)
    if exchanged:
        order = np.arange(len(sites))
        order[list(exchanged.values())] = list(exchanged)
        positions = positions[:, order]
        problem = _problem(model, base, sites, positions, dt, height_m is not None, config)
    fine = problem.solve(rough.x, rough.g, last, config.iterations)
    p = points(model, base, fine.x, fine.g)
    error = np.linalg.norm(p.position[:, sites] - positions, axis=2)
    left_open = undetermined(model, p.by_q[:, sites], np.isfinite(error))
    return MarkerFit(
        q=fine.x, base=base, log_segments=fine.g, used=tuple(names), error_m=error,
        confidence=_confidence(problem, p, last),
        undetermined=left_open,
        warnings=tuple(marker_warnings(tuple(names), error, exchanged, left_open)),
        iterations=rough.iterations + fine.iterations,
    )  # fmt: skip


def _problem(
    model: Model, base: float, sites: np.ndarray, positions: np.ndarray, dt: float, scaling: bool,
    config: FitConfig,
) -> _Problem:  # fmt: skip
    bodies = [model.layout.body_names[b] for b in np.asarray(model.mjx.site_bodyid)[sites]]
    stems = [name.removesuffix("_r").removesuffix("_l") for name in bodies]
    stray = np.array([SPREAD_M.get(stem, config.marker_spread_m) for stem in stems])
    habit = habits(model)
    locked = np.array(model.layout.locked)
    return _Problem(
        model=model, base=base, sites=sites, target=np.nan_to_num(positions),
        weight=np.isfinite(positions).all(axis=2) / stray, dt=dt, scaling=scaling,
        mean=habit.mean, jerk=habit.jerk,
        spread=np.where(locked, _LOCKED_SPREAD, habit.spread / _HABIT_WEIGHT),
    )  # fmt: skip


def _confidence(problem: _Problem, p: Points, scale: float) -> np.ndarray:
    """Return the share of each coordinate's habitual doubt that the markers remove, (T, n)."""
    own = habits(problem.model).spread
    spread = np.where(np.isfinite(own), own, 1.0)
    position, jacobian = p.position[:, problem.sites], p.by_q[:, problem.sites]
    squared = np.sum((position - problem.target) ** 2, axis=2) * problem.weight**2
    trusted = problem.weight**2 / (1.0 + squared / scale**2)
    told = information(jacobian, trusted) + np.diag(spread**-2)
    after = np.diagonal(np.linalg.inv(told), axis1=1, axis2=2)
    return np.clip(1.0 - after / spread**2, 0.0, 1.0)
