"""MuJoCo's muscle actuators: architecture and force curves of an OpenSim muscle."""

from collections.abc import Iterable

import mujoco
import numpy as np

from mjx_msk.compile.muscle_fit import fit_muscle
from mjx_msk.compile.source import Muscle

SMOOTHING = 0.1  #: width of MuJoCo's switch between time constants; 0 makes gradients NaN


def add_actuator(spec: mujoco.MjSpec, muscle: Muscle) -> None:
    """Add MuJoCo's muscle: rigid tendon, force curves fitted to the source's.

    Its normalised length counts in optimal fiber lengths times the cosine of pennation, written
    through any two lengths and what they stand for. Active and passive force have an affine range
    each, so that the one peaks and the other sets in where the source's do. The user data keep
    OpenSim's numbers: F0, optimal fiber length, tendon slack length, pennation, largest velocity.
    """
    shape = fit_muscle(muscle)
    cosine = np.cos(muscle.pennation)
    lengths = _two_lengths(muscle)
    along = (lengths - muscle.tendon_length) / muscle.fiber_length
    active, passive = shape.active, shape.passive
    unused = 1.0  # what MuJoCo does not read, but wants to be positive
    gain = [
        *(1 + (along - active.peak) / cosine),
        muscle.max_force * active.force,
        unused,
        1 - active.below / cosine,
        1 + active.above / cosine,
        muscle.max_velocity * shape.velocity.end / cosine**2,
        unused,
        shape.velocity.plateau,
    ]
    bias = [
        *(1 + (along - passive.onset) / cosine),
        muscle.max_force,
        unused,
        0.0,
        1 + 2 * passive.width / cosine,
        unused,
        passive.force,
        unused,
    ]
    spec.add_actuator(
        name=muscle.name,
        trntype=mujoco.mjtTrn.mjTRN_TENDON,
        target=muscle.name,
        dyntype=mujoco.mjtDyn.mjDYN_MUSCLE,
        gaintype=mujoco.mjtGain.mjGAIN_MUSCLE,
        biastype=mujoco.mjtBias.mjBIAS_MUSCLE,
        dynprm=_padded([*muscle.time_constants, SMOOTHING], mujoco.mjNDYN),
        gainprm=_padded(gain, mujoco.mjNGAIN),
        biasprm=_padded(bias, mujoco.mjNBIAS),
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


def add_curve_notes(spec: mujoco.MjSpec, muscles: Iterable[Muscle]) -> None:
    """Note the exact curves: texts ``muscle_curves/1`` and ``muscle_curves/1/muscles``, ...

    A curve set is OpenSim's class and ``key=value`` words. What all sets share is in
    ``muscle_curves`` and left out of the others. Muscles with curves of an unknown class are
    named by texts ``approximated/NAME``.
    """
    sets: dict[str, list[str]] = {}
    for muscle in muscles:
        sets.setdefault(muscle.curves.source, []).append(muscle.name)
        if muscle.curves.guessed:
            kind = muscle.curves.source.split()[0]
            spec.add_text(
                name=f"approximated/{muscle.name}",
                data=f"the force curves of {kind} are not known; Millard's default ones are used",
            )
    words = [source.split() for source in sets]
    shared = [w for w in words[0] if all(w in other for other in words)] if len(words) > 1 else []
    if shared:
        spec.add_text(name="muscle_curves", data=" ".join(shared))
    for index, (source, names) in enumerate(sets.items()):
        own = [word for word in source.split() if word not in shared]
        spec.add_text(name=f"muscle_curves/{index + 1}", data=" ".join(own) or "as all")
        spec.add_text(name=f"muscle_curves/{index + 1}/muscles", data=" ".join(names))


def _padded(values: list[float], size: int) -> np.ndarray:
    return np.pad(np.array(values, dtype=float), (0, size - len(values)))


def _two_lengths(muscle: Muscle) -> np.ndarray:
    """Return the shortest and longest length, apart by what MuJoCo and six digits can tell."""
    low, high = muscle.lengths.min(), muscle.lengths.max()
    gap = max(0.0, 1e-3 + 1e-4 * high - (high - low)) / 2
    return np.array([low - gap, high + gap]) if gap else np.array([low, high])
