"""One body that tracks a motion: ``mjx_msk/Track-v0``."""

from typing import Any, ClassVar

import gymnasium
import mujoco
import numpy as np
from mjx_msk_tracking import TrackConfig

from mjx_msk_gym.worlds import Worlds

_ONLY = np.zeros(1, dtype=int)
_SIZE = 480, 640  # height, width of a picture


def spaces_of(worlds: Worlds) -> tuple[gymnasium.spaces.Box, gymnasium.spaces.Box]:
    """Return the spaces of one body's observations and actions."""
    seen = worlds.observe().shape[1:]
    return (
        gymnasium.spaces.Box(-np.inf, np.inf, seen, np.float32),
        gymnasium.spaces.Box(-1.0, 1.0, (worlds.model.nu,), np.float32),
    )


class TrackEnv(gymnasium.Env[np.ndarray, np.ndarray]):
    """Follow a reference motion with joints or muscles; nothing holds the pelvis.

    Options are those of ``TrackConfig``. The reward is a weighted sum of four terms of 0 to 1
    (``mjx_msk_tracking.WEIGHTS``), which ``info`` holds. Episodes start at a random time of the
    motion (``reset(options={"start": 0.3})``: at this one) and terminate when the body has fallen
    or left the reference.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"]}

    def __init__(self, render_mode: str | None = None, **options: Any) -> None:
        self.worlds = Worlds(TrackConfig(**options), 1)
        self.metadata = self.metadata | {"render_fps": 1 / self.worlds.step_s}
        self.observation_space, self.action_space = spaces_of(self.worlds)
        self.render_mode = render_mode
        self._renderer: mujoco.Renderer | None = None
        self._data = mujoco.MjData(self.worlds.model)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start at a random time of the motion, or at ``options["start"]`` s."""
        super().reset(seed=seed)
        self.worlds.reset(_ONLY, self.np_random, (options or {}).get("start"))
        return self.worlds.observe()[0], self._told()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Act for ``action_s``."""
        reward, lost, over, terms = self.worlds.step(np.asarray(action)[None])
        info = self._told() | {name: float(term[0]) for name, term in terms.items()}
        return self.worlds.observe()[0], float(reward[0]), bool(lost[0]), bool(over[0]), info

    def render(self) -> np.ndarray | None:
        """Return a picture that follows the pelvis, (480, 640, 3) uint8."""
        if self.render_mode != "rgb_array":
            return None
        model = self.worlds.model
        if self._renderer is None:
            self._renderer = mujoco.Renderer(model, *_SIZE)
        self._data.qpos[:] = self.worlds.engine.qpos[0]
        mujoco.mj_forward(model, self._data)
        camera = mujoco.MjvCamera()
        camera.azimuth, camera.elevation, camera.distance = 120.0, -12.0, 3.5
        camera.lookat[:] = [*self._data.subtree_com[0][:2], 0.9]
        self._renderer.update_scene(self._data, camera)
        return self._renderer.render()

    def close(self) -> None:
        """Free the engine and the graphics memory."""
        self.worlds.engine.close()
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _told(self) -> dict[str, Any]:
        return {"time": float(self.worlds.time[0])}
