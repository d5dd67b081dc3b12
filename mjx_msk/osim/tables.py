"""OpenSim's tables of columns over time: ``.mot`` and ``.sto``.

A table keeps the file's own units and axes; only those who know what a column means convert it.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mjx_msk.errors import MskError
from mjx_msk.files import replacing
from mjx_msk.osim.text import cells, check_time, check_unique, numbers, read_lines

#: Header lines that the numbers of a table replace when it is written.
_COUNTED = ("version", "nrows", "ncolumns", "indegrees", "datacolumns", "datarows", "datatype")


@dataclass(frozen=True, eq=False)
class Table:
    """Columns sampled over time, in the units of the file they come from."""

    time: np.ndarray  #: (T,) s, increasing
    columns: tuple[str, ...]  #: n names, without ``time``
    data: np.ndarray  #: (T, n)
    in_degrees: bool = False  #: whether rotational columns are in degrees
    metadata: dict[str, str] = field(default_factory=dict)  #: header ``key=value`` lines and name

    def column(self, name: str) -> np.ndarray:
        """Return one column (T,); raises ``KeyError`` that lists the valid names."""
        if name not in self.columns:
            raise KeyError(f"{name!r} is not one of {self.columns}")
        return self.data[:, self.columns.index(name)]


def read_table(path: str | os.PathLike[str]) -> Table:
    """Read a ``.mot`` or ``.sto`` file of any OpenSim version.

    Empty cells become NaN. Raises ``MskError`` for a file that is missing, foreign, truncated or
    ragged, that repeats a column, or whose time does not increase.
    """
    where = str(path)
    lines = read_lines(path)
    end = next((i for i, line in enumerate(lines) if line.strip().lower() == "endheader"), None)
    if end is None:
        raise MskError(
            "no line says 'endheader', so this is not an OpenSim table.",
            where=where,
            remedy="Give a .mot or .sto file as OpenSim writes it.",
        )
    metadata = _header(lines[:end])
    rows = [(i + 1, line) for i, line in enumerate(lines) if i > end and line.strip()]
    if not rows:
        raise MskError("there are no column labels.", where=where, remedy="Export it again.")
    tabs = "\t" in rows[0][1].strip()
    labels = tuple(cells(rows[0][1], tabs))
    if labels[0].lower() != "time":
        raise MskError(
            f"the first column is {labels[0][:40]!r}, not 'time'.",
            where=where,
            remedy="OpenSim tables begin with a time column.",
        )
    check_unique(labels, "the column", where)
    values = _values(rows[1:], len(labels), tabs, metadata, where)
    check_time(values[:, 0], where)
    # SIMM's headers have neither line; OpenSim takes their angles as degrees.
    lowered = {key.lower(): value for key, value in metadata.items()}
    degrees = lowered.get("indegrees", "no" if "version" in lowered else "yes")
    return Table(
        time=values[:, 0],
        columns=labels[1:],
        data=values[:, 1:],
        in_degrees=degrees.lower() in ("yes", "y", "true"),
        metadata=metadata,
    )


def write_table(path: str | os.PathLike[str], table: Table) -> None:
    """Write a table in the form that OpenSim 3 and 4 read (version 1, tabs).

    ``metadata["name"]`` is the first line, as OpenSim expects (``Coordinates`` for a motion).
    Raises ``MskError`` when the file cannot be written.
    """
    others = [
        f"{key}={value}"
        for key, value in table.metadata.items()
        if key != "name" and key.lower() not in _COUNTED
    ]
    head = [
        table.metadata.get("name", Path(path).stem),
        "version=1",
        f"nRows={len(table.time)}",
        f"nColumns={len(table.columns) + 1}",
        f"inDegrees={'yes' if table.in_degrees else 'no'}",
        *others,
        "endheader",
        "\t".join(("time", *table.columns)),
    ]
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join(head) + "\n")
        np.savetxt(file, np.column_stack([table.time, table.data]), fmt="%.10g", delimiter="\t")


def _header(lines: list[str]) -> dict[str, str]:
    """Return ``key=value`` (version 1) and ``key value`` (SIMM) lines and the table's name."""
    metadata: dict[str, str] = {}
    for line in (text.strip() for text in lines):
        if "=" in line:
            key, value = line.split("=", 1)
            metadata[key.strip()] = value.strip()
        elif line.lower().startswith(("datacolumns", "datarows", "name ")):
            key, _, value = line.partition(" ")
            metadata[key.strip()] = value.strip()
        elif line and "name" not in metadata:
            metadata["name"] = line
    return metadata


def _values(
    rows: list[tuple[int, str]], width: int, tabs: bool, metadata: dict[str, str], where: str
) -> np.ndarray:
    """Return the numbers (T, width) below the labels."""
    again = "Export the file again; it may be truncated."
    if not rows:
        raise MskError("the table has no rows.", where=where, remedy=again)
    parsed = []
    for line_number, line in rows:
        row = cells(line, tabs)
        if len(row) != width and not tabs:
            row = cells(line, "\t" in line.strip())
        if len(row) != width:
            raise MskError(
                f"line {line_number} has {len(row)} values for {width} columns.",
                where=where,
                remedy=again,
            )
        parsed.append(numbers(row, line_number, where))
    promised = metadata.get("nRows", "")  # SIMM's "datarows" often outlives a cut of the table
    if promised.isdigit() and int(promised) > len(parsed):
        raise MskError(
            f"the header promises {promised} rows, but there are {len(parsed)}.",
            where=where,
            remedy=again,
        )
    return np.array(parsed)
