"""A seat: what carries a person under the pelvis where the feet alone cannot.

Feet in front of a sitting person would have to hold the whole weight with a lever that nothing
balances. Where that happens and the pelvis is low, a point under the hips may push as well. Its
force is no foot's: it stays in the pelvis residual, and the user is told.
"""

import numpy as np
from scipy.ndimage import binary_closing, binary_opening

from mjx_msk.fit.balance import consistent_forces, sole_points
from mjx_msk.fit.ground_forces import FootLoads, foot_loads
from mjx_msk.fit.kinetics import Kinetics, estimated_loads, joint_forces
from mjx_msk.fit.points import places
from mjx_msk.fit.root import root_pose
from mjx_msk.model import Model

THIGHS = ("femur_r", "femur_l")
#: Chairs hold the pelvis lower than this share of its height in standing.
_LOW = 0.8
#: A moment about the pelvis that the feet leave, share of body weight x 1 m (walking leaves 0.02).
_UNBALANCED_BW_M = 0.05
#: Sitting lasts longer than this, s.
_SHORTEST_S = 0.2


def carried(
    model: Model, q: np.ndarray, qd: np.ndarray, qdd: np.ndarray, pushing: np.ndarray, dt: float
) -> tuple[FootLoads, Kinetics]:
    """Return the feet's loads that best explain a motion (T, n), beside a seat where one is needed.

    ``pushing`` (T, c) says which sole points may carry a load. Also returns the joint forces.
    """
    loads = estimated_loads(model, q, pushing, dt)
    kinetics = joint_forces(model, q, qd, qdd, loads)
    if (seat := seated(model, q, kinetics, dt)).any():
        loads = loads_beside_seat(model, q, pushing, seat, dt)
        kinetics = joint_forces(model, q, qd, qdd, loads)
    return loads, kinetics


def seated(model: Model, q: np.ndarray, kinetics: Kinetics, dt: float) -> np.ndarray:
    """Return when (T,) a low pelvis is left with a moment that the feet cannot balance."""
    low = _height(model, q) < _LOW * _height(model, np.zeros((1, model.n)))
    weight = float(np.sum(model.mjx.body_mass)) * float(np.linalg.norm(model.mjx.opt.gravity))
    moment = np.linalg.norm(np.nan_to_num(kinetics.residual_moment)[:, :2], axis=1)
    span = np.ones(max(1, round(_SHORTEST_S / dt)), bool)
    together = binary_closing(moment > _UNBALANCED_BW_M * weight, span)
    return binary_opening(together & low, span)


def loads_beside_seat(
    model: Model, q: np.ndarray, touch: np.ndarray, seat: np.ndarray, dt: float
) -> FootLoads:
    """Return the feet's loads (T frames) where a seat may carry what they cannot.

    ``touch`` (T, c) says how likely each sole point pushes, ``seat`` (T,) when there is a seat.
    """
    p = places(model, q)
    pushing = np.concatenate([p.soles, _between_hips(model, q)[:, None]], axis=1)
    both = np.column_stack([touch, seat.astype(float)])
    forces = consistent_forces(model, q, p.center, pushing, both, dt)
    return foot_loads(forces[:, :-1], sole_points(p.soles), model.layout.contact_feet)


def _between_hips(model: Model, q: np.ndarray) -> np.ndarray:
    """Return the middle of the hips (T, 3) m; the sitting bones are close below it."""
    rotation, position = root_pose(model, q)
    thighs = [model.layout.body_names.index(name) for name in THIGHS]
    return position + rotation @ np.asarray(model.mjx.body_pos)[thighs].mean(axis=0)


def _height(model: Model, q: np.ndarray) -> np.ndarray:
    """Return the pelvis's height (T,) over the lower sole, m."""
    _, pelvis = root_pose(model, q)
    return pelvis[:, 2] - places(model, q).soles[..., 2].min(axis=1)
