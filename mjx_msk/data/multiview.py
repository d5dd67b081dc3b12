"""One motion before several calibrated cameras: each one's landmarks and the triangulated ones."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mjx_msk.data.landmark_tree import HIPS, LANDMARKS
from mjx_msk.vision.camera import undistort
from mjx_msk.vision.landmarks import NAMES, from_arrays
from mjx_msk.vision.repair import repaired


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """What one camera saw in T frames, repaired as the pipeline does, and the truth."""

    camera: str
    dt: float  #: s
    world: np.ndarray  #: (T, L, 3) m, triangulated, Z up
    camera_from_world: np.ndarray  #: (3, 3)
    position: np.ndarray  #: (3,) m
    half_picture: np.ndarray  #: (2,) x/z and y/z at the picture's border
    rays: np.ndarray  #: (T, L, 2)
    metric: np.ndarray  #: (T, L, 3) m, camera axes, from between the hips
    visibility: np.ndarray  #: (T, L)
    swapped: int  #: frames and halves of the body in which left and right were exchanged

    @property
    def truth(self) -> np.ndarray:
        """(T, L, 3) m, the triangulated landmarks in camera axes."""
        return (self.world - self.position) @ self.camera_from_world.T

    @property
    def hips(self) -> np.ndarray:
        """(T, 3) m, the middle of the triangulated hips in camera axes."""
        return self.truth[:, HIPS].mean(axis=1)


def read_recordings(folder: Path) -> list[Recording]:
    """Return the recording of each camera of ``../shared/data/multiview`` (see its README)."""
    cameras = json.loads((folder / "cameras.json").read_text())["cameras"]
    with (
        np.load(folder / "single_person_2d.npz") as seen,
        np.load(folder / "single_person_3d.npz") as points,
    ):
        return [_recording(name, values, seen, points) for name, values in cameras.items()]


def _recording(name: str, values: dict, seen: np.lib.npyio.NpzFile, points) -> Recording:
    K, distortion = np.array(values["K"]), np.array(values["dist"])
    R, t = np.array(values["R"]), np.array(values["t"])
    time = points["time"].astype(float)
    size = tuple(values["calibration_size_wh"])
    pixels, metric, visibility = (
        seen[f"{name}_{kind}"].astype(float) for kind in ("px_native", "world", "visibility")
    )
    person, exchanged = repaired(from_arrays(time, pixels, metric, visibility, size))
    body = [NAMES.index(landmark) for landmark in LANDMARKS]
    metric = person.world[:, body]
    return Recording(
        camera=name,
        dt=float(np.diff(time).mean()),
        world=points["filtered"][:, body].astype(float),
        camera_from_world=R,
        position=-R.T @ t,
        half_picture=np.array(size) / 2 / np.diagonal(K)[:2],
        rays=undistort(person.pixels[:, body], K, distortion),
        metric=metric - metric[:, HIPS].mean(axis=1, keepdims=True),
        visibility=person.visibility[:, body],
        swapped=int(exchanged.sum()),
    )
