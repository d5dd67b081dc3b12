"""The output folder: whether a result is there, and how a new one gets there all at once."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mujoco

from mjx_msk.compile import write_xml
from mjx_msk.errors import MskError
from mjx_msk.export.opensim import write_opensim
from mjx_msk.files import publish, writable_folder
from mjx_msk.model import Model
from mjx_msk.motion import Motion
from mjx_msk.report.html import write_report
from mjx_msk.report.render import render_replay
from mjx_msk.run import Run

#: What a result consists of; the motion goes last, so that where it is, everything is.
FILES = (
    "model.xml", "kinematics.mot", "kinetics.sto", "grf.mot", "markers.trc", "activations.sto",
    "muscle_forces.sto", "joint_forces.sto", "replay.mp4", "report.html", "motion.npz",
)  # fmt: skip
#: Written only for models with muscles; drawn only where OpenGL works.
OPTIONAL = ("activations.sto", "muscle_forces.sto", "joint_forces.sto", "replay.mp4")


def finished(run: Run, out: Path) -> Motion | None:
    """Return the motion of an earlier, complete run of the same recording, options and version."""
    if not all((out / name).is_file() for name in FILES if name not in OPTIONAL):
        return None
    try:
        motion = Motion.load(out / "motion.npz")
    except MskError:
        return None
    return motion if motion.provenance == run.provenance() else None


@contextmanager
def arriving(run: Run, out: Path, *, again: bool = False) -> Iterator[Path]:
    """Yield a folder whose files move into ``out`` when the block succeeds, and only then.

    Raises ``MskError`` when ``out`` cannot be written, when a result would replace a file that the
    run reads, and, but for ``again``, when it would replace another recording's. Whatever goes
    wrong, nothing of this run is left in ``out``.
    """
    inputs = {path.resolve() for path in (run.source, *run.options.files().values())}
    for name in FILES:
        if (out / name).resolve() in inputs:
            raise MskError(
                "the result would overwrite this input.",
                where=str(out / name),
                remedy="Choose another folder with -o.",
            )
    if not again:
        _check_owner(run, out)
    with (
        writable_folder(out),
        tempfile.TemporaryDirectory(dir=out, prefix=".partial-") as name,
    ):
        try:
            yield Path(name)
        except MskError as error:  # speaks of the folder that the user knows
            where = error.where.replace(name, str(out))
            raise MskError(error.what, where=where, remedy=error.remedy) from error
        publish(Path(name), out, FILES)


def _check_owner(run: Run, out: Path) -> None:
    """Raise ``MskError`` where ``out`` holds the result of another recording."""
    try:
        owner = Motion.load(out / "motion.npz").provenance
    except MskError:  # none, or nothing of ours
        return
    if owner.get("input_sha256", "") != run.provenance()["input_sha256"]:
        raise MskError(
            f"this folder holds the result of another recording ({owner.get('input', 'unknown')}).",
            where=str(out),
            remedy="Choose another folder with -o, or delete that result.",
        )


def write_result(run: Run, spec: mujoco.MjSpec, motion: Motion, folder: Path) -> str | None:
    """Write every file of a result; returns one line that says why there is no replay, or None."""
    layout = Model.from_spec(spec).layout
    coupled = {name: (driver, values) for name, driver, values in layout.coupled}
    replay = folder / "replay.mp4"
    with run.stage("files"):
        write_xml(spec, folder / "model.xml")
        write_opensim(motion, folder, rotational=layout.rotational, coupled=coupled)
        motion.save(folder / "motion.npz")
    with run.stage("replay"):
        note = render_replay(
            motion, folder / "model.xml", replay,
            run.source if motion.landmark_pixels is not None else None,
            on_frame=lambda done, total: run.on_stage("replay", done, total),
            video_times=motion.time * run.options.slow_motion,
        )  # fmt: skip
    with run.stage("report"):
        write_report(motion, folder / "report.html", None if note else replay, note=note)
    return note
