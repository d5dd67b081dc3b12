"""What the two sides of the plugin tell each other."""

from dataclasses import dataclass

from mjx_msk_studio.host import messages


@dataclass(frozen=True)
class Steer(messages.Event):
    """The user's wish; None leaves a thing as it is."""

    time: float | None = None  #: s from the start of the motion
    playing: bool | None = None
    speed: float | None = None
    looping: bool | None = None
    physics: bool | None = None  #: simulated instead of replayed
    guide: float | None = None  #: rad/s, see ``forward.Forward``
    hold_pelvis: bool | None = None
    muscles: bool | None = None  #: drive instead of net moments


@dataclass(frozen=True)
class Status(messages.Snapshot):
    """Where the motion is."""

    time: float = 0.0
    playing: bool = True
    speed: float = 1.0
    looping: bool = True
    physics: bool = False
    guide: float = 80.0
    hold_pelvis: bool = False
    muscles: bool = False
