"""C3D, the file of motion laboratories: markers and bones as points, feet on force platforms."""

from pathlib import Path
from typing import Any

import numpy as np

from mjx_msk.errors import missing_extra
from mjx_msk.export.take import Take
from mjx_msk.files import replacing
from mjx_msk.motion import Motion

#: World axes from those of a platform: z points down.
_WORLD_FROM_PLATFORM = np.diag([1.0, -1.0, -1.0])
#: Each foot has a platform as large as its way, with this margin, m.
_MARGIN_M = 0.5
_CHANNELS = ("Fx", "Fy", "Fz", "Mx", "My", "Mz")


def write(take: Take, path: Path) -> list[Path]:
    """Write a take's markers, the origins of its bones, and each foot's forces.

    Millimetres, newtons and N mm; Z up, X forward. Each foot stands on a platform of type 2 of its
    own, under all that it walks over: the reaction on the foot, and its moment about the platform's
    centre, in the platform's axes, as motion capture systems export them and ezc3d, BTK and
    OpenSim take them. Raises ``MskError``, also where ezc3d is not installed.
    """
    try:
        import ezc3d
    except ImportError as error:
        raise missing_extra("ezc3d", "export", "Writing .c3d") from error
    motion, file = take.motion, ezc3d.c3d()
    names = [*motion.marker_names, *(take.mj.body(b).name for b in take.bones)]
    bones = take.places("xpos", take.bones)
    points = bones if motion.markers is None else np.concatenate([motion.markers, bones], axis=1)
    _set(file, "POINT", RATE=[motion.rate_hz], LABELS=names, UNITS=["mm"])
    file.add_parameter("POINT", "X_SCREEN", ["+X"])
    file.add_parameter("POINT", "Y_SCREEN", ["+Z"])
    file["data"]["points"] = _homogeneous(1e3 * points)
    if motion.foot_force is not None:
        _add_platforms(file, motion)
    with replacing(path) as temporary:
        file.write(str(temporary))
    return [path]


def _homogeneous(points: np.ndarray) -> np.ndarray:
    """Return points (T, k, 3) as ezc3d has them, (4, k, T)."""
    return np.concatenate([points, np.ones_like(points[..., :1])], axis=-1).transpose(2, 1, 0)


def _set(file: Any, group: str, **values: Any) -> None:
    for name, value in values.items():
        file["parameters"][group][name]["value"] = value


def _add_platforms(file: Any, motion: Motion) -> None:
    wrenches, corners = [], []
    for foot in range(len(motion.foot_names)):
        wrench, corner = _platform(motion, foot)
        wrenches.append(wrench)
        corners.append(corner)
    count = len(wrenches)
    labels = [f"{channel}_{name}" for name in motion.foot_names for channel in _CHANNELS]
    units = ["N"] * 3 + ["Nmm"] * 3
    _set(
        file, "ANALOG", RATE=[motion.rate_hz], LABELS=labels, UNITS=units * count,
        SCALE=[1.0] * len(labels), OFFSET=[0] * len(labels), USED=[len(labels)],
    )  # fmt: skip
    _set(
        file, "FORCE_PLATFORM", USED=[count], TYPE=[2] * count, ZERO=[1, 0],
        CORNERS=np.stack(corners, axis=-1), ORIGIN=np.zeros((3, count)),
        CHANNEL=np.arange(1, 6 * count + 1).reshape(count, 6).T,
    )  # fmt: skip
    file["data"]["analogs"] = np.concatenate(wrenches)[None]


def _platform(motion: Motion, foot: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a platform's channels (6, T), N and N mm, and its corners (3, 4) mm."""
    assert motion.foot_force is not None
    force = np.nan_to_num(motion.foot_force[:, foot])
    cop = np.zeros_like(force) if motion.foot_cop is None else motion.foot_cop[:, foot]
    free = 0.0 if motion.foot_moment is None else np.nan_to_num(motion.foot_moment[:, foot])
    known = cop[np.isfinite(cop).all(axis=1)]
    low, high = np.zeros((2, 3)) if not len(known) else (known.min(axis=0), known.max(axis=0))
    low, high = low[:2] - _MARGIN_M, high[:2] + _MARGIN_M
    centre = np.array([*(0.5 * (low + high)), 0.0])
    moment = np.cross(np.nan_to_num(cop - centre), force) + free
    channels = [force @ _WORLD_FROM_PLATFORM, 1e3 * moment @ _WORLD_FROM_PLATFORM]
    # quadrants of the platform's axes: +x +y, -x +y, -x -y, +x -y
    corners = [(high[0], low[1]), (low[0], low[1]), (low[0], high[1]), (high[0], high[1])]
    return np.hstack(channels).T, 1e3 * np.array([(x, y, 0.0) for x, y in corners]).T
