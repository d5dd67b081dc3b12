"""Every method on every trial, through virtual cameras; goes on where it was stopped."""

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import mjx_msk
from mjx_msk.data import camera_noise
from mjx_msk.data.clip import RATE_HZ, Clip
from mjx_msk.data.landmark_tree import HIPS, LANDMARKS
from mjx_msk.data.listing import Listed
from mjx_msk.data.trial import Trial
from mjx_msk.data.virtual_camera import view
from mjx_msk.errors import MskError
from mjx_msk.evaluation.methods import METHODS, UNTAUGHT, Kit, Outcome
from mjx_msk.evaluation.scores import Scores, scores
from mjx_msk.evaluation.truth import truth_of
from mjx_msk.files import replacing
from mjx_msk.fit.config import FitConfig
from mjx_msk.fit.loop import NEARBY
from mjx_msk.fit.observation import ImageObservation, landmark_sites
from mjx_msk.fit.sighting import sight
from mjx_msk.nets.ikt import movable
from mjx_msk.options import Options
from mjx_msk.pipeline import watch
from mjx_msk.run import OnStage, Run
from mjx_msk.train.clips import ClipMaker
from mjx_msk.train.windows import kind

#: Raised when results are made differently, so that older ones are made again.
VERSION = 2
#: Every so many-th frame of a clip (60 Hz) is filmed.
STRIDE = 2
#: A pose network's landmark lies this far from where the model has it, on everybody elsewhere, m.
PLACEMENT_M = 0.01
TRIALS = "trials"
#: Clips that are shorter say nothing, s.
_SHORTEST_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method's scores of one trial seen by one camera."""

    trial: str
    person: str
    activity: str  #: its first word
    seed: int
    method: str
    seconds: float  #: what the method took, compiled
    frames: int
    scores: Scores


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is evaluated."""

    methods: tuple[str, ...] = tuple(METHODS)
    seeds: tuple[int, ...] = (0, 1, 2)
    longest_s: float = 6.0
    """The middle of longer clips counts."""
    split: str = ""
    """Only people of this split, where there is one."""
    people: tuple[str, ...] = ()
    """Only these people."""
    video: bool = False
    """See the trial's own video, if there is one, in the place of virtual cameras."""


@dataclass
class Results:
    """What came of every trial."""

    rows: list[Row] = field(default_factory=list)
    made: int = 0
    kept: int = 0
    skipped: list[tuple[str, Exception]] = field(default_factory=list)


def evaluate(
    trials: Sequence[Listed],
    out: Path,
    kit: Kit,
    plan: Plan,
    *,
    on_stage: OnStage = lambda *_: None,
    on_skip: Callable[[str, Exception], None] = lambda *_: None,
) -> Results:
    """Score every method on every trial of the plan's people; results are kept in ``out``.

    An answer is kept while the trial's files, the settings of the fit, this package's version and,
    where the method asks them, the networks are the same.
    ``on_stage(label, done, total)`` hears about progress, ``on_skip(trial, why)`` about each
    trial that is left out. Raises ``MskError`` where ``out`` cannot be written.
    """
    results, maker = Results(), ClipMaker()
    folder = out / TRIALS
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MskError(
            f"cannot be written: {error.strerror}.", where=str(out), remedy="Give another folder."
        ) from error
    for done, listed in enumerate(trials):
        name = f"{listed.dataset}/{listed.name}"
        on_stage(name, done, len(trials))
        path = folder / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"
        try:
            rows, fresh = _rows(listed, path, maker, kit, plan)
        except Exception as error:  # one trial, whatever is wrong with it, does not stop the others
            results.skipped.append((name, error))
            on_skip(name, error)
            continue
        results.rows += rows
        results.made += fresh
        results.kept += bool(rows) and not fresh
    return results


def _earlier(path: Path) -> dict[str, Row]:
    """Return a trial's answers of earlier runs by their keys; a damaged file holds none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {key: Row(**row) for key, row in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _rows(
    listed: Listed, path: Path, maker: ClipMaker, kit: Kit, plan: Plan
) -> tuple[list[Row], bool]:
    """Return a trial's rows, and whether some of them are new; none for other people."""
    trial = listed.read()
    if (plan.split and trial.split != plan.split) or (
        plan.people and trial.person not in plan.people
    ):
        return [], False
    known = _earlier(path)
    settings = mjx_msk.__version__, repr(FitConfig()), repr(NEARBY)
    common = [VERSION, *settings, listed.name, plan.longest_s, *listed.hashes().items()]
    views = (None,) if plan.video else plan.seeds
    keys: dict[tuple[int | None, str], str] = {}
    for view_of in views:
        for method in plan.methods:
            parts = [*common, view_of, method, "" if method in UNTAUGHT else kit.identity]
            keys[view_of, method] = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    missing = [pair for pair, key in keys.items() if key not in known]
    if missing:
        known |= {keys[pair]: row for pair, row in _answers(trial, maker, kit, plan, missing)}
        with replacing(path) as part:
            text = json.dumps({key: asdict(row) for key, row in known.items()}, indent=1)
            part.write_text(text, encoding="utf-8")
    return [known[key] for key in keys.values()], bool(missing)


def _answers(
    trial: Trial, maker: ClipMaker, kit: Kit, plan: Plan, asked: list[tuple[int | None, str]]
) -> Iterator[tuple[tuple[int | None, str], Row]]:
    """Yield a row for each camera (a seed, or None for the trial's own) and method ``asked``."""
    (clip,) = maker.clips(trial)
    if min(len(clip) / RATE_HZ, plan.longest_s) < _SHORTEST_S:
        raise MskError("the clip is too short.", where=clip.name)
    model = kit.person(clip.base, clip.log_segments, clip.mass_kg)
    for seed in dict.fromkeys(seed for seed, _ in asked):
        if seed is None:
            seen = watched(kit, trial, clip, plan.longest_s)
        else:
            seen = filmed(kit, clip, maker.landmark_names, plan.longest_s, seed)
        truth = truth_of(clip, model, seen.time)
        for method in [m for s, m in asked if s == seed]:
            found, took = timed(kit, method, seen, clip)
            values = {k: round(v, 6) for k, v in scores(truth, found, movable(model)).items()}
            yield (seed, method), Row(
                trial=clip.name, person=clip.person, activity=kind(clip.activity),
                seed=0 if seed is None else seed, method=method, seconds=round(took, 3),
                frames=len(seen.time), scores=values,
            )  # fmt: skip


def timed(kit: Kit, method: str, seen: ImageObservation, clip: Clip) -> tuple[Outcome, float]:
    """Return a method's answer and the seconds that it took.

    A ``kit``'s first answer of each method is made twice: the first time compiles.
    """
    answer = partial(METHODS[method], kit, seen, float(clip.height_m), float(clip.mass_kg))
    if method not in kit.warm:
        answer()
        kit.warm.add(method)
    start = time.perf_counter()
    return answer(), time.perf_counter() - start


def watched(kit: Kit, trial: Trial, clip: Clip, longest_s: float) -> ImageObservation:
    """Return what the pose network sees in a trial's own video, while the motion is known.

    Times count from the clip's start. Raises ``MskError`` for a trial without a video, and where
    video and motion do not overlap.
    """
    if trial.video is None:
        raise MskError("there is no video of this trial.", where=trial.name)
    run = Run(trial.video, Options(height_m=clip.height_m, mass_kg=clip.mass_kg))
    person, camera = watch(run, kit.generic, kit.networks)
    seen = sight(kit.generic, person, trial.camera or camera).observation
    began = trial.time if trial.time is not None else trial.markers.time if trial.markers else [0.0]
    after = seen.time - float(began[0])
    known = np.flatnonzero((after >= 0.0) & (after <= (len(clip) - 1) / RATE_HZ))
    most = int(longest_s / seen.dt)
    known = known[max(0, (len(known) - most) // 2) :][:most]
    if len(known) * seen.dt < _SHORTEST_S:
        raise MskError("its video and its motion do not overlap.", where=str(trial.video))
    return dataclasses.replace(
        seen, time=after[known], rays=seen.rays[known], metric=seen.metric[known],
        weight=seen.weight[known],
    )  # fmt: skip


def middle_frames(count: int, longest_s: float) -> np.ndarray:
    """Return the frames of a clip that are filmed: its middle, every ``STRIDE``-th."""
    most = int(longest_s * RATE_HZ)
    first = max(0, (count - most) // 2)
    return np.arange(first, min(count, first + most), STRIDE)


@jax.jit
def _view(key: jax.Array, landmarks: jax.Array, dt: jax.Array) -> Any:
    return view(key, camera_noise.load(), landmarks, dt=dt)


def filmed(
    kit: Kit, clip: Clip, names: tuple[str, ...], longest_s: float, seed: int
) -> ImageObservation:
    """Return what a random camera and its pose network see of a clip; the same for the same seed.

    ``names`` are those of the clip's landmarks; times count from its start. Shorter clips are
    filmed for ``longest_s`` with the person standing still at the end, of which nothing is
    returned, so that nothing compiles anew.
    """
    frames = middle_frames(len(clip), longest_s)
    own = int.from_bytes(hashlib.sha256(clip.name.encode()).digest()[:4], "big")
    view_key, place_key = jax.random.split(jax.random.fold_in(jax.random.key(seed), own))
    columns = [names.index(name) for name in LANDMARKS]
    count, most = len(frames), len(middle_frames(int(longest_s * RATE_HZ), longest_s))
    index = np.minimum(frames[0] + STRIDE * np.arange(most), frames[-1])
    points = np.asarray(clip.landmarks[index][:, columns], np.float32)
    off = PLACEMENT_M * jax.random.normal(place_key, points.shape[1:])
    dt = STRIDE / RATE_HZ
    v = jax.tree.map(np.asarray, _view(view_key, jnp.asarray(points) + off, jnp.float32(dt)))
    return ImageObservation(
        time=frames / RATE_HZ,
        sites=np.array(list(landmark_sites(kit.generic, LANDMARKS).values())),
        rays=v.rays[:count].astype(float),
        metric=v.metric[:count].astype(float),
        weight=v.visibility[:count].astype(float) ** 2,
        hips=HIPS,
        down=v.down.astype(float),
        gravity_known=bool(v.gravity_known > 0.5),
    )
