"""The task itself, whatever engine steps it: where it starts, what it does, sees and pays.

Every function takes any number of bodies (...), as numpy or as JAX arrays; what it returns is of
the same kind.
"""

import os
from dataclasses import dataclass
from functools import cached_property

import mujoco
import numpy as np

from mjx_msk_tracking.actuation import Actuation, tracking_spec
from mjx_msk_tracking.arrays import Array, namespace
from mjx_msk_tracking.feedback import Feedback
from mjx_msk_tracking.reference import Reference
from mjx_msk_tracking.source import ModelSource, MotionSource, load_estimate
from mjx_msk_tracking.tracker import Tracker

#: Random starts leave out this last share of a motion that does not loop.
_TAIL = 0.2
#: Of muscles whose activation the estimate does not know.
_REST = 0.01


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


class Task:
    """Follow a motion with joints or muscles."""

    def __init__(self, config: TrackConfig) -> None:
        self.config = config
        motion, spec = load_estimate(config.motion, config.model)
        self.model = model = tracking_spec(spec, config.actuation, gain=config.gain).compile()
        model.actuator_ctrllimited[:] = 0  # actions are; targets of servos may lie beyond the range
        reference = Reference.from_motion(motion, model, loop=config.loop)
        self.tracker = Tracker(model, reference)
        model.opt.timestep = config.timestep_s or model.opt.timestep
        #: time steps an action, and their length together, s
        self.steps = max(round(config.action_s / model.opt.timestep), 1)
        if reference.loop:
            moments = max(round(reference.duration / config.action_s), 1)
            model.opt.timestep = reference.duration / moments / self.steps
        self.step_s = self.steps * model.opt.timestep
        #: how many actions a cycle, or the motion, has
        self.moments = max(round(reference.duration / self.step_s), 1)
        self._muscles = model.actuator_trntype != int(mujoco.mjtTrn.mjTRN_JOINT)
        self._driven = model.actuator_trnid[:, 0]

    @property
    def reference(self) -> Reference:
        """The motion that is followed."""
        return self.tracker.reference

    def start_time(self, share: Array) -> Array:
        """Return times (...) s to start at, for random numbers (...) from 0 to below 1.

        Those of a motion that loops are when an action of the cycle begins.
        """
        if not self.reference.loop:
            return share * self.reference.duration * (1.0 - _TAIL)
        return namespace(share).floor(share * self.moments) * self.step_s

    def start(self, time: Array) -> tuple[Array, Array, Array]:
        """Return ``qpos`` (..., nq), ``qvel`` (..., nv) and ``act`` (..., na) at times (...) s.

        Muscles have the activations of the estimate, or nearly none.
        """
        xp = namespace(time)
        qpos, qvel = self.reference.sample(time)
        act = xp.full((*qpos.shape[:-1], self.model.na), _REST)
        known, columns = self._known
        if known.any():
            found = self.reference.activations(time)[..., columns]
            act = xp.where(known, found, act)
        return qpos, qvel, act

    @cached_property
    def _known(self) -> tuple[np.ndarray, np.ndarray]:
        """Of which muscles (na,) the activation is known, and from which column."""
        names = [self.model.actuator(int(a)).name for a in np.flatnonzero(self._muscles)]
        has = () if self.reference.activation is None else self.reference.muscle_names
        columns = [has.index(name) if name in has else -1 for name in names]
        return np.array(columns, dtype=int) >= 0, np.array(columns, dtype=int)

    def controls(self, actions: Array, time: Array) -> Array:
        """Return ctrl (..., nu) of actions -1 to 1 that begin at times (...) s.

        Muscles: excitation 0 to 1. Motors: share of their limit. Servos: the reference's angles,
        speeds and (where known) moments, all in the middle of the step, and the action on top.
        """
        xp = namespace(actions)
        actions = xp.clip(actions, -1.0, 1.0)
        ctrl = xp.where(self._muscles, (actions + 1) / 2, actions)
        if self.config.actuation != "position":
            return ctrl
        middle = time + self.step_s / 2
        qpos, qvel = self.reference.sample(middle)
        stiffness, damping = -self.model.actuator_biasprm[:, 1:3].T
        wanted = stiffness * qpos[..., self._driven] + damping * qvel[..., self._driven]
        if self.reference.force is not None:
            wanted = wanted + self.reference.forces(middle)[..., self._driven]
        return wanted / stiffness + self.config.target_span * ctrl

    def observe(self, time: Array, qpos: Array, qvel: Array, act: Array) -> Array:
        """Return what a policy sees (..., k) float32: pose, velocity, ahead, phase, activation.

        Bodies whose simulation failed see zeros; their episode ends.
        """
        xp = namespace(qpos)
        seen = self.tracker.observe(time, qpos, qvel)
        parts = xp.concatenate([*seen.values(), act], axis=-1)
        return xp.nan_to_num(parts, posinf=0.0, neginf=0.0).astype(np.float32)

    def judge(
        self, time: Array, qpos: Array, qvel: Array, ends: Array
    ) -> tuple[Array, Array, dict[str, Array]]:
        """Return the reward (...), whether the body is lost, and the terms of the reward.

        ``ends`` (..., e, 3) are the places of ``Tracker.ends``, m.
        """
        target = self.tracker.target(time)
        terms = self.tracker.terms(qpos, qvel, ends, target)
        return self.tracker.reward(terms), self.tracker.lost(qpos, target), terms

    def finished(self, time: Array) -> Array:
        """Return whether the motion is over (...); one that loops never is."""
        return (time > self.reference.duration - self.step_s) & (not self.reference.loop)
