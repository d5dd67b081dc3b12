"""``mjx-msk render``: estimates as a video, without a screen."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from mjx_msk.cli.terminal import OK, Terminal


@dataclass(frozen=True, kw_only=True)
class Render:
    """Draw an estimate, or several over each other, into a video; needs no screen."""

    folders: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of estimates; all but the first are drawn see-through."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The .mp4 file to write."""
    camera: Literal["quarter", "right", "front", "left", "back"] = "quarter"
    """The side from which a person is seen who walks along X; the camera goes along."""
    elevation: float = -12.0
    """Degrees that the camera looks up; negative looks down."""
    distance: float | None = None
    """Metres from the camera to the person; as near as fills the picture if not given."""
    size: str = "1280x720"
    """Width and height of the pictures in pixels."""
    speed: float = 1.0
    """0.25 plays four times slower than life."""
    rate: float = 30.0
    """Pictures a second."""
    muscles: bool = True
    """Colour muscles by their activation, blue to red."""
    forces: bool = True
    """Draw the ground forces as arrows."""

    def run(self, terminal: Terminal) -> int:
        """Draw and say where the video is."""
        from mjx_msk.errors import MskError
        from mjx_msk.report.film import FilmOptions, render_film
        from mjx_msk.report.view import AZIMUTHS_DEG, parse_size

        if not self.folders:
            raise MskError("no estimate was given.", remedy="Give the folder of one.")
        if self.out.suffix.lower() != ".mp4":
            raise MskError("not an .mp4 file.", where=str(self.out), remedy="Give -o video.mp4.")
        options = FilmOptions(
            size=parse_size(self.size), speed=self.speed, rate_hz=self.rate,
            azimuth_deg=AZIMUTHS_DEG[self.camera], elevation_deg=self.elevation,
            distance_m=self.distance, muscles=self.muscles, forces=self.forces,
        )  # fmt: skip
        with terminal.progress(self.out.name) as on_stage:
            on_stage("starting", 0, 0)
            render_film(
                self.folders,
                self.out,
                options,
                lambda done, total: on_stage("drawing", done, total),
            )
        terminal.say(f"Wrote {self.out}")
        return OK
