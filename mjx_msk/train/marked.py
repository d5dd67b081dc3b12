"""A motion from markers alone, where nobody published one: the default model follows them."""

from typing import NamedTuple

import numpy as np

from mjx_msk.data.clip import RATE_HZ
from mjx_msk.data.trial import Trial
from mjx_msk.errors import MskError
from mjx_msk.fit.clock import evenly
from mjx_msk.fit.markers import MarkerFit, fit_markers
from mjx_msk.fit.scaling import GENERIC_HEIGHT_M
from mjx_msk.model import Model
from mjx_msk.train.marker_sets import known_points
from mjx_msk.train.sizes import Size, Sizer

#: Stature of somebody of whom nothing is known, m, before the markers have been seen.
_FIRST_HEIGHT_M = 1.72
#: A shorter motion shows nothing, s.
SHORTEST_S = 0.3
#: A frame counts where this share of the points that are known is seen.
_SEEN = 0.75
#: A motion holds with at least so many points, ...
_FEWEST = 12
#: ... with one of each of these among them: feet, legs, the pelvis front and back, shoulders.
_HELD_BY = (
    ("RCAL", "RTOE", "RMT5"), ("LCAL", "LTOE", "LMT5"), ("RLFC", "RMFC"), ("LLFC", "LMFC"),
    ("RASI",), ("LASI",), ("RPSI", "LPSI"), ("RACR", "RASH"), ("LACR", "LASH"),
)  # fmt: skip
#: Points further off than this in the median are not what their names say, m.
_ERROR_M = 0.045


class Followed(NamedTuple):
    """What markers say."""

    time: np.ndarray  #: (T,) s, even
    q: np.ndarray  #: (T, n) on the default model in ``size``
    size: Size
    error_m: float  #: median distance of the markers


def follow_markers(trial: Trial, model: Model, sizer: Sizer, size: Size | None) -> Followed:
    """Return the motion behind a trial's markers.

    ``model`` has its person's ``size``; without one it is the generic model, and sizes are fitted
    as well. Raises ``MskError`` where too few bony points are marked, or seen together.
    """
    time, names, positions = _points(trial)
    dt = float(time[1] - time[0])
    if size is not None:
        fit = fit_markers(model, names, positions, dt)
        return Followed(time, fit.q, size, _error(trial, fit))
    fit = fit_markers(model, names, positions, dt, height_m=trial.height_m or _FIRST_HEIGHT_M)
    found = sizer.fit(sizer.distances(fit.base, fit.log_segments), trial.height_m)
    if trial.height_m is None:  # once more with the stature that these markers show
        fit = fit_markers(model, names, positions, dt, height_m=found.height_m)
    size = Size(fit.base, fit.log_segments, fit.base * GENERIC_HEIGHT_M, found.error_m)
    return Followed(time, fit.q, size, _error(trial, fit))


def _error(trial: Trial, fit: MarkerFit) -> float:
    error = float(np.nanmedian(fit.error_m))
    if error > _ERROR_M:
        raise MskError(
            f"the markers are {1e3 * error:.0f} mm from where their names belong.",
            where=trial.name,
            remedy="Give the motion (.mot) and the model (.osim) instead.",
        )
    return error


def _points(trial: Trial) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """Return times (T,) at ``RATE_HZ``, names and places (T, m, 3) of the longest good stretch."""
    if trial.markers is None:
        raise MskError("there is neither a motion nor a marker file.", where=trial.name)
    known = known_points(trial.markers.names)
    names = tuple(known.values())
    positions = trial.markers.positions[:, list(known)]
    seen = np.isfinite(positions).all(axis=2)
    enough = seen.mean(axis=1) >= _SEEN if names else np.zeros(len(seen), bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], enough.astype(int), [0]])))
    runs = edges.reshape(-1, 2)
    missing = [group[0] for group in _HELD_BY if not set(group) & set(names)]
    if len(names) < _FEWEST or missing or not len(runs):
        lack = f", without {', '.join(missing)}" if missing else ""
        raise MskError(
            f"there is no motion, and only {len(names)} markers have known places{lack}.",
            where=trial.name,
        )
    start, end = max(runs, key=lambda run: run[1] - run[0])
    given, positions = evenly(trial.markers.time[start:end], positions[start:end])
    if given[-1] - given[0] < SHORTEST_S:
        raise MskError("the markers are seen together too briefly.", where=trial.name)
    time = given[0] + np.arange(int((given[-1] - given[0]) * RATE_HZ + 1e-6) + 1) / RATE_HZ
    flat = positions.reshape(len(given), -1)
    resampled = np.column_stack([np.interp(time, given, column) for column in flat.T])
    return time, names, resampled.reshape(len(time), -1, 3)
