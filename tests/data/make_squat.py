"""Write ``squat.trc``: markers of the default model in a shallow squat, by plain C MuJoCo.

    python tests/data/make_squat.py

The feet stay where they are and flat: thigh and shank turn by the same angle, the hip goes down.
"""

from pathlib import Path

import mujoco
import numpy as np

HERE = Path(__file__).parent
MODEL = HERE.parents[1] / "assets" / "rajagopal_lai_uhlrich_2023.xml"
RATE_HZ, FRAMES, DEEPEST_DEG = 15.0, 16, 40.0
_MARKER_GROUP = 3


def angles_deg() -> np.ndarray:
    """Return the hip flexion of every frame (T,); the knee flexes twice as much."""
    return DEEPEST_DEG * 0.5 * (1 - np.cos(2 * np.pi * np.arange(FRAMES) / (FRAMES - 1)))


def pose(model: mujoco.MjModel, hip_deg: float, foot: np.ndarray | None) -> mujoco.MjData:
    """Return the model in one pose, with its right heel at ``foot`` (3,) m if given."""
    data = mujoco.MjData(model)
    hip = np.deg2rad(hip_deg)
    for side in "rl":
        data.joint(f"hip_flexion_{side}").qpos = hip
        data.joint(f"knee_angle_{side}").qpos = 2 * hip
        data.joint(f"ankle_angle_{side}").qpos = hip
    data.joint("pelvis_ty").qpos = 0.95
    for e in range(model.neq):  # dependent joints follow their polynomials
        x = data.qpos[model.jnt_qposadr[model.eq_obj2id[e]]]
        target = model.jnt_qposadr[model.eq_obj1id[e]]
        data.qpos[target] = np.polynomial.polynomial.polyval(x, model.eq_data[e, :5])
    mujoco.mj_kinematics(model, data)
    if foot is not None:
        forward, _, up = foot - data.body("calcn_r").xpos
        data.joint("pelvis_tx").qpos += forward
        data.joint("pelvis_ty").qpos += up
        mujoco.mj_kinematics(model, data)
    return data


def main() -> None:
    """Write the file beside this one."""
    model = mujoco.MjModel.from_xml_path(str(MODEL))
    sites = [s for s in range(model.nsite) if model.site_group[s] == _MARKER_GROUP]
    names = [model.site(s).name for s in sites]
    heel = pose(model, 0.0, None).body("calcn_r").xpos.copy()
    lines = [
        "PathFileType\t4\t(X/Y/Z)\tsquat.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits",
        f"{RATE_HZ:g}\t{RATE_HZ:g}\t{FRAMES}\t{len(names)}\tmm",
        "Frame#\tTime\t" + "\t\t\t".join(names),
        "\t\t" + "\t".join(f"{a}{i + 1}" for i in range(len(names)) for a in "XYZ"),
        "",
    ]
    for frame, hip in enumerate(angles_deg()):
        x, y, z = 1e3 * pose(model, hip, heel).site_xpos[sites].T
        cells = [f"{v:.2f}" for point in zip(x, z, -y, strict=True) for v in point]
        lines.append("\t".join([str(frame + 1), f"{frame / RATE_HZ:.6f}", *cells]))
    (HERE / "squat.trc").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
