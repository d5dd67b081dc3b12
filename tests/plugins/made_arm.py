"""An arm on a trunk on rails that holds itself out and waves: the tracking task, small."""

import functools

import mujoco
import numpy as np

from mjx_msk import Motion

XML = """
<mujoco model="arm">
  <compiler angle="radian"/>
  <option gravity="0 0 -9.80665" integrator="implicitfast" jacobian="dense"/>
  <worldbody>
    <body name="pelvis" pos="0 0 1">
      <inertial pos="0 0 0" mass="6" diaginertia="0.1 0.1 0.1"/>
      <joint name="pelvis_tx" type="slide" axis="1 0 0"/>
      <body name="humerus_r">
        <inertial pos="0 0 -0.15" mass="2" diaginertia="0.015 0.015 0.002"/>
        <joint name="arm_flex_r" axis="0 -1 0"/>
        <body name="hand_r" pos="0 0 -0.3">
          <inertial pos="0 0 -0.15" mass="1" diaginertia="0.008 0.008 0.001"/>
          <joint name="elbow_flex_r" axis="0 -1 0"/>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>
"""
PERIOD_S, RATE_HZ = 1.0, 50.0
MIDDLES, SWINGS = np.array([0.0, 1.1, 0.6]), np.array([0.0, 0.3, 0.4])


def spec() -> mujoco.MjSpec:
    return mujoco.MjSpec.from_string(XML)


@functools.cache
def motion(duration: float = 2.2) -> Motion:
    time = np.arange(round(duration * RATE_HZ) + 1) / RATE_HZ
    angle = 2 * np.pi * time[:, None] / PERIOD_S
    q = MIDDLES + SWINGS * np.sin(angle)
    qd = 2 * np.pi / PERIOD_S * SWINGS * np.cos(angle)
    names = ("pelvis_tx", "arm_flex_r", "elbow_flex_r")
    zeros = np.zeros_like(q)
    return Motion(
        time=time, coordinate_names=names, q=q, qd=qd, qdd=zeros,
        joint_names=names, qpos=q, qvel=qd, qacc=zeros,
    )  # fmt: skip
