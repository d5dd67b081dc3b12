"""The quality figures that the page and the terminal show: their names, meaning and limits.

Limits for residuals and marker errors follow Hicks, Uchida, Seth, Rajagopal and Delp (2015),
"Is my model good enough?", J Biomech Eng 137:020905; the others are ours.
"""

from dataclasses import dataclass

from mjx_msk.motion import Motion


@dataclass(frozen=True)
class Measure:
    """One figure of ``Motion.quality``; smaller is better."""

    key: str
    label: str
    unit: str
    meaning: str
    good: float  #: up to here the figure is good
    poor: float  #: above this it is poor, fair between

    def value(self, motion: Motion) -> float | None:
        """Return the figure, or ``None`` where the motion has none."""
        value = motion.quality.get(self.key)
        return float(value) if isinstance(value, int | float) and value == value else None

    def verdict(self, motion: Motion) -> str:
        """Return ``good``, ``fair``, ``poor``, or an empty text where there is no figure."""
        value = self.value(motion)
        if value is None:
            return ""
        return "good" if value <= self.good else "fair" if value <= self.poor else "poor"


MEASURES = (
    Measure(
        "pelvis_residual_force_pct_bw", "Pelvis residual force", "% body weight",
        "Force at the pelvis that the ground forces leave unexplained, RMS. Force plates and "
        "markers usually leave 2 to 9 % in walking.", 5, 10,
    ),
    Measure(
        "pelvis_residual_moment_nm_per_kg", "Pelvis residual moment", "N m/kg",
        "Moment at the pelvis that the ground forces leave unexplained, RMS.", 0.1, 0.3,
    ),
    Measure(
        "drift_0.1s_deg", "Forward simulation", "deg after 0.1 s",
        "How far joint angles leave the motion when the model is simulated from it under the joint "
        "moments and ground forces alone, with nothing at the pelvis.", 3, 10,
    ),
    Measure(
        "muscle_reserve_pct", "Muscle reserves", "% of the moments",
        "Joint moments of the legs that the model's muscles cannot make, RMS.", 5, 10,
    ),
    Measure(
        "foot_slip_mm", "Foot slip", "mm per stance",
        "How far a foot slides while it stands on the ground.", 10, 30,
    ),
    Measure(
        "foot_penetration_mm", "Foot penetration", "mm",
        "How deep the soles sink into the floor.", 10, 20,
    ),
    Measure(
        "reprojection_error_px", "Reprojection error", "px",
        "Distance in the picture between the landmarks seen and the fitted model.", 10, 25,
    ),
    Measure(
        "marker_error_mm", "Marker error", "mm",
        "Distance between the measured markers and those of the fitted model.", 20, 40,
    ),
)  # fmt: skip


def walking(motion: Motion) -> str:
    """Say speed and direction of travel in words, or an empty text where they are unknown."""
    parts = []
    speed, heading = (motion.quality.get(f"walking_{k}") for k in ("speed_m_s", "direction_deg"))
    if speed is not None:
        parts.append(f"{speed:.2f} m/s")
    if heading is not None:
        turn = abs((heading + 180) % 360 - 180)
        ways = ("away from", "obliquely away from", "across the view of", "obliquely towards")
        way = next((w for w, end in zip(ways, (30, 60, 120, 150), strict=True) if turn <= end),
                   "towards")  # fmt: skip
        parts.append(f"{way} the camera ({turn:.0f}° from its axis)")
    return ", ".join(parts)
