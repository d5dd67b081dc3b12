"""Print how far compiled models are from OpenSim: one row a model, in Markdown.

    python benchmarks/fidelity.py                        # the models of ../shared/data/models
    python benchmarks/fidelity.py --subjects             # and the scaled subjects beside them
    python benchmarks/fidelity.py MODEL.osim ...         # these
    python benchmarks/fidelity.py --json errors.json     # every error of every model as well

Needs the package `opensim` (pip install 'mjx-msk[opensim]'). Poses are seeded and lie within the
coordinate ranges. Errors that miss their bar (docs/fidelity.md) are in **bold**. Lines below the
table say why a model was refused, and what was skipped or approximated.
"""

import argparse
import json
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from mjx_msk.compile import compile_osim
from mjx_msk.compile.bars import Bar, bars
from mjx_msk.compile.fidelity import Fidelity, compare
from mjx_msk.compile.notes import alike
from mjx_msk.errors import MskError
from mjx_msk.report.fidelity import document

DATA = (Path(__file__).resolve().parents[2] / "shared" / "data").resolve()
SECONDS = 10.0  #: bar of compiling, without the report

#: What MyoConverter publishes: mean moment arm error (cm), mean force error (F0).
MYOCONVERTER = {
    "arm26": (0.046, 0.058),
    "gait10dof18musc": (0.98, 0.111),
    "leg6dof9musc": (1.12, 0.055),
}

#: Columns: heading, keys of the bars in it, and digits after the point (None for 1e-06).
COLUMNS = (
    ("body, mm", ("position_exact",), 3),
    ("body, deg", ("angle_exact",), 3),
    ("fitted, mm", ("position_fitted",), 2),
    ("fitted, deg", ("angle_fitted",), 3),
    ("mass", ("mass",), None),
    ("com, m", ("mass_center",), None),
    ("M", ("mass_matrix",), None),
    ("ID, %", ("moment",), 3),
    ("length, mm: median, 95th", ("length_median", "length_95"), 2),
    ("arm, mm: median, 95th, worst", ("arm_median", "arm_95", "arm_worst"), 2),
    ("flips", ("flips",), 0),
    ("force, % F0: median, worst", ("force_median", "force_worst"), 1),
)


@dataclass(frozen=True)
class Result:
    """What became of one model: its errors, or why it has none."""

    path: Path
    seconds: float = 0.0
    fidelity: Fidelity | None = None
    reason: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--subjects", action="store_true", help="measure the scaled subjects too")
    parser.add_argument("--poses", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write every error to this file")
    parser.add_argument(
        "--processes", type=int, default=1, help="models at a time; more than one slows each"
    )
    options = parser.parse_args()
    paths = options.models or sorted((DATA / "models").glob("*.osim"))
    if options.subjects:
        paths += sorted((DATA / "motions").rglob("model*.osim"))
    results = list(_progress(paths, options.poses, options.seed, options.processes))
    console = Console(width=400)
    console.print(errors_table(results))
    for line in losses(results):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(myoconverter_table(results))
    if options.json:
        records = [record(result) for result in results]
        options.json.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


def _progress(paths: list[Path], poses: int, seed: int, processes: int) -> Iterable[Result]:
    """Yield the results in order, with a bar on standard error."""
    with Progress(console=Console(stderr=True)) as progress, ThreadPoolExecutor(processes) as pool:
        task = progress.add_task("", total=len(paths))
        waiting = [pool.submit(isolated, path, poses, seed) for path in paths]
        for path, future in zip(paths, waiting, strict=True):
            progress.update(task, description=name_of(path))
            yield future.result()
            progress.advance(task)


def isolated(path: Path, poses: int, seed: int) -> Result:
    """Measure one model in a process of its own: OpenSim can take its process down with it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(measure, path, poses, seed).result()
        except BrokenProcessPool:
            return Result(path, reason="BUG: the process crashed")


def measure(path: Path, poses: int, seed: int) -> Result:
    """Compile and measure one model; whatever goes wrong is its reason."""
    start = time.perf_counter()
    try:
        model = compile_osim(path).compile()
        seconds = time.perf_counter() - start
        return Result(path, seconds, compare(path, model, poses=poses, seed=seed))
    except MskError as error:
        return Result(path, reason=f"refused: {error.what}")
    except Exception as error:  # a bug, which must not hide the other models' rows
        return Result(path, reason=f"BUG: {type(error).__name__}: {' '.join(str(error).split())}")


def name_of(path: Path) -> str:
    """Return a model's name in the tables: the file's, or the subject's folder and the file's."""
    path = path.resolve()
    if DATA / "motions" in path.parents:
        return str(path.relative_to(DATA / "motions").with_suffix(""))
    return path.stem


def errors_table(results: list[Result]) -> Table:
    """Return the table of all models."""
    table = Table(box=box.MARKDOWN)
    table.add_column("model")
    for heading in ("muscles", "s", *(heading for heading, _, _ in COLUMNS)):
        table.add_column(heading, justify="right")
    table.add_column("arm against -dL/dq, mm", justify="right")
    table.add_column("worst at")
    for result in results:
        table.add_row(name_of(result.path), *cells(result))
    return table


def cells(result: Result) -> list[str]:
    """Return the cells of one model after its name."""
    fidelity = result.fidelity
    if fidelity is None:
        return [""] * (3 + len(COLUMNS)) + [bold(result.reason.partition(":")[0], True)]
    found = {bar.key: bar for bar in bars(fidelity)}
    lost = len({*fidelity.missing} & {note.name for note in fidelity.notes})
    muscles = f"{len(fidelity.length)}" + (f" (**-{lost}**)" if lost else "")
    row = [muscles, bold(f"{result.seconds:.1f}", result.seconds > SECONDS)]
    for _, keys, digits in COLUMNS:
        row.append(", ".join(cell(found[key], digits) for key in keys if key in found) or "-")
    return [*row, slopes(fidelity), worst_of(found)]


def slopes(fidelity: Fidelity) -> str:
    """Return median, 95th percentile and worst RMS error (mm) of the arms against -dL/dq."""
    errors = [1e3 * arm.rms for arm in fidelity.slopes.values()]
    return ", ".join(f"{e:.2f}" for e in np.percentile(errors, [50, 95, 100])) if errors else "-"


def cell(bar: Bar, digits: int | None) -> str:
    text = f"{bar.value:.0e}" if digits is None else f"{bar.value:.{digits}f}"
    return bold(text, not bar.met)


def bold(text: str, missed: bool) -> str:
    return f"**{text}**" if missed else text


def worst_of(found: dict[str, Bar]) -> str:
    """Return where the bar that is missed by the largest factor has its largest error."""
    missed = [bar for bar in found.values() if not bar.met and bar.worst]
    if missed:
        return max(missed, key=lambda bar: bar.value / (bar.limit or 0.1)).worst
    return found["arm_worst"].worst if "arm_worst" in found else ""


def losses(results: list[Result]) -> Iterable[str]:
    """Yield lines that say why models were refused and what the compiled ones lack."""
    for result in results:
        model, fidelity = name_of(result.path), result.fidelity
        if fidelity is None:
            yield f"{model}: {result.reason}"
            continue
        for kind, reason, names in alike(fidelity.notes):
            yield f"{model}: {kind}, {reason}: {', '.join(names)}"
        unsaid = {*fidelity.missing} - {note.name for note in fidelity.notes}
        if unsaid:
            yield f"{model}: MISSING WITHOUT A WORD: {', '.join(sorted(unsaid))}"


def myoconverter_table(results: list[Result]) -> Table:
    """Return ours beside MyoConverter's published figures, on the same models."""
    table = Table(box=box.MARKDOWN)
    table.add_column("model")
    table.add_column("muscles", justify="right")
    for quantity in ("moment arm, mean error, cm", "force, RMS error, F0"):
        table.add_column(f"{quantity}: ours", justify="right")
        table.add_column("MyoConverter", justify="right")
    for result in results:
        published = MYOCONVERTER.get(name_of(result.path))
        if published and result.fidelity is not None:
            arms = [arm.mean for arm in result.fidelity.arms.values()]
            forces = list(result.fidelity.force.values())
            table.add_row(
                name_of(result.path),
                str(len(result.fidelity.length)),
                f"{100 * np.mean(arms):.3f}" if arms else "-",
                f"{published[0]:g}",
                f"{np.mean(forces):.3f}" if forces else "-",
                f"{published[1]:g}",
            )
    return table


def record(result: Result) -> dict:
    """Return one model's entry in the JSON file."""
    if result.fidelity is None:
        return {"model": name_of(result.path), "refused": result.reason}
    return document(result.fidelity, name_of(result.path)) | {"compile_s": result.seconds}


if __name__ == "__main__":
    main()
