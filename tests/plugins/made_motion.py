"""A person who paddles along on the default model: every joint swings, one period a second."""

import functools

import mujoco
import numpy as np

from mjx_msk import Motion
from mjx_msk.compile.writer import follow
from mjx_msk.resources import DEFAULT_MODEL, asset

PERIOD_S, RATE_HZ, SPEED_M_S = 1.0, 100.0, 1.2
#: Amplitudes, rad, by the beginnings of names; other joints stand still.
SWINGS = {"hip_flexion": 0.4, "knee": 0.3, "ankle": 0.2, "arm_flex": 0.3, "lumbar_bending": 0.05}
MIDDLES = {"knee": 0.35, "elbow": 0.4}


def spec() -> mujoco.MjSpec:
    return mujoco.MjSpec.from_file(str(asset(DEFAULT_MODEL)))


@functools.cache
def motion(duration: float = 2.2) -> Motion:
    """Return the motion; its soles lie 3 cm under the floor in the middle of the swing."""
    model = spec().compile()
    names = [model.joint(j).name for j in range(model.njnt)]
    tied = {int(j) for j in model.eq_obj1id}
    time = 3.0 + np.arange(round(duration * RATE_HZ) + 1) / RATE_HZ

    def pose(time: np.ndarray) -> np.ndarray:
        qpos = np.zeros((len(time), model.nq))
        for j, name in enumerate(names):
            angle = 2 * np.pi * time / PERIOD_S + (np.pi if name.endswith("_l") else 0.0)
            qpos[:, j] = first(MIDDLES, name) + first(SWINGS, name) * np.sin(angle)
        qpos[:, 0], qpos[:, 1] = SPEED_M_S * time, 0.92
        return follow(model, qpos)

    h = 1e-5
    qpos, qvel = pose(time), (pose(time + h) - pose(time - h)) / (2 * h)
    own = [j for j in range(model.njnt) if j not in tied]
    coordinates = tuple(names[j] for j in own)
    muscles = tuple(a.name for a in map(model.actuator, range(80)))
    swing = np.sin(2 * np.pi * time / PERIOD_S)[:, None]
    return Motion(
        time=time, coordinate_names=coordinates, q=qpos[:, own], qd=qvel[:, own],
        qdd=np.zeros((len(time), len(own))), joint_names=tuple(names), qpos=qpos, qvel=qvel,
        qacc=np.zeros_like(qpos), generalized_force=swing * np.arange(len(own)),
        muscle_names=muscles, activation=0.2 + 0.1 * swing * np.ones(80),
    )  # fmt: skip


def first(values: dict[str, float], name: str) -> float:
    return next((v for k, v in values.items() if name.startswith(k)), 0.0)
