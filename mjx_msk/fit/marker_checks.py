"""What markers tell, and which of them tell something wrong."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from mjx_msk.model import Model

#: A marker this far (m) from where the model carries it is named to the user.
FAR_M = 0.06
#: A marker seen in less than this share of the frames is named to the user.
RARELY = 0.5
#: A marker errs by this much (m) where we ask what markers determine ...
_TYPICAL_M = 0.010
#: ... and a coordinate that such markers leave more uncertain than this (rad or m) is open.
_OPEN = np.deg2rad(5.0)
#: Labels count as swapped when exchanging them leaves at most this share of their error.
_SWAP_GAIN = 0.5


def information(jacobian: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return ``J^T W J`` (T, n, n) of markers (T, m, 3, n) with weights (T, m), 1 / m^2."""
    frames, m, _, n = jacobian.shape
    rows = (jacobian * np.sqrt(weight)[..., None, None]).reshape(frames, 3 * m, n)
    return rows.swapaxes(1, 2) @ rows


def undetermined(model: Model, jacobian: np.ndarray, seen: np.ndarray) -> tuple[str, ...]:
    """Return the coordinates that the markers (T, m, 3, n) ``seen`` (T, m) do not determine.

    Those whose standard deviation, from markers that err by 10 mm each and nothing else, exceeds
    5 degrees in the median frame. What the model locks needs no markers and is not listed.
    """
    told = information(jacobian, seen / _TYPICAL_M**2)
    # Half a turn of doubt keeps the inverse finite for what no marker sees at all.
    spread = np.linalg.inv(told + np.eye(model.n) / np.pi**2)
    doubt = np.median(np.sqrt(np.diagonal(spread, axis1=1, axis2=2)), axis=0)
    layout = model.layout
    facts = zip(layout.coordinate_names, layout.locked, doubt, strict=True)
    return tuple(name for name, locked, d in facts if d > _OPEN and not locked)


def swapped(expected: np.ndarray, observed: np.ndarray) -> dict[int, int]:
    """Return the markers whose labels seem exchanged for the whole trial: place -> right place.

    ``expected`` and ``observed`` are (T, m, 3), NaN where missing. Only markers that are far off
    take part, and only exchanges that remove most of their error count.
    """
    error = _typical(np.linalg.norm(observed - expected, axis=2))
    suspects = np.flatnonzero(error > 0.5 * FAR_M)
    if len(suspects) < 2:
        return {}
    gaps = observed[:, suspects, None] - expected[:, None, suspects]
    distance = np.nan_to_num(_typical(np.linalg.norm(gaps, axis=3)), nan=1.0)
    rows, columns = linear_sum_assignment(distance)
    moved = {int(a): int(b) for a, b in zip(rows, columns, strict=True) if a != b}
    kept = {a: b for a, b in moved.items() if distance[a, b] < _SWAP_GAIN * distance[a, a]}
    if set(kept) != set(kept.values()):  # an exchange that is only half believed is none
        return {}
    return {int(suspects[a]): int(suspects[b]) for a, b in kept.items()}


def marker_warnings(
    names: tuple[str, ...],
    error_m: np.ndarray,
    exchanged: dict[int, int],
    left_open: tuple[str, ...],
) -> list[str]:
    """Return what the user should know about markers; ``error_m`` (T, m) is NaN where missing."""
    found = []
    if exchanged:
        pairs = ", ".join(f"{names[a]} is {names[b]}" for a, b in exchanged.items())
        found.append(f"marker labels were swapped in the file and put right: {pairs}")
    typical = _typical(error_m)
    far = [f"{n} ({1e3 * e:.0f} mm)" for n, e in zip(names, typical, strict=True) if e > FAR_M]
    if far:
        found.append(
            "markers far from where the model carries them were given less weight: "
            f"{', '.join(far)}; check their labels and their places on the model"
        )
    share = np.isfinite(error_m).mean(axis=0)
    rare = [f"{n} ({s:.0%})" for n, s in zip(names, share, strict=True) if s < RARELY]
    if rare:
        found.append(f"markers that few frames show: {', '.join(rare)}")
    if left_open:
        found.append(f"the markers leave these coordinates to habit: {', '.join(left_open)}")
    return found


def _typical(error: np.ndarray) -> np.ndarray:
    """Return the median over frames that know; NaN where none does."""
    known = np.isfinite(error)
    filled = np.where(known, error, np.inf)
    middle = np.maximum(known.sum(axis=0) - 1, 0) // 2
    median = np.take_along_axis(np.sort(filled, axis=0), middle[None], axis=0)[0]
    return np.where(known.any(axis=0), median, np.nan)
