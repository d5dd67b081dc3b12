"""Results as tables: one line a score, one column a method."""

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mjx_msk.evaluation.run import Row
from mjx_msk.files import replacing

#: Activities that published figures are of, taken together.
PUBLISHED = ("walk", "squat", "sit-to-stand")
_COORDINATE = "coordinate/"
COLUMNS = ("group", "score", "method", "mean", "sd_over_cameras", "clips", "cameras")


def groups(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return rows by activity, all together first."""
    found = {"all": list(rows)}
    published = [row for row in rows if row.activity in PUBLISHED]
    if published:
        found[", ".join(PUBLISHED)] = published
    for activity in sorted({row.activity for row in rows}):
        found[activity] = [row for row in rows if row.activity == activity]
    return found


def means(rows: Sequence[Row]) -> dict[tuple[str, str], tuple[float, float, int]]:
    """Return the mean of each score and method, its spread over cameras, and the clips behind it.

    Clips count alike; the spread is the standard deviation of the means of each camera's clips.
    """
    values: dict[tuple[str, str], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for name, value in (row.scores | {"seconds_per_clip": row.seconds}).items():
            if np.isfinite(value):
                values[name, row.method][row.seed].append(value)
    found = {}
    for key, by_seed in values.items():
        together = [value for some in by_seed.values() for value in some]
        spread = float(np.std([np.mean(some) for some in by_seed.values()]))
        count = max(len(some) for some in by_seed.values())
        found[key] = float(np.mean(together)), spread, count
    return found


def lines(rows: Sequence[Row], *, coordinates: bool = False) -> list[str]:
    """Return text tables of every group; those of single coordinates only if asked for."""
    text = []
    methods = list(dict.fromkeys(row.method for row in rows))
    for name, some in groups(rows).items():
        found = means(some)
        cameras = len({row.seed for row in some})
        clips = len({row.trial for row in some})
        text += ["", f"{name}: {clips} clips, {cameras} cameras each"]
        text.append(f"{'':28}" + "".join(f"{method:>12}" for method in methods))
        for score in dict.fromkeys(score for score, _ in found):
            if score.startswith(_COORDINATE) and not coordinates:
                continue
            cells = [found.get((score, method)) for method in methods]
            text.append(
                f"{score.removeprefix(_COORDINATE):28}"
                + "".join(f"{'' if c is None else format(c[0], '.2f'):>12}" for c in cells)
            )
    return text


def write_table(rows: Sequence[Row], path: Path) -> None:
    """Write every mean as a line of a ``.csv``."""
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for name, some in groups(rows).items():
            cameras = len({row.seed for row in some})
            for (score, method), (mean, spread, clips) in means(some).items():
                table.writerow(
                    [name, score, method, f"{mean:.6g}", f"{spread:.3g}", clips, cameras]
                )
