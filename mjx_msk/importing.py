"""Motions that others computed: what ``mjx-msk import`` makes of them."""

from dataclasses import dataclass, replace
from pathlib import Path

import mujoco
import numpy as np

from mjx_msk.compile import read_spec, write_xml
from mjx_msk.errors import MskError
from mjx_msk.export.opensim import write
from mjx_msk.export.take import Take
from mjx_msk.fit.assemble import Evidence
from mjx_msk.fit.clock import evenly
from mjx_msk.fit.derivatives import smooth_motion
from mjx_msk.fit.soles import sole_touch
from mjx_msk.fit.subject import check_whole_person
from mjx_msk.joint_positions import from_joint_positions
from mjx_msk.model import LANDMARK_PREFIX, RECOMPILE, Model
from mjx_msk.motion import Motion
from mjx_msk.options import Options
from mjx_msk.osim.tables import Table, read_table
from mjx_msk.outputs import arriving, write_result
from mjx_msk.pipeline import described, with_kinetics
from mjx_msk.run import OnStage, Run
from mjx_msk.runtime import enable_compilation_cache

TABLES = (".mot", ".sto")
#: Joints turn less than this; more is degrees in a file that says radians.
_MOST_RAD = 4 * np.pi
_ROOT = "pelvis"


def import_motion(
    source: Path,
    out: Path,
    options: Options,
    *,
    cutoff_hz: float | None = None,
    forces: bool = False,
    on_stage: OnStage = lambda *_: None,
) -> Motion:
    """Bring a motion into the folder ``out``: ``motion.npz``, ``model.xml`` and OpenSim's files.

    ``.mot`` and ``.sto`` hold coordinates of ``options.model``, ``.npz`` joint positions. With
    ``forces``, or measured ones in ``options.grf``, moments, muscles and the report follow as for
    an estimate. ``cutoff_hz`` filters the coordinates. Raises ``MskError`` for bad input.
    """
    run = Run(source, options, on_stage)
    enable_compilation_cache()
    with arriving(run, out) as folder:
        with run.stage("reading"):
            found = _read(run)
            q, qd, qdd = smooth_motion(found.time, found.q, _cutoff(cutoff_hz))
        if forces or options.grf is not None:
            motion = _forced(run, found, q, qd, qdd)
            write_result(run, found.spec, motion, folder)
        else:
            take = _kinematic(found, q, qd, qdd)
            take = Take(described(run, take.motion, _subject(run, found)), found.spec)
            motion = take.motion
            write_xml(found.spec, folder / "model.xml")
            write(take, folder)
            motion.save(folder / "motion.npz")
    return motion


@dataclass(frozen=True, eq=False)
class Coordinates:
    """A motion in the independent coordinates of a model, evenly sampled."""

    spec: mujoco.MjSpec
    model: Model
    time: np.ndarray  #: (T,) s
    q: np.ndarray  #: (T, n)
    confidence: np.ndarray | None = None  #: (T, n), where a fit found the coordinates


def _read(run: Run) -> Coordinates:
    suffix = run.source.suffix.lower()
    if suffix in TABLES:
        return _from_table(run)
    if suffix == ".npz":
        return Coordinates(*from_joint_positions(run))
    remedy = "Give coordinates (.mot, .sto) or joint positions (.npz)."
    if suffix == ".trc":
        remedy = "Markers are estimated: mjx-msk estimate MARKERS.trc"
    raise MskError(f"motions are not imported from '{suffix}' files.", remedy=remedy)


def _from_table(run: Run) -> Coordinates:
    path = run.options.model
    if path is None:
        raise MskError(
            "the model of these coordinates is missing.",
            where="--model",
            remedy="Give it: --model MODEL.osim (or a compiled .xml).",
        )
    spec = read_spec(path)
    try:
        model = Model.from_spec(spec)
    except MskError as error:
        raise MskError(error.what, where=str(path), remedy=error.remedy) from error
    if model.layout.free:
        raise MskError(
            "this model has a free joint, which OpenSim's coordinates do not tell.",
            where=str(path),
            remedy=RECOMPILE,
        )
    table = read_table(run.source)
    time, q = evenly(table.time, _coordinates(run, table, model))
    return Coordinates(spec, model, time, q)


def _coordinates(run: Run, table: Table, model: Model) -> np.ndarray:
    """Return a table's values in the model's coordinates (T, n), rad and m; notes what lacks."""
    layout = model.layout
    columns = {short_name(name): i for i, name in reversed([*enumerate(table.columns)])}
    known = [name for name in layout.coordinate_names if name in columns]
    if not known:
        raise MskError(
            f"none of its columns ({_some(table.columns)}) is a coordinate of the model "
            f"({_some(layout.coordinate_names)}).",
            remedy="Give the model that the motion belongs to with --model.",
        )
    q = np.tile(np.asarray(model.q_default, float), (len(table.time), 1))
    for i, name in enumerate(layout.coordinate_names):
        if name in columns:
            unit = np.deg2rad(1.0) if layout.rotational[i] and table.in_degrees else 1.0
            q[:, i] = unit * table.data[:, columns[name]]
            _check_values(name, q[:, i], layout.rotational[i])
    others = {name for name, _, _ in layout.coupled} | set(layout.joint_names)
    if missing := [name for name in layout.coordinate_names if name not in columns]:
        run.warnings.append(f"not in the file, kept at the model's default: {', '.join(missing)}")
    if unknown := sorted(set(columns) - set(known) - others - {""}):
        run.warnings.append(f"no coordinates of the model, left out: {', '.join(unknown)}")
    return q


def short_name(column: str) -> str:
    """Return the coordinate behind a column: of OpenSim 4's states ``/jointset/hip_r/X/value``.

    Empty for the states' other columns, such as speeds.
    """
    if not column.startswith("/"):
        return column
    return column.split("/")[-2] if column.endswith("/value") else ""


def _check_values(name: str, values: np.ndarray, rotational: bool) -> None:
    """Raise ``MskError`` for gaps, and for angles that can only be degrees."""
    if not np.isfinite(values).all():
        raise MskError(f"'{name}' has gaps.", remedy="Fill them before importing.")
    if rotational and not name.startswith(_ROOT) and np.abs(values).max() > _MOST_RAD:
        raise MskError(
            f"'{name}' reaches {np.abs(values).max():.0f} rad.",
            remedy="The numbers look like degrees: write 'inDegrees=yes' into the header.",
        )


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:6]) + (" ..." if len(names) > 6 else "")


def _cutoff(cutoff_hz: float | None) -> float:
    if cutoff_hz is not None and not cutoff_hz > 0:
        raise MskError(f"a cutoff of {cutoff_hz:g} Hz is none.", where="--cutoff")
    return np.inf if cutoff_hz is None else cutoff_hz


def _kinematic(found: Coordinates, q: np.ndarray, qd: np.ndarray, qdd: np.ndarray) -> Take:
    """Return the motion without forces: coordinates, all joints, markers and landmarks."""
    layout = found.model.layout
    empty = np.zeros((len(q), len(layout.joint_names)))
    sites = [n for n in layout.site_names if not n.startswith(LANDMARK_PREFIX)]
    motion = Motion(
        time=found.time, coordinate_names=layout.coordinate_names, q=q, qd=qd, qdd=qdd,
        joint_names=layout.joint_names, qpos=empty, qvel=empty, qacc=empty,
        confidence=found.confidence,
        marker_names=tuple(sites), markers=np.zeros((len(q), len(sites), 3)) if sites else None,
    )  # fmt: skip
    return Take(motion, found.spec).moving(q, qd, qdd)


def _forced(run: Run, found: Coordinates, q: np.ndarray, qd: np.ndarray, qdd: np.ndarray) -> Motion:
    """Return the motion with the feet's loads, moments and muscles, as an estimate has them."""
    check_whole_person(found.model, run.options.model or run.source)
    dt = float(found.time[1] - found.time[0]) if len(found.time) > 1 else 1.0
    touching, pushing = sole_touch(found.model, q, dt, 0.0)
    confidence = np.ones_like(q) if found.confidence is None else found.confidence
    evidence = Evidence(
        time=found.time, q=q, qd=qd, qdd=qdd, touching=touching, confidence=confidence
    )
    motion = with_kinetics(run, found.model, evidence, pushing)
    return replace(described(run, motion, _subject(run, found)), confidence=found.confidence)


def _subject(run: Run, found: Coordinates) -> dict[str, object]:
    mass: dict[str, object] = {"mass_kg": float(np.sum(found.model.mjx.body_mass))}
    return mass | ({} if run.options.height_m is None else {"height_m": run.options.height_m})
