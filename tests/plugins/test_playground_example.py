"""The example with Brax's PPO, on the made arm and for the fewest actions."""

import json
from importlib.util import find_spec

import made_arm
import pytest
from test_examples import run

from mjx_msk.compile import write_xml

if find_spec("mujoco_playground") is None:
    pytest.skip("pip install 'mjx-msk[playground]'", allow_module_level=True)


def test_the_example_trains(tmp_path, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0")  # compiles faster
    made_arm.motion().save(tmp_path / "motion.npz")
    write_xml(made_arm.spec(), tmp_path / "model.xml")
    few = "--actuation torque --steps 1 --bodies 8 --batch 8 --eval-bodies 8 --evaluations 2"
    done = run("track_playground.py", ".", *few.split(), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    log = (tmp_path / "policy_gpu" / "log.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in log]
    assert [line["steps"] > 0 for line in found] == [False, True]
    assert all(0 < line["reward_per_step"] < 1 for line in found)
    assert list((tmp_path / "policy_gpu" / "checkpoints").iterdir())
