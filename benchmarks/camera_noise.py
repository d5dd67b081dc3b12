"""Fit the virtual camera's noise to the four-camera recording, and check it.

    python benchmarks/camera_noise.py           # print the tables, compare with the shipped file
    python benchmarks/camera_noise.py --write   # write assets/camera_noise.json
    python benchmarks/camera_noise.py --detect  # the pipeline's landmarks anew, from the videos

One man, 1.65 s, four views, each seen twice: by the heavy network, whose landmarks are stored in
``../shared/data/multiview`` and were triangulated to what counts as the truth, and by the pipeline
as it is (the full network, looking twice), whose landmarks ``--detect`` writes to
``tests/data/demo_landmarks.npz``. ``mjx_msk/data/noise_fit.py`` says how the noise is fitted.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mjx_msk.cache import demo_video
from mjx_msk.data.landmark_tree import PARTS
from mjx_msk.data.multiview import (
    Recording,
    detected,
    read_detections,
    read_recordings,
    save_detections,
)
from mjx_msk.data.noise_check import as_measured, figures, gravity_error_deg, redrawn
from mjx_msk.data.noise_fit import fit
from mjx_msk.vision.pose import MediaPipePose
from mjx_msk.vision.tracks import select_person
from mjx_msk.vision.video import probe

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "multiview"
FILE = ROOT / "assets" / "camera_noise.json"
DETECTIONS = ROOT / "tests" / "data" / "demo_landmarks.npz"
#: What the recording does not show, our choice. It has no event to count (0 of 800 frames lost, no
#: half of a body exchanged after repair), no error of a frame's time that could be told from a
#: shift of the picture, and one person in one light: what is measured from view
#: to view is widened for other people and scenes.
CHOSEN = {
    "lost_per_s": 0.05, "lost_s": 0.15, "swaps_per_s": 0.03, "swap_s": 0.15,
    "log_scale_sd": 0.06, "clip_log_sd": 0.3, "jitter_s": 0.002,
}  # fmt: skip


ABOUT = (
    "Errors of single-camera pose landmarks against landmarks triangulated from four cameras; "
    "m at the person's depth, s, logits. Written by benchmarks/camera_noise.py, explained in "
    "docs/virtual_camera.md."
)
FIELDS = ("image", "across", "depth", "visibility")
#: Sets of four views that the check draws.
SETS = 48


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write {FILE.name}")
    parser.add_argument("--detect", action="store_true", help=f"write {DETECTIONS.name}")
    arguments = parser.parse_args()
    heavy = read_recordings(DATA)
    if arguments.detect:
        save_detections(DETECTIONS, [looked_at(r) for r in heavy])
    pipeline = read_detections(DETECTIONS, heavy)
    fitted = fit(heavy + pipeline)
    text = json.dumps({"about": ABOUT, **rounded(fitted), **CHOSEN}, indent=2) + "\n"
    if arguments.write:
        FILE.write_text(text, encoding="utf-8")
    show_fields(fitted)
    show_check(heavy, pipeline, fitted)
    wrong = [int(sum(r.exchanged.sum() for r in group)) for group in (heavy, pipeline)]
    print(
        f"\nfrom view to view (log sd): size of the guess {fitted['log_scale_sd']:.3f}, errors "
        f"{fitted['clip_log_sd']:.3f}; time of a frame {1e3 * fitted['jitter_s']:.1f} ms\n"
        f"halves of the body that are exchanged after repair, of 800: {wrong[0]} and {wrong[1]}"
    )
    same = FILE.read_text(encoding="utf-8") == text
    print(f"{FILE.name} {'is' if same else 'is NOT'} what this command writes")
    sys.exit(int(not same))


def rounded(value: Any) -> Any:
    """Return the same with three significant digits: no more is known."""
    if isinstance(value, dict):
        return {key: rounded(v) for key, v in value.items()}
    return float(f"{value:.3g}") if abs(value) > 1e-9 else 0.0


def show_fields(fitted: dict[str, Any]) -> None:
    """Print own spreads and shares of the parent's error by part, then what parts share."""
    print("| part | image mm | across mm | depth mm | length across, depth | logit |")
    print("|---|---|---|---|---|---|")
    for part in PARTS:
        cells = [
            f"{1e3 * fitted[f]['sd'][part]:.0f} ({fitted[f]['carried'][part]:.2f})"
            for f in FIELDS[:3]
        ]
        gain = [f"{fitted['gain'][kind][part]:.2f}" for kind in ("across", "depth")]
        logit = f"{fitted['logit'][part]:.1f} ± {fitted['visibility']['sd'][part]:.1f}"
        print("|", " | ".join([part, *cells, ", ".join(gain), logit]), "|")
    print("\n| | constant | slow | white | tau s | growth where unseen |")
    print("|---|---|---|---|---|---|")
    for name in FIELDS:
        field = fitted[name]
        share = " | ".join(f"{field['share'][k]:.2f}" for k in ("constant", "slow", "white"))
        print(f"| {name} | {share} | {field['tau_s']:.2f} | e^{field['hidden']:.2f} |")
    print(
        f"\nlogit of visibility: {fitted['logit_cover']:+.1f} if covered, "
        f"{fitted['logit_far']:+.1f} per m behind the counterpart"
    )


def show_check(heavy: list[Recording], pipeline: list[Recording], fitted: dict[str, Any]) -> None:
    """Print the recordings' figures and those of virtual cameras in the same places."""
    drawn = redrawn(heavy, as_measured(fitted), jax.random.key(0), SETS)
    sets = [figures(drawn[i::SETS]) for i in range(SETS)]
    real = figures(heavy), figures(pipeline)
    inside = []

    def cell(kind: str, name: str) -> str:
        low, middle, high = np.percentile([s[kind][name] for s in sets], [5, 50, 95])
        values = [r[kind][name] for r in real]
        inside.append(low <= np.mean(values) <= high)
        digits = 0 if name.endswith("mm") else 2
        a, b, c, d, e = (f"{x:.{digits}f}" for x in (*values, middle, low, high))
        return f"{a}, {b}; {c} ({d} to {e})"

    print("\nrecorded: heavy, pipeline; drawn: median (5 to 95 % of sets of four views)\n")
    print("| | image | across | depth |")
    print("|---|---|---|---|")
    for name in real[0]["image"]:
        print("|", " | ".join([name, *(cell(kind, name) for kind in FIELDS[:3])]), "|")
    quantiles = (f"{q}: {cell('visibility', q)}" for q in real[0]["visibility"])
    print("\nvisibility of limbs, quantiles\n  " + "\n  ".join(quantiles))
    print(f"mean of both recorded in the drawn range: {sum(inside)} of {len(inside)} figures")
    print("\ndown, judged from the person, deg off")
    for v, (a, b) in enumerate(zip(heavy, pipeline, strict=True)):
        off = [gravity_error_deg(r) for r in (a, b, *drawn[v * SETS : (v + 1) * SETS])]
        low, middle, high = np.percentile(off[2:], [5, 50, 95])
        print(f"  {a.camera}: {off[0]:.0f}, {off[1]:.0f}; {middle:.0f} ({low:.0f} to {high:.0f})")


def looked_at(recording: Recording) -> Recording:
    """Return what the pipeline sees in the demo video of a recording's camera."""
    values = json.loads((DATA / "cameras.json").read_text())["cameras"][recording.camera]
    tracks = MediaPipePose().detect(probe(demo_video(recording.camera)))
    return detected(recording, select_person(tracks)[0], values)


if __name__ == "__main__":
    main()
