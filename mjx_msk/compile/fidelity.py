"""How far a compiled model is from its OpenSim source, measured at random poses."""

import os
from dataclasses import dataclass, field

import mujoco
import numpy as np
from numpy.polynomial import Polynomial

from mjx_msk.compile.reference import Reference
from mjx_msk.compile.skeleton import matrix


@dataclass(frozen=True)
class Fidelity:
    """Errors of a compiled model: the largest over poses per body, relative RMS per coordinate."""

    position: dict[str, float]  #: m, origin of each body
    angle: dict[str, float]  #: rad, orientation of each body
    mass: float  #: kg, largest over bodies
    com: float  #: m, largest over bodies
    inertia: float  #: kg m^2, largest over bodies and elements
    moment: dict[str, float]  #: RMS error over RMS of OpenSim's generalized force
    length: dict[str, float] = field(default_factory=dict)  #: m, RMS of each muscle's length


def compare(
    osim: str | os.PathLike[str], model: mujoco.MjModel, *, poses: int = 200, seed: int = 0
) -> Fidelity:
    """Return the errors of ``model`` against OpenSim at random poses, speeds and accelerations.

    Coordinates are uniform in their ranges, speeds and accelerations normal with standard
    deviations of 2 and 10 (rad or m, s).
    """
    reference = Reference(osim)
    rng = np.random.default_rng(seed)
    bodies = reference.bodies
    tendons = {model.tendon(index).name for index in range(model.ntendon)}
    muscles = [name for name in reference.muscles if name in tendons]
    position, angle = np.zeros((2, poses, len(bodies)))
    length = np.zeros((poses, len(muscles)))
    moment = np.zeros((2, poses, len(reference.names)))
    for index in range(poses):
        q = rng.uniform(*reference.ranges.T)
        qd, qdd = rng.normal(0, 2, len(q)), rng.normal(0, 10, len(q))
        moment[0, index] = reference.inverse_dynamics(q, qd, qdd)
        data, moment[1, index] = inverse_dynamics(model, reference.names, q, qd, qdd)
        for column, (name, place, rotation) in enumerate(reference.places()):
            body = data.body(name)
            position[index, column] = np.linalg.norm(body.xpos - place)
            angle[index, column] = _angle(body.xmat.reshape(3, 3), rotation)
        for column, name in enumerate(muscles):
            length[index, column] = data.tendon(name).length[0] - reference.length(name)
    mass, com, inertia = _inertial_errors(reference, model)
    rms = np.sqrt(np.mean(np.stack([moment[1] - moment[0], moment[0]]) ** 2, axis=1))
    return Fidelity(
        position=dict(zip(bodies, position.max(axis=0).tolist(), strict=True)),
        angle=dict(zip(bodies, angle.max(axis=0).tolist(), strict=True)),
        mass=mass,
        com=com,
        inertia=inertia,
        moment=dict(zip(reference.names, (rms[0] / rms[1]).tolist(), strict=True)),
        length=dict(zip(muscles, np.sqrt((length**2).mean(axis=0)), strict=True)),
    )


def inverse_dynamics(
    model: mujoco.MjModel, names: list[str], q: np.ndarray, qd: np.ndarray, qdd: np.ndarray
) -> tuple[mujoco.MjData, np.ndarray]:
    """Return the state and the generalized forces of independent coordinates in MuJoCo's C engine.

    With qpos = g(q) and G = dg/dq: tau = G^T (M (G qdd + dG/dt qd) + bias).
    """
    data = mujoco.MjData(model)
    jacobian = np.zeros((model.nv, len(names)))
    for column, name in enumerate(names):
        dof = model.joint(name).dofadr[0]
        data.qpos[dof], data.qvel[dof], data.qacc[dof] = q[column], qd[column], qdd[column]
        jacobian[dof, column] = 1.0
    for index in range(model.neq):
        if model.eq_type[index] != mujoco.mjtEq.mjEQ_JOINT:
            continue
        dependent, source = model.eq_obj1id[index], model.eq_obj2id[index]
        polynomial = Polynomial(model.eq_data[index, :5])
        x, slope = data.qpos[source], polynomial.deriv()(data.qpos[source])
        data.qpos[dependent] = polynomial(x)
        data.qvel[dependent] = slope * data.qvel[source]
        data.qacc[dependent] = (
            slope * data.qacc[source] + polynomial.deriv(2)(x) * data.qvel[source] ** 2
        )
        jacobian[dependent] = slope * jacobian[source]
    acceleration, inertial = data.qacc.copy(), np.zeros(model.nv)
    mujoco.mj_forward(model, data)
    mujoco.mj_mulM(model, data, inertial, acceleration)
    return data, jacobian.T @ (inertial + data.qfrc_bias)


def _inertial_errors(reference: Reference, model: mujoco.MjModel) -> tuple[float, float, float]:
    """Return the largest errors of mass, center of mass and inertia over bodies."""
    errors = np.zeros(3)
    for body in reference.model.getBodySet():
        ours = model.body(body.getName())
        rotation = matrix(ours.iquat)
        inertia = rotation @ np.diag(ours.inertia) @ rotation.T
        six = [body.get_inertia().get(i) for i in range(6)]
        expected = np.array(
            [[six[0], six[3], six[4]], [six[3], six[1], six[5]], [six[4], six[5], six[2]]]
        )
        found = (
            abs(ours.mass[0] - body.getMass()),
            np.abs(ours.ipos - body.get_mass_center().to_numpy()).max(),
            np.abs(inertia - expected).max(),
        )
        errors = np.maximum(errors, found)
    return float(errors[0]), float(errors[1]), float(errors[2])


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    """Return the angle between two rotations, accurate near zero."""
    return float(2 * np.arcsin(min(1.0, np.linalg.norm(a - b) / np.sqrt(8))))
