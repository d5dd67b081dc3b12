"""The short table that ends a run on the terminal."""

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from mjx_msk.motion import Motion
from mjx_msk.report.quality import MEASURES, walking

_STYLES = {"good": "green", "fair": "yellow", "poor": "red", "": ""}


def quality_table(motion: Motion, timings: Mapping[str, float] | None = None) -> Table:
    """Return frames, duration, direction, quality figures and seconds per stage.

    What the motion does not know is shown as ``-``. ``timings`` are seconds by stage, in order.
    """
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(justify="left")
    duration = float(motion.time[-1] - motion.time[0])
    table.add_row("Frames", f"{len(motion)} at {motion.rate_hz:.4g} Hz")
    table.add_row("True duration", f"{duration:.2f} s")
    table.add_row("Walking", walking(motion) or "-")
    for measure in MEASURES:
        value, verdict = measure.value(motion), measure.verdict(motion)
        text = "-" if value is None else f"{value:.3g} {measure.unit}  {verdict}"
        table.add_row(measure.label, text, style=_STYLES[verdict])
    for stage, seconds in (timings or {}).items():
        table.add_row(f"Time: {escape(stage)}", f"{seconds:.1f} s")
    if timings:
        table.add_row("Time: in all", f"{sum(timings.values()):.1f} s")
    for warning in motion.quality.get("warnings", ()):
        table.add_row("Warning", escape(str(warning)), style="yellow")
    return table
