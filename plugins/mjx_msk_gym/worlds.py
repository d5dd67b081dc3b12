"""The task for any number of bodies; the environments are thin shells around it."""

import os
from dataclasses import dataclass

import mujoco
import numpy as np
from mjx_msk_tracking import Actuation, Feedback, Reference, Tracker, load_estimate, tracking_spec
from mjx_msk_tracking.source import ModelSource, MotionSource

from mjx_msk import MskError
from mjx_msk_gym.engine import Engine

#: Random starts leave out this last share of a motion that does not loop.
_TAIL = 0.2

FeedbackSource = Feedback | str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True)
class TrackConfig:
    """What is tracked, and how."""

    motion: MotionSource  #: a folder of ``mjx-msk estimate``, a ``motion.npz`` or a ``Motion``
    model: ModelSource | None = None  #: by default the ``model.xml`` beside the motion
    actuation: Actuation = "position"
    loop: bool = False  #: repeat the motion's cycle (a stride of a walk)
    action_s: float = 0.03  #: how long an action lasts, s; a cycle has a whole number of them
    timestep_s: float | None = None  #: of the engine, about; by default that of ``tracking_spec``
    episode_s: float = 10.0  #: of a motion that loops; others end with the motion
    gain: float = 0.3  #: stiffness and damping of servos, in those of ``strength_of``
    target_span: float = 0.3  #: rad that an action of 1 adds to a servo's target
    feedback: FeedbackSource | None = None  #: learned balance, to which actions add


class Worlds:
    """``count`` bodies that track the same motion, each from its own time on."""

    def __init__(self, config: TrackConfig, count: int, threads: int = 0) -> None:
        self.config = config
        motion, spec = load_estimate(config.motion, config.model)
        self.model = model = tracking_spec(spec, config.actuation, gain=config.gain).compile()
        model.actuator_ctrllimited[:] = 0  # actions are; targets of servos may lie beyond the range
        reference = Reference.from_motion(motion, model, loop=config.loop)
        self.tracker = Tracker(model, reference)
        self.engine = Engine(model, count, threads)
        model.opt.timestep = config.timestep_s or model.opt.timestep
        self.steps = max(round(config.action_s / model.opt.timestep), 1)
        if reference.loop:
            moments = max(round(reference.duration / config.action_s), 1)
            model.opt.timestep = reference.duration / moments / self.steps
        self.step_s = self.steps * model.opt.timestep
        #: how many actions a cycle, or the motion, has
        self.moments = max(round(reference.duration / self.step_s), 1)
        self.time, self._elapsed = np.zeros(count), np.zeros(count)
        self._data = mujoco.MjData(model)
        kinds = model.actuator_trntype == int(mujoco.mjtTrn.mjTRN_JOINT)
        self._muscles = np.flatnonzero(~kinds)
        self._driven = model.actuator_trnid[:, 0]
        names = [model.actuator(a).name for a in self._muscles]
        known = motion.muscle_names if motion.activation is not None else ()
        self._known = [(i, known.index(n)) for i, n in enumerate(names) if n in known]
        self.feedback = self._usable(config.feedback)

    def reset(
        self, which: np.ndarray, rng: np.random.Generator, start: np.ndarray | float | None = None
    ) -> None:
        """Put bodies ``which`` (k,) into the reference, at random times or at ``start`` s.

        Random times of a motion that loops are those at which an action of the cycle begins.
        """
        reference = self.tracker.reference
        if start is not None:
            time = np.broadcast_to(np.asarray(start, dtype=float), len(which))
        elif reference.loop:
            time = rng.integers(self.moments, size=len(which)) * self.step_s
        else:
            time = rng.uniform(0.0, reference.duration * (1.0 - _TAIL), len(which))
        self.time[which], self._elapsed[which] = time, 0.0
        qpos, qvel = reference.sample(time)
        self.engine.place(which, qpos, qvel, self._activation(time))

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict]:
        """Act (count, nu), each -1 to 1; return reward, terminated, truncated and the terms."""
        ctrl = self.controls(np.asarray(actions, dtype=float))
        self.engine.step(ctrl, self.steps)
        self.time, self._elapsed = self.time + self.step_s, self._elapsed + self.step_s
        qpos, qvel = self.engine.qpos, self.engine.qvel
        target = self.tracker.target(self.time)
        ends = np.stack([self.tracker.ends(self.model, self._data, q) for q in qpos])
        terms = self.tracker.terms(qpos, qvel, ends, target)
        over = self._elapsed > self.config.episode_s - self.step_s / 2
        if not self.tracker.reference.loop:
            over = self.time > self.tracker.reference.duration - self.step_s
        lost = self.tracker.lost(qpos, target)
        return self.tracker.reward(terms), lost, over, terms

    def controls(self, actions: np.ndarray) -> np.ndarray:
        """Return ctrl (count, nu) of actions -1 to 1.

        Muscles: excitation 0 to 1. Motors: share of their limit. Servos: the reference's angles,
        speeds and (where known) moments, all in the middle of the step, and the action on top.
        """
        if self.feedback is not None:
            actions = actions + self.feedback(self.phase(), self.error())
        ctrl = np.clip(actions, -1.0, 1.0)
        ctrl[:, self._muscles] = (ctrl[:, self._muscles] + 1) / 2
        if self.config.actuation == "position":
            reference, middle = self.tracker.reference, self.time + self.step_s / 2
            qpos, qvel = reference.sample(middle)
            stiffness, damping = -self.model.actuator_biasprm[:, 1:3].T
            wanted = stiffness * qpos[:, self._driven] + damping * qvel[:, self._driven]
            if reference.force is not None:
                wanted += reference.forces(middle)[:, self._driven]
            ctrl = wanted / stiffness + self.config.target_span * ctrl
        return ctrl

    def phase(self) -> np.ndarray:
        """Return how far in the cycle, or the motion, each body should be (count,), 0 to 1."""
        return self.tracker.reference.phase(self.time)

    def error(self) -> np.ndarray:
        """Return how far the joints are off, and how much too fast (count, 2n)."""
        return self.tracker.error(self.time, self.engine.qpos, self.engine.qvel)

    def observe(self) -> np.ndarray:
        """Return what a policy sees (count, k) float32: pose, velocity, ahead, phase, activation.

        Bodies whose simulation failed see zeros; their episode ends.
        """
        qpos, qvel = self.engine.qpos, self.engine.qvel
        seen = self.tracker.observe(self.time, qpos, qvel)
        parts = np.concatenate([*seen.values(), self.engine.act], axis=1)
        return np.nan_to_num(parts, posinf=0.0, neginf=0.0).astype(np.float32)

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

    def _activation(self, time: np.ndarray) -> np.ndarray:
        """Return the muscles' activations (k, na): the estimate's, or nearly none."""
        act = np.full((len(time), self.model.na), 0.01)
        found = self.tracker.reference.activations(time)
        for place, column in self._known:
            act[:, place] = found[:, column]
        return act
