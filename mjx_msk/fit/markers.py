"""From measured markers to a motion: inverse kinematics of a whole trial."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from mjx_msk.errors import MskError
from mjx_msk.fit import terms
from mjx_msk.fit.config import LIMIT_SPREAD, FitConfig, habits
from mjx_msk.fit.points import points
from mjx_msk.fit.root import root_pose, with_root_pose
from mjx_msk.fit.scaling import GENERIC_HEIGHT_M, SEGMENTS, segment_spread
from mjx_msk.fit.solver import Term, gauss_newton
from mjx_msk.model import LANDMARK_PREFIX, ROOT_COORDINATES, Model

#: With fewer markers than this on the model, the pelvis alone is hardly held.
FEWEST_MARKERS = 6
#: Habits matter this much beside markers: only where no marker speaks.
_HABIT_WEIGHT = 0.02
#: Smoothness matters this much beside markers, which are sampled exactly.
_SMOOTH_WEIGHT = 0.05


@dataclass(frozen=True, kw_only=True)
class MarkerFit:
    """A fitted motion; the markers used, in the order of ``used``."""

    q: np.ndarray  #: (T, n)
    base: float  #: whole-body scale, 1 for a model that was given
    log_segments: np.ndarray  #: (k,), empty for a model that was given
    used: tuple[str, ...]
    error_m: np.ndarray  #: (T, len(used)) m, NaN where missing
    confidence: np.ndarray  #: (T, n) 0..1
    iterations: int


def match_markers(model: Model, names: tuple[str, ...], where: str) -> list[int]:
    """Return the places, among ``names``, of markers that the model has.

    Raises ``MskError`` that lists what the file and the model call their markers when fewer than
    ``FEWEST_MARKERS`` match.
    """
    places = [i for i, name in enumerate(names) if name in model.layout.site_index]
    if len(places) < FEWEST_MARKERS:
        own = [s for s in model.layout.site_names if not s.startswith(LANDMARK_PREFIX)]
        raise MskError(
            f"only {len(places)} of its {len(names)} markers are on the model "
            f"(the file has {_some(names)}; the model has {_some(own)}).",
            where=where,
            remedy="Give the model that carries these markers with --model MODEL.osim or .xml.",
        )
    return places


def _some(names) -> str:
    names = list(names)
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")


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

    NaN marks a missing marker. Without ``height_m`` the model keeps its size. Swapped or wild
    markers lose weight (Cauchy) instead of bending the motion.
    """
    config = config or FitConfig()
    habit = habits(model)
    sites = np.array([model.layout.site_index[name] for name in names])
    seen = np.isfinite(positions).all(axis=2)
    target = np.nan_to_num(positions)
    k = len(SEGMENTS) if height_m is not None else 0
    base = height_m / GENERIC_HEIGHT_M if height_m is not None else 1.0
    weight = np.repeat(seen / config.marker_spread_m, 3, axis=1)
    bounds = np.asarray(model.q_range, float)
    bounds[:ROOT_COORDINATES] = (-np.inf, np.inf)

    def marker_rows(q: np.ndarray, g: np.ndarray) -> terms.Rows:
        p = points(model, base, q, g)
        shape = (len(q), 3 * len(sites), -1)
        r = (p.position[:, sites] - target).reshape(len(q), -1) * weight
        J = p.by_q[:, sites].reshape(shape) * weight[..., None]
        J_g = p.by_scale[:, sites].reshape(len(q), 3 * len(sites), k) * weight[..., None]
        return r, J, J_g

    def all_terms(q: np.ndarray, g: np.ndarray) -> list[Term]:
        found = [
            terms.robust(*marker_rows(q, g), group=3, scale=3.0),
            terms.prior(q, habit.mean, habit.spread, _HABIT_WEIGHT),
            terms.limits(q, bounds, np.full(model.n, LIMIT_SPREAD)),
            terms.smoothness(q, dt, habit.jerk, _SMOOTH_WEIGHT),
        ]
        if k:
            own = np.sqrt(len(q)) / segment_spread()
            found.append(terms.shared(g * own, np.diag(own), q.shape))
        return found

    on_progress("fitting the markers")
    start = _first_guess(model, sites, target, seen, base, habit.mean)
    solution = gauss_newton(all_terms, start, np.zeros(k), iterations=config.iterations)
    rows = marker_rows(solution.x, solution.g)
    p = points(model, base, solution.x, solution.g)
    error = np.linalg.norm(p.position[:, sites] - target, axis=2)
    spread = np.where(np.isfinite(habit.spread), habit.spread, 1.0)
    information = rows[1].swapaxes(1, 2) @ rows[1] + np.diag(spread**-2)
    after = np.diagonal(np.linalg.inv(information), axis1=1, axis2=2)
    return MarkerFit(
        q=solution.x, base=base, log_segments=solution.g, used=tuple(names),
        error_m=np.where(seen, error, np.nan),
        confidence=np.clip(1.0 - after / spread**2, 0.0, 1.0), iterations=solution.iterations,
    )  # fmt: skip


def _first_guess(
    model: Model, sites: np.ndarray, target: np.ndarray, seen: np.ndarray, base: float,
    mean: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Return the habitual pose laid onto each frame's markers by a rigid fit (Kabsch)."""
    q = np.tile(mean, (len(target), 1))
    model_points = points(model, base, q[:1], np.zeros(0)).position[0, sites]
    rotation, position = root_pose(model, q)
    turn, shift = np.zeros((len(q), 3, 3)), np.zeros((len(q), 3))
    for t in range(len(q)):
        use = seen[t]
        if use.sum() < 3:
            turn[t], shift[t] = (turn[t - 1], shift[t - 1]) if t else (np.eye(3), np.zeros(3))
            continue
        a, b = model_points[use], target[t, use]
        # Upright people only turn about the vertical; the fit finds the rest.
        yaw = np.arctan2(
            np.sum(np.cross(a - a.mean(0), b - b.mean(0))[:, 2]),
            np.sum((a - a.mean(0))[:, :2] * (b - b.mean(0))[:, :2]),
        )
        turn[t] = Rotation.from_rotvec([0.0, 0.0, yaw]).as_matrix()
        shift[t] = b.mean(0) - turn[t] @ a.mean(0)
    moved = np.einsum("tij,tj->ti", turn, position) + shift
    return with_root_pose(model, q, turn @ rotation, moved)
