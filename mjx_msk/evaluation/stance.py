"""When feet stand, and whether they then stand still."""

import numpy as np

from mjx_msk.evaluation.truth import Truth
from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.soles import sole_middles
from mjx_msk.model import Model

#: A foot that carries this share of body weight stands.
STANDING_BW = 0.05
#: Events further apart are not the same, s.
_SAME_S = 0.25
#: Stances shorter than this are not looked at for slip, s.
_SHORTEST_S = 0.1


def standing(model: Model, loads: FootLoads) -> np.ndarray:
    """Return which feet (T, 2) stand."""
    weight = float(np.sum(model.mjx.body_mass) * np.linalg.norm(model.mjx.opt.gravity))
    return loads.force[..., 2] > STANDING_BW * weight


def event_errors_ms(truth: Truth, model: Model, loads: FootLoads) -> dict[str, float]:
    """Return how far touchdowns and lift-offs are from the true ones, ms, and how many are missed.

    Empty where the truth has none.
    """
    errors, count = [], 0
    true, found = standing(truth.model, truth.loads), standing(model, loads)
    for foot in (0, 1):
        change, own = (np.diff(x[:, foot].astype(int)) for x in (true, found))
        for kind in (1, -1):
            candidates = np.flatnonzero(own == kind)
            for at in np.flatnonzero(change == kind):
                if not truth.known[max(at - 1, 0) : at + 3].all():
                    continue
                count += 1
                gap = np.abs(candidates - at).min() * truth.dt if len(candidates) else np.inf
                if gap <= _SAME_S:
                    errors.append(gap)
    if not count:
        return {}
    missed = 100.0 * (1.0 - len(errors) / count)
    timing = {"stance_timing_ms": 1e3 * float(np.mean(errors))} if errors else {}
    return timing | {"stance_missed_pct": missed}


def slip_mm(model: Model, q: np.ndarray, loads: FootLoads, dt: float) -> float:
    """Return how far the middle of a sole travels in a stance, mean, mm; 0 without stances."""
    middles, stands = sole_middles(model, q)[..., :2], standing(model, loads)
    travelled = []
    for foot in (0, 1):
        edges = np.diff(np.concatenate([[0], stands[:, foot].astype(int), [0]]))
        for start, stop in zip(
            np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True
        ):
            # without the roll at both ends
            trim = (stop - start) // 4
            path = middles[start + trim : stop - trim, foot]
            if (stop - start) * dt >= _SHORTEST_S and len(path) > 1:
                travelled.append(np.linalg.norm(path - path[0], axis=1).max())
    return 1e3 * float(np.mean(travelled)) if travelled else 0.0
