"""A walk on the default model with everything that an estimate knows, made by the tests."""

from functools import lru_cache

import mujoco
import numpy as np
import walking
from scipy.interpolate import make_interp_spline

from mjx_msk.export.take import Take
from mjx_msk.fit.subject import generic_spec
from mjx_msk.model import LANDMARK_PREFIX
from mjx_msk.motion import Motion

RATE_HZ = walking.RATE_HZ
#: Frames of one stride of the walk.
STRIDE = round(walking.STRIDE_S * RATE_HZ)
LANDMARKS = ("right_hip", "left_hip", "right_knee", "left_knee")


def coordinates(mj: mujoco.MjModel) -> tuple[str, ...]:
    """Return the names of the joints that follow no other."""
    tied = set(mj.eq_obj1id[mj.eq_type == mujoco.mjtEq.mjEQ_JOINT].tolist())
    return tuple(mj.joint(j).name for j in range(mj.njnt) if j not in tied)


@lru_cache(maxsize=2)
def walk(frames: int = 45, turn_deg: float = 0.0) -> Take:
    """Return a walk of some frames, with made forces and muscles, turned off its way."""
    spec = generic_spec()
    mj = spec.copy().compile()
    names = coordinates(mj)
    q = walking.walk(walking.Body(spec, names), frames, heading_deg=20.0, turn_deg=turn_deg)
    time = 0.5 + np.arange(frames) / RATE_HZ
    curve = make_interp_spline(time, q, k=5)
    return take_of(spec, time, curve(time), curve.derivative(1)(time), curve.derivative(2)(time))


def take_of(
    spec: mujoco.MjSpec, time: np.ndarray, q: np.ndarray, qd: np.ndarray, qdd: np.ndarray
) -> Take:
    """Return coordinates of a model with made forces, muscles, markers and landmarks."""
    mj = spec.copy().compile()
    rng = np.random.default_rng(0)
    frames, names = len(time), coordinates(mj)
    joints = tuple(mj.joint(j).name for j in range(mj.njnt))
    markers = tuple(
        mj.site(s).name for s in range(mj.nsite)
        if mj.site_group[s] == 3 and "/" not in mj.site(s).name
    )  # fmt: skip
    landmarks = tuple(n for n in LANDMARKS if LANDMARK_PREFIX + n in _sites(mj))
    muscles = tuple(mj.actuator(a).name for a in range(mj.nu))
    contact = np.stack([np.sin(9 * time) > 0, np.sin(9 * time) <= 0], axis=1)
    pushing = contact[..., None]
    cop = np.where(pushing, rng.uniform(-1, 1, (frames, 2, 3)) * [1, 1, 0], np.nan)
    zero = np.zeros((frames, mj.nv))
    motion = Motion(
        time=time, coordinate_names=names, q=q, qd=qd, qdd=qdd,
        joint_names=joints, qpos=zero, qvel=zero, qacc=zero,
        generalized_force=rng.normal(0, 30, q.shape), reserve=rng.normal(0, 3, q.shape),
        foot_force=pushing * rng.uniform(1, 500, (frames, 2, 3)), foot_cop=cop,
        foot_moment=pushing * rng.normal(0, 3, (frames, 2, 3)) * [0, 0, 1], contact=contact,
        muscle_names=muscles, activation=rng.uniform(0, 1, (frames, len(muscles))),
        muscle_force=rng.uniform(0, 1000, (frames, len(muscles))),
        loaded_joint_names=("knee_r", "knee_l"), joint_force=rng.normal(0, 900, (frames, 2, 3)),
        confidence=rng.uniform(0, 1, q.shape),
        marker_names=markers, markers=np.zeros((frames, len(markers), 3)),
        landmark_names=landmarks, landmarks_fitted=np.zeros((frames, len(landmarks), 3)),
        landmark_pixels=np.zeros((frames, len(landmarks), 2)),
        landmark_visibility=np.ones((frames, len(landmarks))),
        camera={"rotation_camera_from_world": np.eye(3).tolist(), "translation_m": [1.0, 2, 3]},
        subject={"mass_kg": 75.0}, provenance={"input": "made by the test"},
    )  # fmt: skip
    return Take(motion, spec).moving(q, qd, qdd)


def save(take: Take, folder) -> None:
    """Write a take as an estimate's folder."""
    from mjx_msk.compile import write_xml

    folder.mkdir(parents=True, exist_ok=True)
    take.motion.save(folder / "motion.npz")
    write_xml(take.spec, folder / "model.xml")


def _sites(mj: mujoco.MjModel) -> set[str]:
    return {mj.site(s).name for s in range(mj.nsite)}
