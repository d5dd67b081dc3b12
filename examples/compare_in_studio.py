"""Two estimates over each other in MuJoCo Studio, and where their angles differ most.

python examples/compare_in_studio.py              # the demo, and the demo 10 cm too tall
python examples/compare_in_studio.py WALK OTHER   # folders of mjx-msk estimate
python examples/compare_in_studio.py --web        # as a page for a browser; --table: no viewer
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from mjx_msk_studio import launch

import mjx_msk

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("folders", nargs="*", type=Path, help="of mjx-msk estimate (default: the demo)")
parser.add_argument("--web", action="store_true", help="a page instead of a window")
parser.add_argument("--port", type=int, default=0, help="of the page")
parser.add_argument("--table", action="store_true", help="only say where they differ")
given = parser.parse_args()
folders, video = given.folders, None
try:
    if not folders:
        folders, video = [Path("demo"), Path("demo_taller")], mjx_msk.demo_video()
    for folder, height in zip(folders, (1.73, 1.83), strict=False):
        if not given.folders and not (folder / "motion.npz").is_file():
            print(f"Estimating {folder} ...")
            options = mjx_msk.Options(height_m=height, mass_kg=70.0)
            mjx_msk.estimate(video, folder, options)
    first, *others = (mjx_msk.Motion.load(folder / "motion.npz") for folder in folders)
    seconds = first.time - first.time[0]
    for folder, other in zip(folders[1:], others, strict=True):
        differences = {}
        for name in sorted(set(first.coordinate_names) & set(other.coordinate_names)):
            if name.startswith(("hip", "knee", "ankle", "lumbar", "arm", "elbow")):
                theirs = other.q[:, other.index(name)]
                theirs = np.interp(seconds, other.time - other.time[0], theirs)
                difference = np.rad2deg(first.q[:, first.index(name)] - theirs)
                differences[name] = np.sqrt(np.mean(difference**2))
        print(f"{folder} against {folders[0]}, RMS in degrees:")
        for name in sorted(differences, key=differences.get, reverse=True)[:5]:
            print(f"  {name:20s}{differences[name]:5.1f}")
    if not given.table:
        launch.run(folders, web=given.web, port=given.port, video=video)
except mjx_msk.MskError as error:
    sys.exit(str(error))
