"""Turn AddBiomechanics' .b3d files into .osim, .trc and .mot files: the data set 'folder'.

Runs in an environment of its own, because nimblephysics is built against numpy 1 (it would bring
torch, which this does not need):

    python -m venv b3d
    b3d/bin/pip install 'numpy<2'
    b3d/bin/pip install --no-deps nimblephysics
    b3d/bin/python export_b3d.py FOLDER_OF_B3D OUTPUT
"""

import sys
from pathlib import Path

import numpy as np
from nimblephysics_libs._nimblephysics import biomechanics as nimble

LOADS = "force_name,body,force_columns,point_columns,torque_columns,t_start,t_end"


def write_table(path: str, time: np.ndarray, names: list[str], data: np.ndarray) -> None:
    """Write columns over time as an OpenSim table in radians."""
    head = [Path(path).stem, "version=1", f"nRows={len(time)}", f"nColumns={len(names) + 1}",
            "inDegrees=no", "endheader", "\t".join(["time", *names])]  # fmt: skip
    rows = np.column_stack([time, data])
    np.savetxt(path, rows, fmt="%.8g", delimiter="\t", header="\n".join(head), comments="")


def longest_run(known: list[bool]) -> slice:
    """Return the longest stretch of frames whose forces are known."""
    edges = np.flatnonzero(np.diff(np.r_[False, known, False].astype(int)))
    spans = list(zip(edges[::2], edges[1::2], strict=True)) or [(0, 0)]
    return slice(*max(spans, key=lambda span: span[1] - span[0]))


def write_forces(stem: str, time: np.ndarray, passes: list, feet: list[str]) -> None:
    """Write the force on each foot, and which columns are which foot's."""
    kinds = {"v": "groundContactForce", "p": "groundContactCenterOfPressure",
             "m": "groundContactTorque"}  # fmt: skip
    names = [f"ground_force_{foot}_{kind}{axis}" for foot in feet for kind in kinds
             for axis in "xyz"]  # fmt: skip
    wrench = [np.array([getattr(p, field) for p in passes]) for field in kinds.values()]
    data = np.hstack([w[:, 3 * i : 3 * i + 3] for i in range(len(feet)) for w in wrench])
    write_table(f"{stem}_grf.mot", time, names, data)
    columns = [",".join(f'"ground_force_{foot}_{kind}{{x,y,z}}"' for kind in kinds)
               for foot in feet]  # fmt: skip
    rows = [f"{foot},{foot},{names},," for foot, names in zip(feet, columns, strict=True)]
    Path(f"{stem}_loads.csv").write_text("\n".join([LOADS, *rows]) + "\n")


def export(source: Path, folder: Path) -> None:
    """Write a subject's model.osim, and TRIAL.trc, TRIAL_ik.mot, TRIAL_grf.mot, TRIAL_loads.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    subject = nimble.SubjectOnDisk(str(source))
    last = subject.getNumProcessingPasses() - 1
    (folder / "model.osim").write_text(subject.getOpensimFileText(last))
    skeleton = subject.readSkel(last, ignoreGeometry=True)
    names = [skeleton.getDofByIndex(i).getName() for i in range(skeleton.getNumDofs())]
    feet = subject.getGroundForceBodies()
    for trial in range(subject.getNumTrials()):
        frames = subject.readFrames(trial, 0, subject.getTrialLength(trial))
        time = np.arange(len(frames)) * subject.getTrialTimestep(trial)
        # with a number: the parts that a long trial was cut into are called alike
        stem = str(folder / f"{subject.getTrialName(trial)}_{trial}")
        observed = [dict(frame.markerObservations) for frame in frames]
        if any(observed):
            nimble.OpenSimParser.saveTRC(f"{stem}.trc", list(time), observed)
        passes = [f.processingPasses[-1] for f in frames if f.processingPasses]
        if not passes or len(passes) < len(frames):
            continue
        write_table(f"{stem}_ik.mot", time, names, np.array([p.pos for p in passes]))
        here = nimble.MissingGRFReason.notMissingGRF
        known = longest_run([frame.missingGRFReason == here for frame in frames])
        if feet and len(time[known]) > 1:
            write_forces(stem, time[known], passes[known], feet)


if __name__ == "__main__":
    root, out = Path(sys.argv[1]), Path(sys.argv[2])
    for path in sorted(root.rglob("*.b3d")):
        export(path, out / path.relative_to(root).with_suffix(""))
        print(path)
