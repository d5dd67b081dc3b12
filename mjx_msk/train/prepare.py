"""From folders of recordings to a folder of records: what ``mjx-msk data prepare`` does."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from mjx_msk.cache import file_sha256
from mjx_msk.data.clip import RATE_HZ, Clip
from mjx_msk.data.listing import Listed
from mjx_msk.data.records import VERSION, Contents
from mjx_msk.data.writing import Writer
from mjx_msk.engines import DONE, KEPT, Engine, OnStage, Outcome, Progress, Task, run_all
from mjx_msk.fit.scaling import SEGMENTS
from mjx_msk.resources import DEFAULT_MODEL, asset
from mjx_msk.runtime import enable_compilation_cache
from mjx_msk.train.clips import ClipMaker

#: Raised when clips are made differently, so that older ones are made again.
METHOD = 3


def prepare(
    trials: Sequence[Listed],
    out: Path,
    *,
    variants: int = 0,
    seed: int = 0,
    engine: Engine,
    progress: Progress,
    on_done: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Write the clips of trials into the records ``out``; what is there already is kept.

    The clips are made where the ``engine`` makes them, and written by this process alone;
    ``on_done`` hears of each trial. Raises ``MskError`` where ``out`` cannot be written or is
    something else.
    """
    maker = _maker()
    contents = Contents(
        coordinate_names=maker.generic.layout.coordinate_names,
        landmark_names=maker.landmark_names,
        segments=tuple(SEGMENTS),
        model_sha256=file_sha256(asset(DEFAULT_MODEL)),
    )
    with Writer(out, contents) as writer:

        def take(outcome: Outcome) -> None:
            if outcome.state == DONE:
                writer.add(outcome.name, *outcome.value)
            on_done(outcome)

        earlier = writer.keys()
        tasks = [
            Task(name := _name(one), (one, earlier.get(name), variants, seed)) for one in trials
        ]
        return run_all(engine, clips_of, tasks, take, progress)


def clips_of(
    listed: Listed, earlier: str | None, variants: int, seed: int, on_stage: OnStage
) -> tuple[str, tuple[str, dict[str, str], list[Clip]] | None]:
    """Return the key, the sources and the clips of a trial: the work that engines do.

    ``earlier`` is the key of the clips that the records hold; nothing is made where it still fits.
    """
    name = _name(listed)
    sources = listed.hashes()
    key = _key(name, sources, file_sha256(asset(DEFAULT_MODEL)), variants, seed)
    if key == earlier:
        return KEPT, None
    on_stage("making clips", 0, 0)
    clips = _maker().clips(listed.read(), variants, _generator(seed, name))
    return DONE, (key, sources, clips)


@cache
def _maker() -> ClipMaker:
    """Return the one of this process: it keeps what the trials of a person share."""
    enable_compilation_cache()
    return ClipMaker()


def _name(listed: Listed) -> str:
    return f"{listed.dataset}/{listed.name}"


def _generator(seed: int, name: str) -> np.random.Generator:
    """Return the random numbers of one trial, whatever was prepared before it."""
    return np.random.default_rng([seed, *hashlib.sha256(name.encode()).digest()[:8]])


def _key(name: str, sources: Mapping[str, str], model_hash: str, variants: int, seed: int) -> str:
    """Return a hash of all that a trial's clips depend on."""
    parts = [VERSION, METHOD, model_hash, variants, seed, name, sorted(sources.items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


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
