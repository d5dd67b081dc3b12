"""Many bodies that track the same motion, stepped together by the C engine."""

import os
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from mjx_msk_tracking import TrackConfig

from mjx_msk_gym.env import spaces_of
from mjx_msk_gym.worlds import Worlds


class TrackVectorEnv(VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """``num_envs`` bodies as one environment; the options are those of ``TrackEnv``.

    A body whose episode ends starts anew in the same step; ``infos["final_obs"]`` holds what was
    seen last, ``infos["_final_obs"]`` of which bodies.
    """

    def __init__(self, num_envs: int = 1, threads: int | None = None, **options: Any) -> None:
        self.num_envs = num_envs
        threads = min(num_envs, os.cpu_count() or 1) if threads is None else threads
        self.worlds = Worlds(TrackConfig(**options), num_envs, threads)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}
        self.render_mode = None
        self.single_observation_space, self.single_action_space = spaces_of(self.worlds)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start all bodies, each at a random time of the motion, or at ``options["start"]`` s."""
        super().reset(seed=seed)
        every = np.arange(self.num_envs)
        self.worlds.reset(every, self.np_random, (options or {}).get("start"))
        return self.worlds.observe(), {"time": self.worlds.time.copy()}

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Act (num_envs, nu) for ``action_s``."""
        reward, lost, over, terms = self.worlds.step(actions)
        infos: dict[str, Any] = {"time": self.worlds.time.copy(), **terms}
        done = lost | over
        seen = self.worlds.observe()
        if done.any():
            infos |= {"final_obs": seen, "_final_obs": done}
            self.worlds.reset(np.flatnonzero(done), self.np_random)
            seen = self.worlds.observe()
        return seen, reward, lost, over, infos

    def close_extras(self, **kwargs: Any) -> None:
        """End the engine's threads."""
        self.worlds.engine.close()
