"""The motion type: everything known about how one person moved."""

import dataclasses
import json
import os
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mjx_msk.errors import MskError
from mjx_msk.files import replacing

#: 2 added muscles and joint forces.
SCHEMA_VERSION = 2

#: What numpy, zipfile and json raise for files that are damaged or something else.
_UNREADABLE = (
    OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_JSON_FIELDS = ("subject", "camera", "quality", "provenance")
_NAME_FIELDS = (
    "coordinate_names", "joint_names", "foot_names", "muscle_names", "loaded_joint_names",
    "marker_names", "landmark_names",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Motion:
    """One person's motion on one model, sampled at T times.

    Units are SI and radians; the world has Z up, X along the direction of travel (or of facing)
    and its floor at z = 0. ``q`` holds OpenSim's independent coordinates, ``qpos`` MuJoCo's full
    vector for ``model.xml``. A field that is unknown is ``None``, never zero.
    """

    time: np.ndarray  #: (T,) s, true presentation times
    coordinate_names: tuple[str, ...]  #: n independent coordinates, OpenSim's names
    q: np.ndarray  #: (T, n) rad or m
    qd: np.ndarray  #: (T, n) rad/s or m/s
    qdd: np.ndarray  #: (T, n) rad/s^2 or m/s^2
    joint_names: tuple[str, ...]  #: MuJoCo joints, one per entry of ``qpos``
    qpos: np.ndarray  #: (T, nq)
    qvel: np.ndarray  #: (T, nv)
    qacc: np.ndarray  #: (T, nv)
    generalized_force: np.ndarray | None = None  #: (T, n) N m or N; the root rows are residuals
    foot_names: tuple[str, ...] = ("r", "l")
    foot_force: np.ndarray | None = None  #: (T, 2, 3) N, of the ground on the foot
    foot_cop: np.ndarray | None = None  #: (T, 2, 3) m, center of pressure; NaN without contact
    foot_moment: np.ndarray | None = None  #: (T, 2, 3) N m, free moment at the center of pressure
    contact: np.ndarray | None = None  #: (T, 2) bool, foot on the ground
    muscle_names: tuple[str, ...] = ()
    activation: np.ndarray | None = None  #: (T, m) 0..1
    muscle_force: np.ndarray | None = None  #: (T, m) N, along the tendons
    reserve: np.ndarray | None = None  #: (T, n) N m that no muscle makes; NaN where none could
    loaded_joint_names: tuple[str, ...] = ()
    joint_force: np.ndarray | None = None  #: (T, j, 3) N on the outer bone, in its axes
    confidence: np.ndarray | None = None  #: (T, n) 0..1 per coordinate
    q_std: np.ndarray | None = None  #: (T, n) rad or m, standard deviation that the network states
    marker_names: tuple[str, ...] = ()
    markers: np.ndarray | None = None  #: (T, m, 3) m, the model's markers
    landmark_names: tuple[str, ...] = ()
    landmark_pixels: np.ndarray | None = None  #: (T, L, 2) px of the upright image, observed
    landmark_visibility: np.ndarray | None = None  #: (T, L) 0..1
    landmarks_fitted: np.ndarray | None = None  #: (T, L, 3) m, the model's landmarks in the world
    subject: dict[str, Any] = field(default_factory=dict)  #: height_m, mass_kg, scale factors
    camera: dict[str, Any] = field(default_factory=dict)  #: see ``vision.camera.Camera.to_dict``
    quality: dict[str, Any] = field(default_factory=dict)  #: figures and ``warnings``
    provenance: dict[str, Any] = field(default_factory=dict)  #: version, seed, input sha256, ...

    def __post_init__(self) -> None:
        frames, n = len(self.time), len(self.coordinate_names)
        nq = len(self.joint_names)
        expected = {
            "q": (frames, n), "qd": (frames, n), "qdd": (frames, n),
            "qpos": (frames, nq), "qvel": (frames, nq), "qacc": (frames, nq),
            "generalized_force": (frames, n), "confidence": (frames, n), "q_std": (frames, n),
            "foot_force": (frames, 2, 3), "foot_cop": (frames, 2, 3),
            "foot_moment": (frames, 2, 3), "contact": (frames, 2),
            "activation": (frames, len(self.muscle_names)),
            "muscle_force": (frames, len(self.muscle_names)),
            "reserve": (frames, n), "joint_force": (frames, len(self.loaded_joint_names), 3),
            "markers": (frames, len(self.marker_names), 3),
            "landmark_pixels": (frames, len(self.landmark_names), 2),
            "landmark_visibility": (frames, len(self.landmark_names)),
            "landmarks_fitted": (frames, len(self.landmark_names), 3),
        }  # fmt: skip
        for name, shape in expected.items():
            value = getattr(self, name)
            if value is not None and np.shape(value) != shape:
                raise ValueError(f"Motion.{name} has shape {np.shape(value)}, expected {shape}")

    @property
    def rate_hz(self) -> float:
        """Mean frame rate in Hz (0 for a single frame)."""
        return (len(self.time) - 1) / float(self.time[-1] - self.time[0]) if len(self) > 1 else 0.0

    def __len__(self) -> int:
        return len(self.time)

    def index(self, coordinate: str) -> int:
        """Return the column of a coordinate; raises ``KeyError`` that lists the valid names."""
        try:
            return self.coordinate_names.index(coordinate)
        except ValueError:
            raise KeyError(f"{coordinate!r} is not one of {self.coordinate_names}") from None

    def replace(self, **changes: Any) -> "Motion":
        """Return a copy with some fields replaced."""
        return dataclasses.replace(self, **changes)

    def slice_time(self, start_s: float, end_s: float) -> "Motion":
        """Return the frames with ``start_s <= time <= end_s``."""
        keep = (self.time >= start_s) & (self.time <= end_s)
        return self.replace(**{name: value[keep] for name, value in self.arrays().items()})

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the fields that are known arrays; each has the frames as its first axis."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an ``.npz`` without pickled objects; names and JSON are stored as text.

        Raises ``MskError`` when the file cannot be written; nothing half-written is left.
        """
        stored: dict[str, Any] = {"schema_version": np.array(SCHEMA_VERSION), **self.arrays()}
        stored |= {name: np.array(getattr(self, name), dtype=np.str_) for name in _NAME_FIELDS}
        stored |= {name: np.array(json.dumps(getattr(self, name))) for name in _JSON_FIELDS}
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **stored)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Motion":
        """Read a motion written by ``save``.

        Raises ``MskError`` for a missing, truncated or foreign file, or a newer schema.
        """
        where = str(path)
        if not Path(path).is_file():
            raise MskError("no such file.", where=where, remedy="Give a motion.npz.")
        try:
            # numpy leaves a file open that it cannot read; this one closes it
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                stored = {name: archive[name] for name in archive.files}
            version = int(stored.pop("schema_version"))
            if version > SCHEMA_VERSION:
                raise MskError(
                    f"written by a newer mjx-msk (schema {version}, this one reads up to "
                    f"{SCHEMA_VERSION}).",
                    where=where,
                    remedy="Upgrade mjx-msk.",
                )
            known = {f.name for f in dataclasses.fields(cls)}
            fields: dict[str, Any] = {k: v for k, v in stored.items() if k in known}
            names = [n for n in _NAME_FIELDS if n in stored or version == SCHEMA_VERSION]
            fields |= {name: tuple(str(x) for x in stored[name]) for name in names}
            fields |= {name: json.loads(str(stored[name])) for name in _JSON_FIELDS}
            return cls(**fields)
        except _UNREADABLE as error:
            raise MskError(
                f"not a readable motion file ({error}).",
                where=where,
                remedy="Write it again with mjx-msk estimate.",
            ) from error


def on_lines(time: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return values (T, ...) at the wanted times (S,), on straight lines; held at the ends."""
    after = np.clip(np.searchsorted(time, wanted), 1, max(len(time) - 1, 1))
    if len(time) == 1:
        return np.repeat(values, len(wanted), axis=0)
    before = after - 1
    share = np.clip((wanted - time[before]) / (time[after] - time[before]), 0.0, 1.0)
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    return (1 - share) * values[before] + share * values[after]
