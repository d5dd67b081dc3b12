"""What really happened in a clip."""

from typing import NamedTuple

import numpy as np

from mjx_msk.data.clip import RATE_HZ, Clip
from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.model import Model


class Truth(NamedTuple):
    """A person's known motion in T frames, with its forces."""

    model: Model  #: of the person
    dt: float  #: s
    q: np.ndarray  #: (T, n) rad or m
    tau: np.ndarray  #: (T, n) N m or N
    loads: FootLoads
    known: np.ndarray  #: (T,) bool, whether the forces are known
    height_m: float


def truth_of(clip: Clip, model: Model, frames: np.ndarray) -> Truth:
    """Return evenly spaced frames of a clip of the person ``model``."""
    loads = (clip.foot_force, clip.foot_cop, clip.foot_moment)
    return Truth(
        model=model,
        dt=float(frames[1] - frames[0]) / RATE_HZ,
        q=np.asarray(clip.q[frames], float),
        tau=np.asarray(clip.tau[frames], float),
        loads=FootLoads(*(np.asarray(a[frames], float) for a in loads)),
        known=clip.kinetics_known[frames] > 0.0,
        height_m=float(clip.height_m),
    )
