"""What a run says: results on standard output, progress and errors on standard error."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from mjx_msk.errors import MskError

if TYPE_CHECKING:
    from mjx_msk.engines import Outcome
    from mjx_msk.motion import Motion

#: Exit codes.
OK, BAD_INPUT, STOPPED = 0, 2, 130
_PIPED_WIDTH = 120


class Terminal:
    """Standard output and standard error, whether a person or a file reads them."""

    check: Callable[[], None]  #: raises ``KeyboardInterrupt`` where the run must stop

    def __init__(self) -> None:
        self.check = lambda: None
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # a name in any script must not stop a run
                stream.reconfigure(errors="backslashreplace")
        self._out = Console(highlight=False)
        if not self._out.is_terminal:
            self._out.width = _PIPED_WIDTH
        self._err = Console(stderr=True, highlight=False)

    def say(self, text: str) -> None:
        """Print one line as it is."""
        self._out.print(text, markup=False, soft_wrap=True)

    def error(self, error: MskError | str) -> None:
        """Print one line on standard error."""
        self._err.print(f"mjx-msk: {error}", style="red", markup=False, soft_wrap=True)

    def table(self, motion: "Motion", timings: Mapping[str, float]) -> None:
        """Print the quality table that ends a run."""
        from mjx_msk.report.table import quality_table

        self._out.print(quality_table(motion, timings))

    def outcomes(self, outcomes: "Sequence[Outcome]") -> None:
        """Print the table that ends a run over many recordings."""
        from rich.markup import escape
        from rich.table import Table

        table = Table("recording", "state", "seconds", "worker", "why", box=None)
        for one in outcomes:
            why = escape(str(one.why or ""))
            table.add_row(escape(one.name), one.state, f"{one.seconds:.1f}", one.worker, why)
        self._out.print(table)

    @contextmanager
    def progress(self, title: str) -> Iterator[Callable[[str, int, int], None]]:
        """Show a bar while the block runs, or where nobody watches one line per stage."""
        if not self._err.is_terminal:
            yield _Lines(title, self.check)
            return
        from rich.markup import escape
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn()
        # The pose network's noise is held back at file descriptor 2; the bar has its own way out.
        with (
            open(os.dup(2), "w", encoding="utf-8", errors="backslashreplace") as screen,
            Progress(
                *columns, TimeElapsedColumn(), TimeRemainingColumn(), transient=True,
                console=Console(file=screen, force_terminal=True),
            ) as bar,
        ):  # fmt: skip
            task = bar.add_task(escape(title), total=None)

            def on_stage(label: str, done: int, total: int) -> None:
                self.check()
                text = f"{escape(title)}: {escape(label)}"
                bar.update(task, description=text, completed=done, total=total or None)

            yield on_stage


class _Lines:
    """Progress for a log file: each stage once, without control characters."""

    def __init__(self, title: str, check: Callable[[], None]) -> None:
        self.title, self.check, self.label = title, check, ""

    def __call__(self, label: str, done: int, total: int) -> None:
        self.check()
        if label != self.label:
            self.label = label
            print(f"{self.title}: {label} ...", file=sys.stderr, flush=True)
