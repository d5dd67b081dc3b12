"""MuJoCo's muscle actuators: architecture and force curves of an OpenSim muscle."""

import mujoco
import numpy as np

from mjx_msk.compile.source import Muscle

TIME_CONSTANTS = (0.01, 0.04)  #: s, activation and deactivation, as in OpenSim's muscles
SMOOTHING = 0.1  #: width of MuJoCo's switch between them; 0 makes gradients NaN
ECCENTRIC = 1.4  #: largest force when lengthening, in F0, as in OpenSim's muscles


def add_actuator(spec: mujoco.MjSpec, muscle: Muscle) -> None:
    """Add MuJoCo's muscle: rigid tendon, fixed pennation.

    Its normalised fiber length is (length - slack) / (optimal * cos(pennation)), written through
    any two lengths and what they stand for. The user data keep OpenSim's numbers: F0, optimal
    fiber length, tendon slack length, pennation, largest velocity.
    """
    cosine = np.cos(muscle.pennation)
    lengths = _two_lengths(muscle)
    normalised = (lengths - muscle.tendon_length) / (muscle.fiber_length * cosine)
    actuator = spec.add_actuator(
        name=muscle.name,
        trntype=mujoco.mjtTrn.mjTRN_TENDON,
        target=muscle.name,
        ctrllimited=True,
        ctrlrange=[0, 1],
        lengthrange=lengths,
        userdata=[
            muscle.max_force,
            muscle.fiber_length,
            muscle.tendon_length,
            muscle.pennation,
            muscle.max_velocity,
        ],
    )
    actuator.set_to_muscle(
        timeconst=TIME_CONSTANTS,
        tausmooth=SMOOTHING,
        range=normalised,
        force=muscle.max_force * cosine,
        vmax=muscle.max_velocity,
        fvmax=ECCENTRIC,
    )


def _two_lengths(muscle: Muscle) -> np.ndarray:
    """Return the shortest and longest length, apart by what MuJoCo and six digits can tell."""
    low, high = muscle.lengths.min(), muscle.lengths.max()
    gap = max(0.0, 1e-3 + 1e-4 * high - (high - low)) / 2
    return np.array([low - gap, high + gap]) if gap else np.array([low, high])
