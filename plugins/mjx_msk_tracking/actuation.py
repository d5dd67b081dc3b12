"""The estimate's model made ready to be driven: actuators, and joints that nothing drives."""

from collections.abc import Iterable
from typing import Literal, get_args

import mujoco
import numpy as np

from mjx_msk import MskError
from mjx_msk_tracking.ground import TOES
from mjx_msk_tracking.joints import Joints
from mjx_msk_tracking.strength import Strength, strength_of

Actuation = Literal["position", "torque", "muscle"]
#: Of the simulation, s. Ties of 5 ms need 2.5 ms or less, muscles that pull on tied patellae less;
#: servos go as well with the longer ties that MuJoCo makes of them at larger steps (docs/rl.md).
TIMESTEP_S = {"position": 0.00375, "torque": 0.002, "muscle": 0.001}
#: The speed at which the damping of a joint takes all of its limit, rad/s, unless a servo damps it.
#: Bones without flesh would otherwise spin as fast as no simulation can follow.
TOP_SPEED = 100.0
#: Of the toes, as in the predictive simulations of Falisse et al. (2022, PLoS ONE 17:e0256311).
TOE_STIFFNESS, TOE_DAMPING = 25.0, 2.0  #: N m/rad, N m s/rad
_MUSCLE_SITES = 5  # the group of the path points
_POSES = 3  # in which muscles are asked what they cross


def tracking_spec(spec: mujoco.MjSpec, actuation: Actuation, *, gain: float = 1.0) -> mujoco.MjSpec:
    """Return a copy of a model whose joints, but for the root's, are driven; nothing holds the
    pelvis.

    ``"torque"``: a motor a coordinate, ctrl -1 to 1 of its limit. ``"position"``: a PD servo a
    coordinate, ctrl a joint angle within its range, ``gain`` times the stiffness and damping of
    ``strength_of``. ``"muscle"``: the model's muscles, ctrl their excitation, and motors where no
    muscle crosses.

    Without muscles, bodies that only follow and touch nothing (patellae) are welded where they are
    at zero. Joints that the source model locks are held, but for the toes: a spring bends them,
    nothing drives them. Raises ``MskError`` for another actuation, or a model without muscles for
    ``"muscle"``.
    """
    if actuation not in get_args(Actuation):
        raise MskError(f"unknown actuation {actuation!r}.", remedy=f"One of {get_args(Actuation)}.")
    spec = spec.copy()
    spec.option.timestep = TIMESTEP_S[actuation]
    for key in list(spec.keys):  # joints go, and with them their poses
        spec.delete(key)
    if actuation == "muscle":
        _keep_muscles(spec)
    else:
        _remove_muscles(spec)
        _remove_joints(spec, _followers(spec))
    _hold_locked(spec)
    _spring_toes(spec)
    model = spec.compile()
    joints = Joints(model)
    driven = [j for j in joints.inner if not joints.names[j].startswith(TOES)]
    mass = float(model.body_mass.sum())
    motors = driven if actuation == "torque" else []
    if actuation == "muscle":
        motors = _uncrossed(model, joints, driven)
    for j in driven:
        strength = strength_of(joints.names[j], mass)
        if actuation == "position":
            _add_servo(spec, joints.names[j], strength, gain)
        else:
            spec.joint(joints.names[j]).damping[0] += strength.limit / TOP_SPEED
    for j in motors:
        _add_motor(spec, joints.names[j], strength_of(joints.names[j], mass))
    spec.compile()
    return spec


def _add_motor(spec: mujoco.MjSpec, name: str, strength: Strength) -> None:
    spec.add_actuator(
        name=name,
        target=name,
        trntype=mujoco.mjtTrn.mjTRN_JOINT,
        gear=[strength.limit, 0, 0, 0, 0, 0],
        ctrllimited=True,
        ctrlrange=[-1, 1],
    )


def _add_servo(spec: mujoco.MjSpec, name: str, strength: Strength, gain: float) -> None:
    joint = spec.joint(name)
    limited = joint.limited and joint.range[0] < joint.range[1]  # "auto" is 2
    stiffness, damping = gain * strength.stiffness, gain * strength.damping
    spec.add_actuator(
        name=name,
        target=name,
        trntype=mujoco.mjtTrn.mjTRN_JOINT,
        gaintype=mujoco.mjtGain.mjGAIN_FIXED,
        gainprm=[stiffness, *[0] * 9],
        biastype=mujoco.mjtBias.mjBIAS_AFFINE,
        biasprm=[0, -stiffness, -damping, *[0] * 7],
        forcelimited=True,
        forcerange=[-strength.limit, strength.limit],
        ctrllimited=True,
        ctrlrange=joint.range if limited else [-np.pi, np.pi],
    )


def _keep_muscles(spec: mujoco.MjSpec) -> None:
    """Remove what is not a muscle from the actuators."""
    kinds = (mujoco.mjtGain.mjGAIN_MUSCLE,)
    if not any(a.gaintype in kinds for a in spec.actuators):
        raise MskError("the model has no muscles.", remedy="Use actuation='torque' or 'position'.")
    for actuator in [a for a in spec.actuators if a.gaintype not in kinds]:
        spec.delete(actuator)


def _remove_muscles(spec: mujoco.MjSpec) -> None:
    """Remove all actuators, and the muscles' paths."""
    sites = [s for s in spec.sites if s.group == _MUSCLE_SITES]
    geoms = [g for g in spec.geoms if g.name.startswith("wrap/")]
    for item in [*spec.actuators, *spec.sensors, *spec.tendons, *sites, *geoms]:
        spec.delete(item)


def _joint_ties(spec: mujoco.MjSpec) -> list:
    return [e for e in spec.equalities if e.type == mujoco.mjtEq.mjEQ_JOINT]


def _followers(spec: mujoco.MjSpec) -> set[str]:
    """Return the tied joints of bodies that carry no other joint and touch nothing."""
    tied = {e.name1 for e in _joint_ties(spec)}
    idle: set[str] = set()
    for body in spec.bodies[1:]:
        joints = {j.name for j in (*body.joints, *body.find_all("joint"))}
        geoms = (*body.geoms, *body.find_all("geom"))
        if joints <= tied and not any(g.contype or g.conaffinity for g in geoms):
            idle |= joints
    return idle - {e.name2 for e in _joint_ties(spec) if e.name1 not in idle}


def _remove_joints(spec: mujoco.MjSpec, names: Iterable[str]) -> None:
    """Weld joints at zero."""
    names = set(names)
    for tie in [e for e in _joint_ties(spec) if e.name1 in names]:
        spec.delete(tie)
    for joint in [j for j in spec.joints if j.name in names]:
        spec.delete(joint)


def _hold_locked(spec: mujoco.MjSpec) -> None:
    """Weld the joints that the source model locks at zero, and tie the others to their value."""
    notes = {t.name.split("/", 1)[1]: t.data for t in spec.texts if t.name.startswith("locked/")}
    locked = {name: float(x) for name, x in notes.items() if not name.startswith(TOES)}
    present = {j.name for j in spec.joints}
    drivers = {e.name2 for e in _joint_ties(spec)}
    zero = {n for n, value in locked.items() if value == 0.0 and n not in drivers}
    for name in (locked.keys() & present) - zero:
        tie = spec.add_equality(
            type=mujoco.mjtEq.mjEQ_JOINT, name1=name, objtype=mujoco.mjtObj.mjOBJ_JOINT
        )
        tie.data[:2] = locked[name], 0.0
    _remove_joints(spec, zero)


def _spring_toes(spec: mujoco.MjSpec) -> None:
    for joint in [j for j in spec.joints if j.name.startswith(TOES)]:
        joint.stiffness[0], joint.damping[0] = TOE_STIFFNESS, TOE_DAMPING


def _uncrossed(model: mujoco.MjModel, joints: Joints, driven: list[int]) -> list[int]:
    """Return the joints of ``driven`` that move no tendon, nor do joints that follow them."""
    data = mujoco.MjData(model)
    rng = np.random.default_rng(0)
    low, high = np.clip(model.jnt_range[joints.independent], -0.3, 1.0).T
    crossed = set()
    for _ in range(_POSES):
        pose = np.zeros(model.nq)
        pose[joints.independent] = rng.uniform(low, np.maximum(low, high))
        for j in driven:
            data.qpos[:], data.qvel[:] = joints.follow(pose, 1.0 * (np.arange(model.nv) == j))
            mujoco.mj_fwdPosition(model, data)
            mujoco.mj_fwdVelocity(model, data)
            if np.abs(data.ten_velocity).max() > 1e-5:
                crossed.add(j)
    return [j for j in driven if j not in crossed]
