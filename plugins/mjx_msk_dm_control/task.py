"""The task: follow a reference motion."""

import numpy as np
from dm_control import composer, mjcf
from dm_control.composer.observation import observable
from dm_control.locomotion.arenas import floors
from mjx_msk_tracking import Actuation, Reference, Tracker, load_estimate
from mjx_msk_tracking.source import ModelSource, MotionSource

from mjx_msk_dm_control.walker import MusculoskeletalWalker

CONTROL_S = 0.03
#: Random starts leave out this last share of a motion that does not loop.
_TAIL = 0.2


class TrackingTask(composer.Task):
    """Follow an estimated motion from a random moment on; nothing holds the pelvis.

    The reward is the weighted sum of four terms (``mjx_msk_tracking.WEIGHTS``). An episode ends,
    with discount 0, where the walker has fallen or left the reference; and where a motion that does
    not loop is over.
    """

    def __init__(
        self, motion: MotionSource, model: ModelSource | None = None, *,
        actuation: Actuation = "torque", loop: bool = False,
    ) -> None:  # fmt: skip
        """Take a folder of ``mjx-msk estimate``, a ``motion.npz`` or a ``Motion`` (and its model).

        ``loop`` repeats the motion's cycle. Raises ``MskError`` as ``load_estimate`` and
        ``Reference.from_motion`` do.
        """
        motion, spec = load_estimate(motion, model)
        self._arena = floors.Floor()
        self.walker = MusculoskeletalWalker(spec, actuation=actuation)
        self._arena.attach(self.walker)
        self.walker.observables.enable_all()
        body = self.walker.model
        self.reference = Reference.from_motion(motion, body, loop=loop)
        self.tracker = Tracker(body, self.reference)
        self.start, self._lost, self._reward = 0.0, False, 0.0
        self.set_timesteps(CONTROL_S, body.opt.timestep)
        names = [a.name for a in self.walker.muscles]
        known = motion.muscle_names if motion.activation is not None else ()
        self._known = [(i, known.index(n)) for i, n in enumerate(names) if n in known]
        self._seen = {
            "reference_ahead": observable.Generic(lambda physics: self._observe(physics, "ahead")),
            "reference_phase": observable.Generic(lambda physics: self._observe(physics, "phase")),
        }
        for item in self._seen.values():
            item.enabled = True

    @property
    def root_entity(self) -> composer.Entity:
        """The arena."""
        return self._arena

    @property
    def task_observables(self) -> dict[str, observable.Observable]:
        """What is seen of the reference."""
        return self._seen

    def initialize_episode(
        self, physics: mjcf.Physics, random_state: np.random.RandomState
    ) -> None:
        """Put the walker into the reference at a random time."""
        share = 1.0 if self.reference.loop else 1.0 - _TAIL
        self.start = random_state.uniform(0.0, share * self.reference.duration)
        self._lost, self._reward = False, 0.0
        joints = physics.bind(self.walker.mjcf_joints)
        joints.qpos, joints.qvel = self.reference.sample(self.start)
        if self.walker.muscles:
            act = np.full(len(self.walker.muscles), 0.01)
            found = self.reference.activations(self.start)
            for place, column in self._known:
                act[place] = found[column]
            physics.bind(self.walker.muscles).act = act
        super().initialize_episode(physics, random_state)

    def after_step(self, physics: mjcf.Physics, random_state: np.random.RandomState) -> None:
        """Compare the walker with its reference."""
        qpos, qvel = self._state(physics)
        target = self.tracker.target(self._time(physics))
        places = [physics.bind(self.walker.find_body(n)).xpos for n in self.tracker.end_names]
        ends = np.array(places).reshape(-1, 3) - physics.bind(self.walker.pelvis).xpos
        self._reward = float(self.tracker.reward(self.tracker.terms(qpos, qvel, ends, target)))
        self._lost = bool(self.tracker.lost(qpos, target))

    def get_reward(self, physics: mjcf.Physics) -> float:
        """Return how well the walker follows, 0 to 1."""
        return self._reward

    def should_terminate_episode(self, physics: mjcf.Physics) -> bool:
        """Return whether the walker is lost, or the motion over."""
        end = self.reference.duration - CONTROL_S
        return self._lost or (not self.reference.loop and self._time(physics) > end)

    def get_discount(self, physics: mjcf.Physics) -> float:
        """Return 0 where the walker is lost, else 1."""
        return 0.0 if self._lost else 1.0

    def _time(self, physics: mjcf.Physics) -> float:
        return self.start + physics.time()

    def _state(self, physics: mjcf.Physics) -> tuple[np.ndarray, np.ndarray]:
        joints = physics.bind(self.walker.mjcf_joints)
        return np.array(joints.qpos), np.array(joints.qvel)

    def _observe(self, physics: mjcf.Physics, what: str) -> np.ndarray:
        return self.tracker.observe(self._time(physics), *self._state(physics))[what]
