"""What the user may choose when a model is compiled."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class CompileOptions:
    """Choices of ``mjx-msk compile``; the defaults keep the model as OpenSim has it."""

    root: Literal["coordinates", "free"] = "coordinates"
    """OpenSim's six root coordinates, or one free joint, as reinforcement learning code expects."""
    knee: Literal["coupled", "hinge"] = "coupled"
    """Keep movements that follow a knee's angle, or leave a plain hinge where it is at rest."""
    lock: tuple[str, ...] = ()
    """Coordinates to hold at their default values."""
    geometry: Path | None = None
    """Folder with the bone meshes (.vtp, .stl, .obj) that the model names."""
