"""Clips on disk: arrays that are mapped into memory, and an index that says what they hold.

A folder of records holds ``index.json`` and shards; a shard is a folder with one ``FIELD.npy`` for
each array of a ``Clip``, the frames of several clips one after another. A shard never changes once
the index names it; the index is replaced as a whole. Nothing is pickled.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from mjx_msk.data.clip import Clip
from mjx_msk.errors import MskError

FORMAT, VERSION = "mjx-msk records", 1
INDEX = "index.json"
#: Arrays with a row for each frame.
FRAME_FIELDS = (
    "q", "qd", "qdd", "tau", "foot_force", "foot_cop", "foot_moment", "contact", "kinetics_known",
    "measured", "landmarks",
)  # fmt: skip
_SINGLE: tuple[Any, ...] = (str, int, float)
#: The fields of a clip that are single values, and their types.
FACTS: dict[str, Any] = {f.name: f.type for f in fields(Clip) if f.type in _SINGLE}
_AGAIN = "Prepare the records again: mjx-msk data prepare ROOT -o OUT"


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What the arrays of all clips of a folder mean."""

    coordinate_names: tuple[str, ...]
    landmark_names: tuple[str, ...]
    segments: tuple[str, ...]
    model_sha256: str  #: of the default model's file

    def as_json(self) -> dict[str, Any]:
        """Return it for the index."""
        return {
            "coordinate_names": list(self.coordinate_names),
            "landmark_names": list(self.landmark_names),
            "segments": list(self.segments),
            "model_sha256": self.model_sha256,
        }


@dataclass(frozen=True)
class Entry:
    """One clip of the index."""

    trial: str  #: the clip that it is a variant of, or its own name
    key: str  #: what the clip was made from and how, as a hash
    sources: dict[str, str]  #: sha256 of each file that it was made from
    facts: dict[str, Any]  #: the fields of ``Clip`` that are no arrays
    log_segments: tuple[float, ...]
    shard: str
    start: int
    stop: int

    @property
    def name(self) -> str:
        """Return the clip's name."""
        return str(self.facts["name"])

    def __len__(self) -> int:
        return self.stop - self.start


class Records(Sequence[Clip]):
    """A folder of clips, read where they lie: ``records[i]`` is a ``Clip`` of views of the files.

    Raises ``MskError`` for a folder that is no records, of another version, or incomplete.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        index = _read_index(self.folder)
        try:
            self.contents = Contents(
                coordinate_names=tuple(index["coordinate_names"]),
                landmark_names=tuple(index["landmark_names"]),
                segments=tuple(index["segments"]),
                model_sha256=str(index["model_sha256"]),
            )
            self.entries = tuple(_entry(row) for row in index["clips"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _broken(self.folder, f"its index lacks or garbles {error}") from error
        self._shards: dict[str, dict[str, np.ndarray]] = {}
        self._ends: dict[str, int] = {}
        for entry in self.entries:
            self._ends[entry.shard] = max(self._ends.get(entry.shard, 0), entry.stop)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: Any) -> Any:
        """Return one clip, or a list of them for a slice."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        entry = self.entries[index]
        arrays = self._shard(entry.shard)
        rows: dict[str, Any] = {n: arrays[n][entry.start : entry.stop] for n in FRAME_FIELDS}
        return Clip(**entry.facts, **rows, log_segments=np.array(entry.log_segments))

    def __iter__(self) -> Iterator[Clip]:
        return (self[i] for i in range(len(self)))

    def check(self) -> None:
        """Raise ``MskError`` unless every shard is there and whole."""
        for shard in self._ends:
            self._shard(shard)

    def _shard(self, name: str) -> dict[str, np.ndarray]:
        if name not in self._shards:
            folder = self.folder / name
            n, sizes = self._ends[name], self._shapes()
            self._shards[name] = {f: _mapped(folder / f"{f}.npy", n, sizes[f]) for f in sizes}
        return self._shards[name]

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Return what belongs to one frame of each array."""
        n, feet = len(self.contents.coordinate_names), (2, 3)
        return {
            "q": (n,), "qd": (n,), "qdd": (n,), "tau": (n,),
            "foot_force": feet, "foot_cop": feet, "foot_moment": feet, "contact": (2,),
            "kinetics_known": (), "measured": (),
            "landmarks": (len(self.contents.landmark_names), 3),
        }  # fmt: skip


def _read_index(folder: Path) -> dict[str, Any]:
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MskError("this is no folder of records.", where=str(folder), remedy=_AGAIN) from error
    except (OSError, ValueError) as error:
        raise _broken(folder, f"its index cannot be read ({error})") from error
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise MskError("this is no folder of records.", where=str(folder), remedy=_AGAIN)
    if index.get("version") != VERSION:
        raise MskError(
            f"these records have version {index.get('version')}, this program reads {VERSION}.",
            where=str(folder),
            remedy=_AGAIN,
        )
    return index


def _entry(row: dict[str, Any]) -> Entry:
    found = Entry(
        trial=str(row["trial"]),
        key=str(row["key"]),
        sources={str(name): str(value) for name, value in row["sources"].items()},
        facts={name: kind(row[name]) for name, kind in FACTS.items()},
        log_segments=tuple(map(float, row["log_segments"])),
        shard=str(row["shard"]),
        start=int(row["start"]),
        stop=int(row["stop"]),
    )
    if not 0 <= found.start < found.stop or not re.fullmatch(r"shard_\d+", found.shard):
        raise ValueError(f"the place of {found.name}")
    return found


def _mapped(path: Path, frames: int, shape: tuple[int, ...]) -> np.ndarray:
    """Map an array of at least ``frames`` rows; raises ``MskError`` unless it is one."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _broken(path, f"it cannot be read ({error})") from error
    if array.dtype != np.float32 or array.shape[1:] != shape or len(array) < frames:
        raise _broken(path, f"it holds {array.dtype} {array.shape} instead of {(frames, *shape)}")
    return array


def _broken(where: Path, why: str) -> MskError:
    return MskError(f"these records are broken: {why}.", where=str(where), remedy=_AGAIN)
