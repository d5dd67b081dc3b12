"""A motion on the default model with its forces: what the networks are trained on."""

from dataclasses import dataclass

import numpy as np

#: Clips are sampled at this rate, Hz.
RATE_HZ = 60.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """T frames of one person on the default model, stretched to the person; SI, Z up, floor at 0.

    n coordinates, k segments (``SEGMENTS``), L landmarks that the model carries.
    """

    name: str
    person: str
    split: str
    activity: str
    force_source: str  #: ``plates`` where some frames are measured, else ``consistent``
    base: float  #: whole-body scale
    log_segments: np.ndarray  #: (k,) log factors of segments beside it
    mass_kg: float
    height_m: float
    q: np.ndarray  #: (T, n) rad or m
    qd: np.ndarray  #: (T, n)
    qdd: np.ndarray  #: (T, n)
    tau: np.ndarray  #: (T, n) N m or N, the root's rows are residuals
    foot_force: np.ndarray  #: (T, 2, 3) N, right and left
    foot_cop: np.ndarray  #: (T, 2, 3) m, 0 without contact
    foot_moment: np.ndarray  #: (T, 2, 3) N m about the center of pressure
    contact: np.ndarray  #: (T, 2) 0 or 1
    kinetics_known: np.ndarray  #: (T,) 0 or 1: no seat, no plate missed; forces explain the motion
    measured: np.ndarray  #: (T,) 1 where plates measured the forces, 0 where they are consistent
    landmarks: np.ndarray  #: (T, L, 3) m
    dataset: str = ""
    variant: int = 0  #: 0 the person recorded; else the same motion on another body
    belt_m_s: float = 0.0  #: a treadmill's speed, which was added to the travel
    centres_error_m: float = 0.0  #: from the published joint centres, rms, or markers, median

    def __len__(self) -> int:
        return len(self.q)
