"""``mjx-msk estimate`` and ``demo``: recordings into results."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mjx_msk.cli.terminal import BAD_INPUT, OK, Terminal
from mjx_msk.engines import (
    DONE,
    FAILED,
    HERE,
    KEPT,
    SUMMARY,
    Here,
    OnStage,
    Outcome,
    Task,
    find_engine,
    run_all,
    write_summary,
)
from mjx_msk.errors import MskError
from mjx_msk.options import Options

if TYPE_CHECKING:
    from mjx_msk.pipeline import Estimate as Result


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Estimate a person's motion, joint moments and ground forces from a video or markers."""

    sources: tyro.conf.Positional[tuple[Path, ...]]
    """Videos, .trc files, or folders of them."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("out")
    """Where the results go; a folder per recording where there are several."""
    recording: Options = field(default_factory=Options)
    again: bool = False
    """Estimate again what is complete already."""
    engine: str = HERE
    """Where to work: 'here', one recording after another, or 'ray', several on a cluster."""
    engine_address: str | None = None
    """Of the engine's cluster, such as 'auto' or 'ray://HOST:10001'; one is started without it."""
    engine_workers: int | None = None
    """How many recordings the engine works on at a time; all of its cores if not given."""

    def run(self, terminal: Terminal) -> int:
        """Estimate every recording; one that fails does not stop the others."""
        from mjx_msk.recordings import recordings

        if not self.sources:
            raise MskError("no recording was given.", remedy="Give a video, a .trc or a folder.")
        jobs = recordings(self.sources, self.out)
        if len(jobs) > 1 and self.recording.grf is not None:
            raise MskError(
                f"one force file cannot belong to {len(jobs)} recordings.",
                where="--grf",
                remedy="Estimate each recording with its own.",
            )
        engine = find_engine(self.engine, self.engine_address, self.engine_workers)
        folders = {str(source): out for source, out in jobs}
        outcomes = run_all(
            engine,
            estimate_one,
            [Task(str(source), (source, out, self.recording, self.again)) for source, out in jobs],
            lambda outcome: _tell(terminal, outcome, folders[outcome.name]),
            terminal.progress,
        )
        failed = sum(outcome.state == FAILED for outcome in outcomes)
        if len(jobs) > 1:
            terminal.outcomes(outcomes)
            write_summary(outcomes, self.out / SUMMARY)
            terminal.say(f"{len(jobs) - failed} of {len(jobs)} recordings are in {self.out}")
        return BAD_INPUT if failed else OK


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Fetch the demo video and run the main job on it."""

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("demo")
    """Where the results go."""
    again: bool = False
    """Estimate again what is complete already."""

    def run(self, terminal: Terminal) -> int:
        """Estimate the demo: a man of 1.73 m and 70 kg crossing a beam."""
        from mjx_msk.cache import demo_video

        options = Options(height_m=1.73, mass_kg=70.0)
        task = Task("demo", (demo_video(), self.out, options, self.again))
        (outcome,) = run_all(
            Here(), estimate_one, [task], lambda o: _tell(terminal, o, self.out), terminal.progress
        )
        return BAD_INPUT if outcome.state == FAILED else OK


def estimate_one(
    source: Path, out: Path, options: Options, again: bool, on_stage: OnStage
) -> tuple[str, "Result"]:
    """Estimate one recording: the work that engines do."""
    from mjx_msk.pipeline import estimate

    result = estimate(source, out, options, on_stage, again=again)
    return KEPT if result.reused else DONE, result


def _tell(terminal: Terminal, outcome: Outcome, out: Path) -> None:
    """Say what came of one recording whose results belong into the folder ``out``."""
    if outcome.state == FAILED:
        terminal.error(outcome.why or "failed")
        return
    if outcome.state == KEPT:
        name = Path(outcome.name).name
        terminal.say(f"{name}: already complete in {out}, kept (--again estimates anew)")
    else:
        terminal.table(outcome.value.motion, outcome.value.timings)
        if outcome.value.note:
            terminal.say(outcome.value.note)
    terminal.say(f"Report: {(out / 'report.html').resolve()}")
