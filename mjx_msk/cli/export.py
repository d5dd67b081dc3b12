"""``mjx-msk export`` and ``mjx-msk import``: motions from and to other programs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from mjx_msk.cli.terminal import OK, Terminal


@dataclass(frozen=True, kw_only=True)
class Export:
    """Write an estimated motion for another program (docs/exports.md)."""

    folder: tyro.conf.Positional[Path]
    """Folder of an estimate: motion.npz and model.xml."""
    to: Literal[
        "locomujoco", "mjlab", "dm_control", "opensim", "c3d", "bvh", "gltf", "csv", "parquet"
    ]
    """The format; MyoSuite and MuscleMimic read locomujoco's."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """The file to write (opensim: the folder); in the estimate's folder if not given."""
    osim: Path | None = None
    """The OpenSim model that the motion's was made from: opensim writes it in the person's size."""
    start: float | None = None
    """First second of the motion to keep."""
    end: float | None = None
    """Last second to keep."""
    loop: int = 0
    """Cut out the cycle that closes best, close it, and play it so many times."""
    mirror: bool = False
    """Exchange left and right."""
    ground: bool = False
    """Raise or lower the person until the lowest sole touches the floor."""
    rate: float | None = None
    """Frames per second, if not the recording's."""

    def run(self, terminal: Terminal) -> int:
        """Write the file and say what it is."""
        from mjx_msk.export.exporting import Edits, export_motion

        edits = Edits(
            start=self.start, end=self.end, loop=self.loop, mirror=self.mirror,
            ground=self.ground, rate=self.rate,
        )  # fmt: skip
        for path in export_motion(self.folder, self.to, self.out, edits, osim=self.osim):
            terminal.say(f"Wrote {path}")
        return OK


@dataclass(frozen=True, kw_only=True)
class Import:
    """Bring a motion of another program into a folder like an estimate's."""

    motion: tyro.conf.Positional[Path]
    """OpenSim's coordinates (.mot, .sto), or an .npz of joint positions (docs/exports.md)."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Where the result goes."""
    model: Path | None = None
    """The model that the coordinates belong to (.osim, or compiled .xml)."""
    cutoff: float | None = None
    """Low-pass the coordinates at so many Hz."""
    grf: Path | None = None
    """Measured ground forces (.mot): moments, muscles and a report follow."""
    forces: bool = False
    """Estimate the ground forces, with all that follows, where none were measured."""
    height: float | None = None
    """With joint positions: the person's height in metres."""
    mass: float | None = None
    """The person's mass in kilograms; the model's if not given."""

    def run(self, terminal: Terminal) -> int:
        """Import and say what was left out."""
        with terminal.progress(self.motion.name) as on_stage:
            on_stage("starting", 0, 0)
            from mjx_msk.importing import import_motion
            from mjx_msk.options import Options

            options = Options(
                model=self.model, grf=self.grf, height_m=self.height, mass_kg=self.mass
            )
            found = import_motion(
                self.motion, self.out, options,
                cutoff_hz=self.cutoff, forces=self.forces,
                on_stage=on_stage,
            )  # fmt: skip
        for line in found.quality.get("warnings", []):
            terminal.say(line)
        terminal.say(f"Wrote {self.out}: {len(found)} frames at {found.rate_hz:.5g} Hz")
        return OK
