"""OpenCap's laboratory validation data: markers, forces, motions and moments, and five phones.

Uhlrich, Falisse, Kidzinski et al. (2023), PLoS Comput Biol 19:e1011462. The folder is the
published ``LabValidation_withVideos`` (or ``..._withoutVideos``), or the one above it; what is in
it, and where each fact comes from, is in docs/datasets.md.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mjx_msk.data.listing import Listed
from mjx_msk.data.opencap_camera import read_camera, sees
from mjx_msk.data.reading import read_yaml
from mjx_msk.data.trial import Trial
from mjx_msk.errors import MskError
from mjx_msk.osim.coordinates import generalized_forces, in_radians
from mjx_msk.osim.forces import read_forces
from mjx_msk.osim.markers import read_trc
from mjx_msk.osim.tables import read_table

DATASET = "opencap"
_VIDEOS = (".avi", ".mp4", ".mov")
#: What the names of trials begin with, and what comes after.
_ACTIVITIES = {"walking": "walk", "squats": "squat", "STS": "sit-to-stand", "DJ": "drop-jump"}
_MANNERS = {
    "TS": "trunk-sway", "TI": "toe-in", "TO": "toe-out",
    "Asym": "asymmetric", "weakLegs": "weak legs", "Fast": "fast",
}  # fmt: skip
_TRANSFORM = "mocapToVideoTransform.yaml"
_CALIBRATION = "cameraIntrinsicsExtrinsics.pickle"


@dataclass(frozen=True, kw_only=True)
class _View:
    """What one camera saw of one trial."""

    name: str  #: e.g. ``Cam1``
    video: Path
    synchronised: bool  #: whether the video begins with the markers
    calibration: Path | None
    transform: Path | None


def list_opencap(root: Path, *, views: bool = False) -> list[Listed]:
    """Return every trial of every subject; with ``views`` once for each camera that saw it.

    Raises ``MskError`` for a folder without subjects or trials.
    """
    subjects = [*root.glob("subject*"), *root.glob("LabValidation*/subject*")]
    subjects = sorted((s for s in subjects if s.is_dir()), key=_natural)
    found = [listed for subject in subjects for listed in _listed(subject, views)]
    if not found:
        raise MskError(
            "the folder holds no trial of OpenCap's validation data "
            "(subject*/MarkerData/Mocap/*.trc).",
            where=str(root),
            remedy="Give the folder LabValidation_withVideos as it was published.",
        )
    return found


def _listed(subject: Path, views: bool) -> Iterator[Listed]:
    markers = subject.glob("MarkerData/Mocap/*.trc")
    motions = subject.glob("OpenSimData/Mocap/IK/*.mot")
    for stem in sorted({path.stem for path in [*markers, *motions]}):
        seen = list(_views(subject, stem)) if views else [None]
        for view in seen:
            extra = () if view is None else (view.calibration, view.transform)
            yield Listed(
                dataset=DATASET,
                name="/".join([subject.name, stem, *([view.name] if view else [])]),
                files=tuple(p for p in (*_files(subject, stem).values(), *extra) if p),
                read=partial(_read, subject, stem, view),
            )


def _files(subject: Path, stem: str) -> dict[str, Path | None]:
    """Return the files of a trial, None for one that is not there."""
    results = subject / "OpenSimData" / "Mocap"
    models = sorted((results / "Model").glob("*.osim"))
    scaled = [path for path in models if path.stem.endswith("_scaled")]
    paths = {
        "markers": subject / "MarkerData" / "Mocap" / f"{stem}.trc",
        "motion": results / "IK" / f"{stem}.mot",
        "kinetics": results / "ID" / f"{stem}.sto",
        "forces": subject / "ForceData" / f"{stem}_forces.mot",
        "metadata": subject / "sessionMetadata.yaml",
    }
    present = {key: path if path.is_file() else None for key, path in paths.items()}
    return present | {"model": next(iter([*scaled, *models]), None)}


def _views(subject: Path, stem: str) -> Iterator[_View]:
    """Yield the cameras that saw a trial; a subject's trials lie in one of two sessions."""
    for session in sorted(subject.glob("VideoData/Session*")):
        transform = session / _TRANSFORM
        for folder in sorted(session.glob("Cam*")):
            # OpenCap's own sessions have a folder InputMedia between camera and trial
            for place in (folder / stem, folder / "InputMedia" / stem):
                names = [f"{stem}_syncdWithMocap", stem]
                videos = [place / f"{n}{suffix}" for n in names for suffix in _VIDEOS]
                video = next((path for path in videos if path.is_file()), None)
                if video is not None:
                    calibration = folder / _CALIBRATION
                    yield _View(
                        name=folder.name,
                        video=video,
                        synchronised=video.stem != stem,
                        calibration=calibration if calibration.is_file() else None,
                        transform=transform if transform.is_file() else None,
                    )
                    break


def _read(subject: Path, stem: str, view: _View | None) -> Trial:
    """Read everything of one trial."""
    files = _files(subject, stem)
    motion = None if files["motion"] is None else read_table(files["motion"])
    kinetics = None if files["kinetics"] is None else read_table(files["kinetics"])
    names = () if motion is None else motion.columns
    mass, height = _size(files["metadata"])
    trial = Trial(
        dataset=DATASET,
        name=f"{subject.name}/{stem}",
        person=f"{DATASET}/{subject.name}",
        activity=activity(stem),
        model=files["model"],
        time=None if motion is None else motion.time,
        coordinate_names=names,
        q=None if motion is None else in_radians(motion),
        kinetics_time=None if kinetics is None or motion is None else kinetics.time,
        generalized_force=None
        if kinetics is None or motion is None
        else generalized_forces(kinetics, names),
        markers=None if files["markers"] is None else read_trc(files["markers"]),
        forces=() if files["forces"] is None else tuple(read_forces(files["forces"])),
        mass_kg=mass,
        height_m=height,
        provenance={
            "files": [str(p) for p in files.values() if p],
            "license": "as accepted at SimTK, project opencap",
        },
    )
    return trial if view is None else _seen(trial, view)


def _seen(trial: Trial, view: _View) -> Trial:
    """Return the trial as one camera saw it; a pose that cannot be right is left out."""
    notes = [] if view.synchronised else ["the video is not synchronised with the markers"]
    camera = None if view.calibration is None else read_camera(view.calibration, view.transform)
    if camera is not None and camera.translation_m is None:
        notes.append("where the camera stands in the laboratory is not published")
    elif camera is not None and trial.markers is not None and not sees(camera, trial.markers):
        camera = replace(camera, gravity=None, rotation_camera_from_world=None, translation_m=None)
        notes.append("the published place of the camera does not show the markers")
    return replace(
        trial,
        name=f"{trial.name}/{view.name}",
        camera=camera,
        video=view.video,
        provenance=trial.provenance | {"notes": notes},
    )


def activity(stem: str) -> str:
    """Return what a trial's name says: ``walkingTS2`` is ``walk (trunk-sway)``."""
    base = stem.rstrip("0123456789")
    for start, name in _ACTIVITIES.items():
        if base.startswith(start):
            manner = base.removeprefix(start)
            return f"{name} ({_MANNERS.get(manner, manner)})" if manner else name
    return base


def _size(metadata: Path | None) -> tuple[float | None, float | None]:
    """Return a subject's mass (kg) and height (m)."""
    if metadata is None:
        return None, None
    values = read_yaml(metadata)
    try:
        mass, height = float(values["mass_kg"]), float(values["height_m"])
        if not (0 < mass < 500 and 0 < height < 3):
            raise ValueError(f"{mass:g} kg and {height:g} m")
    except (KeyError, TypeError, ValueError) as error:
        raise MskError(
            f"mass_kg and height_m are not those of a person ({error}).",
            where=str(metadata),
            remedy="Use the file that the data set published.",
        ) from error
    return mass, height


def _natural(path: Path) -> list[str | int]:
    """Return a key that puts ``subject10`` behind ``subject9``."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]
