"""What really happened in a clip."""

from typing import NamedTuple

import numpy as np

from mjx_msk.data.clip import RATE_HZ, Clip
from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.model import Model
from mjx_msk.motion import on_lines


class Truth(NamedTuple):
    """A person's known motion in T frames, with its forces."""

    model: Model  #: of the person
    dt: float  #: s
    q: np.ndarray  #: (T, n) rad or m
    tau: np.ndarray  #: (T, n) N m or N
    loads: FootLoads
    known: np.ndarray  #: (T,) bool, whether the forces are known
    height_m: float


def truth_of(clip: Clip, model: Model, time: np.ndarray) -> Truth:
    """Return a clip of the person ``model`` at evenly spaced times (T,) s after its start.

    Straight lines lie between the clip's frames; a center of pressure or a flag is the nearest's.
    """
    nearest = np.clip(np.round(time * RATE_HZ).astype(int), 0, len(clip) - 1)
    own = np.arange(len(clip)) / RATE_HZ

    def between(values: np.ndarray) -> np.ndarray:
        return on_lines(own, np.asarray(values, float), time)

    return Truth(
        model=model,
        dt=float(time[1] - time[0]),
        q=between(clip.q),
        tau=between(clip.tau),
        loads=FootLoads(
            between(clip.foot_force),
            np.asarray(clip.foot_cop, float)[nearest],
            between(clip.foot_moment),
        ),
        known=clip.kinetics_known[nearest] > 0.0,
        height_m=float(clip.height_m),
    )
