"""Foot loads from force plates."""

from pathlib import Path

import numpy as np

from mjx_msk.errors import MskError
from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.soles import sole_middles
from mjx_msk.model import Model
from mjx_msk.osim.forces import assign_to_feet, read_forces


def measured_loads(path: Path, model: Model, time: np.ndarray, q: np.ndarray) -> FootLoads:
    """Return the forces of a ``.mot`` on the feet of a motion (T,), (T, n).

    ``X_loads.csv`` beside ``X_grf.mot`` says which plate is under which foot; without it the
    nearest foot is taken. Raises ``MskError`` as ``read_forces`` and ``assign_to_feet`` do.
    """
    notes = path.with_name(path.stem.removesuffix("_grf") + "_loads.csv")
    plates = read_forces(path)
    try:
        return FootLoads(
            *assign_to_feet(
                plates, time, sole_middles(model, q), loads=notes if notes.is_file() else None
            )
        )
    except MskError as error:
        raise MskError(error.what, where=error.where or str(path), remedy=error.remedy) from error
