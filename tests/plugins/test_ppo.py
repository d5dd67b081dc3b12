"""The example with Stable-Baselines3's PPO trains, goes on where it stopped, and shows itself.

Not in CI, which does without PyTorch: pip install 'mjx-msk[rl]'
"""

import ctypes.util
import json

import made_motion
import pytest
from test_examples import run

from mjx_msk.compile import write_xml

pytest.importorskip("stable_baselines3", reason="pip install 'mjx-msk[rl]'")


def test_the_example_trains_and_goes_on(tmp_path):
    made_motion.motion().save(tmp_path / "motion.npz")
    write_xml(made_motion.spec(), tmp_path / "model.xml")
    for steps in (256, 512):
        done = run("track_ppo.py", ".", "--bodies", "4", "--steps", str(steps), folder=tmp_path)
        assert done.returncode == 0, done.stderr
    log = (tmp_path / "policy" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["steps"] for line in log] == [256, 512]
    if not ctypes.util.find_library("OSMesa"):
        pytest.skip("no OSMesa: apt install libosmesa6")
    shown = ("--bodies", "4", "--video", "policy.mp4", "--seconds", "0.5")
    done = run("track_ppo.py", ".", *shown, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "reward per step" in done.stdout
    assert (tmp_path / "policy.mp4").stat().st_size > 1_000
