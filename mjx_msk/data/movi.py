"""BML-MoVi, round F: 67 markers and joint centres, SMPL-H rotations, and two fixed cameras.

Ghorbani et al. (2021), PLoS ONE 16:e0253157. One file and one video hold all 21 movements of a
person; ``flags120`` and ``flags30`` say where each begins and ends, counted from 1 and with both
ends included. What is in the files, and where each fact comes from, is in docs/datasets.md.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from mjx_msk.data.body_model import BODY_JOINTS, rotation_matrices
from mjx_msk.data.listing import Listed
from mjx_msk.data.movi_camera import CAMERAS, read_camera
from mjx_msk.data.reading import read_mat
from mjx_msk.data.trial import Trial
from mjx_msk.errors import MskError
from mjx_msk.osim.markers import Markers

DATASET = "movi"
#: Of the motion capture; the cameras have a quarter of it.
RATE_HZ = 120.0
#: Visual3D's 20 virtual markers, where the file does not name them.
_VIRTUAL = (
    "head", "mhip", "pelv", "thor", "lank", "lelb", "lhip", "lhan", "lkne", "lsho",
    "lwri", "lfoo", "rank", "relb", "rhip", "rhan", "rkne", "rsho", "rwri", "rfoo",
)  # fmt: skip
#: The laboratory's frame from AMASS's: a quarter turn about the vertical.
_LABORATORY_FROM_AMASS = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
_REMEDY = "Use the files that the data set published."


@dataclass(frozen=True, kw_only=True)
class _Person:
    """Where one person's files are."""

    number: int
    v3d: Path
    amass: Path | None
    videos: dict[str, Path]  #: by camera
    calibrations: dict[str, tuple[Path, Path]]  #: by camera: intrinsics and extrinsics


def list_movi(root: Path, *, views: bool = False) -> list[Listed]:
    """Return every movement of every person; with ``views`` once for each camera that saw it.

    A person whose file cannot be read is listed as one trial, which says why when it is read.
    Raises ``MskError`` for a folder without files ``F_v3d_Subject_*.mat``.
    """
    people = _people(root)
    if not people:
        raise MskError(
            "the folder holds no file F_v3d_Subject_*.mat.",
            where=str(root),
            remedy="Unpack the archives F_Subjects_1_45 and F_Subjects_46_90 into it.",
        )
    return [listed for person in people for listed in _listed(person, views)]


def _people(root: Path) -> list[_Person]:
    """Return the people whose markers are somewhere below a folder, in the order of numbers."""
    found = {p.name: p for p in sorted(root.rglob("*")) if p.suffix in (".mat", ".avi", ".npz")}
    calibrations = {
        c: (found[f"cameraParams_{c}.npz"], found[f"Extrinsics_{c}.npz"])
        for c in CAMERAS
        if {f"cameraParams_{c}.npz", f"Extrinsics_{c}.npz"} <= found.keys()
    }
    people = []
    for name, path in found.items():
        if not (match := re.fullmatch(r"F_v3d_Subject_(\d+)\.mat", name)):
            continue
        number = int(match[1])
        videos = {c: found.get(f"F_{c}_Subject_{match[1]}_L.avi") for c in CAMERAS}
        people.append(
            _Person(
                number=number,
                v3d=path,
                amass=found.get(f"F_amass_Subject_{match[1]}.mat"),
                videos={c: video for c, video in videos.items() if video},
                calibrations=calibrations,
            )
        )
    return sorted(people, key=lambda person: person.number)


def _listed(person: _Person, views: bool) -> Iterator[Listed]:
    try:
        movements = _movements(person.v3d)
    except MskError:
        movements = ("unreadable",)
    for i in range(len(movements)):
        for camera in list(person.videos) if views else [None]:
            calibration = () if camera is None else person.calibrations.get(camera, ())
            yield Listed(
                dataset=DATASET,
                name="/".join([_name(person, movements, i), *([camera] if camera else [])]),
                files=tuple(p for p in (person.v3d, person.amass, *calibration) if p),
                read=partial(_read, person, i, camera),
            )


def _name(person: _Person, movements: tuple[str, ...], i: int) -> str:
    """Return a trial's name; a movement that a person did twice gets a number."""
    again = movements[:i].count(movements[i])
    return f"subject{person.number}/{movements[i]}{f'_{again + 1}' if again else ''}"


def _capture(path: Path) -> dict[str, Any]:
    """Return the struct ``Subject_N_F`` of a file: ``subject`` and ``move``."""
    return _read_capture(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)  # a person's 21 trials are read one after the other, each from two files
def _read_capture(path: Path, _modified_ns: int) -> dict[str, Any]:
    values = read_mat(path)
    name = next((n for n in values if re.fullmatch(r"Subject_\d+_F(_amass)?", n)), None)
    struct = _only(values[name]) if name else None
    if not isinstance(struct, dict) or "move" not in struct:
        raise MskError(
            "the file has no struct Subject_N_F with the movements.",
            where=str(path),
            remedy=_REMEDY,
        )
    return struct


def _move(path: Path) -> dict[str, Any]:
    """Return the one recording that holds all movements."""
    move = _only(_capture(path)["move"])
    needed = ("motions_list", "flags120", "markerLocation", "markerName")
    if not isinstance(move, dict) or (missing := [n for n in needed if n not in move]):
        lack = ", ".join(missing) if isinstance(move, dict) else "everything"
        raise MskError(f"its field 'move' lacks {lack}.", where=str(path), remedy=_REMEDY)
    return move


def _movements(path: Path) -> tuple[str, ...]:
    """Return the names of a person's movements in their order."""
    return tuple(str(_only(n)).strip() for n in np.atleast_1d(_move(path)["motions_list"]))


def _read(person: _Person, i: int, camera: str | None) -> Trial:
    """Read one movement of a person."""
    move, where = _move(person.v3d), str(person.v3d)
    movements = _movements(person.v3d)
    first, end = _span(move, "flags120", i, where)
    markers, joints = _points(*_worn(move), where), None
    if "virtualMarkerLocation" in move:
        names = move.get("virtualMarkerName", _VIRTUAL)
        joints = _cut(_points(move["virtualMarkerLocation"], names, where), first, end, where)
    mass, height = _size(_capture(path) for path in (person.v3d, person.amass) if path)
    trial = Trial(
        dataset=DATASET,
        name=_name(person, movements, i),
        person=f"{DATASET}/subject{person.number}",
        activity=movements[i].removesuffix("_rm").replace("_", " "),
        markers=_cut(markers, first, end, where),
        joints=joints,
        mass_kg=mass,
        height_m=height,
        provenance={
            "files": [str(p) for p in (person.v3d, person.amass) if p],
            "license": "non-commercial scientific research",
        },
    )
    if person.amass is not None:
        trial = _with_rotations(trial, person.amass, i, movements[i])
    return trial if camera is None else _seen(trial, person, camera, move, i)


def _seen(trial: Trial, person: _Person, camera: str, move: dict[str, Any], i: int) -> Trial:
    """Return a movement as one camera saw it."""
    calibration = person.calibrations.get(camera)
    video = person.videos[camera]
    return replace(
        trial,
        name=f"{trial.name}/{camera}",
        camera=None if calibration is None else read_camera(*calibration, video=video),
        video=video,
        video_frames=_span(move, "flags30", i, str(person.v3d)),
    )


def _with_rotations(trial: Trial, path: Path, i: int, movement: str) -> Trial:
    """Return the trial with AMASS's rotations of SMPL-H's body joints, if they are its own."""
    moves = np.atleast_1d(np.asarray(_capture(path)["move"], dtype=object)).ravel()
    move = _only(moves[i]) if i < len(moves) else None
    frames = len(trial.markers.time) if trial.markers else 0
    same = isinstance(move, dict) and str(move.get("description", "")).strip() == movement
    vectors = np.asarray(move["jointsExpMaps_amass"], dtype=float) if same and move else np.empty(0)
    if vectors.ndim != 3 or abs(len(vectors) - frames) > 1 or vectors.shape[1:] != (52, 3):
        notes = {"notes": ["AMASS's rotations do not belong to this movement"]}
        return replace(trial, provenance=trial.provenance | notes)
    rotations = rotation_matrices(vectors[:frames, : len(BODY_JOINTS)])
    rotations[:, 0] = _LABORATORY_FROM_AMASS @ rotations[:, 0]
    return replace(
        trial,
        time=np.arange(len(rotations)) / RATE_HZ,
        rotation_names=BODY_JOINTS,
        rotations=rotations,
    )


def _worn(move: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the places (T, ...) and names of the markers that a person wears.

    ``markerLocation`` may end with what ``virtualMarkerLocation`` has: joint centres, whose names
    could be taken for those of markers.
    """
    location, names = _by_marker(move["markerLocation"]), np.atleast_1d(move["markerName"])
    virtual = _by_marker(move.get("virtualMarkerLocation", ()))
    worn = slice(None)
    if virtual.size and np.array_equal(location[:, -virtual.shape[1] :], virtual, equal_nan=True):
        worn = slice(location.shape[1] - virtual.shape[1])
    return location[:, worn], names[worn]


def _by_marker(location: Any) -> np.ndarray:
    """Return positions as (T, m, 3), which may be stored flat."""
    positions = np.array(location, dtype=float)
    return positions.reshape(len(positions), -1, 3) if positions.size else positions


def _points(location: Any, names: Any, where: str) -> Markers:
    """Return marker positions of a whole recording; mm become m, zeros are missing."""
    labels = tuple(str(_only(name)).strip() for name in np.atleast_1d(names))
    positions = _by_marker(location)
    if positions.ndim != 3 or positions.shape[1] != len(labels):
        raise MskError(
            f"{len(labels)} markers are named, but the positions have the shape "
            f"{np.shape(location)}.",
            where=where,
            remedy=_REMEDY,
        )
    positions[np.all(positions == 0, -1) | ~np.all(np.isfinite(positions), -1)] = np.nan
    return Markers(np.arange(len(positions)) / RATE_HZ, labels, positions * 1e-3, RATE_HZ)


def _cut(markers: Markers, first: int, end: int, where: str) -> Markers:
    """Return the frames [first, end) as a recording that begins at 0 s."""
    if end > len(markers.time):
        raise MskError(
            f"a movement ends in frame {end} of {len(markers.time)}.", where=where, remedy=_REMEDY
        )
    return replace(
        markers,
        time=np.arange(end - first) / markers.rate_hz,
        positions=markers.positions[first:end],
    )


def _span(move: dict[str, Any], key: str, i: int, where: str) -> tuple[int, int]:
    """Return the frames [first, end) of a movement, counted from 0."""
    try:
        first, last = (int(n) for n in np.atleast_2d(move[key])[i])
        if not 1 <= first < last:
            raise ValueError(f"from {first} to {last}")
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise MskError(
            f"{key!r} does not say where movement {i + 1} begins and ends ({error}).",
            where=where,
            remedy=_REMEDY,
        ) from error
    return first - 1, last


def _size(captures: Iterable[dict[str, Any]]) -> tuple[float | None, float | None]:
    """Return a person's mass (kg) and height (m), which the files have in cm."""
    mass = height = None
    for capture in captures:
        subject = _only(capture.get("subject"))
        values = subject if isinstance(subject, dict) else {}
        mass = mass or _between(values.get("mass"), 20, 500)
        height = height or _between(values.get("height"), 100, 250)
    return mass, None if height is None else height * 1e-2


def _between(value: Any, least: float, most: float) -> float | None:
    try:
        number = float(_only(value))
    except (TypeError, ValueError):
        return None
    return number if least < number < most else None


def _only(value: Any) -> Any:
    """Return what is inside cells of one entry."""
    while isinstance(value, list | np.ndarray) and len(np.atleast_1d(value)) == 1:
        value = np.atleast_1d(np.asarray(value, dtype=object))[0]
    return value
