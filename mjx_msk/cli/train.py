"""``mjx-msk train``: the learned estimators from records."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from mjx_msk.cli.terminal import OK, Terminal

#: Metrics that the progress line shows.
_SHOWN = ("coordinates", "markers", "torques", "ground_forces", "forward_inverse")


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train the networks; an interrupted run goes on where its last checkpoint was."""

    config: tyro.conf.Positional[Path]
    """The training config (.toml), such as examples/train_ikt.toml."""
    coordinator: str | None = None
    """HOST:PORT of the first of several processes that train together on a folder they share."""
    processes: int | None = None
    """How many they are; like --process, found out where a cluster's scheduler started them."""
    process: int | None = None
    """Which of them this is, from 0."""

    def run(self, terminal: Terminal) -> int:
        """Train and say where the weights are."""
        with terminal.progress(self.config.name) as on_stage:
            on_stage("starting", 0, 0)
            from mjx_msk.runtime import enable_compilation_cache
            from mjx_msk.train.config import read_config
            from mjx_msk.train.loop import join, train

            enable_compilation_cache()
            if self.coordinator is not None:
                join(self.coordinator, self.processes, self.process)

            def on_step(step: int, steps: int, found: dict[str, float]) -> None:
                shown = [f"{name} {found[name]:.4g}" for name in _SHOWN if name in found]
                on_stage(f"step {step} of {steps}: {', '.join(shown)}", step, steps)

            weights = train(read_config(self.config), on_step)
        for path in weights:
            terminal.say(f"Weights: {path}")
        return OK
