"""The fidelity report of a compiled model: a page that opens offline, or flat JSON."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mjx_msk.compile.bars import DEG, MM, PERCENT, bars, pair_name
from mjx_msk.compile.fidelity import Fidelity
from mjx_msk.compile.notes import alike
from mjx_msk.compile.worst import Curves, Sweep
from mjx_msk.errors import MskError
from mjx_msk.files import replacing
from mjx_msk.report import style
from mjx_msk.report.html import render_page

SCHEMA = "mjx-msk fidelity 1"
SUFFIXES = (".html", ".json")


def check_suffix(path: Path) -> None:
    """Raise ``MskError`` for a report of another kind than ``SUFFIXES``."""
    if path.suffix.lower() not in SUFFIXES:
        raise MskError(
            f"a report is a {' or a '.join(SUFFIXES)} file.",
            where=str(path),
            remedy=f"Name it {path.with_suffix('.html').name or 'report.html'}.",
        )


def write_fidelity(
    fidelity: Fidelity, curves: Sequence[Curves], out: str | os.PathLike[str], *, title: str
) -> None:
    """Write the report of the model ``title`` as .html or .json, by the suffix of ``out``.

    Raises ``MskError`` for another suffix and when the file cannot be written.
    """
    path = Path(out)
    check_suffix(path)
    if path.suffix.lower() == ".json":
        text = json.dumps(document(fidelity, title), indent=1, allow_nan=False) + "\n"
    else:
        text = _page(fidelity, curves, title)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def document(fidelity: Fidelity, title: str) -> dict[str, Any]:
    """Return the report as flat lists of records in SI units; docs/fidelity.md says each key."""
    return {
        "schema": SCHEMA,
        "model": title,
        "poses": len(fidelity.poses),
        "seed": fidelity.seed,
        "bars": [
            {
                "key": bar.key,
                "quantity": bar.quantity,
                "value": bar.value,
                "limit": bar.limit,
                "unit": bar.unit,
                "met": bar.met,
                "worst": bar.worst,
            }
            for bar in bars(fidelity)
        ],
        "whole": {
            "mass_relative": fidelity.total_mass,
            "mass_center_m": fidelity.mass_center,
            "mass_matrix_relative": fidelity.mass_matrix,
            "body_mass_kg": fidelity.mass,
            "body_mass_center_m": fidelity.com,
            "body_inertia_kg_m2": fidelity.inertia,
        },
        "bodies": [
            {
                "name": name,
                "position_m": fidelity.position[name],
                "angle_rad": fidelity.angle[name],
                "fitted": name in fidelity.fitted,
            }
            for name in fidelity.position
        ],
        "coordinates": [
            {
                "name": name,
                "inverse_dynamics_relative": fidelity.moment[name],
                "mass_matrix_relative": fidelity.inertial[name],
            }
            for name in fidelity.moment
        ],
        "muscles": [
            {"name": name, "length_m": length, "force_f0": fidelity.force.get(name)}
            for name, length in fidelity.length.items()
        ],
        "moment_arms": [
            {
                "muscle": muscle,
                "coordinate": coordinate,
                "rms_m": arm.rms,
                "mean_m": arm.mean,
                "worst_m": arm.worst,
                "flips": arm.flips,
                "length_slope_rms_m": fidelity.slopes[muscle, coordinate].rms,
                "length_slope_worst_m": fidelity.slopes[muscle, coordinate].worst,
            }
            for (muscle, coordinate), arm in fidelity.arms.items()
        ],
        "missing": list(fidelity.missing),
        "notes": [note._asdict() for note in fidelity.notes],
    }


def _page(fidelity: Fidelity, curves: Sequence[Curves], title: str) -> str:
    found = bars(fidelity)
    missed = sum(not bar.met for bar in found)
    return render_page(
        "fidelity.html.j2",
        title=title,
        facts=[
            ("Bodies", str(len(fidelity.position))),
            ("Coordinates", f"{len(fidelity.moment)} independent"),
            ("Muscles", str(len(fidelity.length))),
            ("Moment arms", str(len(fidelity.arms))),
            ("Measured over", f"{len(fidelity.poses)} poses, seed {fidelity.seed}"),
        ],
        verdict=f"{missed} of {len(found)} bars missed" if missed else "every bar met",
        bars=found,
        missing=sorted({*fidelity.missing} - {note.name for note in fidelity.notes}),
        notes=alike(fidelity.notes),
        tables=_tables(fidelity),
        curves=[_title(curve, fidelity) for curve in curves],
        style=style,
        data={"curves": [_plot(curve) for curve in curves]},
    )


def _tables(fidelity: Fidelity) -> list[dict[str, Any]]:
    """Return the tables of all errors: names first, the largest errors on top."""
    bodies = [
        (name, "fitted" if name in fidelity.fitted else "exact", fidelity.position[name] / MM,
         fidelity.angle[name] / DEG)
        for name in fidelity.position
    ]  # fmt: skip
    coordinates = [
        (name, error / PERCENT, fidelity.inertial[name] / PERCENT)
        for name, error in fidelity.moment.items()
    ]
    muscles = [
        (name, length / MM, fidelity.force[name] / PERCENT if name in fidelity.force else None)
        for name, length in fidelity.length.items()
    ]
    arms = [
        (muscle, coordinate, arm.rms / MM, arm.mean / MM, arm.worst / MM, float(arm.flips),
         fidelity.slopes[muscle, coordinate].rms / MM)
        for (muscle, coordinate), arm in fidelity.arms.items()
    ]  # fmt: skip
    tables = (
        _table("Moment arms", 2, arms, "muscle", "coordinate", "RMS, mm", "mean, mm", "worst, mm",
               "sign flips", "RMS against −dL/dq, mm"),
        _table("Muscles", 1, muscles, "muscle", "length RMS, mm", "force RMS, % F0"),
        _table("Coordinates", 1, coordinates, "coordinate", "inverse dynamics RMS, %",
               "mass matrix, %"),
        _table("Bodies", 2, bodies, "body", "joints above it", "origin, mm", "orientation, deg"),
    )  # fmt: skip
    return [table for table in tables if table["rows"]]


def _table(title: str, names: int, rows: Sequence[Sequence[Any]], *headings: str) -> dict[str, Any]:
    """Return a table whose rows start with ``names`` words, the largest first error on top."""
    ordered = sorted(rows, key=lambda row: -row[names])
    cells = [[*row[:names], *map(_number, row[names:])] for row in ordered]
    return {"title": title, "headings": headings, "names": names, "rows": cells}


def _number(value: float | None) -> str:
    """Return three digits; what is smaller than anyone measures is zero."""
    if value is None:
        return "–"
    return "0" if abs(value) < 1e-6 else f"{value:.3g}"


def _title(curve: Curves, fidelity: Fidelity) -> dict[str, str]:
    arm = fidelity.arms[curve.muscle, curve.coordinate]
    flips = f", {arm.flips} sign flips" if arm.flips else ""
    return {
        "name": pair_name((curve.muscle, curve.coordinate)),
        "errors": f"RMS {arm.rms / MM:.2f} mm, worst {arm.worst / MM:.2f} mm{flips}",
    }


def _plot(curve: Curves) -> dict[str, Any]:
    """Return the panels of one pair, in degrees and millimetres (or mm and mm per mm)."""
    x, at = curve.values, curve.at
    scale, unit = (1 / DEG, "°") if curve.hinge else (1 / MM, " mm")
    arm_scale, arm_unit = (1 / MM, "mm") if curve.hinge else (1.0, "")

    def panel(words: str, sweep: Sweep, marked: bool) -> dict[str, Any]:
        return {
            "title": words,
            "unit": arm_unit,
            "theirs": _rounded(sweep.arm_theirs * arm_scale),
            "ours": _rounded(sweep.arm_ours * arm_scale),
            "at": float(at * scale) if marked else None,
        }

    return {
        "x": _rounded(x * scale),
        "suffix": unit,
        "panels": [
            panel("moment arm, others at default", curve.rest, False),
            panel("moment arm, others as in the worst pose", curve.worst, True),
            {
                "title": "length, others at default",
                "unit": "mm",
                "theirs": _rounded(curve.rest.length_theirs / MM),
                "ours": _rounded(curve.rest.length_ours / MM),
                "at": None,
            },
        ],
    }


def _rounded(values: np.ndarray) -> list[float]:
    return np.round(values, 4).tolist()
