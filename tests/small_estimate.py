"""A small estimate's folder: a leg and a foot, one second, with forces, moments and a muscle."""

from pathlib import Path

import numpy as np
import small_model

from mjx_msk.compile.writer import follow, write_xml
from mjx_msk.motion import Motion

FRAMES, RATE = 31, 30.0
MASS_KG = 60.0


def motion(speed: float = 1.0) -> Motion:
    """Return the pelvis going along X at ``speed`` m/s while the knee bends to 1 rad."""
    model = small_model.spec().compile()
    joints = tuple(model.joint(j).name for j in range(model.njnt))
    tied = set(model.eq_obj1id.tolist())
    own = tuple(name for j, name in enumerate(joints) if j not in tied)
    time = 2.0 + np.arange(FRAMES) / RATE  # the clock of a recording starts anywhere
    qpos = np.zeros((FRAMES, model.nq))
    share = (time - time[0]) / (time[-1] - time[0])
    qpos[:, joints.index("pelvis_tx")] = speed * (time - time[0])
    qpos[:, joints.index("pelvis_ty")] = 1.0
    qpos[:, joints.index("knee_angle_r")] = share
    qpos = follow(model, qpos)
    q = qpos[:, [joints.index(name) for name in own]]
    force = np.zeros_like(q)
    force[:, own.index("knee_angle_r")] = 10 * share
    force[:, own.index("pelvis_ty")] = 5.0
    foot_force, cop = np.zeros((FRAMES, 2, 3)), np.full((FRAMES, 2, 3), np.nan)
    foot_force[: FRAMES // 2, 0, 2] = MASS_KG * 9.81
    cop[: FRAMES // 2, 0] = [0.1, -0.1, 0.0]
    return Motion(
        time=time, coordinate_names=own, q=q, qd=np.gradient(q, time, axis=0), qdd=np.zeros_like(q),
        joint_names=joints, qpos=qpos, qvel=np.gradient(qpos, time, axis=0),
        qacc=np.zeros_like(qpos), generalized_force=force, foot_force=foot_force, foot_cop=cop,
        muscle_names=("muscle",), activation=share[:, None], subject={"mass_kg": MASS_KG},
    )  # fmt: skip


def write(folder: Path, speed: float = 1.0) -> Path:
    """Write ``model.xml`` and ``motion.npz``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_xml(small_model.spec(), folder / "model.xml")
    motion(speed).save(folder / "motion.npz")
    return folder
