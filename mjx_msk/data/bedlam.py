"""BEDLAM's training labels: a camera, true 2D joints and the rotations of SMPL-X, per picture.

Black, Patel, Tesch and Yang (2023), CVPR. The labels of one scene group are one ``.npz`` with a row
for every person in every picture. Positions of joints in space need SMPL-X's own files, which are
not free, and are left out; what the fields are, and where each fact comes from, is in
docs/datasets.md.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import count
from pathlib import Path

import numpy as np

from mjx_msk.data.body_model import (
    BODY_JOINTS,
    FIRST_SURFACE_POINT,
    SURFACE_POINTS,
    rotation_matrices,
)
from mjx_msk.data.listing import Listed
from mjx_msk.data.reading import read_npz
from mjx_msk.data.trial import Trial
from mjx_msk.errors import MskError
from mjx_msk.vision.camera import Camera

DATASET = "bedlam"
#: Of the pictures; labels are for every one, or for every fifth.
RATE_HZ = 30.0
#: Our axes (forward, left, up) from those of the labels' level world (right, down, forward).
_WORLD_FROM_LABELS = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
#: The labels count pixels from the picture's corner, we from the middle of the first pixel.
_CORNER_PX = 0.5
_NEEDED = ("imgname", "sub", "cam_int", "cam_ext", "gtkps", "pose_world")
_PICTURE = re.compile(r"(?P<sequence>seq_\d+)/seq_\d+_(?P<frame>\d+)\.\w+")
_REMEDY = "Use the labels that the data set published (all_npz_12_training)."


@dataclass(frozen=True)
class _Run:
    """The rows of one person in one sequence of pictures."""

    name: str
    sequence: str
    person: str
    rows: slice
    frames: np.ndarray  #: (T,) numbers of the pictures, increasing


def list_bedlam(root: Path) -> list[Listed]:
    """Return every person of every sequence in every label file below a folder.

    A label file that cannot be read is listed as one trial, which says why when it is read.
    Raises ``MskError`` for a folder without label files.
    """
    files = sorted(path for path in root.rglob("*.npz") if re.search(r"_\d+fps$", path.stem))
    if not files:
        raise MskError(
            "the folder holds no label file (*_6fps.npz or *_30fps.npz).",
            where=str(root),
            remedy="Unpack all_npz_12_training.zip into it.",
        )
    return [listed for path in files for listed in _listed(path, root)]


def _listed(path: Path, root: Path) -> Iterator[Listed]:
    try:
        runs = list(_runs(path))
    except MskError as error:
        yield Listed(dataset=DATASET, name=path.stem, files=(path,), read=partial(_fail, error))
        return
    for run in runs:
        yield Listed(
            dataset=DATASET, name=run.name, files=(path,), read=partial(_read, path, run, root)
        )


def _fail(error: MskError) -> Trial:
    raise error


def _runs(path: Path) -> Iterator[_Run]:
    """Yield the runs of rows that show one person in one sequence."""
    labels = read_npz(path, ["imgname", "sub"])
    matches = [_PICTURE.fullmatch(str(name)) for name in labels["imgname"].ravel()]
    if None in matches or len(matches) != labels["sub"].size:
        raise MskError("'imgname' does not name pictures.", where=str(path), remedy=_REMEDY)
    keys = [(m["sequence"], str(sub)) for m, sub in zip(matches, labels["sub"], strict=True) if m]
    frames = np.array([int(m["frame"]) for m in matches if m])
    # the rows of the next person follow those of the one before, also where both are called alike
    new = [keys[i] != keys[i - 1] or frames[i] <= frames[i - 1] for i in range(1, len(keys))]
    starts = [0, *(i + 1 for i, other in enumerate(new) if other)] if keys else []
    taken: set[str] = set()
    for start, end in zip(starts, [*starts[1:], len(keys)], strict=True):
        sequence, person = keys[start]
        base = f"{path.stem}/{sequence}/{person}"
        name = next(n for k in count(1) if (n := base if k == 1 else f"{base}_{k}") not in taken)
        taken.add(name)
        yield _Run(name, sequence, person, slice(start, end), frames[start:end])


@lru_cache(maxsize=1)  # its people are read one after the other
def _labels(path: Path, _modified_ns: int) -> dict[str, np.ndarray]:
    labels = read_npz(path, _NEEDED)
    try:
        return labels | read_npz(path, (), ["motion_info"])
    except MskError:  # what people do is of no further use: it stops nothing
        return labels


def _read(path: Path, run: _Run, root: Path) -> Trial:
    """Read one person of one sequence."""
    labels = _labels(path, path.stat().st_mtime_ns)
    rows = {name: values[run.rows] for name, values in labels.items() if values.ndim}
    names, landmarks = _landmarks(rows["gtkps"], str(path))
    camera, notes = _camera(rows["cam_int"], rows["cam_ext"], str(path))
    group = path.stem.rsplit("_", 1)[0]
    if "closeup" in group:
        notes.append("pictures and videos are stored lying: turn them 90 degrees clockwise")
    videos = [base / group / "mp4" / f"{run.sequence}.mp4" for base in (root, path.parent.parent)]
    return Trial(
        dataset=DATASET,
        name=run.name,
        person=f"{DATASET}/{run.person}",
        activity=_activity(rows.get("motion_info")),
        time=run.frames / RATE_HZ,
        rotation_names=BODY_JOINTS,
        rotations=_rotations(rows["pose_world"], str(path)),
        camera=camera,
        video=next((video for video in videos if video.is_file()), None),
        landmark_names=names,
        landmarks=landmarks,
        provenance={
            "files": [str(path)],
            "license": "non-commercial scientific research",
            "notes": notes,
        },
    )


def _landmarks(points: np.ndarray, where: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names and pixels (T, L, 2) of the joints and surface points that are known."""
    count = points.shape[1] if points.ndim == 3 else 0
    if count not in FIRST_SURFACE_POINT or not np.isfinite(points[..., :2]).all():
        raise MskError(
            f"'gtkps' has the shape {points.shape}; known are the "
            f"{' and '.join(map(str, FIRST_SURFACE_POINT))} points of SMPL and SMPL-X.",
            where=where,
            remedy=f"{_REMEDY} BEDLAM 2 orders its points otherwise.",
        )
    first = FIRST_SURFACE_POINT[count]
    places = [*range(len(BODY_JOINTS)), *range(first, first + len(SURFACE_POINTS))]
    return BODY_JOINTS + SURFACE_POINTS, points[:, places, :2].astype(float) - _CORNER_PX


def _rotations(pose: np.ndarray, where: str) -> np.ndarray:
    """Return the rotations (T, J, 3, 3) of the body's joints, the root's in our world."""
    joints = len(BODY_JOINTS)
    if pose.ndim != 2 or pose.shape[1] < 3 * joints or not np.isfinite(pose).all():
        raise MskError(f"'pose_world' has the shape {pose.shape}.", where=where, remedy=_REMEDY)
    rotations = rotation_matrices(pose[:, : 3 * joints].astype(float).reshape(-1, joints, 3))
    rotations[:, 0] = _WORLD_FROM_LABELS @ rotations[:, 0]
    return rotations


def _camera(inner: np.ndarray, outer: np.ndarray, where: str) -> tuple[Camera | None, list[str]]:
    """Return the camera of a run, without a place where it moves, and None where it zooms."""
    if inner.shape[1:] != (3, 3) or outer.shape[1:] != (4, 4):
        raise MskError(
            f"'cam_int' and 'cam_ext' have the shapes {inner.shape} and {outer.shape}.",
            where=where,
            remedy=_REMEDY,
        )
    if not np.allclose(inner, inner[0], rtol=1e-4):
        return None, ["the camera zooms"]
    still = np.allclose(outer, outer[0], atol=1e-4)
    rotation = outer[0, :3, :3].astype(float) @ _WORLD_FROM_LABELS.T
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3):
        raise MskError("'cam_ext' holds no rotation.", where=where, remedy=_REMEDY)
    intrinsics = inner[0].astype(float)
    width, height = (round(2 * float(n)) for n in intrinsics[:2, 2])  # as the labels are made
    intrinsics[:2, 2] -= _CORNER_PX
    camera = Camera(
        intrinsics=intrinsics,
        distortion=np.zeros(5),
        image_size=(width, height),
        gravity=-rotation[:, 2] if still else None,
        source="rendered with this camera",
        rotation_camera_from_world=rotation if still else None,
        translation_m=outer[0, :3, 3].astype(float) if still else None,
    )
    return camera, [] if still else ["the camera moves; the world turns with its heading"]


def _activity(info: np.ndarray | None) -> str:
    """Return the first label of a run's motion, if it has one."""
    if info is None or not info.size:
        return "unlabelled"
    text = str(np.ravel(np.asarray(info[0], dtype=object))[0]).strip()
    return text[:80] or "unlabelled"
