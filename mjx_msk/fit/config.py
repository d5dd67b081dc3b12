"""What the fit believes before it looks: noise, habits and smoothness, in one place."""

from dataclasses import dataclass

import numpy as np

from mjx_msk.model import Model


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """Standard deviations and iteration counts of the trajectory fit."""

    pixel_spread_m: float = 0.008
    """Error of a 2D landmark, m at the person's distance."""
    depth_spread_m: float = 0.12
    """Error of a metric 3D landmark along the optical axis, m."""
    marker_spread_m: float = 0.015
    """Error of a measured marker (skin motion and placement), m."""
    observation_rate_hz: float = 15.0
    """Rate at which landmark errors are independent; faster footage adds no more information."""
    proposal_rate_hz: float = 15.0
    """Rate at which what the networks say counts anew."""
    proposal_usual_deg: float = 11.0
    """Mean standard deviation of joints up to which they are taken at their word (they state 8 to
    12 of motions like those they learned from). Where they are less sure, their errors last longer
    than a frame: their standard deviations are stretched by the square of the ratio."""
    proposal_robust_scale: float = 1.0
    """What they say loses weight beyond this many standard deviations (Cauchy)."""
    robust_scale: float = 2.0
    """Residuals beyond this many standard deviations lose weight (Cauchy)."""
    touch_height_m: float = 0.010
    """How exactly a touching sole point lies on the floor, m."""
    touch_slip_m_s: float = 0.10
    """How still a touching sole point stands, m/s."""
    gravity_spread_rad: float = 0.04
    """Uncertainty of a gravity direction that was estimated from the person, rad."""
    iterations: int = 30
    """Most Gauss-Newton steps of a stage."""
    tolerance: float = 1e-3
    """A stage ends where a step lowers the cost by less than this share."""
    floor_rounds: int = 2
    """How often foot contact is judged anew and the motion fitted to it."""
    balance_rounds: int = 4
    """How often foot forces and motion take turns."""
    balance_iterations: int = 4
    """Most Gauss-Newton steps between two judgements of the forces."""


#: Habitual value and spread of coordinates (deg), and the spread of their jerk (rad/s^3), by name
#: without side. Our choice: wide enough for everyday movement that they speak only where the image
#: is silent, but for pelvis tilt and lumbar extension, which one camera can hardly tell apart.
HABITS_DEG: dict[str, tuple[float, float, float]] = {
    "pelvis_tilt": (-5.0, 7.0, 600.0),
    "pelvis_list": (0.0, 10.0, 600.0),
    "hip_flexion": (15.0, 40.0, 1500.0),
    "hip_adduction": (0.0, 10.0, 800.0),
    "hip_rotation": (0.0, 10.0, 800.0),
    "knee_angle": (25.0, 45.0, 2500.0),
    "ankle_angle": (3.0, 15.0, 2000.0),
    "subtalar_angle": (0.0, 6.0, 800.0),
    "mtp_angle": (0.0, 5.0, 800.0),
    "lumbar_extension": (-5.0, 6.0, 600.0),
    "lumbar_bending": (0.0, 10.0, 600.0),
    "lumbar_rotation": (0.0, 12.0, 600.0),
    "arm_flex": (10.0, 45.0, 1500.0),
    "arm_add": (-15.0, 30.0, 1500.0),
    "arm_rot": (0.0, 40.0, 1500.0),
    "elbow_flex": (40.0, 45.0, 2000.0),
    "pro_sup": (60.0, 40.0, 1500.0),
    "wrist_flex": (0.0, 8.0, 800.0),
    "wrist_dev": (0.0, 5.0, 800.0),
}
#: The same for a coordinate that the table does not name.
OTHER_DEG = (0.0, 45.0, 1500.0)
#: Spread of the jerk of the pelvis's travel, m/s^3.
TRAVEL_JERK = 40.0
#: Spread of a coordinate that the source model locks, rad.
LOCKED_SPREAD = np.deg2rad(0.5)
#: Softness of joint limits, rad or m.
LIMIT_SPREAD = np.deg2rad(1.5)


@dataclass(frozen=True)
class Habits:
    """Prior of a model's coordinates: mean (n,), spread (n,), jerk spread (n,)."""

    mean: np.ndarray
    spread: np.ndarray
    jerk: np.ndarray


def habits(model: Model) -> Habits:
    """Return the prior of a model's coordinates; the pelvis's travel and heading are free."""
    mean, spread, jerk = np.zeros(model.n), np.full(model.n, np.inf), np.zeros(model.n)
    defaults = np.asarray(model.q_default)
    for i, name in enumerate(model.layout.coordinate_names):
        stem = name.removesuffix("_r").removesuffix("_l")
        if not model.layout.rotational[i]:
            jerk[i] = TRAVEL_JERK
            continue
        center, width, rate = HABITS_DEG.get(stem, OTHER_DEG)
        mean[i], spread[i], jerk[i] = np.deg2rad(center), np.deg2rad(width), rate
        if stem == "pelvis_rotation":
            mean[i], spread[i] = 0.0, np.inf
        if model.layout.locked[i]:
            mean[i], spread[i] = defaults[i], LOCKED_SPREAD
    return Habits(mean, spread, jerk)
