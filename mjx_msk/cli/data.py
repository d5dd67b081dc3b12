"""``mjx-msk data``: recordings into records for training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from mjx_msk.cli.terminal import Terminal


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

    def run(self, terminal: Terminal) -> int:
        """Prepare every trial; one that fails does not stop the others."""
        with terminal.progress(str(self.root)) as on_stage:
            on_stage("starting", 0, 0)
            from mjx_msk.data.datasets import list_trials
            from mjx_msk.data.records import Records
            from mjx_msk.runtime import enable_compilation_cache
            from mjx_msk.train.prepare import prepare, table

            enable_compilation_cache()
            done = prepare(
                list_trials(self.dataset, self.root),
                self.out,
                variants=self.variants,
                seed=self.seed,
                on_stage=on_stage,
                on_skip=lambda name, why: terminal.error(f"{name}: {why}"),
            )
        if done.made + done.kept:
            for line in table(Records(self.out)):
                terminal.say(line)
        terminal.say(
            f"{done.made} trials prepared, {done.kept} kept, "
            f"{len(done.skipped)} left out: {self.out}"
        )
        return 0
