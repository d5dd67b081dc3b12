"""What the user says about a recording, checked once."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import tyro

from mjx_msk.cache import file_sha256
from mjx_msk.errors import MskError


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user says about a recording."""

    height_m: Annotated[float | None, tyro.conf.arg(name="height")] = None
    """The person's height in metres. Needed unless a scaled model is given with markers."""
    mass_kg: Annotated[float | None, tyro.conf.arg(name="mass")] = None
    """The person's mass in kilograms. Needed unless a scaled model is given with markers."""
    person: int | None = None
    """Which person to follow, 1 = the most complete track."""
    camera: Path | None = None
    """Calibration file (.json or .toml): intrinsics, and gravity if known."""
    fov_deg: float | None = None
    """Field of view along the image's long side, degrees, where there is no calibration."""
    pose_model: Path | None = None
    """A MediaPipe pose landmarker .task file instead of the fetched one."""
    model: Path | None = None
    """Scaled model (.osim or compiled .xml) that the markers belong to."""
    grf: Path | None = None
    """Measured ground forces (.mot) instead of estimated ones."""
    slow_motion: float = 1.0
    """How many times slower than life the video plays."""
    treadmill: float = 0.0
    """Belt speed, m/s, of a person walking on a treadmill; negative for walking backwards."""
    learn: bool = True
    """Let the learned networks take part in the estimate from a video, beside the optimiser."""

    def __post_init__(self) -> None:
        """Raise ``MskError`` for a value that nobody has and for a file that is not there."""
        for name, (flag, thing, low, high, remedy) in _LIMITS.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:  # NaN fails too
                raise MskError(
                    f"{thing.format(value)} is implausible.",
                    where=flag,
                    remedy=remedy + (_height_hint(value) if name == "height_m" else ""),
                )
        if self.person is not None and self.person < 1:
            raise MskError(
                f"there is no person {self.person}.",
                where="--person",
                remedy="People are counted from 1, the most complete track.",
            )
        for name, path in self.files().items():
            if not path.is_file():
                raise MskError(
                    f"no such file: {path}.", where=_flag(name), remedy="Check the path."
                )

    def files(self) -> dict[str, Path]:
        """Return the files that were given, by option."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, Path)}

    def body(self, otherwise: str = "") -> tuple[float, float]:
        """Return height (m) and mass (kg); raises ``MskError`` where one was not given.

        ``otherwise`` is what else the user can do.
        """
        if self.height_m is None or self.mass_kg is None:
            examples = {"--height": 1.73} if self.height_m is None else {}
            examples |= {"--mass": 70} if self.mass_kg is None else {}
            example = " ".join(f"{flag} {value}" for flag, value in examples.items())
            raise MskError(
                f"{' and '.join(examples)} {'is' if len(examples) == 1 else 'are'} missing.",
                remedy=f"Say how tall and heavy the person is, as in {example}{otherwise}",
            )
        return self.height_m, self.mass_kg

    def given(self, *names: str) -> list[str]:
        """Return the flags of those of these options that differ from their defaults."""
        default = {f.name: f.default for f in fields(self)}
        return [_flag(name) for name in names if getattr(self, name) != default[name]]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, fit for JSON; a file is told by its name and content."""
        described = {
            name: {"name": path.name, "sha256": file_sha256(path)}
            for name, path in self.files().items()
        }
        return vars(self) | described


#: Option: flag, how to say its value, lowest, highest, what to do.
_LIMITS: dict[str, tuple[str, str, float, float, str]] = {
    "height_m": (
        "--height", "a height of {:g} m", 1.0, 2.4, "Give metres between 1.0 and 2.4."
    ),
    "mass_kg": ("--mass", "a mass of {:g} kg", 15.0, 300.0, "Give kilograms between 15 and 300."),
    "slow_motion": (
        "--slow-motion", "a slow-motion factor of {:g}", 0.05, 100.0,
        "Give how many times slower than life the video plays, such as 4 or 8.",
    ),
    "treadmill": (
        "--treadmill", "a belt speed of {:g} m/s", -8.0, 8.0,
        "Give metres per second, at most 8 (1 km/h is 0.28 m/s).",
    ),
    "fov_deg": (
        "--fov-deg", "a field of view of {:g} degrees", 10.0, 150.0,
        "Give degrees between 10 and 150.",
    ),
}  # fmt: skip


def _flag(name: str) -> str:
    return "--" + name.removesuffix("_m").removesuffix("_kg").replace("_", "-")


def _height_hint(value: float) -> str:
    """Say what a height in centimetres or feet is in metres."""
    if 100 <= value <= 240:
        return f" {value:g} cm are --height {value / 100:.2f}."
    if 3.3 <= value <= 7.9:
        return f" {value:g} feet are --height {value * 0.3048:.2f}."
    return ""
