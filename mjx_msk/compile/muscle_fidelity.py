"""How far a compiled model's muscle forces are from OpenSim's."""

import os
from typing import Any

import mujoco
import numpy as np

from mjx_msk.compile.curves import observed_velocities
from mjx_msk.compile.muscle_rig import MuscleRig
from mjx_msk.compile.reference import Reference

STATES = ("isometric", "concentric", "eccentric")


def muscle_force_errors(
    osim: str | os.PathLike[str], model: mujoco.MjModel, *, states: int = 200, seed: int = 0
) -> dict[str, float]:
    """Return the RMS error of each muscle's tension in F0; see ``muscle_forces``."""
    errors = {}
    for name, (opensim_force, ours) in muscle_forces(osim, model, states=states, seed=seed).items():
        errors[name] = float(np.sqrt(np.mean((ours - opensim_force) ** 2)))
    return errors


def muscle_forces(
    osim: str | os.PathLike[str], model: mujoco.MjModel, *, states: int = 200, seed: int = 0
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return OpenSim's and MuJoCo's tension of each muscle in F0, (states,) each.

    Fully active muscles with rigid tendons. The first third of the states is isometric, the second
    shortens, the third lengthens, at velocities uniform up to the largest one. Lengths are those of
    OpenSim's path at random poses within the coordinate ranges, held where fibers are longer than
    0.4 optimal lengths and pull passively with less than F0. OpenSim computes its forces with a
    rigid tendon, or, for classes that have no such option, from its multipliers.
    """
    import opensim

    opensim.Logger.setLevelString("Off")
    reference = Reference(osim)
    rng = np.random.default_rng(seed)
    names = [
        name
        for name in reference.muscles
        if mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_ACTUATOR, name) >= 0
    ]
    lengths = np.zeros((states, len(names)))
    for index in range(states):
        q = rng.uniform(*reference.ranges.T)
        reference.pose(q, np.zeros(len(q)))
        lengths[index] = [reference.length(name) for name in names]
    sign = np.array([0.0, -1.0, 1.0])[np.arange(states) * len(STATES) // states]
    speeds = sign * rng.uniform(0, 1, states)
    return {
        name: _tensions(opensim, reference.model.getMuscles().get(name), model, *state)
        for name, *state in zip(names, lengths.T, [speeds] * len(names), strict=True)
    }


def _tensions(
    opensim: Any, muscle: Any, model: mujoco.MjModel, lengths: np.ndarray, speeds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return OpenSim's and MuJoCo's tension in F0 at path lengths (m) and normalised velocities."""
    elastic = MuscleRig(opensim, muscle, rigid=False)
    lengths = np.clip(lengths, *elastic.working_lengths())
    speeds = speeds * elastic.fiber_length * elastic.max_velocity
    try:
        rig = MuscleRig(opensim, muscle, rigid=True)
        forces = [rig.rigid_force(*state) for state in zip(lengths, speeds, strict=True)]
        expected = np.array(forces) / rig.max_force
    except RuntimeError:  # this class has no rigid tendon
        expected = _from_multipliers(elastic, lengths, speeds)
    index = model.actuator(muscle.getName()).id
    ours = [_mujoco(model, index, state) for state in zip(lengths, speeds, strict=True)]
    return expected, np.array(ours) / elastic.max_force


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
