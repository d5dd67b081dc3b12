"""``mjx-msk data``: recordings into records for training."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from mjx_msk.cli.terminal import OK, Terminal
from mjx_msk.engines import DONE, FAILED, HERE, KEPT, SUMMARY, Outcome, find_engine, write_summary


@dataclass(frozen=True, kw_only=True)
class Data:
    """Turn recordings into records that networks are trained on; goes on where it was stopped."""

    action: tyro.conf.Positional[Literal["prepare"]]
    """prepare: write the records of a folder of trials."""
    root: tyro.conf.Positional[Path]
    """Folder of the data set."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder of the records."""
    dataset: Literal["folder", "opencap", "movi", "bedlam", "addbiomechanics"] = "folder"
    """How it is laid out; 'folder': .mot, .trc and .osim files, with or without a manifest.csv."""
    variants: int = 0
    """How many other bodies each training motion is put on, with forces of their own."""
    seed: int = 0
    """Seed of these bodies."""

    engine: str = HERE
    """Where to work: 'here', one trial after another, or 'ray', several on a cluster."""
    engine_address: str | None = None
    """Of the engine's cluster, such as 'auto' or 'ray://HOST:10001'; one is started without it."""
    engine_workers: int | None = None
    """How many trials the engine works on at a time; all of its cores if not given."""

    def run(self, terminal: Terminal) -> int:
        """Prepare every trial; one that fails does not stop the others."""
        engine = find_engine(self.engine, self.engine_address, self.engine_workers)
        with terminal.progress(str(self.root)) as on_stage:
            on_stage("starting", 0, 0)
            from mjx_msk.data.datasets import list_trials
            from mjx_msk.data.records import Records
            from mjx_msk.train.prepare import prepare, table

            trials = list_trials(self.dataset, self.root)

        def tell(outcome: Outcome) -> None:
            if outcome.state == FAILED:
                terminal.error(f"{outcome.name}: {outcome.why}")

        outcomes = prepare(
            trials, self.out, variants=self.variants, seed=self.seed, engine=engine,
            progress=terminal.progress, on_done=tell,
        )  # fmt: skip
        if self.engine != HERE:
            terminal.outcomes(outcomes)
        count = Counter(outcome.state for outcome in outcomes)
        if count[DONE] + count[KEPT]:
            for line in table(Records(self.out)):
                terminal.say(line)
        write_summary(outcomes, self.out / SUMMARY)
        terminal.say(
            f"{count[DONE]} trials prepared, {count[KEPT]} kept, {count[FAILED]} left out: "
            f"{self.out} ({SUMMARY})"
        )
        return OK
