"""One recording of a person, whichever data set it comes from."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mjx_msk.osim.forces import ForcePlate
from mjx_msk.osim.markers import Markers
from mjx_msk.vision.camera import Camera


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """One recording: SI, radians, Z up; what a data set does not have is None."""

    dataset: str
    name: str  #: unique in its data set, e.g. ``subject2/walking1``
    person: str  #: never in two splits
    activity: str
    split: str | None = None  #: ``train`` or ``val``, where the data set says so
    model: Path | None = None  #: the person's own ``.osim``
    time: np.ndarray | None = None  #: (T,) s, of the motion
    coordinate_names: tuple[str, ...] = ()
    q: np.ndarray | None = None  #: (T, n) rad or m, OpenSim's coordinates of ``model``
    markers: Markers | None = None
    forces: tuple[ForcePlate, ...] = ()
    loads: Path | None = None  #: ``_loads.csv``: which plate is under which foot
    camera: Camera | None = None
    video: Path | None = None
    mass_kg: float | None = None
    height_m: float | None = None
    provenance: dict[str, Any] = field(default_factory=dict)  #: files, licence, notes
