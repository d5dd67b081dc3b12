"""The forces behind a clip: measured ones, or those that explain the motion best."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_dilation

from mjx_msk.data.clip import RATE_HZ
from mjx_msk.fit.derivatives import lowpass
from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.kinetics import Kinetics, estimated_loads, joint_forces
from mjx_msk.fit.points import places
from mjx_msk.fit.root import root_pose
from mjx_msk.fit.seat import loads_beside_seat, seated
from mjx_msk.fit.soles import sole_middles, sole_touch
from mjx_msk.model import Model
from mjx_msk.osim.forces import ForcePlate, assign_to_feet

PLATES, CONSISTENT = "plates", "consistent"
#: Plates are low-passed here: coordinates at 6 Hz know nothing of faster forces. Of 6, 12, 20 and
#: 50 Hz this one explains most frames of the training people's walks.
FORCE_CUTOFF_HZ = 12.0
#: A foot that carries more than this stands, N.
STANDING_N = 20.0
#: Forces explain a motion when they leave the pelvis less than this share of body weight, and less
#: than this share of body weight x 1 m of moment. Measured forces leave 0.12 and 0.055 in 95 % of
#: the training people's walking.
RESIDUAL_BW, RESIDUAL_BW_M = 0.15, 0.08
#: A pelvis that is not this much higher than on the seat may still sit, m.
_OFF_SEAT_M = 0.03
#: A loaded foot that is higher than this stands on something else than the floor, m.
_RAISED_M = 0.06
#: Frames this near to one that nothing explains are not believed either, s.
_BESIDE_S = 0.05


class Moving(NamedTuple):
    """A motion at ``RATE_HZ``, T frames of n coordinates."""

    q: np.ndarray  #: (T, n) rad or m
    qd: np.ndarray  #: (T, n)
    qdd: np.ndarray  #: (T, n)


class Plates(NamedTuple):
    """Force plates under a motion of T frames."""

    plates: tuple[ForcePlate, ...]
    loads: Path | None  #: ``_loads.csv``: which plate is under which foot
    time: np.ndarray  #: (T,) s, when the frames are in the plates' time
    shift: np.ndarray  #: (T, 3) m, leads from the plates' world into the motion's


class Explained(NamedTuple):
    """Forces of a motion, T frames, and where they explain it."""

    loads: FootLoads
    kinetics: Kinetics
    known: np.ndarray  #: (T,) bool
    measured: np.ndarray  #: (T,) bool, plates


def explained(model: Model, motion: Moving, plates: Plates | None = None) -> Explained:
    """Return the forces of a motion on the floor z = 0.

    Those of force plates where they explain the motion, else the consistent ones, beside a seat
    where one is needed.
    """
    found = _consistent(model, motion)
    if plates is None:
        return found
    q = motion.q
    loads = _measured(model, q, plates)
    kinetics = joint_forces(model, *motion, FootLoads(*map(np.nan_to_num, loads)))
    covered = np.isfinite(loads.force).all(axis=(1, 2))
    loads = FootLoads(*map(np.nan_to_num, loads))
    known = _believed(model, q, loads, covered & _balanced(model, kinetics))
    return Explained(
        FootLoads(*(_mixed(known, *pair) for pair in zip(loads, found.loads, strict=True))),
        Kinetics(*(_mixed(known, *pair) for pair in zip(kinetics, found.kinetics, strict=True))),
        known | found.known,
        known,
    )


def _mixed(use: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(use.reshape(-1, *[1] * (a.ndim - 1)), a, b)


def _consistent(model: Model, motion: Moving) -> Explained:
    """Return the feet's forces that explain a motion best."""
    q, dt = motion.q, 1.0 / RATE_HZ
    _, pushing = sole_touch(model, q, dt, 0.0)
    loads = estimated_loads(model, q, pushing, dt)
    kinetics = joint_forces(model, *motion, loads)
    known = _balanced(model, kinetics)
    if (seat := seated(model, q, kinetics, dt)).any():
        height = root_pose(model, q)[1][:, 2]
        seat |= height < np.median(height[seat]) + _OFF_SEAT_M
        loads = loads_beside_seat(model, q, pushing, seat, dt)
        kinetics = joint_forces(model, *motion, loads)
        known = _balanced(model, kinetics) & ~seat
    loads = FootLoads(*map(np.nan_to_num, loads))
    return Explained(loads, kinetics, _believed(model, q, loads, known), np.zeros(len(q), bool))


def _believed(model: Model, q: np.ndarray, loads: FootLoads, known: np.ndarray) -> np.ndarray:
    """Return where ``known`` holds, but for loaded feet off the floor and frames beside doubt."""
    soles = places(model, q).soles[..., 2] - np.asarray(model.contact_radius)
    feet = np.array(model.layout.contact_feet)
    height = np.stack([soles[:, feet == foot].min(axis=1) for foot in (0, 1)], axis=1)
    raised = ((loads.force[..., 2] > STANDING_N) & (height > _RAISED_M)).any(axis=1)
    window = np.ones(2 * round(_BESIDE_S * RATE_HZ) + 1, bool)
    return ~binary_dilation(~known | raised, window)


def _measured(model: Model, q: np.ndarray, plates: Plates) -> FootLoads:
    """Return the plates' forces on the feet; NaN where no plate measured."""
    shift = plates.shift[:, None]
    smooth = [_smooth(plate) for plate in plates.plates]
    feet = sole_middles(model, q) - shift
    force, cop, moment = assign_to_feet(smooth, plates.time, feet, loads=plates.loads)
    return FootLoads(force, cop + shift, moment)


def _smooth(plate: ForcePlate) -> ForcePlate:
    """Return a plate low-passed: its force, and its moment about the origin."""
    rate = (len(plate.time) - 1) / float(plate.time[-1] - plate.time[0])
    loaded = plate.force[:, 2:] > 0
    arm = np.where(loaded, np.nan_to_num(plate.cop), 0.0)
    force = lowpass(plate.force, rate, FORCE_CUTOFF_HZ)
    about = lowpass(plate.moment + np.cross(arm, plate.force), rate, FORCE_CUTOFF_HZ)
    up = np.where(force[:, 2] > 5.0, force[:, 2], np.inf)
    # the point on the floor about which only a free moment is left: M_x = p_y F_z, M_y = -p_x F_z
    cop = np.stack([-about[:, 1] / up, about[:, 0] / up, np.zeros(len(up))], axis=1)
    return replace(plate, force=force, cop=cop, moment=about - np.cross(cop, force))


def _balanced(model: Model, kinetics: Kinetics) -> np.ndarray:
    """Return when (T,) the pelvis's residual force and moment are small."""
    weight = float(np.sum(model.mjx.body_mass)) * float(np.linalg.norm(model.mjx.opt.gravity))
    force, moment = (
        np.linalg.norm(np.nan_to_num(r, nan=np.inf), axis=1) / weight
        for r in (kinetics.residual_force, kinetics.residual_moment)
    )
    return (force < RESIDUAL_BW) & (moment < RESIDUAL_BW_M)
