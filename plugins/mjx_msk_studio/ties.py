"""Joints that follow others, and what moves with an independent coordinate."""

import mujoco
import numpy as np


class Ties:
    """The joint equalities ``y = p(x)`` of a model, with p of degree 4 or less.

    A tied joint may follow another one, which comes before it in the list of equalities.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        kept = (model.eq_type == mujoco.mjtEq.mjEQ_JOINT) & (model.eq_obj2id >= 0)
        own, other = model.eq_obj1id[kept], model.eq_obj2id[kept]
        self._pairs = list(
            zip(model.jnt_dofadr[own].tolist(), model.jnt_dofadr[other].tolist(), strict=True)
        )
        self._independent = np.ones(model.nv)
        self._independent[model.jnt_dofadr[own]] = 0.0
        self._places = model.jnt_qposadr[other]
        self._rest = model.qpos0[self._places]
        self._slope = model.eq_data[kept, 1:5] * np.arange(1, 5)

    def matrix(self, qpos: np.ndarray) -> np.ndarray:
        """Return S (nv, nv) at a pose: rates of all joints from those of the independent ones.

        ``y' = p'(x) x'``; the columns of tied joints are 0. ``S.T @ force`` has the work of forces
        (nv,) at the independent joints alone.
        """
        rates = np.eye(len(self._independent)) * self._independent
        for (own, other), slope in zip(self._pairs, self._slopes(qpos), strict=True):
            rates[own] = slope * rates[other]
        return rates

    def _slopes(self, qpos: np.ndarray) -> list[float]:
        x = qpos[self._places] - self._rest
        a, b, c, d = self._slope.T
        return (a + x * (b + x * (c + x * d))).tolist()
