"""How far an estimate is from a person's known motion: numbers with their unit in the name.

Nobody can tell from one camera where north is: before motions are compared, the estimate is turned
about the vertical and moved over the floor as a whole, to where it fits the truth best. Heights are
compared as they are.
"""

import numpy as np

from mjx_msk.evaluation.methods import Outcome
from mjx_msk.evaluation.stance import event_errors, slip_mm
from mjx_msk.evaluation.truth import Truth
from mjx_msk.fit.drift import drift
from mjx_msk.fit.kinetics import joint_forces
from mjx_msk.fit.points import joint_centres, places
from mjx_msk.fit.root import root_pose, turned
from mjx_msk.fit.soles import sole_middles
from mjx_msk.model import ROOT_COORDINATES

#: Bodies whose origins are the joint centres that are compared.
CENTRES = tuple(
    f"{name}_{side}"
    for name in ("femur", "tibia", "talus", "humerus", "ulna", "hand")
    for side in "rl"
)
#: How long motions are simulated from their own states, s.
_SIMULATED_S = (0.1, 0.5)
#: How names of the arms' coordinates start.
ARMS = ("arm_", "elbow_", "pro_sup", "wrist_")
#: The joints whose moments are compared (names without side).
LEGS = ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle")
#: Centers of pressure count where a foot carries this share of body weight, in both.
_PRESSED = 0.1


Scores = dict[str, float]


def scores(truth: Truth, found: Outcome, movable: np.ndarray) -> Scores:
    """Return every score of an estimate; those that nothing is known for are left out.

    ``movable`` are the coordinates beyond the root that are not locked.
    """
    turn, shift = _alignment(truth, found)
    q = turned(found.model, found.q, turn, shift)
    result = _kinematic(truth, found, q, movable)
    if truth.known.sum() > 1:
        result |= _kinetic(truth, found, turn, movable)
    result |= drift(
        found.model, found.q, found.qd, found.tau, found.loads, truth.dt, spans_s=_SIMULATED_S
    )
    bottom = places(found.model, found.q).soles[..., 2] - np.asarray(found.model.contact_radius)
    return result | {
        "slip_mm": slip_mm(found.model, found.q, found.loads, truth.dt),
        "penetration_mm": 1e3 * float(np.maximum(-bottom.min(axis=1), 0.0).mean()),
        "residual_force_pct_bw": 100.0 * _residual(found),
    }


def _alignment(truth: Truth, found: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """Return the turn (3, 3) about the vertical and the shift (3,) that fit the truth best."""
    R, x = root_pose(truth.model, truth.q)
    S, y = root_pose(found.model, found.q)
    M = np.einsum("tij,tkj->ik", R, S)
    angle = np.arctan2(M[1, 0] - M[0, 1], M[0, 0] + M[1, 1])
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return turn, (x - y @ turn.T).mean(axis=0) * [1.0, 1.0, 0.0]


def _kinematic(truth: Truth, found: Outcome, q: np.ndarray, movable: np.ndarray) -> Scores:
    names = truth.model.layout.coordinate_names
    rotational = np.array(truth.model.layout.rotational)
    own = [*range(ROOT_COORDINATES), *movable]
    apart = q - truth.q
    apart[:, rotational] = np.arctan2(np.sin(apart[:, rotational]), np.cos(apart[:, rotational]))
    turns = [i for i in own if rotational[i]]
    lower = [i for i in turns if not names[i].startswith(ARMS)]
    result = {
        "rotation_mae_deg": float(np.rad2deg(np.abs(apart[:, turns]).mean())),
        "rotation_without_arms_mae_deg": float(np.rad2deg(np.abs(apart[:, lower]).mean())),
    }
    x, y = (root_pose(m, v)[1] for m, v in ((truth.model, truth.q), (found.model, q)))
    result["pelvis_mae_cm"] = 100.0 * float(np.abs(x - y).mean())
    result |= {
        f"coordinate/{names[i]}_{'deg' if rotational[i] else 'cm'}": float(
            (np.rad2deg(1.0) if rotational[i] else 100.0) * np.abs(apart[:, i]).mean()
        )
        for i in own
    }
    a, b = joint_centres(truth.model, truth.q, CENTRES), joint_centres(found.model, q, CENTRES)
    a, b = a - x[:, None], b - y[:, None]
    result["mpjpe_mm"] = 1e3 * float(np.linalg.norm(a - b, axis=-1).mean())
    result["pa_mpjpe_mm"] = 1e3 * procrustes(a, b)
    if found.std is not None:
        joints = list(movable)
        size, spread = np.abs(apart[:, joints]), found.std[:, joints]
        for share, reach in ((68, 0.9945), (95, 1.96)):
            result[f"covered_{share}_pct"] = 100.0 * float((size <= reach * spread).mean())
    return result


def procrustes(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean distance of points (T, k, 3) after each frame's best similarity (m)."""
    a, b = (v - v.mean(axis=1, keepdims=True) for v in (a, b))
    u, s, vt = np.linalg.svd(b.swapaxes(1, 2) @ a)
    sign = np.linalg.det(u @ vt)
    s[:, -1] *= sign
    u[..., -1] *= sign[:, None]
    size = s.sum(axis=1) / np.maximum((b**2).sum(axis=(1, 2)), 1e-12)
    return float(np.linalg.norm(size[:, None, None] * (b @ (u @ vt)) - a, axis=-1).mean())


def _kinetic(truth: Truth, found: Outcome, turn: np.ndarray, movable: np.ndarray) -> Scores:
    mass = float(np.sum(truth.model.mjx.body_mass))
    weight = mass * float(np.linalg.norm(truth.model.mjx.opt.gravity))
    known = truth.known
    forward = root_pose(truth.model, truth.q)[0][:, :2, 0]
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    axes = np.zeros((len(forward), 3, 3))  # fore-aft, lateral, vertical
    axes[:, 0, :2], axes[:, 1, 0], axes[:, 1, 1] = forward, -forward[:, 1], forward[:, 0]
    axes[:, 2, 2] = 1.0
    apart = found.loads.force @ turn.T - truth.loads.force
    miss = np.abs(np.einsum("txy,tfy->tfx", axes, apart))[known].mean(axis=(0, 1)) / weight
    result = {
        f"force_{name}_pct_bw": 100.0 * float(value)
        for name, value in zip(("fore_aft", "lateral", "vertical"), miss, strict=True)
    }
    result["force_pct_bw"] = 100.0 * float(miss.mean())
    pressed = np.minimum(found.loads.force[..., 2], truth.loads.force[..., 2]) > _PRESSED * weight
    pressed &= known[:, None]
    if pressed.any():
        # relative to the feet: where these are is another score
        ours = (found.loads.cop - sole_middles(found.model, found.q)) @ turn.T
        theirs = truth.loads.cop - sole_middles(truth.model, truth.q)
        off = np.linalg.norm((ours - theirs)[..., :2], axis=-1)
        result["cop_mm"] = 1e3 * float(off[pressed].mean())
    result |= event_errors(truth, found.model, found.loads)
    names = truth.model.layout.coordinate_names
    legs = [i for i in movable if names[i][:-2] in LEGS]
    wrong = np.abs(found.tau - truth.tau)[known]
    result["moment_legs_nm_per_kg"] = float(wrong[:, legs].mean()) / mass
    result["moment_legs_pct_bwh"] = 100.0 * float(wrong[:, legs].mean()) / weight / truth.height_m
    result["moment_all_pct_bwh"] = (
        100.0 * float(wrong[:, list(movable)].mean()) / weight / truth.height_m
    )
    together = [np.corrcoef(found.tau[known, i], truth.tau[known, i])[0, 1] for i in legs]
    result["moment_correlation"] = float(np.nanmean(together))
    return result


def _residual(found: Outcome) -> float:
    """Return the force on the pelvis that nothing explains, root mean square, body weights."""
    force = joint_forces(found.model, found.q, found.qd, found.qdd, found.loads).residual_force
    weight = float(np.sum(found.model.mjx.body_mass) * np.linalg.norm(found.model.mjx.opt.gravity))
    return float(np.sqrt(np.mean(np.sum(force**2, axis=1)))) / weight
