"""The numbers behind the page's plots: one panel per joint movement, ready for JSON."""

import re
from typing import Any

import numpy as np

from mjx_msk.motion import Motion
from mjx_msk.report.style import SIDE_WORDS

#: Movement (coordinate without its side): title, and what a positive and a negative value mean.
_MOVEMENTS = {
    "hip_flexion": ("Hip flexion", "flexion", "extension"),
    "hip_adduction": ("Hip adduction", "adduction", "abduction"),
    "hip_rotation": ("Hip rotation", "internal", "external"),
    "knee_angle": ("Knee flexion", "flexion", "extension"),
    "ankle_angle": ("Ankle dorsiflexion", "dorsiflexion", "plantarflexion"),
    "subtalar_angle": ("Subtalar inversion", "inversion", "eversion"),
    "mtp_angle": ("Toe flexion", "flexion", "extension"),
    "pelvis_tilt": ("Pelvis tilt", "posterior", "anterior"),
    "pelvis_list": ("Pelvis list", "right side down", "left side down"),
    "pelvis_rotation": ("Pelvis rotation", "turning left", "turning right"),
    "lumbar_extension": ("Trunk extension", "leaning back", "leaning forward"),
    "lumbar_bending": ("Trunk bending", "to the right", "to the left"),
    "lumbar_rotation": ("Trunk rotation", "turning left", "turning right"),
    "arm_flex": ("Shoulder flexion", "forward", "backward"),
    "arm_add": ("Shoulder adduction", "towards the body", "away from the body"),
    "arm_rot": ("Shoulder rotation", "internal", "external"),
    "elbow_flex": ("Elbow flexion", "flexion", "extension"),
    "pro_sup": ("Forearm pronation", "pronation", "supination"),
    "wrist_flex": ("Wrist flexion", "flexion", "extension"),
    "wrist_dev": ("Wrist deviation", "ulnar", "radial"),
}
#: Muscles (names without their side) that are drawn, from the hip down.
_MUSCLES = {
    "glmax2": "Gluteus maximus, middle", "glmed1": "Gluteus medius, anterior", "psoas": "Psoas",
    "addlong": "Adductor longus", "recfem": "Rectus femoris", "vaslat": "Vastus lateralis",
    "vasmed": "Vastus medialis", "bflh": "Biceps femoris, long head", "semimem": "Semimembranosus",
    "gasmed": "Gastrocnemius, medial", "soleus": "Soleus", "tibant": "Tibialis anterior",
}  # fmt: skip
#: So many muscles are drawn, the strongest ones, where none of these has a known name.
_STRONGEST = 12
_ARMS = ("arm_", "elbow_", "pro_sup", "wrist_")
_LEAST_RANGE = np.deg2rad(0.5)  # what moves less is held fixed


def panels(motion: Motion) -> dict[str, list[dict[str, Any]]]:
    """Return the plots of each section: ``legs``, ``arms``, ``moments`` and so on.

    A panel has ``title``, ``unit``, ``note``, and ``traces`` with ``side`` (r, l or empty), ``y``
    and ``confidence`` (0..1 or empty) over ``motion.time``, angles ``std`` (deg) where it
    is known. Sections without data are empty.
    """
    movements = {m: c for m, c in _movements(motion).items() if _moves(motion, c)}
    trunk_and_legs = {m: c for m, c in movements.items() if not m.startswith(_ARMS)}
    joints = {m: c for m, c in trunk_and_legs.items() if not m.startswith("pelvis_")}
    force = motion.generalized_force
    return {
        "legs": [_angle(motion, m, c) for m, c in trunk_and_legs.items()],
        "arms": [_angle(motion, m, c) for m, c in movements.items() if m.startswith(_ARMS)],
        "moments": [_moment(motion, m, c) for m, c in joints.items()] if force is not None else [],
        "ground": _ground(motion),
        "muscles": _activations(motion),
        "loads": _joint_loads(motion),
        "residuals": _residuals(motion),
    }


def fixed(motion: Motion) -> list[str]:
    """Return the titles of movements that the motion holds fixed."""
    return [_words(m)[0] for m, c in _movements(motion).items() if not _moves(motion, c)]


def stance(motion: Motion) -> dict[str, list[tuple[float, float]]]:
    """Return, for each side, the (start, end) s after the first frame when that foot stands."""
    if motion.contact is None:
        return {}
    spans: dict[str, list[tuple[float, float]]] = {}
    for side, down in zip(motion.foot_names, motion.contact.T, strict=True):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], down, [False]]).astype(int)))
        starts, ends = (motion.time[i] - motion.time[0] for i in (edges[::2], edges[1::2] - 1))
        spans[side] = list(zip(starts.tolist(), ends.tolist(), strict=True))
    return spans


def pressure_path(motion: Motion) -> list[dict[str, Any]]:
    """Return the top view: the center of pressure of each foot, and the pelvis, in m."""
    if motion.foot_cop is None:
        return []
    paths = [
        {"side": side, "name": f"{SIDE_WORDS[side]} foot", **_xy(motion.foot_cop[:, foot])}
        for foot, side in enumerate(motion.foot_names)
    ]
    if {"pelvis_tx", "pelvis_tz"} <= set(motion.coordinate_names):
        # OpenSim's pelvis_tz points to the right, our y to the left
        pelvis = motion.q[:, [motion.index("pelvis_tx"), motion.index("pelvis_tz")]] * [1, -1]
        paths.append({"side": "", "name": "pelvis", **_xy(pelvis)})
    return paths


def numbers(values: np.ndarray, digits: int = 4) -> list[float | None]:
    """Return floats for JSON: rounded to significant ``digits``, ``None`` for NaN."""
    return [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in values.tolist()]


def _movements(motion: Motion) -> dict[str, list[str]]:
    """Group the rotational coordinates by movement, right before left, known ones first."""
    groups: dict[str, list[str]] = {}
    for name in motion.coordinate_names:
        if not re.fullmatch(r"pelvis_t[xyz]", name):
            groups.setdefault(re.sub(r"_[rl]$", "", name), []).append(name)
    order = [m for m in _MOVEMENTS if m in groups]
    rest = [m for m in groups if m not in _MOVEMENTS]
    return {m: sorted(groups[m], reverse=True) for m in [*order, *rest]}


def _moves(motion: Motion, coordinates: list[str]) -> bool:
    columns = motion.q[:, [motion.index(c) for c in coordinates]]
    return bool(np.max(np.ptp(columns, axis=0)) > _LEAST_RANGE)


def _words(movement: str) -> tuple[str, str, str]:
    return _MOVEMENTS.get(movement, (movement.replace("_", " ").capitalize(), "", ""))


def _side(coordinate: str) -> str:
    return coordinate[-1] if coordinate.endswith(("_r", "_l")) else ""


def _trace(motion: Motion, coordinate: str, values: np.ndarray) -> dict[str, Any]:
    confidence: list[float | None] = []
    if motion.confidence is not None:
        confidence = numbers(motion.confidence[:, motion.index(coordinate)], 2)
    return {"side": _side(coordinate), "y": numbers(values), "confidence": confidence}


def _angle(motion: Motion, movement: str, coordinates: list[str]) -> dict[str, Any]:
    title, positive, negative = _words(movement)
    note = f"+ {positive}, − {negative}" if positive else ""
    traces = []
    for name in coordinates:
        column = motion.index(name)
        trace = _trace(motion, name, np.rad2deg(motion.q[:, column]))
        if motion.q_std is not None:
            trace["std"] = numbers(np.rad2deg(motion.q_std[:, column]), 3)
        traces.append(trace)
    return {"title": title, "unit": "°", "note": note, "traces": traces}


def _moment(motion: Motion, movement: str, coordinates: list[str]) -> dict[str, Any]:
    assert motion.generalized_force is not None
    title, positive, _ = _words(movement)
    note = f"+ {positive}" if positive else ""
    columns = [(c, motion.generalized_force[:, motion.index(c)]) for c in coordinates]
    traces = [_trace(motion, c, y) for c, y in columns]
    return {"title": title, "unit": "N m", "note": note, "traces": traces}


def _ground(motion: Motion) -> list[dict[str, Any]]:
    """Return the ground reaction forces in body weights, or in N where the mass is unknown."""
    if motion.foot_force is None:
        return []
    mass = motion.subject.get("mass_kg")
    unit, scale = ("body weights", 1 / (mass * 9.81)) if mass else ("N", 1.0)
    directions = (
        (2, "Vertical force", "+ up"),
        (0, "Force along the way", "+ forward, − braking"),
        (1, "Force sideways", "+ to the left"),
    )
    return [
        {
            "title": title, "unit": unit, "note": note,
            "traces": [
                {"side": s, "y": numbers(motion.foot_force[:, f, axis] * scale), "confidence": []}
                for f, s in enumerate(motion.foot_names)
            ],
        }
        for axis, title, note in directions
    ]  # fmt: skip


def _activations(motion: Motion) -> list[dict[str, Any]]:
    """Return how active muscles are, both sides of one muscle together."""
    if motion.activation is None or motion.muscle_force is None:
        return []
    groups: dict[str, list[str]] = {}
    for name in motion.muscle_names:
        groups.setdefault(re.sub(r"_[rl]$", "", name), []).append(name)
    chosen = [m for m in _MUSCLES if m in groups]
    if not chosen:
        force = dict(zip(motion.muscle_names, np.nanmax(motion.muscle_force, axis=0), strict=True))
        chosen = sorted(groups, key=lambda m: -max(force[n] for n in groups[m]))[:_STRONGEST]
    place = {name: i for i, name in enumerate(motion.muscle_names)}
    return [
        {
            "title": _MUSCLES.get(muscle, muscle), "unit": "activation", "note": "",
            "traces": [
                {"side": _side(n), "y": numbers(motion.activation[:, place[n]], 3),
                 "confidence": []}
                for n in sorted(groups[muscle], reverse=True)
            ],
        }
        for muscle in chosen
    ]  # fmt: skip


def _joint_loads(motion: Motion) -> list[dict[str, Any]]:
    """Return how much bone presses on bone, in body weights, or in N where the mass is unknown."""
    if motion.joint_force is None:
        return []
    mass = motion.subject.get("mass_kg")
    unit, scale = ("body weights", 1 / (mass * 9.81)) if mass else ("N", 1.0)
    size = np.linalg.norm(motion.joint_force, axis=-1) * scale
    groups: dict[str, list[int]] = {}
    for i, name in enumerate(motion.loaded_joint_names):
        groups.setdefault(re.sub(r"_[rl]$", "", name), []).append(i)
    return [
        {
            "title": f"{joint.capitalize()} contact force", "unit": unit, "note": "magnitude",
            "traces": [
                {"side": _side(motion.loaded_joint_names[i]), "y": numbers(size[:, i]),
                 "confidence": []}
                for i in columns
            ],
        }
        for joint, columns in groups.items()
    ]  # fmt: skip


def _residuals(motion: Motion) -> list[dict[str, Any]]:
    """Return the force and moment on the pelvis that nothing explains."""
    force = motion.generalized_force
    roots = [c for c in motion.coordinate_names if c.startswith("pelvis_")]
    if force is None:
        return []
    found = []
    for unit, title, wanted in (("N", "Residual force", True), ("N m", "Residual moment", False)):
        columns = [c for c in roots if bool(re.fullmatch(r"pelvis_t[xyz]", c)) == wanted]
        traces = [
            {"side": "", "name": c, "y": numbers(force[:, motion.index(c)]), "confidence": []}
            for c in columns
        ]
        if traces:
            found.append({"title": title, "unit": unit, "note": "at the pelvis", "traces": traces})
    return found


def _xy(points: np.ndarray) -> dict[str, list[float | None]]:
    return {"x": numbers(points[:, 0]), "y": numbers(points[:, 1])}
