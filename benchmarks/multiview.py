"""One camera at a time against the four-camera reference of one real clip.

    python benchmarks/multiview.py              # the whole loop
    python benchmarks/multiview.py --no-learn   # the optimiser alone

Reads ``../shared/data/multiview`` (see its README for how far to trust it) and the four demo
videos. Each camera alone is given its intrinsics, its gravity, a height of 1.73 m and a mass of
70 kg. The baseline is what one camera's metric landmarks give when taken as they are.

The spreads of image, depth and trunk habit in ``fit/config.py`` were settled with this clip in
view: it is no untouched test.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mjx_msk.cache import demo_video
from mjx_msk.motion import Motion
from mjx_msk.osim.tables import read_table
from mjx_msk.pipeline import Options, Run, analyse

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "multiview"
PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel", "foot_index")
JOINTS = tuple(f"{side}_{part}" for part in PARTS for side in ("left", "right"))
MEASURES = (
    "MPJPE mm", "PA-MPJPE mm", "knee deg", "elbow deg", "hip flexion deg", "hip adduction deg",
    "trunk lean deg",
)  # fmt: skip

#: Those that are joint angles.
ANGLES = slice(2, None)


def main() -> None:
    """Print the table; exit with 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learn", action=argparse.BooleanOptionalAction, default=True)
    learn = parser.parse_args().learn
    cameras = json.loads((DATA / "cameras.json").read_text())["cameras"]
    baseline = json.loads((DATA / "baseline.json").read_text())["per_camera"]
    reference = Reference()
    ours, theirs, absolute = {}, {}, {}
    for name, values in cameras.items():
        motion = estimate(name, values, learn)
        ours[name], absolute[name] = reference.compare(motion, values)
        theirs[name] = baseline_row(baseline[name])
    show(ours, theirs, absolute)
    ratio = {n: np.mean(ours[n] / theirs[n]) for n in ours}
    total = np.mean(np.mean(list(ours.values()), axis=0) / np.mean(list(theirs.values()), axis=0))
    worse = [n for n, r in ratio.items() if r > 1.0]
    print(
        f"mean of all measures against the baseline: {total:.2f} (bar 0.70); cameras above: {worse}"
    )
    angles = {n: np.mean(ours[n][ANGLES] / theirs[n][ANGLES]) for n in ours}
    print(
        f"joint angles against the baseline: {np.mean(list(angles.values())):.2f} (bar 0.65); "
        + ", ".join(f"{n} {ratio:.2f}" for n, ratio in angles.items())
    )
    sys.exit(int(total > 0.70 or bool(worse) or max(angles.values()) > 0.65))


def estimate(name: str, values: dict, learn: bool) -> Motion:
    R = np.array(values["R"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "camera.json"
        path.write_text(json.dumps({
            "intrinsics": values["K_for_video_pixels"], "distortion": values["dist"],
            "image_size": values["video_size_wh"], "gravity": (R @ [0.0, 0.0, -1.0]).tolist(),
        }))  # fmt: skip
        options = Options(height_m=1.73, mass_kg=70.0, camera=path, learn=learn)
        return analyse(Run(demo_video(name), options))[1]


def baseline_row(values: dict) -> np.ndarray:
    angles, points = values["joint_angle_mae_deg"], values["geometric_3point_flexion_mae_deg"]
    frames = values["filtered_6hz"]
    return np.array([
        frames["mpjpe_mm"], frames["pa_mpjpe_mm"], points["knee"], points["elbow"],
        angles["hip_flexion"], angles["hip_adduction"], angles["lumbar_bending"],
    ])  # fmt: skip


class Reference:
    """The multi-view measurement."""

    def __init__(self) -> None:
        points = np.load(DATA / "single_person_3d.npz")
        names = [str(n) for n in points["landmark_names"]]
        self.points = points["filtered"][:, [names.index(short(j)) for j in JOINTS]]
        self.flexion = {
            (joint, side): points[f"geometric_flexion_deg_{joint}_{side[0].upper()}"]
            for joint in ("knee", "elbow") for side in ("left", "right")
        }  # fmt: skip
        table = read_table(DATA / "reference_ik.mot")
        self.angles = dict(zip(table.columns, table.data.T, strict=True))
        lumbar = np.loadtxt(DATA / "reference_lumbar_total.csv", delimiter=",", comments="#")
        self.trunk_lean = lumbar[:, 2]

    def compare(self, motion: Motion, camera: dict) -> tuple[np.ndarray, float]:
        """Return the seven measures and the error of absolute position, mm."""
        assert motion.landmarks_fitted is not None
        order = [motion.landmark_names.index(j) for j in JOINTS]
        world = motion.landmarks_fitted[:, order]
        R = np.array(motion.camera["rotation_camera_from_world"])
        seen = world @ R.T + np.array(motion.camera["translation_m"])
        points = (seen - np.array(camera["t"])) @ np.array(camera["R"])
        absolute = 1e3 * np.linalg.norm(points - self.points, axis=2).mean()
        hips = [JOINTS.index("left_hip"), JOINTS.index("right_hip")]
        a, b = (x - x[:, hips].mean(axis=1, keepdims=True) for x in (points, self.points))
        aligned = np.array([procrustes(x, y) for x, y in zip(a, b, strict=True)])
        degrees = np.rad2deg(motion.q)
        hip = {
            kind: np.mean([
                np.abs(degrees[:, motion.index(f"hip_{kind}_{s}")] - self.angles[f"hip_{kind}_{s}"])
                for s in "rl"
            ]) for kind in ("flexion", "adduction")
        }  # fmt: skip
        lean = np.abs(degrees[:, motion.index("lumbar_bending")] - self.trunk_lean).mean()
        return np.array([
            1e3 * np.linalg.norm(a - b, axis=2).mean(),
            1e3 * np.linalg.norm(aligned - b, axis=2).mean(),
            self._flexion_error(points, "knee", ("hip", "knee", "ankle")),
            self._flexion_error(points, "elbow", ("shoulder", "elbow", "wrist")),
            hip["flexion"], hip["adduction"], lean,
        ]), absolute  # fmt: skip

    def _flexion_error(self, points: np.ndarray, joint: str, chain: tuple[str, ...]) -> float:
        errors = []
        for side in ("left", "right"):
            a, b, c = (points[:, JOINTS.index(f"{side}_{part}")] for part in chain)
            u, v = b - a, c - b
            cosine = (u * v).sum(1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
            flexion = np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))
            errors.append(np.abs(flexion - self.flexion[joint, side]).mean())
        return float(np.mean(errors))


def short(joint: str) -> str:
    """Return the reference's name of a landmark: left_foot_index -> LBigToe."""
    side, part = joint.split("_", 1)
    return side[0].upper() + ("BigToe" if part == "foot_index" else part.capitalize())


def procrustes(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return ``a`` (J, 3) moved, turned and scaled onto ``b``."""
    x, y = a - a.mean(0), b - b.mean(0)
    u, s, vt = np.linalg.svd(x.T @ y)
    sign = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = (s * np.diag(sign)).sum() / (x**2).sum()
    return scale * x @ u @ sign @ vt + b.mean(0)


def show(ours: dict, theirs: dict, absolute: dict) -> None:
    table = Table(title="ours / baseline, and the ratio")
    table.add_column("camera")
    for measure in MEASURES:
        table.add_column(measure, justify="right")
    table.add_column("absolute mm", justify="right")
    table.add_column("mean ratio", justify="right")
    mean = {n: np.mean(list(v.values()), axis=0) for n, v in (("ours", ours), ("theirs", theirs))}
    rows = [(n, ours[n], theirs[n], absolute[n]) for n in ours]
    rows.append(("mean", mean["ours"], mean["theirs"], float(np.mean(list(absolute.values())))))
    for name, a, b, place in rows:
        cells = [f"{x:.1f} / {y:.1f} ({x / y:.2f})" for x, y in zip(a, b, strict=True)]
        table.add_row(name, *cells, f"{place:.0f}", f"{np.mean(a / b):.2f}")
    Console(width=220).print(table)


if __name__ == "__main__":
    main()
