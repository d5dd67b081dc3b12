"""``mjx-msk evaluate``: how good estimates are on recordings whose motion is known."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from mjx_msk.cli.terminal import BAD_INPUT, OK, Terminal
from mjx_msk.errors import MskError


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Compare the ways to a motion on recordings whose motion is known, seen by virtual cameras.

    Goes on where it was stopped; a trial that cannot be used is reported and left out.
    """

    root: Path
    """Folder of the data set."""
    dataset: Literal["folder", "opencap", "movi", "bedlam", "addbiomechanics"] = "folder"
    """How it is laid out; 'folder': .mot, .trc and .osim files, with or without a manifest.csv."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("evaluation")
    """Folder for the scores of each trial and the tables."""
    virtual_camera: tuple[int, ...] = (0, 1, 2)
    """Seeds of the cameras that see every trial."""
    video: bool = False
    """See each trial's own videos in the place of virtual cameras."""
    methods: tuple[Literal["landmarks", "optimiser", "networks", "loop"], ...] = (
        "landmarks", "optimiser", "networks", "loop",
    )  # fmt: skip
    """What is compared: landmarks as they are, the fit alone, the networks alone, both."""
    split: str = ""
    """Only people of this split (val), where the data set has splits."""
    people: tuple[str, ...] = ()
    """Only these people."""
    longest_s: float = 6.0
    """The middle of longer recordings counts."""
    weights: Path | None = None
    """A folder with ikt.safetensors and idt.safetensors in the place of the shipped ones."""
    coordinates: bool = False
    """Show the errors of single coordinates as well; they are always in the .csv."""

    def run(self, terminal: Terminal) -> int:
        """Evaluate every trial; one that fails does not stop the others."""
        with terminal.progress(str(self.root)) as on_stage:
            on_stage("starting", 0, 0)
            from mjx_msk.data.datasets import list_trials
            from mjx_msk.evaluation.methods import Kit
            from mjx_msk.evaluation.run import Plan, evaluate
            from mjx_msk.evaluation.table import lines, write_table
            from mjx_msk.runtime import enable_compilation_cache

            enable_compilation_cache()
            plan = Plan(
                methods=self.methods, seeds=self.virtual_camera, longest_s=self.longest_s,
                split=self.split, people=self.people, video=self.video,
            )  # fmt: skip
            found = evaluate(
                list_trials(self.dataset, self.root, views=self.video),
                self.out,
                Kit(self.weights),
                plan,
                on_stage=on_stage,
                on_skip=lambda name, why: terminal.error(f"{name}: {_reason(why)}"),
            )
        for line in lines(found.rows, coordinates=self.coordinates):
            terminal.say(line)
        if found.rows:
            write_table(found.rows, self.out / "scores.csv")
        terminal.say(
            f"{found.made} trials evaluated, {found.kept} kept, {len(found.skipped)} left out: "
            f"{self.out}"
        )
        return OK if found.rows else BAD_INPUT


def _reason(why: Exception) -> str:
    """Say why a trial is left out; what is not the user's fault is named as what it is."""
    return str(why) if isinstance(why, MskError) else f"{type(why).__name__}: {why}"
