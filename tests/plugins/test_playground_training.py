"""Brax's PPO learns the task on a small body."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import made_arm
import numpy as np
import pytest
from playground_host import mujoco_playground

from mjx_msk.compile import write_xml


@pytest.fixture(scope="module")
def arm(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("arm")
    made_arm.motion().save(path / "motion.npz")
    write_xml(made_arm.spec(), path / "model.xml")
    return path


@pytest.fixture(scope="module")
def load(arm):
    settings = {"motion": str(arm), "actuation": "torque", "sim_dt": 0.005}

    def load(**changes) -> mujoco_playground.MjxEnv:
        return mujoco_playground.registry.load("MskTrack", config_overrides=settings | changes)

    return load


def test_episodes_end_with_the_motion_or_with_the_body(load):
    """The end of the motion is a time-out; a body that is lost, or whose simulation fails, is not.

    Nothing pushes the rails, so only a start away from the reference loses the trunk.
    """
    env = load()
    step = jax.jit(jax.vmap(env.step))
    ends = env.task.reference.duration
    state = jax.vmap(env.reset_at)(jnp.array([0.5, ends - 0.031, 0.5, 0.5]))
    qpos = state.data.qpos.at[2, 0].add(0.6).at[3, 1].set(jnp.nan)
    state = step(state.replace(data=state.data.replace(qpos=qpos)), jnp.zeros((4, 2)))
    np.testing.assert_array_equal(state.done, [0, 1, 1, 1])
    np.testing.assert_array_equal(state.info["time_out"], [0, 1, 0, 0])
    assert np.all(np.isfinite(state.obs))
    assert np.all((state.reward >= 0) & (state.reward < 1))
    np.testing.assert_array_equal(state.reward[3], 0)


def test_ppo_raises_the_reward(arm):
    """From motors that jerk the arm about to ones that hold it near its motion."""
    code = Path(__file__).with_name("train_arm.py")
    done = subprocess.run([sys.executable, code, arm], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    before, after = json.loads(done.stdout.splitlines()[-1])
    assert 0 < before < 30  # actions
    assert after > 1.5 * before
