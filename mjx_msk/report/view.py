"""How a motion is looked at: camera, muscles, forces; and the colours of motions laid over it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Literal

import mujoco
import numpy as np

from mjx_msk.errors import MskError

#: A resting muscle and a fully active one.
RESTING, ACTIVE = (0.20, 0.32, 0.80, 1.0), (1.0, 0.10, 0.05, 1.0)
#: Of motions laid over the first one (Okabe and Ito 2008), see-through.
_GHOSTS = (
    (0.00, 0.62, 0.45, 0.45), (0.80, 0.47, 0.65, 0.45),
    (0.90, 0.62, 0.00, 0.45), (0.34, 0.71, 0.91, 0.45),
)  # fmt: skip
#: Degrees about the vertical; 0 stands behind a person who walks along X.
AZIMUTHS_DEG = {"quarter": 140.0, "right": 90.0, "front": 180.0, "left": 270.0, "back": 0.0}
CameraName = Literal["quarter", "right", "front", "left", "back"]


@dataclass(frozen=True, kw_only=True)
class View:
    """How a motion is looked at; the camera follows the person."""

    azimuth_deg: float = AZIMUTHS_DEG["quarter"]  #: in front of the person, to the right
    elevation_deg: float = -12.0  #: negative looks down
    distance_m: float | None = None  #: None: near enough to fill the picture
    muscles: bool = False  #: coloured by activation
    forces: bool = True  #: arrows of the ground reaction forces


def ghost_colours() -> Iterator[np.ndarray]:
    """Yield colours (4,) of motions laid over the first one, without end."""
    return (np.array(colour, dtype=np.float32) for colour in cycle(_GHOSTS))


def colour_muscles(model: mujoco.MjModel, option: mujoco.MjvOption) -> None:
    """Let MuJoCo draw muscles between blue and red by their activation, as all viewers can."""
    model.vis.rgba.actuator = np.array(RESTING)
    model.vis.rgba.actuatorpositive = np.array(ACTIVE)
    option.flags[mujoco.mjtVisFlag.mjVIS_ACTUATOR] = True
    option.flags[mujoco.mjtVisFlag.mjVIS_ACTIVATION] = True


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
