"""How a motion is looked at: camera, size, muscles, forces."""

from dataclasses import dataclass

from mjx_msk.errors import MskError

#: Degrees about the vertical; 0 stands behind a person who walks along X.
AZIMUTHS_DEG = {"quarter": 140.0, "right": 90.0, "front": 180.0, "left": 270.0, "back": 0.0}


@dataclass(frozen=True, kw_only=True)
class View:
    """How a motion is looked at; the camera follows the person."""

    azimuth_deg: float = AZIMUTHS_DEG["quarter"]  #: in front of the person, to the right
    elevation_deg: float = -12.0  #: negative looks down
    distance_m: float | None = None  #: None: near enough to fill the picture
    muscles: bool = True  #: coloured by activation where that is known
    forces: bool = True  #: arrows of the ground reaction forces


def parse_size(text: str) -> tuple[int, int]:
    """Read ``1280x720`` as width and height in px; raises ``MskError``."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        width = height = 0
    if not (16 <= width <= 7680 and 16 <= height <= 4320):
        raise MskError(
            f"'{text}' is no picture size.", where="--size", remedy="Give one such as 1280x720."
        )
    return 2 * (width // 2), 2 * (height // 2)  # what H.264 takes
