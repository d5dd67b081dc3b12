"""Do drawn errors look like the recorded ones? The same figures of both."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.data.camera_noise import CameraNoise, from_dict
from mjx_msk.data.landmark_tree import LANDMARKS, PART_OF, PARTS, hangs_from
from mjx_msk.data.multiview import Recording
from mjx_msk.data.virtual_camera import CameraRanges, Placement, see
from mjx_msk.vision.gravity import gravity_from_person

#: A camera whose calibration is known, as those of the recording.
CALIBRATED = CameraRanges(calibrated=1.0, gravity_known=0.0)
#: Lags of the autocorrelation, s.
LAGS_S = (1 / 60, 0.1, 0.5)
LANDMARK_PARTS = PARTS[PARTS.index("hip") :]


def as_measured(values: dict[str, Any]) -> CameraNoise:
    """Return fitted statistics without what goes beyond the recording: events, other people."""
    beyond = ("clip_log_sd", "lost_per_s", "lost_s", "swaps_per_s", "swap_s")
    return from_dict(values | dict.fromkeys(beyond, 0.0))


def redrawn(
    recordings: list[Recording], noise: CameraNoise, key: jax.Array, draws: int
) -> list[Recording]:
    """Return each recording ``draws`` times, as virtual cameras in the same places see it."""
    found = []
    for r, camera_key in zip(recordings, jax.random.split(key, len(recordings)), strict=True):
        place = Placement(*map(jnp.asarray, (r.camera_from_world, r.position, r.half_picture)))
        views = _views(
            jax.random.split(camera_key, draws), noise, place, jnp.asarray(r.world), r.dt
        )
        rays, metric, visibility = map(np.asarray, views[:3])
        found += [
            dataclasses.replace(
                r, rays=rays[i], metric=metric[i], visibility=visibility[i], image_scale=1.0
            )
            for i in range(draws)
        ]
    return found


@jax.jit
def _views(keys, noise, place, world, dt):
    return jax.vmap(lambda k: see(k, noise, place, world, dt=dt, ranges=CALIBRATED))(keys)


def figures(recordings: list[Recording]) -> dict[str, dict[str, float]]:
    """Return what errors are like, by kind: rms by part (mm), and how they last and spread.

    ``image`` and ``across`` are per axis. ``lasting`` is the share of the mean square that the
    clip's mean has, ``at 100 ms`` the autocorrelation about zero, ``limb`` the correlation of
    wrists with elbows and of ankles with knees.
    """
    errors = {
        "image": np.stack([r.image_errors for r in recordings]),
        "metric": np.stack([r.metric - r.truth + r.hips[:, None] for r in recordings]),
    }
    kinds = {
        "image": errors["image"], "across": errors["metric"][..., :2],
        "depth": errors["metric"][..., 2:],
    }  # fmt: skip
    dt = recordings[0].dt
    return {kind: _of_kind(e, dt) for kind, e in kinds.items()} | {
        "visibility": _of_visibility(np.stack([r.visibility for r in recordings]))
    }


def _of_kind(e: np.ndarray, dt: float) -> dict[str, float]:
    part = PART_OF[: len(LANDMARKS)]
    rms = {f"{name} mm": 1e3 * _rms(e[:, :, part == PARTS.index(name)]) for name in LANDMARK_PARTS}
    unit = e / np.sqrt((e**2).mean(axis=(0, 1, 3), keepdims=True))
    lasting = {"lasting": _rms(unit.mean(axis=1)) ** 2}
    for lag in LAGS_S:
        k = round(lag / dt)
        lasting[f"at {1e3 * lag:.0f} ms"] = float((unit[:, k:] * unit[:, :-k]).mean())
    parent = hangs_from()[: len(LANDMARKS), : len(LANDMARKS)] @ np.arange(len(LANDMARKS))
    outer = np.flatnonzero(np.isin(part, [PARTS.index("wrist"), PARTS.index("ankle")]))
    lasting["limb"] = float((unit[:, :, outer] * unit[:, :, parent[outer].astype(int)]).mean())
    return rms | lasting


def _of_visibility(seen: np.ndarray) -> dict[str, float]:
    limbs = seen[:, :, [i for i, n in enumerate(LANDMARKS) if "hip" not in n and "sho" not in n]]
    return {f"{q} %": float(np.percentile(limbs, q)) for q in (2, 10, 25, 50, 75)}


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))


def gravity_error_deg(recording: Recording) -> float:
    """Return how far off the pipeline judges gravity from the person."""
    judged = gravity_from_person(recording.metric, recording.visibility**2, LANDMARKS)
    return float(np.rad2deg(np.arccos(-judged @ recording.camera_from_world[:, 2])))
