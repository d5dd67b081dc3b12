"""From folders of recordings to a folder of records: what ``mjx-msk data prepare`` does."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mjx_msk.data.clip import RATE_HZ, Clip
from mjx_msk.data.listing import Listed
from mjx_msk.data.records import VERSION, Contents
from mjx_msk.data.writing import Writer
from mjx_msk.errors import MskError
from mjx_msk.fit.scaling import SEGMENTS
from mjx_msk.resources import DEFAULT_MODEL, asset
from mjx_msk.train.clips import ClipMaker

#: Raised when clips are made differently, so that older ones are made again.
METHOD = 3

OnStage = Callable[[str, int, int], None]


@dataclass
class Summary:
    """What came of every trial."""

    made: int = 0
    kept: int = 0
    skipped: list[tuple[str, MskError]] = field(default_factory=list)


def prepare(
    trials: Sequence[Listed],
    out: Path,
    *,
    variants: int = 0,
    seed: int = 0,
    on_stage: OnStage = lambda *_: None,
    on_skip: Callable[[str, MskError], None] = lambda *_: None,
) -> Summary:
    """Write the clips of trials into the records ``out``; what is there already is kept.

    ``on_stage(label, done, total)`` hears about progress, ``on_skip(trial, why)`` about each trial
    that is left out. Raises ``MskError`` where ``out`` cannot be written or is something else.
    """
    summary, maker = Summary(), ClipMaker()
    model_hash = _sha256(asset(DEFAULT_MODEL))
    contents = Contents(
        coordinate_names=maker.generic.layout.coordinate_names,
        landmark_names=maker.landmark_names,
        segments=tuple(SEGMENTS),
        model_sha256=model_hash,
    )
    with Writer(out, contents) as writer:
        for done, listed in enumerate(trials):
            name = f"{listed.dataset}/{listed.name}"
            on_stage(name, done, len(trials))
            try:
                sources = {path.name: _sha256(path) for path in listed.files}
                key = _key(name, sources, model_hash, variants, seed)
                if writer.has(name, key):
                    summary.kept += 1
                    continue
                clips = maker.clips(listed.read(), variants, _generator(seed, name))
            except MskError as error:
                summary.skipped.append((name, error))
                on_skip(name, error)
                continue
            writer.add(name, key, sources, clips)
            summary.made += 1
    return summary


def _generator(seed: int, name: str) -> np.random.Generator:
    """Return the random numbers of one trial, whatever was prepared before it."""
    return np.random.default_rng([seed, *hashlib.sha256(name.encode()).digest()[:8]])


def _key(name: str, sources: Mapping[str, str], model_hash: str, variants: int, seed: int) -> str:
    """Return a hash of all that a trial's clips depend on."""
    parts = [VERSION, METHOD, model_hash, variants, seed, name, sorted(sources.items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _sha256(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MskError(
            f"cannot be read: {error.strerror or error}.", where=str(path), remedy="Check the file."
        ) from error


def table(clips: Iterable[Clip]) -> list[str]:
    """Return lines that sum up clips: per split and activity, how many, how long, forces known."""
    rows: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for clip in clips:
        for activity in (clip.activity, "all"):
            row = rows[clip.split, activity]
            row["clips"] += 1
            row["frames"] += len(clip)
            row["known"] += int(clip.kinetics_known.sum())
            row["measured"] += int((clip.kinetics_known * clip.measured).sum())
    lines = [f"{'split':6} {'activity':32} {'clips':>5} {'seconds':>8} {'forces':>7} {'plates':>7}"]
    for (split, activity), row in sorted(rows.items()):
        share = [row[k] / row["frames"] for k in ("known", "measured")]
        lines.append(
            f"{split:6} {activity:32.32} {row['clips']:5} {row['frames'] / RATE_HZ:8.1f} "
            f"{share[0]:7.0%} {share[1]:7.0%}"
        )
    return lines
