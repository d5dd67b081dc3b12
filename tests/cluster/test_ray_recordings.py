"""Real trials and a real video on a local Ray cluster of two workers, one of which is killed.

The scripts of ``benchmarks`` compare with what comes without Ray, and run each command twice.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fetching import fetched

from mjx_msk import Motion, demo_video

pytest.importorskip("ray", reason="Ray is not installed: pip install 'mjx-msk[ray]'")

REPOSITORY = Path(__file__).parents[2]


def run(script: str, *arguments: object, folder: Path) -> str:
    environment = os.environ | {"RAY_worker_niceness": "0"}  # or other programs go first
    environment["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "plugins")])
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / script), *map(str, arguments)],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_records_are_those_of_one_process_and_kept(shared_data, tmp_path):
    folder = shared_data / "motions/opencap/expert1"
    said = run(
        "benchmarks/ray_records.py", folder, "--trials", "DJ1", "DJ2", "walking1", "-o", tmp_path,
        folder=tmp_path,
    )  # fmt: skip
    assert "6 clips without Ray; the same with it" in said
    assert "0 trials prepared, 3 kept, 1 left out" in said


def test_videos_are_estimated_beside_a_broken_one(tmp_path):
    fetched(demo_video)
    said = run("benchmarks/ray_estimates.py", "-o", tmp_path, folder=tmp_path)
    assert said.count("2 of 3 recordings are in") == 2
    one, two = (Motion.load(tmp_path / name / "motion.npz") for name in ("demo1", "demo2"))
    for name in ("q", "generalized_force", "foot_force", "activation"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)


def test_the_example_runs(tmp_path):
    squat = REPOSITORY / "tests" / "data" / "squat.trc"
    said = run("examples/many_on_ray.py", squat, "--workers", 1, folder=tmp_path)
    assert "squat: done" in said
    assert (tmp_path / "out" / "ray" / "knees.png").stat().st_size > 10_000
