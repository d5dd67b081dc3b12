"""Marker files (``.trc``): in and out."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mjx_msk.errors import MskError
from mjx_msk.files import replacing
from mjx_msk.osim.axes import y_up_from_z_up, z_up_from_y_up
from mjx_msk.osim.text import cells, check_time, check_unique, numbers, read_lines

_METRES = {"mm": 1e-3, "cm": 1e-2, "m": 1.0}
#: Diagonal of the box around a person's markers, m: one forearm to a jump with spread arms.
_SMALLEST_BODY, _LARGEST_BODY = 0.05, 10.0
_AGAIN = "Export the file again; it may be truncated."


@dataclass(frozen=True, eq=False)
class Markers:
    """Marker trajectories in our axes and units."""

    time: np.ndarray  #: (T,) s, increasing
    names: tuple[str, ...]  #: m names as in the file
    positions: np.ndarray  #: (T, m, 3) m, Z up; NaN where the marker is missing
    rate_hz: float  #: mean rate of ``time``; the header's rate for a single frame
    warnings: tuple[str, ...] = ()  #: oddities of the file that the user should see

    def between(self, start: float, end: float) -> "Markers":
        """Return the frames from ``start`` to ``end`` (s, both included).

        Raises ``MskError`` if there is none.
        """
        kept = (self.time >= start) & (self.time <= end)
        if not kept.any():
            raise MskError(
                f"no frame lies between {start:g} and {end:g} s.",
                remedy=f"The markers reach from {self.time[0]:g} to {self.time[-1]:g} s.",
            )
        return replace(self, time=self.time[kept], positions=self.positions[kept])


def read_trc(path: str | os.PathLike[str]) -> Markers:
    """Read marker trajectories; millimetres and Y up become metres and Z up.

    Unlabelled trajectories (no name or ``*12``) are left out; empty cells, NaN and exact (0, 0, 0)
    count as missing. The last row of a file that ends in the middle of it is left out, with a
    warning. Raises ``MskError`` for a file that is missing, foreign, truncated before its first
    whole frame or ragged, that repeats a marker, whose time does not increase, that holds no frame
    or no marker, or whose numbers do not fit the unit in its header.
    """
    where = str(path)
    lines = read_lines(path)
    if not lines[0].strip().startswith("PathFileType") or len(lines) < 5:
        raise MskError(
            "this is not a .trc marker file (it does not begin with 'PathFileType').",
            where=where,
            remedy="Export the markers as .trc.",
        )
    header = _header(lines[1], lines[2], where)
    labels = _labels(lines[3], header, where)
    rows = [(i + 1, line) for i, line in enumerate(lines) if i >= 4 and _is_frame(line)]
    width = 2 + 3 * len(labels)
    cut = bool(rows) and _is_cut(rows, len(lines), width, _promised(header))
    values = _values(rows[:-1] if cut else rows, width, where)
    check_time(values[:, 1], where)
    named = [i for i, label in enumerate(labels) if label and not label.startswith("*")]
    names = tuple(labels[i] for i in named)
    check_unique(names, "the marker", where)
    positions = values[:, 2:].reshape(len(values), -1, 3)[:, named]
    positions[np.all(positions == 0.0, axis=-1)] = np.nan
    positions[~np.all(np.isfinite(positions), axis=-1)] = np.nan
    positions = z_up_from_y_up(positions) * _METRES[header["Units"]]
    _check_extent(positions, header["Units"], where)
    time = values[:, 1]
    return Markers(time, names, positions, _rate(time, header), _warnings(header, len(time), cut))


def write_trc(path: str | os.PathLike[str], markers: Markers) -> None:
    """Write markers in millimetres, Y up; a missing marker gets empty cells.

    Raises ``MskError`` when the file cannot be written.
    """
    frames, count = len(markers.time), len(markers.names)
    rate = f"{markers.rate_hz:.6g}"
    axes = [f"{axis}{i + 1}" for i in range(count) for axis in "XYZ"]
    head = [
        f"PathFileType\t4\t(X/Y/Z)\t{Path(path).name}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\t"
        "OrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{rate}\t{rate}\t{frames}\t{count}\tmm\t{rate}\t1\t{frames}",
        "Frame#\tTime\t" + "\t\t\t".join(markers.names) + "\t\t",
        "\t\t" + "\t".join(axes),
        "",
    ]
    millimetres = y_up_from_z_up(markers.positions).reshape(frames, -1) * 1e3
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join(head) + "\n")
        for i, (time, row) in enumerate(zip(markers.time, millimetres, strict=True)):
            texts = ["" if np.isnan(value) else f"{value:.5f}" for value in row]
            file.write("\t".join([str(i + 1), f"{time:.6f}", *texts]) + "\n")


def _header(keys: str, values: str, where: str) -> dict[str, str]:
    """Return the header's fields; checks the two that everything below needs."""
    header = dict(zip(keys.split(), values.split(), strict=False))
    header["Units"] = header.get("Units", "").lower()
    if header["Units"] not in _METRES:
        raise MskError(
            f"the header's unit is {header['Units']!r}.",
            where=where,
            remedy="Write 'mm' or 'm' under 'Units'.",
        )
    if not header.get("NumMarkers", "").isdigit() or header["NumMarkers"] == "0":
        raise MskError(
            "the header does not say how many markers there are.",
            where=where,
            remedy="Write their number under 'NumMarkers'.",
        )
    return header


def _labels(line: str, header: dict[str, str], where: str) -> list[str]:
    """Return one label per trajectory, empty where the file gives none."""
    count = int(header["NumMarkers"])
    places = cells(line, tabs="\t" in line)
    given = [cell for cell in places[2:] if cell]
    if len(given) == count:
        return given
    labels = [*places[2::3], *[""] * count][:count]
    # Labels that do not stand above their first column cannot be told from unlabelled ones.
    if [label for label in labels if label] != given:
        raise MskError(
            f"the header promises {count} markers, but {len(given)} are named.",
            where=where,
            remedy=_AGAIN,
        )
    return labels


def _is_frame(line: str) -> bool:
    """Tell rows of numbers from blank lines and the line of X1 Y1 Z1."""
    first = line.split()[:1]
    return bool(first) and not first[0][0].isalpha()


def _is_cut(rows: list[tuple[int, str]], line_count: int, width: int, promised: int | None) -> bool:
    """Tell whether the file ends in the middle of its last row, whose last number is then wrong.

    That is so where the number of cells is none that exporters write, and where the line has no end
    and is short or not the last that the header promises.
    """
    last, line = rows[-1]
    tabs = "\t" in rows[0][1].strip()
    count = len(cells(line, tabs))
    if count >= width:
        return last == line_count and promised is not None and len(rows) < promised
    return last == line_count or not _fits(count, width, tabs)


def _fits(count: int, width: int, tabs: bool) -> bool:
    """Tell whether a row of so many cells is whole.

    Exporters drop the tabs of markers that are missing at the end, always three at a time.
    """
    return count == width or (tabs and 2 <= count < width and (count - 2) % 3 == 0)


def _values(rows: list[tuple[int, str]], width: int, where: str) -> np.ndarray:
    """Return frame number, time and coordinates (T, width); absent cells are NaN."""
    if not rows:
        raise MskError("the file holds no frames.", where=where, remedy=_AGAIN)
    tabs = "\t" in rows[0][1].strip()
    values = np.full((len(rows), width), np.nan)
    for out, (line_number, line) in zip(values, rows, strict=True):
        row = cells(line, tabs)
        if not _fits(len(row), width, tabs):
            raise MskError(
                f"line {line_number} has {len(row)} values for {width} columns.",
                where=where,
                remedy=_AGAIN,
            )
        out[: len(row)] = numbers(row, line_number, where)
    return values


def _check_extent(positions: np.ndarray, unit: str, where: str) -> None:
    """Raise ``MskError`` when the markers of a frame span too little or too much for a person."""
    seen = positions[np.isfinite(positions[..., 0]).sum(axis=1) > 1]
    if not len(seen):
        raise MskError(
            "no frame shows two markers.", where=where, remedy="Check the labels and the export."
        )
    extent = float(np.median(np.linalg.norm(np.nanmax(seen, 1) - np.nanmin(seen, 1), axis=-1)))
    if not _SMALLEST_BODY < extent < _LARGEST_BODY:
        number = extent / _METRES[unit]
        fitting = [name for name, s in _METRES.items() if 0.3 < number * s < 3.0]
        advice = f"The numbers look like {fitting[0]}: correct" if fitting else "Correct"
        raise MskError(
            f"the unit in the header is {unit}, but then the markers span {extent:.3g} m.",
            where=where,
            remedy=f"{advice} 'Units' in line 3.",
        )


def _rate(time: np.ndarray, header: dict[str, str]) -> float:
    if len(time) > 1:
        return (len(time) - 1) / float(time[-1] - time[0])
    try:
        return float(header.get("DataRate", "0"))
    except ValueError:
        return 0.0


def _promised(header: dict[str, str]) -> int | None:
    """Return the number of frames that the header promises."""
    promised = header.get("NumFrames", "")
    return int(promised) if promised.isdigit() else None


def _warnings(header: dict[str, str], frames: int, cut: bool) -> tuple[str, ...]:
    promised = _promised(header) or 0
    said = ["The last row of the marker file is cut off and was left out."] if cut else []
    if promised > frames:
        said.insert(0, f"The marker file promises {promised} frames but holds {frames}.")
    return (" ".join(said),) if said else ()
