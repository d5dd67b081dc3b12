"""A recorded squat in the layout of published data: model, motion and forces, made by OpenSim."""

from pathlib import Path

import numpy as np

from mjx_msk.fit.scaling import SEGMENTS
from mjx_msk.osim.tables import Table, write_table

GENERIC = "models/RajagopalLaiUhlrich2023.osim"
BASE, MASS_KG = 1.04, 72.0
STRETCH = {"thigh": 0.03, "shank": -0.02, "upper_arm": 0.03, "shoulder_width": 0.04}
LOG_SEGMENTS = np.array([STRETCH.get(name, 0.0) for name in SEGMENTS])
RATE_HZ, SECONDS, DEEPEST = 100.0, 1.5, 0.5  # hip flexion, rad
#: The laboratory's floor is this much off, m.
FLOOR = 0.02
#: The person does not face along the axis X, and does not stand at the origin.
TURN, PLACE = 0.4, (1.0, -0.5)
MANIFEST = "dataset,subject,person,split,trial,activity,ik_file,model,mass_kg,height_m\n"


def write_squat(root: Path, generic: Path, *, plates: bool = True) -> Path:
    """Write ``root/manifest.csv`` and its one trial; returns ``root``."""
    import opensim

    folder = root / "motions/made/someone"
    folder.mkdir(parents=True)
    opensim.Logger.setLevelString("Off")
    model = opensim.Model(str(generic))
    state = model.initSystem()
    scales = opensim.ScaleSet()
    for body in model.getBodySet():
        stem = body.getName().removesuffix("_r").removesuffix("_l")
        factor = np.full(3, BASE)
        for (bodies, axes, _), stretch in zip(SEGMENTS.values(), LOG_SEGMENTS, strict=True):
            if stem in bodies:
                factor[["xyz".index(axis) for axis in axes]] *= np.exp(stretch)
        scale = opensim.Scale()
        scale.setSegmentName(body.getName())
        scale.setScaleFactors(opensim.Vec3(*map(float, factor)))
        scale.setApply(True)
        scales.cloneAndAppend(scale)
    model.scale(state, scales, False, MASS_KG)
    model.finalizeConnections()
    model.printToXML(str(folder / "model.osim"))

    time = np.arange(int(SECONDS * RATE_HZ) + 1) / RATE_HZ
    bend = DEEPEST * np.sin(np.pi * time / SECONDS) ** 2
    names, q, heel = _on_its_feet(opensim, folder / "model.osim", bend)
    turns = [not name.startswith(("pelvis_tx", "pelvis_ty", "pelvis_tz")) for name in names]
    degrees = np.where(turns, np.rad2deg(q), q)
    ik = Table(time, names, degrees, in_degrees=True, metadata={"name": "Coordinates"})
    write_table(folder / "squat_ik.mot", ik)
    if plates:
        _write_plates(folder, time, heel)
    row = f"made,someone,maria,train,squat,squat,squat_ik.mot,model.osim,{MASS_KG},\n"
    (root / "manifest.csv").write_text(MANIFEST + row, encoding="utf-8")
    return root


def _on_its_feet(opensim, path: Path, bend: np.ndarray) -> tuple[tuple[str, ...], np.ndarray, dict]:
    """Return coordinates (T, n) whose heels stay where they are, and where that is (OpenSim)."""
    model = opensim.Model(str(path))
    state = model.initSystem()
    coordinates = {c.getName(): c for c in model.getCoordinateSet()}
    rows, at = [], None
    for angle in bend:
        pose = {"pelvis_tx": PLACE[0], "pelvis_tz": PLACE[1], "pelvis_ty": 1.0,
                "pelvis_rotation": TURN}  # fmt: skip
        for side in "rl":
            pose |= {f"{joint}_{side}": angle for joint in ("hip_flexion", "ankle_angle")}
            pose |= {f"knee_angle_{side}{end}": 2 * angle for end in ("", "_beta")}
        for _ in range(2):
            for name, value in pose.items():
                coordinates[name].setValue(state, float(value), False)
            model.realizePosition(state)
            heel = model.getBodySet().get("calcn_r").getPositionInGround(state).to_numpy()
            at = np.array([*heel[[0]], 0.0, *heel[[2]]]) if at is None else at
            pose["pelvis_tx"] += at[0] - heel[0]
            pose["pelvis_ty"] += FLOOR - heel[1]  # heels' origins lie on the sole
            pose["pelvis_tz"] += at[2] - heel[2]
        rows.append([c.getValue(state) for c in coordinates.values()])
    heels = {
        side: model.getBodySet().get(f"calcn_{side}").getPositionInGround(state).to_numpy()
        for side in "rl"
    }
    middle = model.calcMassCenterPosition(state).to_numpy()
    return tuple(coordinates), np.array(rows), heels | {"middle": middle}


def _write_plates(folder: Path, time: np.ndarray, place: dict) -> None:
    """Write two plates that carry half the weight each, all the time but the last 0.3 s."""
    time = time[time < SECONDS - 0.3]
    ahead = place["middle"] - (place["r"] + place["l"]) / 2
    columns = {}
    for side in "rl":
        point = place[side] + ahead
        point[1] = 0.0
        for axis, force, where in zip("xyz", (0.0, MASS_KG * 9.81 / 2, 0.0), point, strict=True):
            columns[f"{side}_v{axis}"] = np.full(len(time), force)
            columns[f"{side}_p{axis}"] = np.full(len(time), where)
            columns[f"{side}_m{axis}"] = np.zeros(len(time))
    table = Table(time, tuple(columns), np.column_stack(list(columns.values())))
    write_table(folder / "squat_grf.mot", table)
    lines = [f'{s},calcn_{s},"{s}_v{{x,y,z}}",,"{s}_m{{x,y,z}}",,' for s in "rl"]
    head = "force_name,body,force_columns,point_columns,torque_columns,t_start,t_end"
    (folder / "squat_loads.csv").write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
