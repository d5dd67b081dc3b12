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
    kinetics_time: np.ndarray | None = None  #: (K,) s, of the published inverse dynamics
    generalized_force: np.ndarray | None = None  #: (K, n) N m or N; NaN where none is published
    rotation_names: tuple[str, ...] = ()  #: joints of a body model, the root first
    rotations: np.ndarray | None = None  #: (T, J, 3, 3) world_from_root, then parent_from_child
    markers: Markers | None = None
    joints: Markers | None = None  #: joint centres that the data set computed
    forces: tuple[ForcePlate, ...] = ()
    loads: Path | None = None  #: ``_loads.csv``: which plate is under which foot
    camera: Camera | None = None
    video: Path | None = None
    video_frames: tuple[int, int] | None = None  #: [first, end) of ``video``, all where None
    landmark_names: tuple[str, ...] = ()
    landmarks: np.ndarray | None = None  #: (T, L, 2) px of the upright image, true ones
    mass_kg: float | None = None
    height_m: float | None = None
    provenance: dict[str, Any] = field(default_factory=dict)  #: files, licence, notes
