"""A compiled model posed in its independent coordinates, in MuJoCo's C engine."""

import mujoco
import numpy as np
from numpy.polynomial import Polynomial

from mjx_msk.compile.writer import KEY


class Posing:
    """A compiled model whose joints follow the independent coordinates ``names``.

    With qpos = g(q) and G = dg/dq: qvel = G qd and qacc = G qdd + dG/dt qd. What follows none of
    the coordinates, such as a free root, stays where the keyframe ``default`` has it.
    """

    def __init__(self, model: mujoco.MjModel, names: list[str]) -> None:
        self.model, self.names = model, names
        self.data = mujoco.MjData(model)
        key = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_KEY, KEY)
        self._rest = model.qpos0 if key < 0 else model.key_qpos[key]
        self.jacobian = np.zeros((model.nv, len(names)))  #: G
        self._joints = np.array([model.joint(name).id for name in names], int)
        self._ties = [
            (model.eq_obj1id[i], model.eq_obj2id[i], Polynomial(model.eq_data[i, :5]))
            for i in range(model.neq)
            if model.eq_type[i] == mujoco.mjtEq.mjEQ_JOINT and model.eq_obj2id[i] >= 0
        ]

    def pose(self, q: np.ndarray, qd: np.ndarray, qdd: np.ndarray) -> None:
        """Compute the state at values, speeds and accelerations of the coordinates, (n,) each."""
        model, data = self.model, self.data
        positions, dofs = model.jnt_qposadr, model.jnt_dofadr
        self.jacobian[:] = 0.0
        self.jacobian[dofs[self._joints], np.arange(len(q))] = 1.0
        data.qpos[:], data.qvel[:], data.qacc[:] = self._rest, 0.0, 0.0
        data.qpos[positions[self._joints]] = q
        data.qvel[dofs[self._joints]] = qd
        data.qacc[dofs[self._joints]] = qdd
        for dependent, source, polynomial in self._ties:
            to, of = dofs[dependent], dofs[source]
            x = data.qpos[positions[source]]
            slope = polynomial.deriv()(x)
            data.qpos[positions[dependent]] = polynomial(x)
            data.qvel[to] = slope * data.qvel[of]
            data.qacc[to] = slope * data.qacc[of] + polynomial.deriv(2)(x) * data.qvel[of] ** 2
            self.jacobian[to] = slope * self.jacobian[of]
        mujoco.mj_fwdPosition(model, data)
        mujoco.mj_fwdVelocity(model, data)

    def inverse_dynamics(self) -> np.ndarray:
        """Return the generalized forces (n,): G^T (M qacc + bias)."""
        inertial = np.zeros(self.model.nv)
        mujoco.mj_mulM(self.model, self.data, inertial, self.data.qacc)
        return self.jacobian.T @ (inertial + self.data.qfrc_bias)

    def mass_matrix(self) -> np.ndarray:
        """Return the mass matrix (n, n) in the coordinates: G^T M G."""
        inertial = np.zeros((self.jacobian.shape[1], self.model.nv))
        for row, column in zip(inertial, self.jacobian.T, strict=True):
            mujoco.mj_mulM(self.model, self.data, row, np.ascontiguousarray(column))
        return inertial @ self.jacobian

    def moment_arms(self) -> np.ndarray:
        """Return the moment arms (tendons, n) in m: -dL/dqpos G."""
        model, dense = self.model, np.zeros((self.model.ntendon, self.model.nv))
        mujoco.mju_sparse2dense(
            dense, self.data.ten_J, model.ten_J_rownnz, model.ten_J_rowadr, model.ten_J_colind
        )
        return -dense @ self.jacobian
