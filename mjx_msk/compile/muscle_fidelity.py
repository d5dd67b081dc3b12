"""How far a compiled model's muscle forces are from OpenSim's."""

import os
from typing import Any

import mujoco
import numpy as np

from mjx_msk.compile.curves import observed_velocities
from mjx_msk.compile.muscle_rig import MuscleRig

STATES = ("isometric", "concentric", "eccentric")


def muscle_force_errors(
    osim: str | os.PathLike[str], model: mujoco.MjModel, *, states: int = 200, seed: int = 0
) -> dict[str, float]:
    """Return the RMS error of each muscle's tension in F0; see ``muscle_forces``."""
    errors = {}
    for name, (opensim_force, ours) in muscle_forces(
        osim, model, states=states, seed=seed
    ).items():
        errors[name] = float(np.sqrt(np.mean((ours - opensim_force) ** 2)))
    return errors


def muscle_forces(
    osim: str | os.PathLike[str], model: mujoco.MjModel, *, states: int = 200, seed: int = 0
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return OpenSim's and MuJoCo's tension of each muscle in F0, (states,) each.

    Fully active muscles with rigid tendons. The first third of the states is isometric, the second
    shortens, the third lengthens, at velocities uniform up to the largest one. Lengths are uniform
    in the actuator's ``lengthrange``, as far as the fibers are not slack. OpenSim computes its
    forces with a rigid tendon, or, for classes that have no such option, from its multipliers.
    """
    import opensim

    opensim.Logger.setLevelString("Off")
    source = opensim.Model(str(osim))
    source.initSystem()
    rng = np.random.default_rng(seed)
    result = {}
    for muscle in source.getMuscles():
        name = muscle.getName()
        index = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_ACTUATOR, name)
        if index < 0:
            continue
        lengths, speeds = _states(muscle, model.actuator_lengthrange[index], states, rng)
        reference = _opensim(opensim, muscle, lengths, speeds)
        ours = [_mujoco(model, index, state) for state in zip(lengths, speeds, strict=True)]
        result[name] = (reference, np.array(ours) / muscle.getMaxIsometricForce())
    return result


def _states(
    muscle: Any, lengthrange: np.ndarray, states: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return path lengths (m) and lengthening velocities (m/s)."""
    optimal, slack = muscle.getOptimalFiberLength(), muscle.getTendonSlackLength()
    taut = np.maximum(lengthrange, slack + 0.01 * optimal)
    lengths = rng.uniform(*taut, states)
    sign = np.array([0.0, -1.0, 1.0])[np.arange(states) * len(STATES) // states]
    fastest = optimal * muscle.getMaxContractionVelocity()
    return lengths, sign * rng.uniform(0, 1, states) * fastest


def _opensim(opensim: Any, muscle: Any, lengths: np.ndarray, speeds: np.ndarray) -> np.ndarray:
    """Return OpenSim's tension in F0, (states,)."""
    try:
        rig = MuscleRig(opensim, muscle, rigid=True)
    except RuntimeError:  # this class has no rigid tendon
        return _from_multipliers(MuscleRig(opensim, muscle, rigid=False), lengths, speeds)
    forces = [rig.rigid_force(length, v) for length, v in zip(lengths, speeds, strict=True)]
    return np.array(forces) / rig.max_force


def _from_multipliers(rig: MuscleRig, lengths: np.ndarray, speeds: np.ndarray) -> np.ndarray:
    """Return F0 (active * velocity + passive) cos(pennation), as an elastic-tendon muscle has it.

    The muscle finds its velocity from the tension, so the force-velocity curve is what it does at
    optimal fiber length under a series of tensions.
    """
    along = lengths - rig.tendon_length
    fibers = np.hypot(along, rig.fiber_length * np.sin(rig.pennation))
    active, passive = np.array([rig.isometric_multipliers(float(fiber)) for fiber in fibers]).T
    at_optimum = rig.isometric_multipliers(rig.fiber_length)
    velocities, tensions = observed_velocities(rig)
    cosine = along / fibers
    normalised = speeds * cosine / (rig.fiber_length * rig.max_velocity)
    multiplier = (np.interp(normalised, velocities, tensions) - at_optimum[1]) / at_optimum[0]
    return np.maximum(0.0, active * multiplier + passive) * cosine


def _mujoco(model: mujoco.MjModel, index: int, state: tuple[float, float]) -> float:
    """Return MuJoCo's tension in N."""
    lengthrange, acc0 = model.actuator_lengthrange[index], model.actuator_acc0[index]
    gain = mujoco.mju_muscleGain(*state, lengthrange, acc0, model.actuator_gainprm[index, :9])
    bias = mujoco.mju_muscleBias(state[0], lengthrange, acc0, model.actuator_biasprm[index, :9])
    return -(gain + bias)
