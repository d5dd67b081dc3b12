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


def event_errors(truth: Truth, model: Model, loads: FootLoads) -> dict[str, float]:
    """Return how well touchdowns and lift-offs are timed (ms), missed and made up (%).

    Each true event is timed by the nearest estimated one of its foot and kind; without one within
    0.25 s it is missed. An estimated event that no true one is timed by is false; it is judged
    where all that could be its true one is known. What there is none of is left out.
    """
    gaps, real, judged, false = [], 0, 0, 0
    reach = int(_SAME_S / truth.dt + 1e-6)
    true, found = (
        np.diff(standing(*x).astype(int), axis=0)
        for x in ((truth.model, truth.loads), (model, loads))
    )
    for foot, kind in ((0, 1), (0, -1), (1, 1), (1, -1)):
        events, own = (np.flatnonzero(x[:, foot] == kind).tolist() for x in (true, found))
        events = [at for at in events if _known(truth, at, 0)]
        apart, used = _paired(events, own, reach)
        gaps += apart
        real += len(events)
        judged += sum(at in used or _known(truth, at, reach) for at in own)
        false += sum(at not in used and _known(truth, at, reach) for at in own)
    result = {"stance_timing_ms": 1e3 * truth.dt * float(np.mean(gaps))} if gaps else {}
    if real:
        result["stance_missed_pct"] = 100.0 * (1.0 - len(gaps) / real)
    if judged:
        result["stance_false_pct"] = 100.0 * false / judged
    return result


def _known(truth: Truth, at: int, reach: int) -> bool:
    """Return whether forces are known where events within ``reach`` of frame ``at`` would be."""
    first, end = at - reach - 1, at + reach + 3
    if reach and (first < 0 or end > len(truth.known)):  # the clip may hide the true one
        return False
    return bool(truth.known[max(first, 0) : end].all())


def _paired(events: list[int], own: list[int], reach: int) -> tuple[list[int], set[int]]:
    """Return how far the nearest of ``own`` are from ``events``, and which these are (frames)."""
    gaps, used = [], set()
    for at in events if len(own) else ():
        nearest = min(own, key=lambda other: abs(other - at))
        if abs(nearest - at) <= reach:
            gaps.append(abs(nearest - at))
            used.add(nearest)
    return gaps, used


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
