"""Print how far compiled models are from OpenSim.

    python benchmarks/fidelity.py                        # the default model
    python benchmarks/fidelity.py MODEL.osim ...         # any others
    python benchmarks/fidelity.py --poses 50 MODEL.osim

Needs the package `opensim` (pip install 'mjx-msk[opensim]'). Poses are seeded and lie within the
coordinate ranges; joint moments are inverse dynamics with random speeds and accelerations.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mjx_msk.compile import compile_osim
from mjx_msk.compile.fidelity import Fidelity, compare

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
DEFAULT = DATA / "models" / "RajagopalLaiUhlrich2023.osim"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path, default=[DEFAULT])
    parser.add_argument("--poses", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for path in options.models:
        start = time.perf_counter()
        spec = compile_osim(path)
        seconds = time.perf_counter() - start
        result = compare(path, spec.compile(), poses=options.poses, seed=options.seed)
        title = f"{path} ({options.poses} poses; compiled in {seconds:.1f} s)"
        Console(width=100).print(report(result, title))
        notes = [text for text in spec.texts if text.name.startswith(("repaired/", "skipped/"))]
        for text in notes:
            print(f"{text.name}: {text.data}")


def report(result: Fidelity, title: str) -> Table:
    """Return the table of one model: each quantity, its largest error, and where that is."""
    table = Table(title=title, title_justify="left")
    for heading in ("quantity", "value", "unit", "worst"):
        table.add_column(heading, justify="right" if heading == "value" else "left")

    def add_worst(quantity: str, errors: dict[str, float], scale: float, unit: str) -> None:
        if errors:
            worst = max(errors, key=errors.__getitem__)
            table.add_row(quantity, f"{errors[worst] * scale:.4f}", unit, worst)

    def only(errors: dict[str, float], patella: bool) -> dict[str, float]:
        return {k: v for k, v in errors.items() if k.startswith("patella") == patella}

    for patella, words in ((False, ""), (True, " of a patella")):
        add_worst(f"origin{words}, max", only(result.position, patella), 1e3, "mm")
        add_worst(f"orientation{words}, max", only(result.angle, patella), np.degrees(1), "deg")
    table.add_row("mass, max over bodies", f"{result.mass:.1e}", "kg", "")
    table.add_row("center of mass, max over bodies", f"{result.com:.1e}", "m", "")
    table.add_row("inertia, max over bodies", f"{result.inertia:.1e}", "kg m^2", "")
    add_worst("joint moment, RMS error / RMS", result.moment, 100, "%")
    moments = float(np.median(list(result.moment.values())))
    table.add_row("joint moment, median coordinate", f"{100 * moments:.4f}", "%", "")
    if result.length:
        lengths = np.array(list(result.length.values())) * 1e3
        table.add_row("muscle length, RMS, median muscle", f"{np.median(lengths):.4f}", "mm", "")
        percentile = np.percentile(lengths, 95)
        table.add_row("muscle length, RMS, 95th percentile", f"{percentile:.4f}", "mm", "")
        add_worst("muscle length, RMS, worst muscle", result.length, 1e3, "mm")
    return table


if __name__ == "__main__":
    main()
