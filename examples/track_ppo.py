"""Train a policy that tracks an estimated motion: Stable-Baselines3's PPO on MuJoCo's C engine.

pip install 'mjx-msk[rl]'
mjx-msk estimate walk.trc --model model.osim -o walk
python examples/track_ppo.py walk -o policy                     # again: goes on where it stopped
python examples/track_ppo.py walk -o policy --video policy.mp4  # shows what it learned
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import gymnasium
import numpy as np
import torch
import torch._dynamo  # before MuJoCo: after OSMesa its LLVM crashes (MUJOCO_GL=osmesa)
import tyro
from mjx_msk_gym.sb3 import TrackVecEnv
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from mjx_msk import write_mp4


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to track, and for how long to train."""

    motion: tyro.conf.Positional[Path]
    """A folder of ``mjx-msk estimate``."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("policy")
    """Where the policy goes; training goes on from what is there."""
    actuation: Literal["position", "torque", "muscle"] = "position"
    """Servos around the reference, motors, or muscles."""
    feedback: Path | None = None
    """A policy of ``track_feedback.py`` that acts too: PPO learns what to add to it."""
    loop: bool = True
    """Repeat the motion's cycle."""
    steps: int = 4_000_000
    """Actions to train for, those of earlier runs included."""
    minutes: float = 60.0
    """Longest time of this run."""
    bodies: int = 64
    """Bodies that are simulated together."""
    seed: int = 0
    """Of the policy and the starts."""
    video: Path | None = None
    """Train no more; write a video of the policy to this file."""
    seconds: float = 10.0
    """Length of the video."""


def main(options: Options) -> None:
    """Train, or show what was learned."""
    settings = {
        "motion": options.motion, "actuation": options.actuation, "loop": options.loop,
        "feedback": options.feedback,
    }  # fmt: skip
    env = VecNormalize(
        VecMonitor(TrackVecEnv(options.bodies, **settings)), norm_reward=False, clip_obs=5.0
    )
    env.seed(options.seed)
    torch.manual_seed(options.seed)
    model = PPO(
        "MlpPolicy", env, n_steps=64, batch_size=1024, n_epochs=5, gamma=0.97, gae_lambda=0.95,
        learning_rate=3e-4, target_kl=0.03, seed=options.seed, device="cpu",
        policy_kwargs={"net_arch": [256, 256], "log_std_init": -1.5},
    )  # fmt: skip
    done = resume(model, env, options.out)
    if options.video is not None:
        show(model, env, settings, options)
    elif done < options.steps:
        model.num_timesteps = done
        keeper = Keeper(env, options)
        model.learn(options.steps - done, callback=keeper, reset_num_timesteps=False)
        keeper.save()
    env.close()


class Keeper(BaseCallback):
    """Saves after every tenth rollout, says how it goes, and stops when time is up."""

    def __init__(self, env: VecNormalize, options: Options) -> None:
        super().__init__()
        self.env, self.options = env, options
        self.started, self.rollouts = time.time(), 0

    def _on_step(self) -> bool:
        return time.time() - self.started < 60 * self.options.minutes

    def _on_rollout_end(self) -> None:
        self.rollouts += 1
        if self.rollouts % 10 == 0:
            self.save()

    def save(self) -> None:
        """Write the policy, then what it needs to be used; each replaces the last one whole."""
        out, scale = self.options.out, self.env.obs_rms
        out.mkdir(parents=True, exist_ok=True)
        episodes = list(self.model.ep_info_buffer)
        line = {
            "steps": self.model.num_timesteps,
            "minutes": round((time.time() - self.started) / 60, 2),
            "episode_s": round(float(np.mean([e["l"] for e in episodes])) * step_s(self.env), 3),
            "reward_per_step": round(
                float(np.sum([e["r"] for e in episodes]) / np.sum([e["l"] for e in episodes])), 4
            ),
        } if episodes else {"steps": self.model.num_timesteps}  # fmt: skip
        self.model.save(out / "new.zip")
        with open(out / "new.npz", "wb") as file:
            state = np.array(self.model.num_timesteps)
            np.savez(file, mean=scale.mean, var=scale.var, count=scale.count, steps=state)
        for suffix in (".zip", ".npz"):
            (out / f"new{suffix}").replace(out / f"policy{suffix}")
        with open(out / "log.jsonl", "a") as log:
            log.write(json.dumps(line) + "\n")
        print(line, flush=True)


def resume(model: PPO, env: VecNormalize, out: Path) -> int:
    """Load weights, optimiser and the observations' scale; return the actions so far."""
    if not (out / "policy.npz").is_file():
        return 0
    model.set_parameters(str(out / "policy.zip"), device="cpu")
    scale = np.load(out / "policy.npz", allow_pickle=False)
    env.obs_rms.mean, env.obs_rms.var = scale["mean"], scale["var"]
    env.obs_rms.count = float(scale["count"])
    return int(scale["steps"])


def step_s(env: VecNormalize) -> float:
    """Return how long an action lasts, s."""
    return env.get_attr("worlds")[0].step_s


def show(model: PPO, env: VecNormalize, settings: dict, options: Options) -> None:
    """Write a video of the policy, without exploration, and say how long it stays up."""
    single = gymnasium.make(
        "mjx_msk_gym:mjx_msk/Track-v0", render_mode="rgb_array", episode_s=options.seconds,
        **settings,
    )  # fmt: skip
    seen, info = single.reset(seed=options.seed, options={"start": 0.0})
    pictures, rewards, over = [single.render()], [], False
    while not over:
        action, _ = model.predict(env.normalize_obs(seen), deterministic=True)
        seen, reward, lost, ended, info = single.step(action)
        over = lost or ended
        pictures.append(single.render())
        rewards.append(reward)
    print(f"{'fell' if lost else 'still up'} after {info['time']:.1f} s, reward per step "
          f"{np.mean(rewards):.2f}")  # fmt: skip
    write_mp4(options.video, pictures, single.metadata["render_fps"])
    single.close()


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
