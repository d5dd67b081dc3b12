"""``render_film``: one motion, or several over each other, as a video of any size and speed."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mjx_msk.errors import MskError
from mjx_msk.files import replacing


@dataclass(frozen=True, kw_only=True)
class FilmOptions:
    """How the film looks."""

    size: tuple[int, int] = (1280, 720)  #: width and height, px, even
    speed: float = 1.0  #: 0.25 is four times slower than life
    rate_hz: float = 30.0  #: pictures a second of the film
    azimuth_deg: float = 140.0
    elevation_deg: float = -12.0
    distance_m: float | None = None
    muscles: bool = True  #: coloured by activation where that is known
    forces: bool = True


def render_film(
    folders: Sequence[str | os.PathLike[str]],
    out_mp4: str | os.PathLike[str],
    options: FilmOptions,
    on_frame: Callable[[int, int], None] | None = None,
) -> None:
    """Write the film of the estimates in ``folders``; all but the first are see-through.

    Each starts at the beginning; the film is as long as the longest. ``on_frame(done, total)`` is
    called after each picture. Raises ``MskError`` for a folder that holds no estimate, and where no
    OpenGL backend works.
    """
    from mjx_msk.report.playback import Playback
    from mjx_msk.report.render import ADVICE, draw_apart

    if options.speed <= 0 or options.rate_hz <= 0:
        raise MskError("speed and rate must be above 0.", remedy="Give 1 for true speed.")
    for folder in folders:
        Playback.open(folder)
    with tempfile.TemporaryDirectory() as name, replacing(out_mp4) as temporary:
        job = {
            "folders": [str(Path(folder).resolve()) for folder in folders],
            "out": str(temporary),
            "options": asdict(options),
        }
        job_file = Path(name) / "job.json"
        job_file.write_text(json.dumps(job))
        if not draw_apart("mjx_msk.report.film", job_file, on_frame):
            raise MskError(ADVICE, where="film")


def film_times(durations: Sequence[float], speed: float, rate_hz: float) -> np.ndarray:
    """Return the time of the motions, s from their starts, for each picture of the film."""
    count = int(np.floor(max(durations) / speed * rate_hz + 1e-6)) + 1
    return np.arange(count) * speed / rate_hz


def pictures(job: dict[str, Any]) -> tuple[Iterator[np.ndarray], float, int]:
    """Return the pictures of a film, their rate and number."""
    from mjx_msk.report.playback import Playback, sampled
    from mjx_msk.report.stage import Stage
    from mjx_msk.report.view import View

    options = FilmOptions(**job["options"])
    first, *others = (Playback.open(folder) for folder in job["folders"])
    times = film_times([p.duration for p in (first, *others)], options.speed, options.rate_hz)
    motion = sampled(first.motion, first.motion.time[0] + times)
    # past its end the motion stands, but the film's time goes on
    motion = motion.replace(time=first.motion.time[0] + times)
    view = View(
        azimuth_deg=options.azimuth_deg, elevation_deg=options.elevation_deg,
        distance_m=options.distance_m, muscles=options.muscles, forces=options.forces,
    )  # fmt: skip
    xml = Path(job["folders"][0]) / "model.xml"

    def draw() -> Iterator[np.ndarray]:
        stage = Stage(motion, xml, *options.size, view, others)
        yield from (stage.draw(frame) for frame in range(len(times)))
        stage.close()

    return draw(), float(Fraction(options.rate_hz).limit_denominator(1001)), len(times)


if __name__ == "__main__":
    from mjx_msk.report.replay import run

    sys.exit(run(sys.argv[1], pictures))
