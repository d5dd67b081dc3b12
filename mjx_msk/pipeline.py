"""The way from a person's video, or from markers, to a motion and its files: one page."""

import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import mujoco
import numpy as np

import mjx_msk
from mjx_msk.cache import file_sha256
from mjx_msk.compile import compile_osim, scale_spec, write_xml
from mjx_msk.errors import MskError
from mjx_msk.export.opensim import write_opensim
from mjx_msk.files import publish
from mjx_msk.fit.assemble import Evidence, assemble, in_travel_frame
from mjx_msk.fit.derivatives import derivatives, lowpass
from mjx_msk.fit.gravity import gravity_from_person
from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.kinetics import estimated_loads, joint_forces
from mjx_msk.fit.markers import fit_markers, match_markers
from mjx_msk.fit.observation import ImageObservation, landmark_sites
from mjx_msk.fit.scaling import body_factors
from mjx_msk.fit.soles import sole_middles, sole_touch
from mjx_msk.fit.video import VideoFit, fit_video, refine
from mjx_msk.model import Model
from mjx_msk.motion import Motion
from mjx_msk.osim.forces import assign_to_feet, read_forces
from mjx_msk.osim.markers import read_trc
from mjx_msk.report.html import write_report
from mjx_msk.report.render import render_replay
from mjx_msk.resources import asset
from mjx_msk.runtime import enable_compilation_cache
from mjx_msk.vision import video
from mjx_msk.vision.calibration import load_camera
from mjx_msk.vision.camera import Camera, camera_from_metadata, default_camera, undistort
from mjx_msk.vision.landmarks import Landmarks
from mjx_msk.vision.pose import MediaPipePose
from mjx_msk.vision.steadiness import moving_camera
from mjx_msk.vision.tracks import select_person

GENERIC_MODEL = "rajagopal_lai_uhlrich_2023.xml"
#: Faster footage is thinned out to this: human movement needs no more.
HIGHEST_RATE_HZ = 100.0
#: Cutoff of the low-pass filter on measured markers, Hz (as OpenSim's examples use in walking).
MARKER_CUTOFF_HZ = 6.0

OnStage = Callable[[str, int, int], None]  #: (what, done, total); total 0 when unknown


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user says about a recording."""

    height_m: float | None = None
    """The person's height in metres. Needed unless --model is given with markers."""
    mass_kg: float | None = None
    """The person's mass in kilograms. Needed unless --model is given with markers."""
    person: int | None = None
    """Which person to follow, 1 = the most complete track."""
    camera: Path | None = None
    """Calibration file (.json or .toml): intrinsics, and gravity if known."""
    fov_deg: float | None = None
    """Field of view along the image's long side, degrees, where there is no calibration."""
    pose_model: Path | None = None
    """A MediaPipe pose landmarker .task file instead of the fetched one."""
    model: Path | None = None
    """Scaled model (.osim or compiled .xml) that the markers belong to."""
    grf: Path | None = None
    """Measured ground forces (.mot) instead of estimated ones."""
    slow_motion: float = 1.0
    """How many times slower than life the video plays."""
    treadmill: float = 0.0
    """Belt speed, m/s, of a person walking on a treadmill."""

    def __post_init__(self) -> None:
        if self.height_m is not None and not 1.0 <= self.height_m <= 2.4:
            hint = ""
            if 100 <= self.height_m <= 240:
                hint = f" {self.height_m:g} cm are --height {self.height_m / 100:.2f}."
            elif 3.3 <= self.height_m <= 7.9:
                hint = f" {self.height_m:g} feet are --height {self.height_m * 0.3048:.2f}."
            raise MskError(
                f"a height of {self.height_m:g} m is implausible.",
                where="--height",
                remedy=f"Give metres between 1.0 and 2.4.{hint}",
            )
        if self.mass_kg is not None and not 15.0 <= self.mass_kg <= 300.0:
            raise MskError(
                f"a mass of {self.mass_kg:g} kg is implausible.",
                where="--mass",
                remedy="Give kilograms between 15 and 300.",
            )
        if not 0.05 <= self.slow_motion <= 100.0:
            raise MskError(
                f"a slow-motion factor of {self.slow_motion:g} is implausible.",
                where="--slow-motion",
                remedy="Give how many times slower than life it plays, such as 4 or 8.",
            )
        if not -8.0 <= self.treadmill <= 8.0:
            raise MskError(
                f"a belt speed of {self.treadmill:g} m/s is implausible.",
                where="--treadmill",
                remedy="Give metres per second between 0 and 8.",
            )
        if self.fov_deg is not None and not 10.0 <= self.fov_deg <= 150.0:
            raise MskError(
                f"a field of view of {self.fov_deg:g} degrees is implausible.",
                where="--fov-deg",
                remedy="Give degrees between 10 and 150.",
            )

    def to_dict(self) -> dict[str, object]:
        """Return plain values, fit for JSON."""
        return {k: str(v) if isinstance(v, Path) else v for k, v in vars(self).items()}


@dataclass
class Run:
    """One recording on its way: what was found so far."""

    source: Path
    options: Options
    on_stage: OnStage = lambda *_: None
    timings: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure one stage and announce it."""
        self.on_stage(name, 0, 0)
        start = time.perf_counter()
        yield
        self.timings[name] = time.perf_counter() - start

    def provenance(self) -> dict[str, object]:
        """Return where a result comes from."""
        return {
            "mjx_msk": mjx_msk.__version__,
            "mujoco": mujoco.__version__,
            "input": self.source.name,
            "input_sha256": file_sha256(self.source),
            "seed": 0,
            "options": self.options.to_dict(),
        }


@dataclass(frozen=True)
class Estimate:
    """What came out of one recording."""

    motion: Motion
    timings: dict[str, float]
    note: str | None = None  #: why there is no replay video, if there is none
    reused: bool = False  #: an earlier, complete result was kept


def estimate(
    source: Path, out: Path, options: Options, on_stage: OnStage = lambda *_: None
) -> Estimate:
    """Estimate one recording (a video or a ``.trc``) and write every file into ``out``.

    An ``out`` that already holds the complete result of the same input, options and version is
    kept. Files appear only when all of them are done. Raises ``MskError`` for bad input.
    """
    run = Run(source, options, on_stage)
    _check_readable(source)
    _check_writable(out)
    if (done := _finished(run, out)) is not None:
        return Estimate(done, {}, reused=True)
    spec, motion = analyse(run)
    return _write(run, spec, motion, out)


def analyse(run: Run) -> tuple[mujoco.MjSpec, Motion]:
    """Return the subject's model and motion behind one recording, without writing anything."""
    enable_compilation_cache()
    _check_readable(run.source)
    if run.source.suffix.lower() == ".trc":
        return _from_markers(run)
    return _from_video(run)


def _from_video(run: Run) -> tuple[mujoco.MjSpec, Motion]:
    options = run.options
    height, mass = _body(options)
    with run.stage("landmarks"):
        info = video.probe(run.source, slow_motion=options.slow_motion)
        samples = video.sample(info)
        tracks = MediaPipePose(options.pose_model).detect(
            info, samples=samples, on_frame=lambda i, n: run.on_stage("landmarks", i, n)
        )
        person, warnings = select_person(tracks, options.person)
        run.warnings += warnings
        if (moving := moving_camera(samples, tracks)) is not None:
            run.warnings.append(moving)
        camera = _camera(options, info)
    spec = mujoco.MjSpec.from_file(str(asset(GENERIC_MODEL)))
    generic = Model.from_spec(spec)
    seen, names = _observe(generic, person, camera)
    with run.stage("fit"):
        progress = lambda label: run.on_stage(label, 0, 0)  # noqa: E731
        settings = {"treadmill_m_s": options.treadmill, "on_progress": progress}
        fit = fit_video(generic, seen, height_m=height, **settings)
        spec = _scaled_spec(spec, generic, fit.base, fit.log_segments, mass)
        model = Model.from_spec(spec)
        fit = refine(model, seen, fit, **settings)
    with run.stage("kinetics"):
        fit = in_travel_frame(model, fit)
        qd, qdd = derivatives(seen.time, fit.q)
        loads = _loads(run, model, seen.time, fit.q, fit.touching, seen.dt)
        kinetics = joint_forces(model, fit.q, qd, qdd, loads)
    evidence = Evidence(
        time=seen.time, q=fit.q, qd=qd, qdd=qdd, touching=fit.touching, loads=loads,
        kinetics=kinetics, confidence=fit.confidence,
    )  # fmt: skip
    motion = assemble(model, evidence)
    subject = {"height_m": height, "mass_kg": mass, "person": person.person_id}
    motion = _with_image(motion, fit, person, names, camera, seen)
    return spec, _described(run, motion, subject)


def _from_markers(run: Run) -> tuple[mujoco.MjSpec, Motion]:
    options = run.options
    markers = read_trc(run.source)
    run.warnings += markers.warnings
    height = None
    if options.model is not None:
        spec = _read_model(options.model)
    else:
        height, _ = _body(options)
        spec = mujoco.MjSpec.from_file(str(asset(GENERIC_MODEL)))
    model = Model.from_spec(spec)
    use = match_markers(model, markers.names, str(run.source))
    if unused := [n for i, n in enumerate(markers.names) if i not in use]:
        run.warnings.append(f"markers that the model does not have were left out: {unused}")
    time_, positions = _even(markers.time, markers.positions[:, use])
    dt = float(time_[1] - time_[0]) if len(time_) > 1 else 1.0
    names = tuple(markers.names[i] for i in use)
    with run.stage("fit"):
        fit = fit_markers(model, names, positions, dt, height_m=height,
                          on_progress=lambda label: run.on_stage(label, 0, 0))  # fmt: skip
        if height is not None:
            spec = _scaled_spec(spec, model, fit.base, fit.log_segments, options.mass_kg)
        elif options.mass_kg is not None:
            spec = scale_spec(spec, {}, options.mass_kg)
        model = Model.from_spec(spec)
    with run.stage("kinetics"):
        q = lowpass(fit.q, 1.0 / dt, MARKER_CUTOFF_HZ)
        qd, qdd = derivatives(time_, q)
        touch = sole_touch(model, q, dt, options.treadmill)
        loads = _loads(run, model, time_, q, touch, dt)
        kinetics = joint_forces(model, q, qd, qdd, loads)
    motion = assemble(model, Evidence(
        time=time_, q=q, qd=qd, qdd=qdd, touching=touch, loads=loads, kinetics=kinetics,
        confidence=fit.confidence,
    ))  # fmt: skip
    mass = float(np.sum(model.mjx.body_mass))
    subject = {"mass_kg": mass} | ({"height_m": height} if height is not None else {})
    quality = motion.quality | {"marker_error_mm": 1e3 * float(np.nanmean(fit.error_m))}
    return spec, _described(run, motion.replace(quality=quality), subject)


def _body(options: Options) -> tuple[float, float]:
    for value, flag, example in (
        (options.height_m, "--height", "1.73"), (options.mass_kg, "--mass", "70"),
    ):  # fmt: skip
        if value is None:
            raise MskError(
                f"{flag} is missing.",
                remedy=f"Say how tall and heavy the person is: {flag} {example}",
            )
    assert options.height_m is not None
    assert options.mass_kg is not None
    return options.height_m, options.mass_kg


def _camera(options: Options, info: video.VideoInfo) -> Camera:
    if options.camera is not None:
        return load_camera(options.camera, info.image_size, info.path.stem)
    if options.fov_deg is not None:
        return default_camera(info.image_size, options.fov_deg)
    return camera_from_metadata(info)


def _observe(
    model: Model, person: Landmarks, camera: Camera
) -> tuple[ImageObservation, tuple[str, ...]]:
    """Turn one person's landmarks into evenly spaced rays and metric points."""
    sites = landmark_sites(model, person.names)
    column = [person.names.index(name) for name in sites]
    names = tuple(sites)
    stacked = np.concatenate(
        [person.pixels[:, column], person.world[:, column], person.visibility[:, column, None]], -1
    )
    time_, even = _even(person.time, stacked)
    pixels, metric, visibility = even[..., :2], even[..., 2:5], even[..., 5]
    seen = np.isfinite(even).all(axis=-1)
    weight = np.where(seen, np.nan_to_num(visibility) ** 2, 0.0)
    hips = (names.index("right_hip"), names.index("left_hip"))
    metric = metric - metric[:, hips].mean(axis=1, keepdims=True)
    known = camera.gravity is not None
    down = camera.gravity if known else gravity_from_person(metric, weight, names)
    rays = undistort(np.nan_to_num(pixels), camera.intrinsics, camera.distortion)
    observation = ImageObservation(
        time=time_, sites=np.array(list(sites.values())), rays=rays, metric=metric, weight=weight,
        hips=hips, down=np.asarray(down), gravity_known=known,
    )  # fmt: skip
    return observation, names


def _even(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Resample (T, ...) to an even clock of at most ``HIGHEST_RATE_HZ``, gaps kept as NaN."""
    if len(times) < 2:
        return times, values
    rate = (len(times) - 1) / (times[-1] - times[0])
    step = max(1.0, rate / HIGHEST_RATE_HZ)
    count = round((len(times) - 1) / step) + 1
    even = np.linspace(times[0], times[-1], max(count, 2))
    place = np.clip(np.searchsorted(times, even, side="right") - 1, 0, len(times) - 2)
    share = (even - times[place]) / (times[place + 1] - times[place])
    share = np.where(share < 1e-6, 0.0, np.where(share > 1 - 1e-6, 1.0, share))
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    before, after = values[place], values[place + 1]
    mixed = np.where(
        share == 0, before, np.where(share == 1, after, before + share * (after - before))
    )
    return even, mixed


def _scaled_spec(
    spec: mujoco.MjSpec, model: Model, base: float, segments: np.ndarray, mass_kg: float | None
) -> mujoco.MjSpec:
    factors, _ = body_factors(model, base, segments)
    names = model.layout.body_names
    by_body = {names[b]: np.asarray(factors[b], float) for b in range(1, len(names))}
    return scale_spec(spec, by_body, mass_kg)


def _read_model(path: Path) -> mujoco.MjSpec:
    if path.suffix.lower() == ".osim":
        return compile_osim(path)
    Model.load(path)
    return mujoco.MjSpec.from_file(str(path))


def _loads(
    run: Run, model: Model, time_: np.ndarray, q: np.ndarray, touch: np.ndarray, dt: float
) -> FootLoads:
    if run.options.grf is None:
        return estimated_loads(model, q, touch, dt)
    plates = read_forces(run.options.grf)
    notes = run.options.grf.with_name(run.options.grf.stem.removesuffix("_grf") + "_loads.csv")
    force, cop, moment = assign_to_feet(
        plates, time_, sole_middles(model, q), loads=notes if notes.is_file() else None
    )
    return FootLoads(force, cop, moment)


def _with_image(
    motion: Motion, fit: VideoFit, person: Landmarks, names: tuple[str, ...], camera: Camera,
    seen: ImageObservation,
) -> Motion:  # fmt: skip
    column = [person.names.index(name) for name in names]
    _, pixels = _even(person.time, person.pixels[:, column])
    _, visibility = _even(person.time, person.visibility[:, column])
    R = fit.camera_from_world
    posed = dataclasses.replace(
        camera, gravity=-R[:, 2], rotation_camera_from_world=R,
        translation_m=-R @ fit.camera_position,
    )  # fmt: skip
    x = (fit.landmarks - fit.camera_position) @ R.T
    focal = float(camera.intrinsics[[0, 1], [0, 1]].mean())
    miss = np.linalg.norm(x[..., :2] / x[..., 2:] - seen.rays, axis=-1) * focal
    error = float(np.median(miss[seen.weight > 0.25])) if (seen.weight > 0.25).any() else None
    heading = np.rad2deg(np.arctan2(*(R.T @ [0.0, 0.0, 1.0])[[1, 0]]))
    quality = motion.quality | {"reprojection_error_px": error}
    if motion.quality.get("walking_speed_m_s", 0.0) > 0.0:
        quality["walking_direction_deg"] = float(-heading)
    return motion.replace(
        landmark_names=names, landmark_pixels=pixels, landmark_visibility=visibility,
        landmarks_fitted=fit.landmarks, camera=posed.to_dict(), quality=quality,
    )  # fmt: skip


def _described(run: Run, motion: Motion, subject: dict[str, object]) -> Motion:
    quality = motion.quality
    return motion.replace(
        subject=subject,
        quality=quality | {"warnings": [*run.warnings, *quality.get("warnings", [])]},
        provenance=run.provenance(),
    )


def _check_readable(source: Path) -> None:
    if not source.is_file():
        raise MskError("no such file.", where=str(source), remedy="Check the path.")


def _check_writable(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=out):
            pass
    except OSError as error:
        raise MskError(
            f"cannot write into this folder: {error.strerror or error}.",
            where=str(out),
            remedy="Choose another folder with -o.",
        ) from error


def _finished(run: Run, out: Path) -> Motion | None:
    """Return the motion of an earlier complete run of the same thing."""
    if not (out / "motion.npz").is_file():
        return None
    try:
        motion = Motion.load(out / "motion.npz")
    except MskError:
        return None
    return motion if motion.provenance == run.provenance() else None


def _write(run: Run, spec: mujoco.MjSpec, motion: Motion, out: Path) -> Estimate:
    model = Model.from_spec(spec)
    layout = model.layout
    coupled = {name: (driver, values) for name, driver, values in layout.coupled}
    note = None
    with tempfile.TemporaryDirectory(dir=out, prefix=".partial-") as name:
        folder = Path(name)
        write_xml(spec, folder / "model.xml")
        write_opensim(motion, folder, rotational=layout.rotational, coupled=coupled)
        with run.stage("replay"):
            source = None if motion.landmark_pixels is None else run.source
            note = render_replay(
                motion, folder / "model.xml", folder / "replay.mp4", source,
                on_frame=lambda i, n: run.on_stage("replay", i, n),
                video_times=motion.time * run.options.slow_motion,
            )  # fmt: skip
        with run.stage("report"):
            replay = folder / "replay.mp4"
            write_report(
                motion, folder / "report.html", replay if replay.is_file() else None, note=note
            )
        motion.save(folder / "motion.npz")
        publish(folder, out, last="motion.npz")
    return Estimate(motion, run.timings, note)


def is_video_or_markers(path: Path) -> bool:
    """Tell whether a file of a folder is worth estimating, by its suffix."""
    return path.suffix.lower() in {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".trc"}


def expand(sources: list[Path]) -> list[Path]:
    """Return the recordings behind files and folders; raises ``MskError`` for an empty folder."""
    found: list[Path] = []
    for source in sources:
        if not source.is_dir():
            found.append(source)
            continue
        inside = sorted(p for p in source.iterdir() if is_video_or_markers(p))
        if not inside:
            raise MskError(
                "the folder holds no video and no .trc file.",
                where=str(source),
                remedy="Give a folder of recordings.",
            )
        found += inside
    return found
