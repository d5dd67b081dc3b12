"""``mjx-msk``: arguments, progress and messages; nothing is computed here."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mjx_msk.cli.stopping import stoppable
from mjx_msk.cli.terminal import Terminal
from mjx_msk.errors import MskError

if TYPE_CHECKING:
    from mjx_msk.options import Options

OK, BAD_INPUT, STOPPED = 0, 2, 130


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Estimate a person's motion, joint moments and ground forces from a video or markers."""

    sources: tyro.conf.Positional[tuple[Path, ...]]
    """Videos, .trc files, or folders of them."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("out")
    """Where the results go; a folder per recording where there are several."""
    height: float | None = None
    """The person's height in metres."""
    mass: float | None = None
    """The person's mass in kilograms."""
    person: int | None = None
    """Which person to follow; 1 is the most complete track."""
    camera: Path | None = None
    """Calibration file (.json or .toml): intrinsics, and gravity if known."""
    fov_deg: float | None = None
    """Field of view along the image's long side, where there is no calibration."""
    pose_model: Path | None = None
    """A MediaPipe pose landmarker .task file instead of the fetched one."""
    model: Path | None = None
    """Scaled model (.osim or compiled .xml) that the markers belong to."""
    grf: Path | None = None
    """Measured ground forces (.mot) instead of estimated ones."""
    slow_motion: float = 1.0
    """How many times slower than life the video plays."""
    treadmill: float = 0.0
    """Belt speed in m/s of a person walking on a treadmill; negative for walking backwards."""
    again: bool = False
    """Estimate again what is complete already."""

    def run(self, terminal: Terminal) -> int:
        """Estimate every recording; one that fails does not stop the others."""
        from mjx_msk.options import Options
        from mjx_msk.recordings import recordings

        if not self.sources:
            raise MskError("no recording was given.", remedy="Give a video, a .trc or a folder.")
        options = Options(
            height_m=self.height, mass_kg=self.mass, person=self.person, camera=self.camera,
            fov_deg=self.fov_deg, pose_model=self.pose_model, model=self.model, grf=self.grf,
            slow_motion=self.slow_motion, treadmill=self.treadmill,
        )  # fmt: skip
        jobs = recordings(self.sources, self.out)
        if len(jobs) > 1 and self.grf is not None:
            raise MskError(
                f"one force file cannot belong to {len(jobs)} recordings.",
                where="--grf",
                remedy="Estimate each recording with its own.",
            )
        failed = 0
        for source, out in jobs:
            try:
                _estimate(terminal, source, out, options, again=self.again)
            except MskError as error:
                failed += 1
                terminal.error(error)
        if len(jobs) > 1:
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
        from mjx_msk.options import Options

        options = Options(height_m=1.73, mass_kg=70.0)
        _estimate(terminal, demo_video(), self.out, options, again=self.again)
        return OK


@dataclass(frozen=True, kw_only=True)
class Compile:
    """Compile an OpenSim model to MJCF."""

    osim: tyro.conf.Positional[Path]
    """The .osim file."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The .xml file to write."""

    def run(self, terminal: Terminal) -> int:
        """Compile and say where the result is."""
        from mjx_msk.compile import compile_osim, notes, write_xml

        spec = compile_osim(self.osim)
        write_xml(spec, self.out)
        for line in notes(spec):
            terminal.say(line)
        terminal.say(f"Wrote {self.out}")
        return OK


def _estimate(
    terminal: Terminal, source: Path, out: Path, options: "Options", *, again: bool
) -> None:
    with terminal.progress(source.name) as on_stage:
        on_stage("starting", 0, 0)
        from mjx_msk.pipeline import estimate

        result = estimate(source, out, options, on_stage, again=again)
    if result.reused:
        terminal.say(f"{source.name}: already complete in {out}, kept (--again estimates anew)")
        return
    terminal.table(result.motion, result.timings)
    if result.note:
        terminal.say(result.note)
    terminal.say(f"Report: {(out / 'report.html').resolve()}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits with 2 after bad input, with 130 after Ctrl-C."""
    command = tyro.cli(
        Annotated[Estimate, tyro.conf.subcommand("estimate")]
        | Annotated[Demo, tyro.conf.subcommand("demo")]
        | Annotated[Compile, tyro.conf.subcommand("compile")],
        prog="mjx-msk", description="One camera in; motion, moments and ground forces out.",
        args=arguments, config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
    )  # fmt: skip
    terminal = Terminal()
    try:
        with stoppable() as terminal.check:
            code = command.run(terminal)
    except MskError as error:
        terminal.error(error)
        code = BAD_INPUT
    except KeyboardInterrupt:
        terminal.error("stopped; nothing half-written was left.")
        code = STOPPED
    sys.exit(code)
