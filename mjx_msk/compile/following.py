"""What a compiled model's dependent joints do while its coordinates move."""

import mujoco
import numpy as np
from numpy.polynomial import polynomial


def follow(model: mujoco.MjModel, qpos: np.ndarray) -> np.ndarray:
    """Return ``qpos`` (..., nq) with every dependent joint where its polynomial puts it.

    A joint may follow another dependent one as long as it comes after it in the equalities.
    """
    return follow_motion(model, qpos, np.zeros_like(qpos), np.zeros_like(qpos))[0]


def follow_motion(
    model: mujoco.MjModel, qpos: np.ndarray, qvel: np.ndarray, qacc: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values, speeds and accelerations (..., nq) with those of the dependent joints.

    ``y = p(x)``, ``y' = p'(x) x'`` and ``y'' = p''(x) x'^2 + p'(x) x''``. Only ``qpos`` may belong
    to a model with free joints, whose speeds are not told by joint.
    """
    values, speeds, turns = (np.array(a, dtype=float) for a in (qpos, qvel, qacc))
    for index in range(model.neq):
        if model.eq_type[index] != mujoco.mjtEq.mjEQ_JOINT or model.eq_obj2id[index] < 0:
            continue
        own, other = model.jnt_qposadr[[model.eq_obj1id[index], model.eq_obj2id[index]]]
        p = model.eq_data[index, :5]
        x, v, a = values[..., other], speeds[..., other], turns[..., other]
        slope = polynomial.polyval(x, polynomial.polyder(p))
        values[..., own] = polynomial.polyval(x, p)
        speeds[..., own] = slope * v
        turns[..., own] = polynomial.polyval(x, polynomial.polyder(p, 2)) * v**2 + slope * a
    return values, speeds, turns
