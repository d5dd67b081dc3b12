"""A small model that follows the compiled models' contract, and C MuJoCo's view of it.

A pelvis on six root joints (Y up turned into Z up), a right leg whose knee drives a chain of tied
joints, and a left foot that hangs from the pelvis by one hinge.
"""

import mujoco
import numpy as np
from numpy.polynomial import Polynomial

from mjx_msk.compile.writer import set_rest_pose
from mjx_msk.model import Model

XML = """
<mujoco model="small">
  <compiler angle="radian" autolimits="false"/>
  <option gravity="0 0 -9.80665"/>
  <custom>
    <text name="default/hip_flexion_r" data="0.1"/>
    <text name="default/mtp_angle_r" data="0.3"/>
    <text name="locked/mtp_angle_r" data="-0.2"/>
    <text name="coordinate/knee_angle_r_beta" data="knee_angle_r 0 1 0 0 0"/>
  </custom>
  <worldbody>
    <geom name="floor" type="plane" size="1 1 1"/>
    <body name="pelvis" quat="0.7071067811865476 0.7071067811865476 0 0">
      <inertial pos="-0.07 0.02 0.01" mass="11.8" fullinertia="0.10 0.09 0.06 0.01 0.005 -0.003"/>
      <joint name="pelvis_tx" type="slide" axis="1 0 0"/>
      <joint name="pelvis_ty" type="slide" axis="0 1 0"/>
      <joint name="pelvis_tz" type="slide" axis="0 0 1"/>
      <joint name="pelvis_tilt" axis="0 0 1"/>
      <joint name="pelvis_list" axis="1 0 0"/>
      <joint name="pelvis_rotation" axis="0 1 0"/>
      <site name="RASIS" pos="0.01 0.02 0.13" group="3"/>
      <body name="femur_r" pos="-0.06 -0.08 0.07" quat="0.98 0.1 -0.1 0.14">
        <inertial pos="0 -0.17 0.02" mass="9.3" fullinertia="0.13 0.035 0.14 0.01 0 0.004"/>
        <joint name="hip_flexion_r" axis="0 0 1" limited="true" range="-0.5 2"/>
        <joint name="hip_adduction_r" axis="1 0 0" limited="true" range="-0.9 0.5"/>
        <site name="knee_out" pos="0.01 -0.4 0.05" group="3"/>
        <site name="muscle_point" pos="0.02 -0.2 0.03" group="5"/>
        <body name="tibia_r" pos="0.004 -0.41 0.01">
          <inertial pos="0.01 -0.19 0" mass="3.7" fullinertia="0.05 0.006 0.051 0.001 0.002 0"/>
          <joint name="knee/translation1" type="slide" axis="0.8 0.6 0" user="0.8 0.6 0"
            pos="0.01 0.02 0.03"/>
          <joint name="knee/translation1/2" type="slide" axis="0.8 0.6 0" user="0.8 0.6 0"
            pos="0.01 0.02 0.03" armature="0.01"/>
          <joint name="knee_angle_r" axis="0 0 -1" pos="0.01 0.02 0.03" limited="true"
            range="0 2.4"/>
          <joint name="knee/rotation2" axis="0 1 0" user="0 1 0" pos="0.01 0.02 0.03"/>
          <geom name="shin" size="0.02 0.1" type="capsule"/>
          <body name="calcn_r" pos="-0.05 -0.43 0.01" user="0.01 0.02 0.005">
            <inertial pos="0.1 0.03 0" mass="1.3" fullinertia="0.001 0.004 0.004 0 0 0"/>
            <site name="landmark/right_heel" pos="-0.02 0 0" group="4"/>
            <geom name="contact/r/heel" pos="0 -0.01 -0.01" size="0.03" type="sphere"/>
            <body name="toes_r" pos="0.18 0 0">
              <inertial pos="0.03 0 0" mass="0.2" fullinertia="0.0002 0.0004 0.0004 0 0 0"/>
              <joint name="mtp_angle_r" axis="0.6 0 0.8" pos="0.01 0 0"/>
              <geom name="contact/r/toe" pos="0.06 -0.01 0.02" size="0.02" type="sphere"/>
            </body>
          </body>
        </body>
      </body>
      <body name="calcn_l" pos="0.0 -0.9 -0.1">
        <inertial pos="0.1 0.03 0" mass="1.3" fullinertia="0.001 0.004 0.004 0 0 0"/>
        <joint name="ankle_angle_l" axis="0 0 1"/>
        <geom name="contact/l/heel" pos="0 -0.01 0.01" size="0.03" type="sphere"/>
      </body>
    </body>
  </worldbody>
  <tendon>
    <spatial name="muscle" springlength="0.3">
      <site site="RASIS"/><site site="muscle_point"/><site site="landmark/right_heel"/>
    </spatial>
  </tendon>
  <actuator><muscle name="muscle" tendon="muscle" lengthrange="0.2 0.9"/></actuator>
  <equality>
    <joint name="a" joint1="knee/translation1" joint2="knee_angle_r"
      polycoef="0 0.03 -0.02 0.01 -0.004"/>
    <joint name="b" joint1="knee/translation1/2" joint2="knee/translation1"
      polycoef="0 -0.4 3 2 -5"/>
    <joint name="c" joint1="knee/rotation2" joint2="knee/translation1/2" polycoef="0 4 1 0 0"/>
  </equality>
</mujoco>
"""
SURFACES = """
<geom name="{body}/ball" type="sphere" size="0.03" pos="0.01 {y} 0.01"/>
<geom name="{body}/roll" type="cylinder" size="0.025 0.1" pos="0 {y} 0" quat="0.9 0.1 0.3 0.2"/>
<site name="{body}/side" pos="0.1 {y} 0.02" group="5"/>
<site name="{body}/p" pos="0.03 {p} 0.02" group="5"/>
"""
TENDONS = """
<spatial name="ball"><site site="femur_r/p"/><geom geom="tibia_r/ball"/><site site="tibia_r/p"/>
</spatial>
<spatial name="roll"><site site="RASIS"/><geom geom="femur_r/roll" sidesite="femur_r/side"/>
  <site site="tibia_r/p"/><pulley divisor="2"/><site site="muscle_point"/>
  <geom geom="tibia_r/roll"/><site site="landmark/right_heel"/></spatial>
<spatial name="sided"><site site="muscle_point"/>
  <geom geom="tibia_r/ball" sidesite="tibia_r/side"/><site site="tibia_r/p"/></spatial>
"""
REST = {"hip_flexion_r": 0.1, "mtp_angle_r": -0.2}
#: Each tied joint after what it follows, with its polynomial: the numbers of the file above.
CHAIN = (
    ("knee/translation1", "knee_angle_r", Polynomial([0, 0.03, -0.02, 0.01, -0.004])),
    ("knee/translation1/2", "knee/translation1", Polynomial([0, -0.4, 3, 2, -5])),
    ("knee/rotation2", "knee/translation1/2", Polynomial([0, 4, 1])),
)


def spec() -> mujoco.MjSpec:
    """Return the model as a file would hold it."""
    result = mujoco.MjSpec.from_string(XML)
    set_rest_pose(result, REST)
    return result


def muscled_spec() -> mujoco.MjSpec:
    """Return the small model with muscles that wrap, and a pulley."""
    xml = XML
    for body, y, p in (("femur_r", -0.1, -0.3), ("tibia_r", 0.0, -0.15)):
        at = xml.index("<inertial", xml.index(f'<body name="{body}"'))
        xml = xml[:at] + SURFACES.format(body=body, y=y, p=p) + xml[at:]
    muscles = "".join(
        f'<muscle name="{n}" tendon="{n}" lengthrange="0.1 0.8" force="500"/>'
        for n in ("ball", "roll", "sided")
    )
    xml = xml.replace("</tendon>", TENDONS + "</tendon>").replace(
        "</actuator>", muscles + "</actuator>"
    )
    result = mujoco.MjSpec.from_string(xml)
    set_rest_pose(result, REST)
    return result


def place(model: Model, mj: mujoco.MjModel, q: np.ndarray) -> np.ndarray:
    """Return C MuJoCo's qpos (nq,) for coordinates ``q`` (n,) of the small model."""
    data = mujoco.MjData(mj)
    for name, value in zip(model.layout.coordinate_names, q, strict=True):
        data.joint(name).qpos = value
    for joint, driver, polynomial in CHAIN:
        data.joint(joint).qpos = polynomial(data.joint(driver).qpos)
    return data.qpos.copy()


def random_states(model: Model, count: int, seed: int = 0) -> np.ndarray:
    """Return coordinates, speeds and accelerations (3, count, n)."""
    rng = np.random.default_rng(seed)
    q = rng.uniform(-0.6, 0.6, (count, model.n))
    q[:, model.layout.coordinate_index["knee_angle_r"]] += 0.8
    return np.stack([q, rng.normal(0, 2, q.shape), rng.normal(0, 10, q.shape)])
