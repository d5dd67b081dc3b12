"""How fast and how close the landmarks are: four demo views against the four-camera reference.

    python benchmarks/vision.py [--pose-model FILE] [--reference ../shared/data/multiview]

Columns: seconds to read the file's facts, sample it, find the landmarks and repair them; frames
per second of it all; frames in which left and right were exchanged back; median distance (px, 16
body landmarks) to the heavy network's own landmarks, and to the triangulated reference projected
into the view, with its 95th percentile; mean distance (mm, hip-centred, camera axes) of the
network's metric landmarks to the reference, as they are.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from mjx_msk import cache
from mjx_msk.vision import camera, pose, video
from mjx_msk.vision.landmarks import BODY, NAMES, Landmarks
from mjx_msk.vision.steadiness import moving_camera
from mjx_msk.vision.tracks import select_person

HIPS = [NAMES.index("left_hip"), NAMES.index("right_hip")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pose-model", default=None)
    parser.add_argument("--reference", type=Path, default=Path("../shared/data/multiview"))
    arguments = parser.parse_args()
    front_end = pose.MediaPipePose(arguments.pose_model)
    print(
        "| view | frames | read | sample | landmarks | repair | fps | exchanged "
        "| px to heavy | px to reference | p95 | mm to reference |"
    )
    print("|" + "---|" * 12)
    for name in cache.DEMO_VIDEOS:
        person, timing, exchanged = timed_person(front_end, cache.demo_video(name))
        row = [name, str(len(person)), *(f"{t:.2f} s" for t in timing)]
        row += [f"{len(person) / sum(timing):.0f}", str(exchanged)]
        if (arguments.reference / "single_person_2d.npz").is_file():
            row += [f"{x:.1f}" for x in distances(person, name, arguments.reference)]
        print(f"| {' | '.join(row)} |")
    sports(front_end)


def timed_person(front_end: pose.PoseFrontEnd, path: Path) -> tuple[Landmarks, list[float], int]:
    """Return the chosen person, the seconds of each stage and the number of repaired frames."""
    clock = [time.perf_counter()]
    info = video.probe(path)
    clock.append(time.perf_counter())
    samples = video.sample(info)
    clock.append(time.perf_counter())
    tracks = front_end.detect(info, samples=samples)
    clock.append(time.perf_counter())
    person, _ = select_person(tracks)
    clock.append(time.perf_counter())
    moved = np.any(person.pixels[:, HIPS] != tracks[0].trimmed().pixels[:, HIPS], axis=(1, 2))
    return person, np.diff(clock).tolist(), int(moved.sum())


def distances(person: Landmarks, name: str, folder: Path) -> list[float]:
    """Return the last four columns of the table."""
    body = list(BODY)
    view = json.loads((folder / "cameras.json").read_text())["cameras"][name]
    with np.load(folder / "single_person_2d.npz") as stored:
        heavy = stored[f"{name}_px_video"]
    with np.load(folder / "single_person_3d.npz") as stored:
        points = stored["filtered"] @ np.array(view["R"]).T + view["t"]
    reference = np.asarray(
        camera.project(points, np.array(view["K_for_video_pixels"]), np.array(view["dist"]))
    )
    to_heavy = np.linalg.norm((person.pixels - heavy)[:, body], axis=-1)
    to_reference = np.linalg.norm((person.pixels - reference)[:, body], axis=-1)
    centred = [p - p[:, HIPS].mean(axis=1, keepdims=True) for p in (person.world, points)]
    metric = 1000 * np.linalg.norm((centred[0] - centred[1])[:, body], axis=-1)
    return [
        float(np.nanmedian(to_heavy)),
        float(np.nanmedian(to_reference)),
        float(np.nanpercentile(to_reference, 95)),
        float(np.nanmean(metric)),
    ]


def sports(front_end: pose.PoseFrontEnd) -> None:
    """Print who is found in the second demo, and how long that takes."""
    info = video.probe(cache.sports_video())
    start = time.perf_counter()
    samples = video.sample(info)
    tracks = front_end.detect(info, samples=samples)
    seconds = time.perf_counter() - start
    print(f"\nsports2d demo: {info.frame_count} frames in {seconds:.1f} s")
    for track in tracks:
        seen = np.flatnonzero(track.seen)
        print(
            f"  person {track.person_id}: {len(seen)} frames of {seen[0]} to {seen[-1]}, "
            f"confidence {track.confidence[seen].mean():.2f}"
        )
    print(f"  camera: {moving_camera(samples, tracks) or 'stands still'}")


if __name__ == "__main__":
    main()
