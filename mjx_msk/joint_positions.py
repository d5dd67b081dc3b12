"""Joint positions over time, such as a retargeted AMASS motion: onto the model in a person's size.

Where a body model's joints are follows from its own files, which are not free: a file of SMPL's
rotations alone does not say it. With the positions that the body model has computed, the joints are
followed like markers.
"""

import zipfile
from typing import Any

import mujoco
import numpy as np

from mjx_msk.data.body_model import BODY_JOINTS
from mjx_msk.errors import MskError
from mjx_msk.fit.clock import evenly
from mjx_msk.fit.markers import fit_markers
from mjx_msk.fit.subject import generic_spec, scaled_spec
from mjx_msk.model import LANDMARK_PREFIX, Model
from mjx_msk.run import Run

POSITIONS, NAMES, RATE = ("positions", "joints"), ("names", "joint_names"), (
    "fps", "mocap_framerate", "mocap_frame_rate",
)  # fmt: skip
#: The bones that begin at a joint.
BEGINS = {
    "hip": "femur", "knee": "tibia", "ankle": "talus", "foot": "toes", "shoulder": "humerus",
    "elbow": "ulna", "wrist": "hand",
}  # fmt: skip
#: Without these joints of both sides the legs, the trunk or the arms are open.
_NEEDED = ("hip", "knee", "ankle", "shoulder")
_REMEDY = (
    "Save joint positions: positions (T, J, 3) in m with Z up, names (J,) such as left_knee, and "
    "fps."
)


def from_joint_positions(
    run: Run,
) -> tuple[mujoco.MjSpec, Model, np.ndarray, np.ndarray, np.ndarray]:
    """Return the person's model, its ``Model``, times (T,), coordinates and confidence (T, n).

    The file has ``positions`` (T, J, 3) m, Z up, ``names`` (J,) and ``fps``; without names 22 or
    more joints are taken in SMPL's order. Raises ``MskError`` for any other file, and where height
    or mass of the person are not given.
    """
    if run.options.model is not None:
        raise MskError(
            "joint positions are put on the default model.",
            where="--model",
            remedy="Leave it out and give --height and --mass.",
        )
    height, mass = run.options.body()
    names, positions, rate = _read(run)
    spec = generic_spec()
    sites = _with_joint_sites(spec, names)
    use = [names.index(name) for name in sites]
    time, seen = evenly(np.arange(len(positions)) / rate, positions[:, use])
    dt = float(time[1] - time[0])
    generic = Model.from_spec(spec)
    fit = fit_markers(
        generic, tuple(sites.values()), seen, dt, height_m=height, on_progress=run.tell
    )
    run.warnings += fit.warnings
    run.warnings.append(f"joints are {1e3 * np.nanmean(fit.error_m):.0f} mm from the model's")
    own = scaled_spec(generic_spec(), fit.base, fit.log_segments, mass)
    return own, Model.from_spec(own), time, fit.q, fit.confidence


def _read(run: Run) -> tuple[list[str], np.ndarray, float]:
    """Return names (J,), positions (T, J, 3) m and the rate, Hz."""
    try:
        with open(run.source, "rb") as file, np.load(file, allow_pickle=False) as archive:
            stored = {n: archive[n] for n in (*POSITIONS, *NAMES, *RATE) if n in archive.files}
            others = sorted(set(archive.files) - set(stored))
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise MskError(f"not a readable .npz file ({error}).", remedy=_REMEDY) from error
    positions, names, rate = (_first(stored, keys) for keys in (POSITIONS, NAMES, RATE))
    if positions is None:
        held = f"rotations ({', '.join(others)})" if "poses" in others else ", ".join(others)
        why = " without the body model's own files nobody knows where its joints are" * (
            "poses" in others
        )
        raise MskError(f"the file holds {held}, no joint positions;{why}.", remedy=_REMEDY)
    if positions.ndim != 3 or positions.shape[2] != 3 or len(positions) < 2:
        raise MskError(f"positions have the shape {positions.shape}.", remedy=_REMEDY)
    if rate is None or not rate.size == 1 or not 1.0 <= float(rate.ravel()[0]) <= 10000.0:
        raise MskError("the file does not say at how many frames per second.", remedy=_REMEDY)
    labels = list(BODY_JOINTS) if names is None else [str(n) for n in names.ravel()]
    if (names is None and positions.shape[1] < len(BODY_JOINTS)) or (
        names is not None and len(labels) != positions.shape[1]
    ):
        raise MskError(
            f"{len(labels)} names belong to {positions.shape[1]} joints.", remedy=_REMEDY
        )
    return labels, positions[:, : len(labels)].astype(float), float(rate.ravel()[0])


def _first(stored: dict[str, Any], keys: tuple[str, ...]) -> np.ndarray | None:
    return next((stored[key] for key in keys if key in stored), None)


def _with_joint_sites(spec: mujoco.MjSpec, names: list[str]) -> dict[str, str]:
    """Add a site at each named joint's centre; returns name -> site, landmarks of the feet too."""
    found = {}
    landmarks = {site.name for site in spec.sites}
    for name in dict.fromkeys(names):
        side, _, part = name.partition("_")
        if side not in ("left", "right"):
            continue
        if part in BEGINS:
            site = f"joint/{name}"
            spec.body(f"{BEGINS[part]}_{side[0]}").add_site(name=site, group=3)
            found[name] = site
        elif LANDMARK_PREFIX + name in landmarks:
            found[name] = LANDMARK_PREFIX + name
    lacking = [f"{s}_{p}" for p in _NEEDED for s in ("left", "right") if f"{s}_{p}" not in found]
    if lacking:
        raise MskError(f"these joints are missing: {', '.join(lacking)}.", remedy=_REMEDY)
    return found
