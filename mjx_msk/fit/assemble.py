"""From a fit's arrays to a Motion with its quality figures."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from mjx_msk.fit.drift import SIMULATED_S, drift
from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.kinetics import Kinetics, full_motion
from mjx_msk.fit.muscles import MuscleEffort
from mjx_msk.fit.points import places
from mjx_msk.fit.root import root_pose, turned
from mjx_msk.fit.video import VideoFit
from mjx_msk.model import LANDMARK_PREFIX, Model
from mjx_msk.motion import Motion

#: Someone who gets farther than this on the ground walks; the direction becomes the X axis, m.
_TRAVELS_M = 0.5
#: A foot that carries more than this stands, N.
_STANDING_N = 20.0
#: A sole point that touches with at least this certainty counts as standing.
_TOUCHES = 0.5


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that the fit found, on one clock."""

    time: np.ndarray
    q: np.ndarray
    qd: np.ndarray
    qdd: np.ndarray
    touching: np.ndarray
    confidence: np.ndarray
    q_std: np.ndarray | None = None  #: (T, n) as the network states it
    belt_m_s: float = 0.0  #: speed of a treadmill's belt, against the facing


def in_travel_frame(model: Model, fit: VideoFit) -> VideoFit:
    """Turn and shift the world: X along the travel (else the facing), the start at the origin."""
    rotation, position = root_pose(model, fit.q)
    travel = position[-1, :2] - position[0, :2]
    if np.linalg.norm(travel) < _TRAVELS_M:
        travel = rotation[:, :2, 0].mean(axis=0)
    x, y = travel / max(np.linalg.norm(travel), 1e-9)
    turn = np.array([[x, y, 0.0], [-y, x, 0.0], [0.0, 0.0, 1.0]])
    shift = -turn @ np.array([*position[0, :2], 0.0])
    return dataclasses.replace(
        fit,
        q=turned(model, fit.q, turn, shift),
        camera_from_world=fit.camera_from_world @ turn.T,
        camera_position=turn @ fit.camera_position + shift,
        landmarks=fit.landmarks @ turn.T + shift,
    )


def assemble(
    model: Model,
    found: Evidence,
    loads: FootLoads,
    kinetics: Kinetics,
    effort: MuscleEffort | None = None,
    *,
    measured: bool = False,
) -> Motion:
    """Return the motion with joint moments, foot loads, muscles, markers and quality figures."""
    layout = model.layout
    qpos, qvel, qacc = full_motion(model, found.q, found.qd, found.qdd)
    p = places(model, found.q)
    marker_names = tuple(n for n in layout.site_names if not n.startswith(LANDMARK_PREFIX))
    marker_sites = [layout.site_index[n] for n in marker_names]
    contact = loads.force[..., 2] > _STANDING_N
    motion = Motion(
        time=found.time, coordinate_names=layout.coordinate_names,
        q=found.q, qd=found.qd, qdd=found.qdd,
        joint_names=layout.joint_names, qpos=qpos, qvel=qvel, qacc=qacc,
        generalized_force=kinetics.generalized_force,
        foot_force=loads.force, foot_cop=loads.cop, foot_moment=loads.moment,
        contact=contact, confidence=found.confidence, q_std=found.q_std,
        marker_names=marker_names, markers=p.sites[:, marker_sites],
        quality=_quality(model, found, loads, kinetics, p.soles, measured),
    )  # fmt: skip
    return motion if effort is None else _with_muscles(model, motion, effort)


def _with_muscles(model: Model, motion: Motion, effort: MuscleEffort) -> Motion:
    assert motion.generalized_force is not None
    tau, known = motion.generalized_force, np.isfinite(effort.reserve)
    missing = _rms(effort.reserve[known]) / max(_rms(tau[known]), 1e-9)
    return motion.replace(
        muscle_names=model.layout.muscles.names,
        activation=effort.activation, muscle_force=effort.tension, reserve=effort.reserve,
        loaded_joint_names=effort.joint_names, joint_force=effort.joint_force,
        quality=motion.quality | {"muscle_reserve_pct": 100 * missing},
    )  # fmt: skip


def _quality(
    model: Model,
    found: Evidence,
    loads: FootLoads,
    kinetics: Kinetics,
    soles: np.ndarray,
    measured: bool,
) -> dict[str, object]:
    mass = float(np.sum(model.mjx.body_mass))
    weight = mass * float(np.linalg.norm(np.asarray(model.mjx.opt.gravity)))
    known = np.isfinite(kinetics.residual_force).all(axis=1)
    force = np.linalg.norm(kinetics.residual_force[known], axis=1)
    moment = np.linalg.norm(kinetics.residual_moment[known], axis=1)
    slip, depth = _floor_errors(model, found, soles)
    quality: dict[str, object] = {
        "pelvis_residual_force_pct_bw": 100 * _rms(force) / weight,
        "pelvis_residual_moment_nm_per_kg": _rms(moment) / mass,
        "foot_slip_mm": slip,
        "foot_penetration_mm": depth,
    }
    dt = float(found.time[1] - found.time[0]) if len(found.time) > 1 else 1.0
    tau = kinetics.generalized_force
    quality |= drift(model, found.q, found.qd, tau, loads, dt, spans_s=SIMULATED_S)
    _, position = root_pose(model, found.q)
    distance = float(np.linalg.norm(position[-1, :2] - position[0, :2]))
    if distance > _TRAVELS_M:
        quality["walking_speed_m_s"] = distance / float(found.time[-1] - found.time[0])
    if (seat := _unsupported(found, kinetics, weight, measured)) is not None:
        quality["warnings"] = [seat]
    return quality


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2))) if len(values) else float("nan")


def _floor_errors(model: Model, found: Evidence, centres: np.ndarray) -> tuple[float, float]:
    """Return how far standing sole points slide per stance, and how deep soles sink, mm."""
    bottom = centres[..., 2] - np.asarray(model.contact_radius)
    facing = root_pose(model, found.q)[0][:, :2, 0].mean(axis=0)
    slips = []
    for point in range(centres.shape[1]):
        standing = found.touching[:, point] > _TOUCHES
        edges = np.flatnonzero(np.diff(np.concatenate([[0], standing.astype(int), [0]])))
        for start, end in edges.reshape(-1, 2):
            if end - start > 1:
                carried = np.outer(found.time[start:end] * found.belt_m_s, facing)
                path = centres[start:end, point, :2] + carried
                slips.append(np.linalg.norm(path - path[0], axis=1).max())
    slip = 1e3 * float(np.mean(slips)) if slips else 0.0
    return slip, 1e3 * float(max(0.0, -bottom.min()))


def _unsupported(found: Evidence, kinetics: Kinetics, weight: float, measured: bool) -> str | None:
    """Return a warning when something other than the known loads carries the person for a while."""
    missing = kinetics.residual_force[:, 2] > 0.25 * weight
    feet = found.touching.max(axis=1) > _TOUCHES
    share = float(np.mean(missing & feet))
    if share < 0.1:
        return None
    if measured:
        return (
            f"in {share:.0%} of the frames the measured forces carry only part of the weight "
            "(a step beside the plates?): the rest is left as a pelvis residual"
        )
    return (
        f"in {share:.0%} of the frames something other than the feet carries part of the weight "
        "(a seat, a rail?): it is left as a pelvis residual, not forced into the feet"
    )
