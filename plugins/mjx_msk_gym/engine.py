"""Many bodies on one model, stepped by the C engine's threads (``mujoco.rollout``)."""

import itertools

import mujoco
import numpy as np
from mujoco.rollout import Rollout

_STATE = mujoco.mjtState


class Engine:
    """The physical states of ``count`` bodies; ``threads`` = 0 steps on the calling thread."""

    def __init__(self, model: mujoco.MjModel, count: int, threads: int = 0) -> None:
        self.model = model
        self._workers = [mujoco.MjData(model) for _ in range(max(threads, 1))]
        self._rollout = Rollout(nthread=threads)
        size = mujoco.mj_stateSize(model, _STATE.mjSTATE_FULLPHYSICS)
        self._states = np.zeros((count, size))
        begin = mujoco.mj_stateSize(model, _STATE.mjSTATE_TIME)
        ends = begin + np.cumsum([0, model.nq, model.nv, model.na])
        self._parts = [slice(a, b) for a, b in itertools.pairwise(ends)]

    @property
    def qpos(self) -> np.ndarray:
        """Positions (count, nq)."""
        return self._states[:, self._parts[0]]

    @property
    def qvel(self) -> np.ndarray:
        """Velocities (count, nv)."""
        return self._states[:, self._parts[1]]

    @property
    def act(self) -> np.ndarray:
        """Activations of muscles (count, na)."""
        return self._states[:, self._parts[2]]

    def place(self, which: np.ndarray, qpos: np.ndarray, qvel: np.ndarray, act: np.ndarray) -> None:
        """Put bodies ``which`` (k,) into states (k, ...)."""
        self._states[which] = 0.0
        for part, values in zip(self._parts, (qpos, qvel, act), strict=True):
            self._states[which, part] = values

    def step(self, ctrl: np.ndarray, steps: int) -> None:
        """Move all bodies on by some time steps under constant ctrl (count, nu)."""
        states, _ = self._rollout.rollout(
            [self.model], self._workers, self._states, ctrl[:, None], nstep=steps
        )
        self._states = states[:, -1].copy()

    def close(self) -> None:
        """End the threads."""
        self._rollout.close()
