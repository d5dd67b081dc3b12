"""The curves of a motion that can be plotted: angles, moments, activations."""

from dataclasses import dataclass

import mujoco
import numpy as np

from mjx_msk import Playback

_POINTS = 400  # of a curve on screen
_SHOWN_AT_FIRST = ("hip_flexion_r", "knee_angle_r", "ankle_angle_r")
_MUSCLES_AT_FIRST = 3


@dataclass(frozen=True)
class Panel:
    """Curves of one kind and unit over time, and which of them are shown at first."""

    title: str
    unit: str
    names: tuple[str, ...]
    time: np.ndarray  #: (P,) s from the start
    values: np.ndarray  #: (P, names)
    first: tuple[str, ...]

    def curve(self, name: str) -> np.ndarray:
        """Return the values (P,) of a curve."""
        return self.values[:, self.names.index(name)]

    def limits(self, shown: list[str]) -> tuple[float, float]:
        """Return the lowest and highest value of the shown curves, with some room."""
        values = self.values[:, [self.names.index(name) for name in shown]]
        values = values[np.isfinite(values)]
        if not values.size:
            return 0.0, 1.0
        low, high = float(values.min()), float(values.max())
        room = 0.05 * (high - low) or 1.0
        return low - room, high + room


def panels(playback: Playback) -> list[Panel]:
    """Return the panels of what is known of a motion."""
    motion, model = playback.motion, playback.model
    frames = np.unique(np.linspace(0, len(motion) - 1, _POINTS).round().astype(int))
    time = (motion.time - motion.time[0])[frames]
    hinge = mujoco.mjtJoint.mjJNT_HINGE
    kinds = [model.jnt_type[model.joint(name).id] for name in motion.coordinate_names]
    angles = [i for i, kind in enumerate(kinds) if kind == hinge]
    names = tuple(motion.coordinate_names[i] for i in angles)
    first = tuple(name for name in _SHOWN_AT_FIRST if name in names) or names[:3]
    found = [Panel("Angles", "deg", names, time, np.rad2deg(motion.q[frames][:, angles]), first)]
    if motion.generalized_force is not None:
        moments = motion.generalized_force[frames][:, angles]
        found.append(Panel("Moments", "N m", names, time, moments, first))
    if motion.activation is not None:
        busiest = np.argsort(-np.nanmean(motion.activation, axis=0), kind="stable")
        muscles = tuple(motion.muscle_names[i] for i in busiest)
        values = motion.activation[frames][:, busiest]
        found.append(Panel("Activations", "", muscles, time, values, muscles[:_MUSCLES_AT_FIRST]))
    return found
