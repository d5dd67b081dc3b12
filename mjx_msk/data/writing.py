"""Writing records: ``data.records`` says how they lie on disk."""

import itertools
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mjx_msk.data.clip import RATE_HZ, Clip
from mjx_msk.data.records import (
    FACTS,
    FORMAT,
    FRAME_FIELDS,
    INDEX,
    VERSION,
    Contents,
    Entry,
    Records,
)
from mjx_msk.engines import SUMMARY
from mjx_msk.errors import MskError
from mjx_msk.files import replacing, writable_folder

#: A shard is written when it holds this many frames (about 1 kB each).
SHARD_FRAMES = 4096
_TEMPORARY = ".shard-"


class Writer:
    """Adds clips to a folder of records, new or begun earlier; use it in a ``with``.

    A trial's clips count once their shard is full, or when the block ends, also by an error or
    Ctrl-C. One process writes a folder at a time.
    """

    def __init__(self, folder: Path, contents: Contents) -> None:
        self.folder, self.contents = folder, contents
        self._entries: list[Entry] = []
        self._waiting: list[tuple[Entry, Clip]] = []
        if (folder / INDEX).exists():
            earlier = Records(folder)
            if earlier.contents != contents:
                raise MskError(
                    "these records belong to another model, or have other landmarks.",
                    where=str(folder),
                    remedy="Give a new folder with -o.",
                )
            self._entries = list(earlier.entries)
        elif folder.exists() and any(
            p for p in folder.iterdir() if not _ours(p) and p.name != SUMMARY
        ):
            raise MskError(
                "this folder holds something else than records.",
                where=str(folder),
                remedy="Give a new folder with -o.",
            )

    def keys(self) -> dict[str, str]:
        """Return the keys of the clips that the folder holds, by trial."""
        return {entry.trial: entry.key for entry in self._entries}

    def add(self, trial: str, key: str, sources: Mapping[str, str], clips: Sequence[Clip]) -> None:
        """Take the clips of a trial; those that it had before make way for them."""
        for clip in clips:
            facts = {name: kind(getattr(clip, name)) for name, kind in FACTS.items()}
            sizes = tuple(map(float, clip.log_segments))
            entry = Entry(trial, key, dict(sources), facts, sizes, "", 0, len(clip))
            self._waiting.append((entry, clip))
        if sum(len(c) for _, c in self._waiting) >= SHARD_FRAMES:
            self.flush()

    def flush(self) -> None:
        """Write what waits as a shard, then the index."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        shard = self._write_shard([clip for _, clip in waiting])
        stops = np.cumsum([len(clip) for _, clip in waiting]).tolist()
        new = [
            replace(entry, shard=shard, start=stop - len(clip), stop=stop)
            for (entry, clip), stop in zip(waiting, stops, strict=True)
        ]
        trials = {entry.trial for entry in new}
        kept = [entry for entry in self._entries if entry.trial not in trials]
        self._entries = sorted([*kept, *new], key=lambda e: (e.trial, e.facts["variant"]))
        self._write_index()

    def _write_shard(self, clips: Sequence[Clip]) -> str:
        """Write the arrays of clips, one after another, and return the shard's name."""
        taken = {e.shard for e in self._entries} | {p.name for p in self.folder.glob("shard_*")}
        shard = next(s for i in itertools.count() if (s := f"shard_{i:05d}") not in taken)
        with writable_folder(self.folder):
            temporary = Path(tempfile.mkdtemp(dir=self.folder, prefix=_TEMPORARY))
            try:
                for name in FRAME_FIELDS:
                    rows = np.concatenate([np.asarray(getattr(c, name)) for c in clips])
                    np.save(temporary / f"{name}.npy", rows.astype(np.float32), allow_pickle=False)
                temporary.chmod(0o755)
                temporary.rename(self.folder / shard)
            except OSError as error:
                raise MskError(
                    f"cannot write here: {error.strerror or error}.",
                    where=str(self.folder),
                    remedy="Free some disk space, or choose another folder with -o.",
                ) from error
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        return shard

    def _write_index(self) -> None:
        """Replace the index, then remove what it names no more and what a kill left behind."""
        clips = [
            {"trial": e.trial, "key": e.key, "sources": e.sources, **e.facts,
             "log_segments": list(e.log_segments), "shard": e.shard, "start": e.start,
             "stop": e.stop}
            for e in self._entries
        ]  # fmt: skip
        head = {"format": FORMAT, "version": VERSION, "rate_hz": RATE_HZ}
        with replacing(self.folder / INDEX) as temporary:
            whole = head | self.contents.as_json() | {"clips": clips}
            temporary.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        used = {e.shard for e in self._entries}
        for path in self.folder.iterdir():
            if _ours(path) and path.name not in used:
                shutil.rmtree(path, ignore_errors=True)

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()


def _ours(path: Path) -> bool:
    """Tell shards, whole or begun, from what else lies in a folder."""
    return path.name.startswith(("shard_", _TEMPORARY)) and path.is_dir()
