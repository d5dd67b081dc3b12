"""Ground reaction forces that make a motion dynamically consistent.

The motion demands a wrench on the whole body; only touching sole points can supply it, each with a
force in its friction cone. The forces of a whole clip are one convex program (second-order cones),
solved by Clarabel: closest to the demand, then small, then slowly changing. What no admissible
force explains stays as the pelvis residual and is reported, never hidden.
"""

from typing import NamedTuple

import clarabel
import numpy as np
from scipy import sparse

#: Coulomb friction between shoe and floor (Falisse et al. 2022 use 0.8).
FRICTION = 0.8
#: How closely the demanded wrench is met: share of body weight, and of body weight x 1 m.
FORCE_SPREAD_BW, MOMENT_SPREAD_BW_M = 0.01, 0.01
#: Prior size of one sole point's force, share of body weight; less certain touch, smaller.
POINT_SPREAD_BW = 0.5
#: How fast a sole point's force changes, body weights per second.
RATE_SPREAD_BW_S = 2.0
#: Points that touch with less certainty than this carry nothing.
TOUCH_LEAST = 0.2


class FootLoads(NamedTuple):
    """Per foot (right, left), world axes."""

    force: np.ndarray  #: (T, 2, 3) N, on the foot
    cop: np.ndarray  #: (T, 2, 3) m, on the floor; NaN without force
    moment: np.ndarray  #: (T, 2, 3) N m, free moment at the center of pressure


def point_forces(
    demand: np.ndarray,
    arms: np.ndarray,
    touch: np.ndarray,
    weight_n: float,
    dt: float,
) -> np.ndarray:
    """Return the force of the floor at every sole point, (T, c, 3) N.

    ``demand`` (T, 6) is the force and the moment about a reference point that the motion needs,
    ``arms`` (T, c, 3) the sole points relative to that reference, ``touch`` (T, c) in 0..1,
    ``weight_n`` the body weight.
    """
    active = touch > TOUCH_LEAST
    t, i = np.nonzero(active)
    forces = np.zeros((*touch.shape, 3))
    if not len(t):
        return forces
    count = len(t)
    supply = _supply(arms[t, i], t, len(touch))
    spread = weight_n * np.repeat([FORCE_SPREAD_BW, MOMENT_SPREAD_BW_M], 3)
    whiten = sparse.diags(np.tile(1.0 / spread, len(touch)))
    size = sparse.diags(np.repeat(1.0 / (POINT_SPREAD_BW * weight_n * touch[t, i]), 3))
    change = _changes(active) / (RATE_SPREAD_BW_S * weight_n * np.sqrt(dt))
    rows = sparse.vstack([whiten @ supply, np.sqrt(dt) * size, sparse.kron(change, sparse.eye(3))])
    target = np.zeros(rows.shape[0])
    target[: demand.size] = (demand / spread).ravel()
    scale = weight_n  # solve in body weights: numbers near one
    P = sparse.triu(rows.T @ rows * scale**2, format="csc")
    linear = -(rows.T @ target) * scale
    # Cone of each point: (mu fz, fx, fy) in the second-order cone; s = b - A x.
    cone = np.zeros((3, 3))
    cone[0, 2], cone[1, 0], cone[2, 1] = FRICTION, 1.0, 1.0
    A = sparse.csc_matrix(-sparse.kron(sparse.eye(count), cone))
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    cones = [clarabel.SecondOrderConeT(3)] * count
    solver = clarabel.DefaultSolver(P, linear, A, np.zeros(3 * count), cones, settings)
    forces[t, i] = np.asarray(solver.solve().x).reshape(count, 3) * scale
    return forces


def _supply(arms: np.ndarray, frame: np.ndarray, frames: int) -> sparse.csr_matrix:
    """Return the map from point forces (3 each) to wrenches (6 a frame)."""
    count = len(arms)
    block = np.zeros((count, 6, 3))
    block[:, :3] = np.eye(3)
    x, y, z = arms.T
    block[:, 3, 1], block[:, 3, 2] = -z, y
    block[:, 4, 0], block[:, 4, 2] = z, -x
    block[:, 5, 0], block[:, 5, 1] = -y, x
    row = frame[:, None, None] * 6 + np.arange(6)[None, :, None] + np.zeros((1, 1, 3), int)
    column = np.arange(count)[:, None, None] * 3 + np.arange(3) + np.zeros((1, 6, 1), int)
    shape = (6 * frames, 3 * count)
    return sparse.csr_matrix((block.ravel(), (row.ravel(), column.ravel())), shape=shape)


def _changes(active: np.ndarray) -> sparse.csr_matrix:
    """Return differences of each point's force between frames; without touch the force is zero."""
    index = np.full(active.shape, -1)
    index[active] = np.arange(active.sum())
    now, later = index[:-1].ravel(), index[1:].ravel()
    some = (now >= 0) | (later >= 0)
    now, later = now[some], later[some]
    row = np.arange(len(now))
    values = np.concatenate([-np.ones((now >= 0).sum()), np.ones((later >= 0).sum())])
    rows = np.concatenate([row[now >= 0], row[later >= 0]])
    columns = np.concatenate([now[now >= 0], later[later >= 0]])
    return sparse.csr_matrix((values, (rows, columns)), shape=(len(now), int(active.sum())))


def foot_loads(forces: np.ndarray, points: np.ndarray, feet: np.ndarray) -> FootLoads:
    """Gather point forces (T, c, 3) at ``points`` (T, c, 3) into one load per foot.

    ``feet`` (c,) names each point's foot. The center of pressure lies on the floor z = 0 where the
    horizontal moment vanishes; only a vertical free moment remains there.
    """
    frames = len(forces)
    force, moment = np.zeros((frames, 2, 3)), np.zeros((frames, 2, 3))
    cop = np.full((frames, 2, 3), np.nan)
    for foot in range(2):
        own = feet == foot
        F = forces[:, own].sum(axis=1)
        M = np.cross(points[:, own], forces[:, own]).sum(axis=1)  # about the world's origin
        force[:, foot] = F
        loaded = F[:, 2] > 1.0
        x, y = -M[loaded, 1] / F[loaded, 2], M[loaded, 0] / F[loaded, 2]
        cop[loaded, foot] = np.column_stack([x, y, np.zeros_like(x)])
        free = M[loaded, 2] - (x * F[loaded, 1] - y * F[loaded, 0])
        moment[loaded, foot, 2] = free
    return FootLoads(force, cop, moment)
