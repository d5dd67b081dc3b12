"""The motion to be tracked, at any time."""

from dataclasses import dataclass
from functools import partial

import mujoco
import numpy as np

from mjx_msk import Motion, MskError, find_cycle
from mjx_msk_tracking.arrays import Array, namespace
from mjx_msk_tracking.ground import TOES, settle
from mjx_msk_tracking.joints import Joints


@dataclass(frozen=True, eq=False)
class Reference:
    """A motion in a model's own joints; times count from 0.

    A reference that loops repeats its cycle without end, and the root goes on along the floor.
    """

    joints: Joints
    time: np.ndarray  #: (T,) s, from 0
    qpos: np.ndarray  #: (T, nq) rad or m
    qvel: np.ndarray  #: (T, nv)
    stride: np.ndarray  #: (nq,) what a cycle adds; 0 but for the root's slides along the floor
    loop: bool
    force: np.ndarray | None = None  #: (T, nv) N m; 0 at the root and at tied joints
    muscle_names: tuple[str, ...] = ()
    activation: np.ndarray | None = None  #: (T, m) 0 to 1

    @classmethod
    def from_motion(
        cls, motion: Motion, model: mujoco.MjModel, *, loop: bool = False
    ) -> "Reference":
        """Return a motion as reference for a model that has some or all of its joints.

        The soles are set on the floor, and the toes bent where they would sink into it (see
        ``ground.settle``). ``loop`` finds the stretch whose ends are most alike (one stride of a
        walk) and closes it. Raises ``MskError`` where the motion is a single
        frame, lacks a joint of the model, or does not repeat itself.
        """
        joints = Joints(model)
        missing = [name for name in joints.names if name not in motion.joint_names]
        if missing or len(motion) < 2:
            raise MskError(
                f"the motion lacks the model's joints {missing}." if missing else "one frame only.",
                remedy="Give a motion and the model.xml that was written with it.",
            )
        columns = [motion.joint_names.index(name) for name in joints.names]
        qpos = settle(model, joints, motion.time, motion.qpos[:, columns])
        qvel = motion.qvel[:, columns]
        for j, name in enumerate(joints.names):
            if name.startswith(TOES):
                qvel[:, j] = np.gradient(qpos[:, j], motion.time)
        force = None
        if motion.generalized_force is not None:
            force = np.zeros_like(qvel)
            for j in joints.inner:
                force[:, j] = motion.generalized_force[:, motion.index(joints.names[j])]
        return cls._of(joints, motion, qpos, qvel, force, loop=loop)

    @classmethod
    def _of(
        cls, joints: Joints, motion: Motion, qpos: np.ndarray, qvel: np.ndarray,
        force: np.ndarray | None, *, loop: bool,
    ) -> "Reference":  # fmt: skip
        time, activation = motion.time - motion.time[0], motion.activation
        stride = np.zeros(qpos.shape[1])
        if loop:
            repeats = np.setdiff1d(joints.independent, joints.horizontal)
            first, last = find_cycle(time, qpos[:, repeats], qvel[:, repeats])
            cut = slice(first, last + 1)
            time, qpos, qvel = time[cut], qpos[cut], qvel[cut]
            stride[joints.horizontal] = (qpos[-1] - qpos[0])[joints.horizontal]
            ramp = (time - time[0])[:, None] / (time[-1] - time[0]) * stride
            qpos, qvel = close(qpos - ramp, time) + ramp, close(qvel, time)
            force = None if force is None else close(force[cut], time)
            activation = None if activation is None else close(activation[cut], time)
        return cls(
            joints, time - time[0], qpos, qvel, stride, loop, force, motion.muscle_names, activation
        )

    @property
    def duration(self) -> float:
        """Length of the motion, or of its cycle, s."""
        return float(self.time[-1])

    def sample(self, time: Array) -> tuple[Array, Array]:
        """Return ``qpos`` and ``qvel`` (..., nq) at times (...) s.

        Cubic Hermite interpolation of the independent joints; the tied ones follow them. Before
        the start and after the end the motion stands still there, unless it loops. A simulation
        asks for this at every step, in numpy or inside JAX, which mjx-msk's samplers of whole
        motions are not made for; speeds are the slope of places, and accelerations nobody asks for.
        """
        turns, i, h, s = self._place(time)
        take = partial(namespace(i).take, axis=0)
        x0, x1, v0, v1 = (take(x, k) for x in (self.qpos, self.qvel) for k in (i, i + 1))
        a, b = 2 * (x0 - x1) + h * (v0 + v1), 3 * (x1 - x0) - h * (2 * v0 + v1)
        qpos = x0 + s * (h * v0 + s * (b + s * a)) + turns * self.stride
        qvel = v0 + s * (2 * b + 3 * s * a) / h
        return self.joints.follow(qpos, qvel)

    def forces(self, time: Array) -> Array:
        """Return the net joint moments (..., nv) N m; raises ``MskError`` where unknown."""
        if self.force is None:
            raise MskError("the motion has no generalized forces.")
        return self._linear(self.force, time)

    def activations(self, time: Array) -> Array | None:
        """Return the muscles' activations (..., m), in the order of ``muscle_names``."""
        return None if self.activation is None else self._linear(self.activation, time)

    def phase(self, time: Array) -> Array:
        """Return how far the motion, or its cycle, is, 0 to 1."""
        xp = namespace(time)
        share = xp.asarray(time) / self.duration
        return share % 1.0 if self.loop else xp.clip(share, 0.0, 1.0)

    def _linear(self, values: np.ndarray, time: Array) -> Array:
        _, i, _, s = self._place(time)
        take = partial(namespace(i).take, values, axis=0)
        return (1 - s) * take(i) + s * take(i + 1)

    def _place(self, time: Array) -> tuple[Array, ...]:
        """Return cycles gone (..., 1), frame (...), its length and the share of it (..., 1)."""
        xp = namespace(time)
        time = xp.asarray(time, dtype=float)
        turns = xp.floor(time / self.duration) if self.loop else xp.zeros_like(time)
        within = xp.clip(time - turns * self.duration, 0.0, self.duration)
        after = xp.searchsorted(self.time, within, side="right")
        i = xp.clip(after - 1, 0, len(self.time) - 2)
        begin = xp.take(self.time, i)
        h = xp.take(self.time, i + 1) - begin
        return turns[..., None], i, h[..., None], ((within - begin) / h)[..., None]


def close(values: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Return values (T, k) whose last row equals the first: the gap is shared out over time."""
    share = (time - time[0]) / (time[-1] - time[0]) - 0.5
    return values - share[:, None] * (values[-1] - values[0])
