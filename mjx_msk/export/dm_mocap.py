"""dm_control's motion capture clips: HDF5 in the layout of ``locomotion.mocap.loader``.

One group per clip; what a clip knows of its walker lies in ``walkers/walker_0`` with time as the
last axis. What each array means follows from ``get_features`` of dm_control's
``tasks/reference_pose/utils.py``: end effectors are seen from the root, in its axes.
"""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from mjx_msk.compile import write_xml
from mjx_msk.errors import missing_extra
from mjx_msk.export.playback import Played, played_free
from mjx_msk.export.take import Take
from mjx_msk.files import replacing

#: Bodies whose places in the root's axes a clip holds, where the model has them.
END_EFFECTORS = ("hand_r", "hand_l", "toes_r", "toes_l")
_PLACE, _SPEED = 7, 6


def write(take: Take, path: Path) -> list[Path]:
    """Write one clip, named like the file, and its model with a free root (``.xml``).

    Raises ``MskError``, also where h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise missing_extra("h5py", "export", "Writing HDF5") from error
    play, spec = played_free(take)
    model = path.with_suffix(".xml")
    write_xml(spec, model)
    bones = take.bones
    names = [play.mj.body(b).name for b in bones]
    ends = [name for name in END_EFFECTORS if name in names]
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        clip = file.create_group(path.stem)
        clip.attrs["dt"] = 1.0 / take.motion.rate_hz
        clip.attrs["num_steps"] = len(play.qpos)
        clip.create_group("props")
        walker = clip.create_group("walkers/walker_0")
        walker.attrs.update({
            "name": np.bytes_(path.stem), "model": 0, "mass": float(play.mj.body_mass.sum()),
            "end_effector_names": _bytes(ends), "appendage_names": _bytes(ends),
            "joint_names": _bytes([play.mj.joint(j).name for j in range(1, play.mj.njnt)]),
            "body_names": _bytes(names),
        })  # fmt: skip
        walker.create_group("scaling")
        walker.create_group("markers")
        for name, values in _poses(play, bones, ends).items():
            walker[name] = values.reshape(len(values), -1).T
    return [path, model]


def _poses(play: Played, bones: list[int], ends: list[str]) -> dict[str, np.ndarray]:
    """Return the arrays of a clip, time first."""
    root = int(play.mj.jnt_bodyid[0])
    turn = Rotation.from_quat(play.xquat[:, root], scalar_first=True).as_matrix()
    arms = play.xpos[:, [play.mj.body(name).id for name in ends]] - play.xpos[:, [root]]
    seen = np.einsum("tji,tkj->tki", turn, arms)
    return {
        "position": play.qpos[:, :3],
        "quaternion": play.qpos[:, 3:_PLACE],
        "joints": play.qpos[:, _PLACE:],
        "velocity": play.qvel[:, :3],
        "angular_velocity": play.qvel[:, 3:_SPEED],
        "joints_velocity": play.qvel[:, _SPEED:],
        "center_of_mass": play.subtree_com[:, root],
        "end_effectors": seen,
        "appendages": seen,
        "body_positions": play.xpos[:, bones],
        "body_quaternions": play.xquat[:, bones],
    }


def _bytes(names: list[str]) -> np.ndarray:
    return np.array(names, dtype=np.bytes_)
