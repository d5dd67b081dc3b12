"""Reading the text of tables: what every reader of this folder checks first."""

import os
from pathlib import Path

import numpy as np

from mjx_msk.errors import MskError


def read_lines(path: str | os.PathLike[str]) -> list[str]:
    """Return the lines of a text file without their line ends (Unix, DOS or old Mac).

    Raises ``MskError`` for a missing, unreadable, empty or binary file.
    """
    where = str(path)
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise MskError("no such file.", where=where, remedy="Check the name.") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise MskError(
            f"cannot be read: {reason}.", where=where, remedy="Give a readable file."
        ) from error
    if not content.strip():
        raise MskError("the file is empty.", where=where, remedy="Export it again.")
    if b"\0" in content:
        raise MskError(
            "this is a binary file, not a text table.",
            where=where,
            remedy="Export it as text (.mot, .sto or .trc).",
        )
    # Only labels can hold foreign letters; Latin-1 reads any byte and leaves the numbers alone.
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def cells(line: str, tabs: bool) -> list[str]:
    """Split a row; with tabs an empty cell keeps its place, with spaces there is none."""
    return [cell.strip() for cell in line.rstrip().split("\t")] if tabs else line.split()


def numbers(row: list[str], line_number: int, where: str) -> np.ndarray:
    """Return a row as floats, empty cells as NaN; raises ``MskError`` that names the line."""
    try:
        return np.array([float(cell) if cell else np.nan for cell in row])
    except ValueError:
        bad = next(cell for cell in row if cell and not _is_number(cell))
        raise MskError(
            f"line {line_number} holds {bad[:40]!r} where a number belongs.",
            where=where,
            remedy="Repair that line or export the file again.",
        ) from None


def check_time(time: np.ndarray, where: str) -> None:
    """Raise ``MskError`` unless the times are finite and increase from row to row."""
    if not np.all(np.isfinite(time)):
        raise MskError(
            f"row {int(np.argmin(np.isfinite(time))) + 1} has no valid time.",
            where=where,
            remedy="Every row needs a time in seconds.",
        )
    steps = np.diff(time)
    if np.any(steps <= 0):
        row = int(np.argmax(steps <= 0))
        raise MskError(
            f"time does not increase: {time[row + 1]:g} s follows {time[row]:g} s "
            f"in data row {row + 2}.",
            where=where,
            remedy="Remove repeated or unsorted rows.",
        )


def check_unique(names: tuple[str, ...], kind: str, where: str) -> None:
    """Raise ``MskError`` when a name occurs twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MskError(
            f"{kind} {twice[0]!r} occurs {names.count(twice[0])} times.",
            where=where,
            remedy="Give every column a name of its own.",
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
