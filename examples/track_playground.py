"""Train a policy that tracks an estimated motion on a GPU: Brax's PPO on MuJoCo Playground.

pip install 'mjx-msk[playground]' 'jax[cuda13]'
mjx-msk estimate walk.trc --model model.osim -o walk
python examples/track_playground.py walk -o policy_gpu
python examples/track_playground.py walk -o policy_gpu --bodies 8192 --randomize
"""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import mjx_msk_playground
import tyro
from brax.training.agents.ppo.networks import make_ppo_networks
from mujoco_playground import registry


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to track, and for how long to train."""

    motion: tyro.conf.Positional[Path]
    """A folder of ``mjx-msk estimate``."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("policy_gpu")
    """Where Brax's checkpoints and the log go."""
    actuation: Literal["position", "torque", "muscle"] = "position"
    """Servos around the reference, motors, or muscles."""
    loop: bool = True
    """Repeat the motion's cycle."""
    randomize: bool = False
    """Give each body a friction, masses and strengths of its own."""
    steps: int = 50_000_000
    """Actions to train for."""
    bodies: int = 4096
    """Bodies that are simulated together."""
    batch: int = 1024
    """Stretches of 16 actions that a step of the optimiser sees."""
    evaluations: int = 20
    """How often to say how it goes, and to save."""
    eval_bodies: int = 128
    """Bodies of an evaluation."""
    seed: int = 0
    """Of the policy and the starts."""


def main(options: Options) -> None:
    """Train, and write a line of the log and a checkpoint at each evaluation."""
    settings = {"motion": str(options.motion), "actuation": options.actuation, "loop": options.loop}
    config = registry.get_default_config(mjx_msk_playground.ENV_NAME)
    env = registry.load(mjx_msk_playground.ENV_NAME, config, settings)
    options.out.mkdir(parents=True, exist_ok=True)

    def say(steps: int, metrics: dict) -> None:
        seconds = float(metrics["eval/avg_episode_length"]) * env.dt
        line = {
            "steps": steps,
            "episode_s": round(seconds, 3),
            "reward_per_step": round(float(metrics["eval/episode_reward"]) * env.dt / seconds, 4),
        }
        with open(options.out / "log.jsonl", "a") as log:
            log.write(json.dumps(line) + "\n")
        print(line, flush=True)

    mjx_msk_playground.train_ppo(
        env, num_timesteps=options.steps, num_evals=options.evaluations, seed=options.seed,
        episode_length=config.episode_length,
        num_envs=options.bodies, num_eval_envs=options.eval_bodies, batch_size=options.batch,
        num_minibatches=max(options.bodies // options.batch, 1) * 4, unroll_length=16,
        num_updates_per_batch=4, learning_rate=3e-4, discounting=0.97, entropy_cost=1e-3,
        normalize_observations=True, max_grad_norm=1.0, bootstrap_on_timeout=not options.loop,
        randomization_fn=mjx_msk_playground.domain_randomize if options.randomize else None,
        network_factory=partial(
            make_ppo_networks, policy_hidden_layer_sizes=(256, 256),
            value_hidden_layer_sizes=(256, 256),
        ),
        progress_fn=say, save_checkpoint_path=str((options.out / "checkpoints").resolve()),
    )  # fmt: skip


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
