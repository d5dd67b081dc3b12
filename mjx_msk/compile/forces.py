"""Actuators and springs besides muscles: MuJoCo motors, and tendons with a springlength."""

import mujoco
import numpy as np

from mjx_msk.compile.skeleton import WORLD_FROM_GROUND, in_world, mujoco_body
from mjx_msk.compile.source import GROUND, Motor, Point, Source, Spring

GROUP = 5  #: of the sites that carry them
_RGBA = [0.55, 0.55, 0.6, 1.0]


def add_forces(spec: mujoco.MjSpec, source: Source) -> None:
    """Add a motor per actuator and a tendon per spring, each with OpenSim's name.

    Texts ``skipped/NAME`` and ``approximated/NAME`` name what is left out or only nearly right;
    so do motors and springs of coordinates that have no joint.
    """
    forces = source.forces
    skipped = dict(forces.skipped)
    joints = {joint.name for joint in spec.joints}
    items: tuple[Spring | Motor, ...] = (*forces.springs, *forces.motors)
    for item in items:
        if item.coordinate is not None and item.coordinate not in joints:
            skipped[item.name] = f"coordinate '{item.coordinate}' has no joint of its own"
    for spring in forces.springs:
        if spring.name not in skipped:
            _add_spring(spec, spring)
    for motor in forces.motors:
        if motor.name not in skipped:
            _add_motor(spec, motor)
    for name, reason in skipped.items():
        spec.add_text(name=f"skipped/{name}", data=reason)
    for name, how in forces.approximated.items():
        if name not in skipped:
            spec.add_text(name=f"approximated/{name}", data=how)


def _add_motor(spec: mujoco.MjSpec, motor: Motor) -> None:
    low, high = motor.controls
    finite = bool(np.isfinite([low, high]).all())
    actuator = spec.add_actuator(
        name=motor.name, ctrllimited=finite, ctrlrange=[low, high] if finite else [0, 0]
    )
    actuator.set_to_motor()
    gear = np.zeros(6)
    gear[: len(motor.gear)] = motor.gear
    if motor.coordinate is not None:
        actuator.trntype, actuator.target = mujoco.mjtTrn.mjTRN_JOINT, motor.coordinate
    elif len(motor.gear) == 6:
        sites = [_add_site(spec, motor.name, point) for point in motor.points]
        actuator.trntype, actuator.target = mujoco.mjtTrn.mjTRN_SITE, sites[0]
        if motor.points[0].body != motor.points[-1].body:
            actuator.refsite = sites[-1]
        if motor.points[-1].body == GROUND:
            gear = np.concatenate([WORLD_FROM_GROUND @ gear[:3], WORLD_FROM_GROUND @ gear[3:]])
    else:
        _add_line(spec, motor.name, motor.points)
        actuator.trntype, actuator.target = mujoco.mjtTrn.mjTRN_TENDON, motor.name
    actuator.gear = gear


def _add_spring(spec: mujoco.MjSpec, spring: Spring) -> None:
    if spring.coordinate is not None:
        tendon = spec.add_tendon(name=spring.name)
        tendon.wrap_joint(spring.coordinate, 1.0)
    else:
        tendon = _add_line(spec, spring.name, spring.points)
    low, high = spring.band
    if low == high == -1.0:  # which means something else to MuJoCo
        low -= 1e-4
    tendon.springlength = [low, high]
    stiffness, damping = np.zeros(3), np.zeros(3)
    stiffness[0], damping[0] = spring.stiffness, spring.damping
    tendon.stiffness, tendon.damping = stiffness, damping


def _add_line(spec: mujoco.MjSpec, name: str, points: tuple[Point, ...]) -> mujoco.MjsTendon:
    tendon = spec.add_tendon(name=name, width=0.003, rgba=_RGBA)
    for point in points:
        tendon.wrap_site(_add_site(spec, name, point))
    return tendon


def _add_site(spec: mujoco.MjSpec, owner: str, point: Point) -> str:
    name = f"{owner}/{point.name}"
    mujoco_body(spec, point.body).add_site(
        name=name,
        pos=in_world(point.body, point.position),
        size=[0.003, 0, 0],
        rgba=_RGBA,
        group=GROUP,
    )
    return name
