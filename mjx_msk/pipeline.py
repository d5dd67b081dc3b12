"""The way from a person's video, or from markers, to a motion and its files: one page."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from mjx_msk.errors import MskError
from mjx_msk.fit.assemble import Evidence, assemble
from mjx_msk.fit.clock import evenly
from mjx_msk.fit.derivatives import smooth_motion
from mjx_msk.fit.kinetics import joint_forces
from mjx_msk.fit.loop import follow
from mjx_msk.fit.marker_names import match_markers
from mjx_msk.fit.markers import fit_markers
from mjx_msk.fit.measured import measured_loads
from mjx_msk.fit.muscles import muscle_effort
from mjx_msk.fit.observation import landmark_sites
from mjx_msk.fit.seat import carried
from mjx_msk.fit.sighting import sight, with_sighting
from mjx_msk.fit.soles import sole_touch
from mjx_msk.fit.subject import generic_spec, read_model, scaled_spec
from mjx_msk.fit.warmup import warming_up
from mjx_msk.model import ROOT_COORDINATES, Model
from mjx_msk.motion import Motion
from mjx_msk.nets.shipped import Networks, shipped
from mjx_msk.options import Options as Options
from mjx_msk.osim.markers import read_trc
from mjx_msk.outputs import arriving, finished, write_result
from mjx_msk.run import OnStage
from mjx_msk.run import Run as Run
from mjx_msk.runtime import enable_compilation_cache
from mjx_msk.vision import video
from mjx_msk.vision.calibration import load_camera
from mjx_msk.vision.camera import Camera, camera_from_metadata, default_camera
from mjx_msk.vision.landmarks import NAMES, Landmarks
from mjx_msk.vision.pose import MediaPipePose
from mjx_msk.vision.steadiness import moving_camera
from mjx_msk.vision.tracks import select_person

#: Cutoff of the low-pass filter on measured markers, Hz (as OpenSim's examples use in walking).
MARKER_CUTOFF_HZ = 6.0


@dataclass(frozen=True)
class Estimate:
    """What came out of one recording."""

    motion: Motion
    timings: dict[str, float]  #: s by stage; empty for an earlier result
    note: str | None = None  #: why there is no replay video, if there is none
    reused: bool = False  #: an earlier, complete result was kept


def estimate(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    options: Options,
    on_stage: OnStage = lambda *_: None,
    *,
    again: bool = False,
) -> Estimate:
    """Estimate one recording (a video or a ``.trc``) and write every file into the folder ``out``.

    An ``out`` that already holds the complete result of the same input, options and version is
    kept, unless ``again``. Files appear only when all of them are done. ``on_stage(what, done,
    total)`` hears about progress. Raises ``MskError`` for bad input.
    """
    run = Run(Path(source), options, on_stage)
    if not again and (earlier := finished(run, Path(out))) is not None:
        return Estimate(earlier, {}, reused=True)
    with arriving(run, Path(out), again=again) as folder:
        spec, motion = analyse(run)
        note = write_result(run, spec, motion, folder)
    return Estimate(motion, run.timings, note)


def analyse(run: Run) -> tuple[mujoco.MjSpec, Motion]:
    """Return the subject's model and motion behind one recording, without writing anything."""
    enable_compilation_cache()
    if run.source.suffix.lower() == ".trc":
        return _from_markers(run)
    return _from_video(run)


def _from_video(run: Run) -> tuple[mujoco.MjSpec, Motion]:
    height, mass = _checked_for_video(run)
    spec = generic_spec()
    generic = Model.from_spec(spec)
    networks = shipped(generic) if run.options.learn else None
    person, camera = watch(run, generic, networks)
    with run.stage("fit"):
        sighting = sight(generic, person, camera)
        seen, belt = sighting.observation, run.options.treadmill
        found = follow(
            spec, generic, seen, height_m=height, mass_kg=mass, networks=networks,
            treadmill_m_s=belt, on_progress=run.tell,
        )  # fmt: skip
        model, fit = found.model, found.fit
    evidence = Evidence(
        time=seen.time,
        q=fit.q,
        qd=found.qd,
        qdd=found.qdd,
        touching=fit.touching,
        confidence=fit.confidence,
        q_std=None if found.proposal is None else found.proposal.std,
        belt_m_s=belt,
    )
    motion = with_kinetics(run, model, evidence, fit.pushing)
    motion = with_sighting(motion, sighting, fit)
    subject = {"height_m": height, "mass_kg": mass, "person": person.person_id}
    return spec, described(run, motion, subject)


def _from_markers(run: Run) -> tuple[mujoco.MjSpec, Motion]:
    options = run.options
    with run.stage("fit"):
        height, mass = _checked_for_markers(run)
        markers = read_trc(run.source)
        run.warnings += markers.warnings
        spec = read_model(options.model) if options.model else generic_spec()
        generic = Model.from_spec(spec)
        found = match_markers(generic, markers.names, markers.positions, str(run.source))
        use, names = list(found), tuple(found.values())
        if unknown := [name for i, name in enumerate(markers.names) if i not in found]:
            run.warnings.append(f"markers that the model lacks were left out: {', '.join(unknown)}")
        time, positions = evenly(markers.time, markers.positions[:, use])
        dt = float(time[1] - time[0]) if len(time) > 1 else 1.0
        fit = fit_markers(generic, names, positions, dt, height_m=height, on_progress=run.tell)
        run.warnings += fit.warnings
        _check_pelvis_is_held(run, generic, names, fit.undetermined)
        spec = scaled_spec(spec, fit.base, fit.log_segments, mass)
        model = Model.from_spec(spec)
        q, qd, qdd = smooth_motion(time, fit.q, MARKER_CUTOFF_HZ)
        touching, pushing = sole_touch(model, q, dt, options.treadmill)
    evidence = Evidence(
        time=time,
        q=q,
        qd=qd,
        qdd=qdd,
        touching=touching,
        confidence=fit.confidence,
        belt_m_s=options.treadmill,
    )
    motion = with_kinetics(run, model, evidence, pushing)
    found_quality = {
        "marker_error_mm": 1e3 * float(np.nanmean(fit.error_m)),
        "undetermined_coordinates": list(fit.undetermined),
    }
    subject = {"mass_kg": float(np.sum(model.mjx.body_mass))}
    subject |= {"height_m": height} if height is not None else {}
    return spec, described(run, motion.replace(quality=motion.quality | found_quality), subject)


def _check_pelvis_is_held(
    run: Run, model: Model, names: tuple[str, ...], undetermined: tuple[str, ...]
) -> None:
    """Raise ``MskError`` when the markers ``names`` leave the place of the whole body open."""
    root = model.layout.coordinate_names[:ROOT_COORDINATES]
    if loose := [name for name in root if name in undetermined]:
        raise MskError(
            f"the {len(names)} markers that are on the model do not hold its pelvis "
            f"({', '.join(loose)} are open).",
            where=str(run.source),
            remedy="Give the model that carries these markers with --model MODEL.osim or .xml.",
        )


def watch(run: Run, model: Model, networks: Networks | None) -> tuple[Landmarks, Camera]:
    """Return the landmarks of the person in a video, and the camera that saw them.

    What the fit of ``model`` with ``networks`` will need is compiled meanwhile.
    """
    with run.stage("landmarks"):
        options = run.options
        info = video.probe(run.source, slow_motion=options.slow_motion)
        if options.camera is not None:
            camera = load_camera(options.camera, info.image_size, run.source.stem)
        elif options.fov_deg is not None:
            camera = default_camera(info.image_size, options.fov_deg)
        else:
            camera = camera_from_metadata(info)
        samples = video.sample(info)
        network = MediaPipePose(options.pose_model)
        sites = tuple(landmark_sites(model, NAMES))
        with warming_up(model, sites, 1.0 / info.rate_hz, networks):
            tracks = network.detect(
                info, samples=samples, on_frame=lambda i, n: run.on_stage("landmarks", i, n)
            )
        person, warnings = select_person(tracks, options.person)
        moving = moving_camera(samples, tracks)
        run.warnings += warnings + ([moving] if moving else [])
    return person, camera


def with_kinetics(run: Run, model: Model, found: Evidence, pushing: np.ndarray) -> Motion:
    """Return the motion with the feet's loads, measured or estimated, moments and muscles.

    ``pushing`` (T, c) says which sole points may carry an estimated load.
    """
    with run.stage("kinetics"):
        dt = float(found.time[1] - found.time[0]) if len(found.time) > 1 else 1.0
        moving = found.q, found.qd, found.qdd
        if run.options.grf is not None:
            loads = measured_loads(run.options.grf, model, found.time, found.q)
            kinetics = joint_forces(model, *moving, loads)
        else:
            loads, kinetics = carried(model, *moving, pushing, dt)
    with run.stage("muscles"):
        tau = kinetics.generalized_force
        effort = muscle_effort(model, found.q, found.qd, found.qdd, tau, loads)
    measured = run.options.grf is not None
    return assemble(model, found, loads, kinetics, effort, measured=measured)


def _checked_for_video(run: Run) -> tuple[float, float]:
    """Return height (m) and mass (kg); refuse what a video has no use for."""
    if run.options.model is not None:
        raise MskError(
            "a scaled model is used with markers only.",
            where="--model",
            remedy="Leave it out: the model of a video is scaled to --height and the bones seen.",
        )
    return run.options.body()


def _checked_for_markers(run: Run) -> tuple[float | None, float | None]:
    """Return height (m), None for a model that was given, and mass (kg), None to keep its own."""
    flags = ("camera", "fov_deg", "person", "pose_model", "slow_motion")
    if unused := run.options.given(*flags):
        run.warnings.append(f"markers have no use for {', '.join(unused)}")
    if run.options.model is not None:
        return None, run.options.mass_kg
    return run.options.body(
        ", or give the scaled model that carries these markers with --model MODEL.osim or .xml."
    )


def described(run: Run, motion: Motion, subject: Mapping[str, object]) -> Motion:
    """Return the motion with its subject, the run's warnings and where it comes from."""
    warnings = [*run.warnings, *motion.quality.get("warnings", [])]
    return motion.replace(
        subject=dict(subject),
        quality=motion.quality | {"warnings": warnings},
        provenance=run.provenance(),
    )
