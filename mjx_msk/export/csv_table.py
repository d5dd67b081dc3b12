"""A motion as comma-separated values."""

import csv
from pathlib import Path

import numpy as np

from mjx_msk.export.columns import columns
from mjx_msk.export.take import Take
from mjx_msk.files import replacing


def write(take: Take, path: Path) -> list[Path]:
    """Write a line of names and a line per frame; what is unknown is an empty cell.

    SI units, radians, Z up. Raises ``MskError`` when the file cannot be written.
    """
    table = columns(take)
    numbers = np.column_stack([column.values.astype(float) for column in table])
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.name for column in table])
        writer.writerows([["" if np.isnan(x) else f"{x:.9g}" for x in row] for row in numbers])
    return [path]
