"""How well a body follows its reference, and what it is told about it."""

from functools import partial
from typing import NamedTuple

import mujoco
import numpy as np

from mjx_msk_tracking.arrays import Array, namespace
from mjx_msk_tracking.reference import Reference

#: The terms of the reward and their weights, as in DeepMimic (Peng et al. 2018, ACM Trans Graph
#: 37:143), whose fourth term is the center of mass in the place of the root.
WEIGHTS = {"pose": 0.65, "velocity": 0.1, "ends": 0.15, "root": 0.1}
#: Each term is exp(-scale * squared error): rad^2, (rad/s)^2, m^2, m^2 + rad^2.
SCALES = {"pose": 2.0, "velocity": 0.1, "ends": 40.0, "root": 10.0}
#: Bodies whose places, as seen from the pelvis, are tracked besides the joints.
ENDS = ("calcn_r", "calcn_l", "hand_r", "hand_l")
#: How far ahead the reference is shown, s.
AHEAD_S = (0.03, 0.2)
#: A body is lost where its root is farther from the reference, or turned further.
LOST_M, LOST_RAD = 0.5, 1.0
#: A body has fallen where its root is lower than this share of the reference's height.
FALLEN = 0.75
_TABLE_HZ = 200.0


class Target(NamedTuple):
    """What the reference asks for, at one or at several times."""

    qpos: Array  #: (..., nq)
    qvel: Array  #: (..., nv)
    ends: Array  #: (..., e, 3) m, end bodies from the root's body, world axes


class Tracker:
    """Compares states of a model with a reference; functions take batches (...)."""

    def __init__(self, model: mujoco.MjModel, reference: Reference) -> None:
        self.reference, self.joints = reference, reference.joints
        names = [model.body(b).name for b in range(model.nbody)]
        self.end_names = tuple(name for name in ENDS if name in names)
        self._ends = np.array([names.index(name) for name in self.end_names], dtype=int)
        self._root = int(model.jnt_bodyid[self.joints.root[0]])
        self._shown = np.setdiff1d(self.joints.independent, self.joints.horizontal)
        count = int(np.ceil(reference.duration * _TABLE_HZ)) + 1
        self._table_time = np.linspace(0.0, reference.duration, count)
        data = mujoco.MjData(model)
        poses = reference.sample(self._table_time[:-1])[0]
        last = reference.qpos[-1:]  # a loop would sample its beginning there
        self._table = np.stack([self.ends(model, data, q) for q in (*poses, *last)])

    def ends(self, model: mujoco.MjModel, data: mujoco.MjData, qpos: np.ndarray) -> np.ndarray:
        """Return the places of the end bodies in a pose (nq,), (e, 3) m, from the root's body."""
        data.qpos[:] = qpos
        mujoco.mj_kinematics(model, data)
        return self.ends_among(data.xpos)

    def ends_among(self, xpos: Array) -> Array:
        """Return the end bodies (..., e, 3) m from the root's, of places (..., nbody, 3)."""
        return xpos[..., self._ends, :] - xpos[..., self._root, None, :]

    def target(self, time: Array) -> Target:
        """Return what the reference asks for at times (...) s."""
        xp = namespace(time)
        phase = self.reference.phase(time) * (len(self._table_time) - 1)
        i = xp.minimum(phase.astype(int), len(self._table_time) - 2)
        share = (phase - i)[..., None, None]
        take = partial(xp.take, self._table, axis=0)
        ends = (1 - share) * take(i) + share * take(i + 1)
        return Target(*self.reference.sample(time), ends)

    def terms(self, qpos: Array, qvel: Array, ends: Array, target: Target) -> dict[str, Array]:
        """Return the terms of the reward (...), each 0 to 1."""
        inner, root = self.joints.inner, self.joints.root
        apart, faster = target.qpos - qpos, target.qvel - qvel
        errors = {
            "pose": (apart[..., inner] ** 2).sum(axis=-1),
            "velocity": (faster[..., inner] ** 2).sum(axis=-1),
            "ends": ((target.ends - ends) ** 2).sum(axis=(-2, -1)),
            "root": (apart[..., root] ** 2).sum(axis=-1),
        }
        exp = namespace(qpos).exp
        return {name: exp(-SCALES[name] * error) for name, error in errors.items()}

    def reward(self, terms: dict[str, Array]) -> Array:
        """Return the weighted sum of the terms (...), 0 to 1."""
        return sum(WEIGHTS[name] * term for name, term in terms.items())

    def lost(self, qpos: Array, target: Target) -> Array:
        """Return whether the body (...) has fallen, or left the reference."""
        xp, j = namespace(qpos), self.joints
        apart, up = target.qpos - qpos, j.vertical
        slides = np.concatenate([j.horizontal, up])
        away = xp.linalg.norm(apart[..., slides], axis=-1) > LOST_M
        turned = xp.linalg.norm(apart[..., j.turning], axis=-1) > LOST_RAD
        low = xp.any(qpos[..., up] < FALLEN * target.qpos[..., up], axis=-1)
        return away | turned | low | ~xp.all(xp.isfinite(qpos), axis=-1)

    def error(self, time: Array, qpos: Array, qvel: Array) -> Array:
        """Return how far the independent joints are off, and how much too fast (..., 2n)."""
        wanted, speed = self.reference.sample(time)
        own = self.joints.independent
        apart = (qpos - wanted)[..., own], (qvel - speed)[..., own]
        return namespace(qpos).concatenate(apart, axis=-1)

    def observe(self, time: Array, qpos: Array, qvel: Array) -> dict[str, Array]:
        """Return what a policy sees, each (..., k).

        ``pose``: the independent joints but for the root's place on the floor; ``velocity``: of all
        independent joints; ``ahead``: the reference ``AHEAD_S`` later, joints from where they are
        now, and velocities; ``phase``: sine and cosine.
        """
        xp, own = namespace(qpos), self.joints.independent
        ahead = []
        for later in AHEAD_S:
            wanted, speed = self.reference.sample(time + later)
            ahead += [(wanted - qpos)[..., own], speed[..., own]]
        angle = 2 * np.pi * self.reference.phase(time)
        return {
            "pose": qpos[..., self._shown],
            "velocity": qvel[..., own],
            "ahead": xp.concatenate(ahead, axis=-1),
            "phase": xp.stack([xp.sin(angle), xp.cos(angle)], axis=-1),
        }
