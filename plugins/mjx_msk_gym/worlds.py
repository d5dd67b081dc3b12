"""The task for any number of bodies; the environments are thin shells around it."""

import mujoco
import numpy as np
from mjx_msk_tracking import Feedback, Task, TrackConfig
from mjx_msk_tracking.task import FeedbackSource

from mjx_msk import MskError
from mjx_msk_gym.engine import Engine


class Worlds:
    """``count`` bodies that track the same motion, each from its own time on."""

    def __init__(self, config: TrackConfig, count: int, threads: int = 0) -> None:
        self.task = Task(config)
        self.model, self.tracker = self.task.model, self.task.tracker
        self.steps, self.step_s, self.moments = (
            self.task.steps, self.task.step_s, self.task.moments,
        )  # fmt: skip
        self.engine = Engine(self.model, count, threads)
        self.time, self._elapsed = np.zeros(count), np.zeros(count)
        self._data = mujoco.MjData(self.model)
        self.feedback = self._usable(config.feedback)

    def reset(
        self, which: np.ndarray, rng: np.random.Generator, start: np.ndarray | float | None = None
    ) -> None:
        """Put bodies ``which`` (k,) into the reference, at random times or at ``start`` s.

        Random times of a motion that loops are those at which an action of the cycle begins.
        """
        if start is not None:
            time = np.broadcast_to(np.asarray(start, dtype=float), len(which))
        elif self.tracker.reference.loop:
            time = rng.integers(self.moments, size=len(which)) * self.step_s
        else:
            time = self.task.start_time(rng.uniform(size=len(which)))
        self.time[which], self._elapsed[which] = time, 0.0
        self.engine.place(which, *self.task.start(time))

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict]:
        """Act (count, nu), each -1 to 1; return reward, terminated, truncated and the terms."""
        self.engine.step(self.controls(np.asarray(actions, dtype=float)), self.steps)
        self.time, self._elapsed = self.time + self.step_s, self._elapsed + self.step_s
        qpos, qvel = self.engine.qpos, self.engine.qvel
        ends = np.stack([self.tracker.ends(self.model, self._data, q) for q in qpos])
        reward, lost, terms = self.task.judge(self.time, qpos, qvel, ends)
        over = self.task.finished(self.time)
        if self.tracker.reference.loop:
            over = self._elapsed > self.task.config.episode_s - self.step_s / 2
        return reward, lost, over, terms

    def controls(self, actions: np.ndarray) -> np.ndarray:
        """Return ctrl (count, nu) of actions and what the feedback adds; see ``Task.controls``."""
        if self.feedback is not None:
            actions = actions + self.feedback(self.phase(), self.error())
        return self.task.controls(actions, self.time)

    def phase(self) -> np.ndarray:
        """Return how far in the cycle, or the motion, each body should be (count,), 0 to 1."""
        return self.tracker.reference.phase(self.time)

    def error(self) -> np.ndarray:
        """Return how far the joints are off, and how much too fast (count, 2n)."""
        return self.tracker.error(self.time, self.engine.qpos, self.engine.qvel)

    def observe(self) -> np.ndarray:
        """Return what a policy sees (count, k) float32; see ``Task.observe``."""
        return self.task.observe(self.time, self.engine.qpos, self.engine.qvel, self.engine.act)

    def _usable(self, feedback: FeedbackSource | None) -> Feedback | None:
        """Return a feedback, read if need be; raises ``MskError`` where it is another body's."""
        if feedback is None or isinstance(feedback, Feedback):
            found = feedback
        else:
            found = Feedback.load(feedback)
        needed = self.model.nu, 2 * len(self.tracker.joints.independent)
        if found is not None and found.gains.shape[1:] != needed:
            raise MskError(
                f"the feedback has actions and errors {found.gains.shape[1:]}, not {needed}.",
                remedy="Give the feedback that was learned with this model and actuation.",
            )
        return found
