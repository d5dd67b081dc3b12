"""Clips on disk: arrays that are mapped into memory, and an index that says what they hold.

A folder of records holds ``index.json`` and shards; a shard is a folder with one ``FIELD.npy`` for
each array of a ``Clip``, the frames of several clips one after another. A shard never changes once
the index names it; the index is replaced as a whole. Nothing is pickled.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from mjx_msk.data.clip import RATE_HZ, Clip
from mjx_msk.errors import MskError
from mjx_msk.files import replacing, writable_folder

FORMAT, VERSION = "mjx-msk records", 1
INDEX = "index.json"
#: A shard is written when it holds this many frames (about 1 kB each).
SHARD_FRAMES = 4096
#: Arrays with a row for each frame.
FRAME_FIELDS = (
    "q", "qd", "qdd", "tau", "foot_force", "foot_cop", "foot_moment", "contact", "kinetics_known",
    "measured", "landmarks",
)  # fmt: skip
_FACTS = tuple(f.name for f in fields(Clip) if f.name not in (*FRAME_FIELDS, "log_segments"))
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

    key: str  #: what the clip was made from and how, as a hash
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
        except (KeyError, TypeError, ValueError) as error:
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
        return Clip(
            **entry.facts,
            log_segments=np.array(entry.log_segments),
            **{name: arrays[name][entry.start : entry.stop] for name in FRAME_FIELDS},
        )

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


class Writer:
    """Adds clips to a folder of records, new or begun earlier; use it in a ``with``.

    A clip counts once its shard is full, or when the block ends, also by an error or Ctrl-C.
    """

    def __init__(self, folder: Path, contents: Contents) -> None:
        self.folder, self.contents = folder, contents
        self._entries: dict[str, Entry] = {}
        self._waiting: list[tuple[str, Clip]] = []
        if (folder / INDEX).exists():
            earlier = Records(folder)
            if earlier.contents != contents:
                raise MskError(
                    "these records belong to another model, or have other landmarks.",
                    where=str(folder),
                    remedy="Give a new folder with -o.",
                )
            self._entries = {e.name: e for e in earlier.entries}
        elif folder.exists() and any(folder.iterdir()):
            raise MskError(
                "this folder holds something else than records.",
                where=str(folder),
                remedy="Give a new folder with -o.",
            )

    def has(self, name: str, key: str) -> bool:
        """Tell whether the folder holds this very clip already."""
        return name in self._entries and self._entries[name].key == key

    def add(self, clip: Clip, key: str) -> None:
        """Take a clip; one of the same name makes way for it."""
        self._waiting.append((key, clip))
        if sum(len(c) for _, c in self._waiting) >= SHARD_FRAMES:
            self.flush()

    def drop(self, names: set[str]) -> None:
        """Forget clips of the index that are wanted no more."""
        if gone := names & set(self._entries):
            self._entries = {n: e for n, e in self._entries.items() if n not in gone}
            self._write_index()

    def flush(self) -> None:
        """Write what waits as a shard, then the index."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        used = {e.shard for e in self._entries.values()}
        number = 0
        while (shard := f"shard_{number:05d}") in used or (self.folder / shard).exists():
            number += 1
        with writable_folder(self.folder):
            temporary = Path(tempfile.mkdtemp(dir=self.folder, prefix=".shard-"))
            try:
                for name in FRAME_FIELDS:
                    rows = np.concatenate([np.asarray(getattr(c, name)) for _, c in waiting])
                    np.save(temporary / f"{name}.npy", rows.astype(np.float32), allow_pickle=False)
                temporary.chmod(0o755)
                temporary.rename(self.folder / shard)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        start = 0
        for key, clip in waiting:
            facts = {name: getattr(clip, name) for name in _FACTS}
            sizes = tuple(map(float, clip.log_segments))
            self._entries[clip.name] = Entry(key, facts, sizes, shard, start, start + len(clip))
            start += len(clip)
        self._write_index()

    def _write_index(self) -> None:
        rows = [
            {"key": e.key, **e.facts, "log_segments": list(e.log_segments), "shard": e.shard,
             "start": e.start, "stop": e.stop}
            for e in sorted(self._entries.values(), key=lambda e: e.name)
        ]  # fmt: skip
        head = {"format": FORMAT, "version": VERSION, "rate_hz": RATE_HZ}
        with replacing(self.folder / INDEX) as temporary:
            whole = head | self.contents.as_json() | {"clips": rows}
            temporary.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        used = {e.shard for e in self._entries.values()}
        for folder in self.folder.glob("shard_*"):
            if folder.name not in used:
                shutil.rmtree(folder, ignore_errors=True)

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()


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
        key=str(row["key"]),
        facts={name: row[name] for name in _FACTS},
        log_segments=tuple(map(float, row["log_segments"])),
        shard=str(row["shard"]),
        start=int(row["start"]),
        stop=int(row["stop"]),
    )
    if not 0 <= found.start < found.stop or Path(found.shard).name != found.shard:
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
