"""The examples that train with PPO: they train for a moment, go on, and show what they learned.

Not in CI, which does without PyTorch, and where compiling the second takes a minute too long:

    pip install 'mjx-msk[rl,playground]'
    pytest -n0 tests/ppo
"""

import ctypes.util
import json
from importlib.util import find_spec

import made_arm
import made_motion
import pytest
from test_examples import run

from mjx_msk.compile import write_xml

pytest.importorskip("stable_baselines3", reason="pip install 'mjx-msk[rl]'")


def save(made, folder):
    made.motion().save(folder / "motion.npz")
    write_xml(made.spec(), folder / "model.xml")


def test_stable_baselines_trains_and_goes_on(tmp_path):
    save(made_motion, tmp_path)
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


@pytest.mark.skipif(not find_spec("mujoco_playground"), reason="pip install 'mjx-msk[playground]'")
def test_brax_trains(tmp_path):
    save(made_arm, tmp_path)
    few = "--actuation torque --steps 1 --bodies 8 --batch 8 --eval-bodies 8 --evaluations 2"
    done = run("track_playground.py", ".", *few.split(), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    log = (tmp_path / "policy_gpu" / "log.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in log]
    assert [line["steps"] > 0 for line in found] == [False, True]
    assert all(0 < line["reward_per_step"] < 1 for line in found)
    assert list((tmp_path / "policy_gpu" / "checkpoints").iterdir())
