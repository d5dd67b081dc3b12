"""The vector environment as Stable-Baselines3 wants it: ``pip install 'mjx-msk[rl]'``."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from mjx_msk_gym.vector import TrackVectorEnv


class TrackVecEnv(VecEnv):
    """A ``VecEnv`` around a ``TrackVectorEnv``; the options are those of ``TrackEnv``."""

    def __init__(self, num_envs: int, **options: Any) -> None:
        self.envs = TrackVectorEnv(num_envs, **options)
        self.render_mode = None
        super().__init__(
            num_envs, self.envs.single_observation_space, self.envs.single_action_space
        )

    def reset(self) -> np.ndarray:
        """Start all bodies; the seed is that of the last call of ``seed``."""
        seen, _ = self.envs.reset(seed=self._seeds[0])
        self._reset_seeds()
        return seen

    def step_async(self, actions: np.ndarray) -> None:
        """Remember the actions (num_envs, nu)."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Act; bodies whose episode ended start anew, what they saw last is in their info."""
        seen, reward, lost, over, told = self.envs.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(lost | over):
            infos[i]["terminal_observation"] = told["final_obs"][i]
            infos[i]["TimeLimit.truncated"] = bool(over[i] and not lost[i])
        return seen, reward.astype(np.float32), lost | over, infos

    def close(self) -> None:
        """End the engine's threads."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the vector environment, once per body."""
        return [getattr(self.envs, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the vector environment, which all bodies share."""
        setattr(self.envs, attr_name, value)

    def env_method(
        self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any
    ) -> list[Any]:
        """Refuse: the bodies are one environment."""
        raise NotImplementedError(f"{method_name}: the bodies are one environment")

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper], indices: Any = None
    ) -> Sequence[bool]:
        """Return False for every body: none has a wrapper."""
        return [False for _ in self._get_indices(indices)]
