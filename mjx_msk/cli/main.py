"""``mjx-msk``: arguments, progress and messages; nothing is computed here."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mjx_msk.errors import MskError

_CONSOLE = Console(highlight=False)
_ERRORS = Console(stderr=True, highlight=False)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Estimate a person's motion, joint moments and ground forces from a video or markers."""

    sources: tyro.conf.Positional[tuple[Path, ...]]
    """Videos, .trc files, or folders of them."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("out")
    """Where the results go; a folder per recording when there are several."""
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
    """Belt speed in m/s of a person walking on a treadmill."""

    def run(self) -> int:
        """Estimate every recording; the number that failed decides the exit code."""
        from mjx_msk.pipeline import Options, expand

        options = Options(
            height_m=self.height, mass_kg=self.mass, person=self.person, camera=self.camera,
            fov_deg=self.fov_deg, pose_model=self.pose_model, model=self.model, grf=self.grf,
            slow_motion=self.slow_motion, treadmill=self.treadmill,
        )  # fmt: skip
        sources = expand(list(self.sources))
        failed = 0
        for source in sources:
            out = self.out / source.stem if len(sources) > 1 else self.out
            try:
                _estimate(source, out, options)
            except MskError as error:
                if len(sources) == 1:
                    raise
                _say(error)
                failed += 1
        return 2 if failed else 0


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Fetch the demo video and run the main job on it."""

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("demo")
    """Where the results go."""

    def run(self) -> int:
        """Estimate the demo: a man of 1.73 m and 70 kg crossing a beam."""
        from mjx_msk.cache import demo_video
        from mjx_msk.pipeline import Options

        _CONSOLE.print("Fetching the demo video and the pose weights (once) ...")
        _estimate(demo_video(), self.out, Options(height_m=1.73, mass_kg=70.0))
        return 0


@dataclass(frozen=True, kw_only=True)
class Compile:
    """Compile an OpenSim model to MJCF."""

    osim: tyro.conf.Positional[Path]
    """The .osim file."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The .xml file to write."""

    def run(self) -> int:
        """Compile and say where the result is."""
        from mjx_msk.compile import compile_file

        compile_file(self.osim, self.out)
        _CONSOLE.print(f"Wrote {self.out}")
        return 0


def _estimate(source: Path, out: Path, options) -> None:
    from mjx_msk.pipeline import estimate
    from mjx_msk.report.table import quality_table

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_CONSOLE, transient=True) as progress:
        task = progress.add_task("starting", total=None)

        def on_stage(label: str, done: int, total: int) -> None:
            progress.update(task, description=label, completed=done, total=total or None)

        result = estimate(source, out, options, on_stage)
    if result.reused:
        _CONSOLE.print(f"{source.name}: already complete in {out}, kept.")
        return
    _CONSOLE.print(quality_table(result.motion, result.timings))
    if result.note:
        _CONSOLE.print(result.note)
    _CONSOLE.print(f"Report: {(out / 'report.html').resolve()}")


def _say(error: MskError) -> None:
    _ERRORS.print(f"mjx-msk: {error}", style="red", markup=False, soft_wrap=True)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exits with 2 after bad input, with 130 after Ctrl-C."""
    command = tyro.cli(
        Annotated[Estimate, tyro.conf.subcommand("estimate")]
        | Annotated[Demo, tyro.conf.subcommand("demo")]
        | Annotated[Compile, tyro.conf.subcommand("compile")],
        prog="mjx-msk", args=arguments, config=(tyro.conf.OmitArgPrefixes,),
    )  # fmt: skip
    try:
        code = command.run()
    except MskError as error:
        _say(error)
        code = 2
    except KeyboardInterrupt:
        _ERRORS.print("mjx-msk: stopped; nothing half-written was left.")
        code = 130
    sys.exit(code)
