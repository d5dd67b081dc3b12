"""Brax's PPO on the made arm, in a process of its own: prints the rewards of both evaluations.

On one core: on two of them, the same training did not raise the reward, and why is not known.
"""

import json
import os
import sys
from functools import partial

if hasattr(os, "sched_setaffinity"):  # before JAX counts them
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

from playground_host import mjx_msk_playground, mujoco_playground, networks

rewards: list[float] = []
settings = {"motion": sys.argv[1], "actuation": "torque", "sim_dt": 0.005, "loop": True}
mjx_msk_playground.train_ppo(
    mujoco_playground.registry.load("MskTrack", config_overrides=settings),
    num_timesteps=100_000, num_evals=2, seed=0, episode_length=30,
    num_envs=64, num_eval_envs=64, unroll_length=10, batch_size=64, num_minibatches=4,
    num_updates_per_batch=4, learning_rate=1e-3, discounting=0.95, entropy_cost=1e-3,
    normalize_observations=True,
    network_factory=partial(
        networks.make_ppo_networks, policy_hidden_layer_sizes=(32, 32),
        value_hidden_layer_sizes=(32, 32),
    ),
    progress_fn=lambda steps, metrics: rewards.append(float(metrics["eval/episode_reward"])),
)  # fmt: skip
print(json.dumps(rewards))
