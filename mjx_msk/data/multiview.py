"""One motion before several calibrated cameras: each one's landmarks and the triangulated ones."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mjx_msk.data.landmark_tree import COUNTERPART, HALF, HIPS, LANDMARKS
from mjx_msk.vision.camera import undistort
from mjx_msk.vision.landmarks import NAMES, Landmarks, from_arrays
from mjx_msk.vision.repair import repaired

_BODY = [NAMES.index(name) for name in LANDMARKS]


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """What one pose network saw through one camera in T frames, repaired, and the truth."""

    camera: str
    dt: float  #: s
    world: np.ndarray  #: (T, L, 3) m, triangulated, Z up
    camera_from_world: np.ndarray  #: (3, 3)
    position: np.ndarray  #: (3,) m
    half_picture: np.ndarray  #: (2,) x/z and y/z at the picture's border
    rays: np.ndarray  #: (T, L, 2)
    metric: np.ndarray  #: (T, L, 3) m, camera axes, from between the hips
    visibility: np.ndarray  #: (T, L)
    image_scale: float  #: makes up for what triangulation from these rays absorbed of their errors

    @property
    def truth(self) -> np.ndarray:
        """(T, L, 3) m, the triangulated landmarks in camera axes."""
        return (self.world - self.position) @ self.camera_from_world.T

    @property
    def hips(self) -> np.ndarray:
        """(T, 3) m, the middle of the triangulated hips in camera axes."""
        return self.truth[:, HIPS].mean(axis=1)

    @property
    def image_errors(self) -> np.ndarray:
        """(T, L, 2) m, how far the rays are off at the landmarks' depths."""
        x = self.truth
        return self.image_scale * (self.rays * x[..., 2:] - x[..., :2])

    @property
    def exchanged(self) -> np.ndarray:
        """(T, 2) bool, upper and lower body: left and right fit better the other way round."""
        x = self.truth
        image = x[..., :2] / x[..., 2:]
        own, other = (
            np.linalg.norm(self.rays[:, order] - image, axis=-1)
            for order in (np.arange(len(LANDMARKS)), COUNTERPART)
        )
        return np.stack([(other < own)[:, h == HALF].mean(axis=1) > 0.5 for h in (0, 1)], axis=1)


def read_recordings(folder: Path) -> list[Recording]:
    """Return the recordings of ``../shared/data/multiview`` (see its README), one a camera."""
    cameras = json.loads((folder / "cameras.json").read_text())["cameras"]
    with (
        np.load(folder / "single_person_2d.npz") as seen,
        np.load(folder / "single_person_3d.npz") as points,
    ):
        world, time = points["filtered"][:, _BODY].astype(float), points["time"].astype(float)
        found = []
        for name, values in cameras.items():
            width, height = values["calibration_size_wh"]
            kinds = ("px_native", "world", "visibility")
            pixels, metric, visibility = (seen[f"{name}_{k}"].astype(float) for k in kinds)
            sight = from_arrays(time, pixels, metric, visibility, (width, height))
            person, _ = repaired(sight)
            found.append(_recording(name, values, values["K"], person, world, len(cameras)))
    return found


def detected(recording: Recording, person: Landmarks, values: dict) -> Recording:
    """Return another network's sight of the same frames; ``values`` are of ``cameras.json``."""
    K = values["K_for_video_pixels"]
    return _recording(recording.camera, values, K, person, recording.world, views=None)


def _recording(
    name: str, values: dict, K: list, person: Landmarks, world: np.ndarray, views: int | None
) -> Recording:
    """Return a person's landmarks beside the truth, which was triangulated from ``views`` of them.

    A point fitted to v views takes 3 of their 2 v numbers with it.
    """
    R, t = np.array(values["R"]), np.array(values["t"])
    metric, intrinsics = person.world[:, _BODY], np.array(K)
    return Recording(
        camera=name,
        dt=float(np.diff(person.time).mean()),
        world=world,
        camera_from_world=R,
        position=-R.T @ t,
        half_picture=np.array(person.image_size) / 2 / np.diagonal(intrinsics)[:2],
        rays=undistort(person.pixels[:, _BODY], intrinsics, np.array(values["dist"])),
        metric=metric - metric[:, HIPS].mean(axis=1, keepdims=True),
        visibility=person.visibility[:, _BODY],
        image_scale=float(np.sqrt(2 * views / (2 * views - 3))) if views else 1.0,
    )


_ARRAYS = ("rays", "metric", "visibility")


def save_detections(path: Path, recordings: list[Recording]) -> None:
    """Write what a network saw (rays, metric points, visibilities) in half precision."""
    np.savez_compressed(
        path,
        **{
            f"{r.camera}_{name}": getattr(r, name).astype(np.float16)
            for r in recordings
            for name in _ARRAYS
        },
    )


def read_detections(path: Path, recordings: list[Recording]) -> list[Recording]:
    """Return what ``save_detections`` wrote, beside the truth of ``recordings``."""
    with np.load(path) as stored:
        return [
            dataclasses.replace(
                r,
                image_scale=1.0,
                **{name: stored[f"{r.camera}_{name}"].astype(float) for name in _ARRAYS},
            )
            for r in recordings
        ]
