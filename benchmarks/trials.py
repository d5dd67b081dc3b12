"""The real trials of ``../shared/data``: their list, and tables in a model's coordinates."""

import csv
from pathlib import Path

import numpy as np

from mjx_msk.model import Model
from mjx_msk.osim.tables import Table

DATA = (Path(__file__).resolve().parents[2] / "shared" / "data").resolve()


def manifest(data: Path = DATA) -> dict[str, dict[str, str]]:
    """Return the rows of the manifest by ``dataset/subject/trial``."""
    with (data / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {f"{r['dataset']}/{r['subject']}/{r['trial']}": r for r in rows}


def coordinates_at(model: Model, table: Table, time_s: np.ndarray) -> np.ndarray:
    """Return a table's coordinates (T, n), rad or m, at other times; defaults where it has none.

    Locked coordinates are read like all others.
    """
    layout = model.layout
    q = np.tile(np.asarray(model.q_default, float), (len(time_s), 1))
    for k, name in enumerate(layout.coordinate_names):
        if name in table.columns:
            values = np.interp(time_s, table.time, table.column(name))
            q[:, k] = np.radians(values) if table.in_degrees and layout.rotational[k] else values
    return q
