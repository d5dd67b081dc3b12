"""Which marker of a file is which marker of the model."""

from collections.abc import Sequence

import numpy as np

from mjx_msk.errors import MskError
from mjx_msk.model import LANDMARK_PREFIX, Model
from mjx_msk.osim.marker_names import match_names

#: With fewer markers than this, the pelvis alone is hardly held.
FEWEST_MARKERS = 6


def match_markers(
    model: Model, names: Sequence[str], positions: np.ndarray, where: str
) -> dict[int, str]:
    """Return, for the places in ``names`` of markers that the model has, the model's own names.

    A name matches exactly, or else but for case, punctuation and a prefix (``Anna:RASI`` or
    ``Anna_RASI`` is ``R.ASI``). ``positions`` (T, m, 3) are NaN where a marker is missing. Raises
    ``MskError`` when fewer than ``FEWEST_MARKERS`` match or no frame shows so many of them.
    """
    own = [s for s in model.layout.site_names if not s.startswith(LANDMARK_PREFIX)]
    found = match_names(own, names)
    if len(found) < FEWEST_MARKERS:
        raise MskError(
            f"only {len(found)} of its {len(names)} markers are on the model "
            f"(the file has {_some(names)}; the model has {_some(own)}).",
            where=where,
            remedy="Give the model that carries these markers with --model MODEL.osim or .xml.",
        )
    most = int(np.isfinite(positions[:, list(found)]).all(axis=2).sum(axis=1).max())
    if most < FEWEST_MARKERS:
        raise MskError(
            f"no frame shows more than {most} of the model's markers.",
            where=where,
            remedy=f"At least {FEWEST_MARKERS} at a time are needed; check labels and gaps.",
        )
    return found


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
