"""The coordinates of a motion file and the generalized forces that belong to them."""

from collections.abc import Sequence

import numpy as np

from mjx_msk.osim.tables import Table

#: Coordinates of a person with these endings are translations; all others turn.
TRANSLATIONS = ("_tx", "_ty", "_tz")


def in_radians(table: Table) -> np.ndarray:
    """Return the coordinates (T, n) of a motion in rad and m."""
    turns = np.array([not name.endswith(TRANSLATIONS) for name in table.columns])
    return np.where(turns & table.in_degrees, np.deg2rad(table.data), table.data)


def generalized_forces(table: Table, coordinates: Sequence[str]) -> np.ndarray:
    """Return what OpenSim's inverse dynamics wrote for some coordinates, (T, n) N m or N.

    The tool calls its columns ``knee_angle_r_moment`` and ``pelvis_ty_force``; a coordinate
    without a column is NaN.
    """
    forces = np.full((len(table.time), len(coordinates)), np.nan)
    for i, name in enumerate(coordinates):
        for column in (f"{name}_moment", f"{name}_force"):
            if column in table.columns:
                forces[:, i] = table.column(column)
    return forces
