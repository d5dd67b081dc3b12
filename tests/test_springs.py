"""Springs and dampers of joints in float64: the C engine, and finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
import small_model
from compiling import quick

from mjx_msk.model import Model
from mjx_msk.physics import passive_joint_force
from mjx_msk.physics.coordinates import jacobian

pytestmark = pytest.mark.usefixtures("float64")

PENDULUM = """
<mujoco>
  <compiler angle="radian"/>
  <worldbody>
    <body name="arm">
      <joint name="swing" axis="0 1 0" stiffness="3" springref="0.2" damping="0.4"/>
      <inertial pos="0 0 -0.3" mass="2" diaginertia="0.02 0.02 0.01"/>
    </body>
  </worldbody>
</mujoco>
"""
SPRINGS = """
<fixed name="limit" springlength="-0.3 0.6" stiffness="40"><joint joint="hip_flexion_r" coef="1"/>
</fixed>
<fixed name="spring" springlength="0.4 0.4" stiffness="12" damping="1.5">
  <joint joint="knee_angle_r" coef="1"/><joint joint="hip_adduction_r" coef="-0.5"/></fixed>
<fixed name="tied" springlength="0 0.01" stiffness="900">
  <joint joint="knee/translation1" coef="2"/></fixed>
"""


def test_springs_and_dampers_of_joints_are_c_mujocos():
    pendulum = Model.from_spec(mujoco.MjSpec.from_string(PENDULUM))
    mj = mujoco.MjSpec.from_string(PENDULUM).compile()
    data = mujoco.MjData(mj)
    data.qpos[0], data.qvel[0] = 0.5, -1.2
    mujoco.mj_forward(mj, data)
    found = passive_joint_force(pendulum, jnp.array([0.5]), jnp.array([-1.2]))
    np.testing.assert_allclose(found, data.qfrc_passive, atol=1e-12)
    assert abs(found[0]) > 0.1


@pytest.fixture(scope="module")
def sprung() -> tuple[Model, mujoco.MjModel]:
    """Return the small model with springs on coordinates, one beyond limits, one on a tied joint.

    The muscle's tendon is a spring between points, which is left out: none of its stiffness is set.
    """
    xml = small_model.XML.replace("</tendon>", SPRINGS + "</tendon>")
    spec = mujoco.MjSpec.from_string(xml)
    return Model.from_spec(spec), spec.compile()


@pytest.fixture(scope="module")
def passive(sprung):
    """Return the passive force on some joints, its Jacobians, and G for many states."""
    model, _ = sprung

    @quick
    @jax.vmap
    def all_of(q, qd):
        force = partial(passive_joint_force, model)
        return force(q, qd), jax.jacfwd(force, (0, 1))(q, qd), jacobian(model, q)

    return all_of


def test_springs_beyond_limits_are_c_mujocos(sprung, passive):
    model, mj = sprung
    q, qd, _ = small_model.random_states(model, 40, seed=9)
    hip = model.layout.coordinate_index["hip_flexion_r"]
    assert (q[:, hip] > 0.6).sum() == 0 < (q[:, hip] < -0.3).sum()
    q[::5, hip] += 0.7
    found, _, G = passive(q, qd)
    data = mujoco.MjData(mj)
    for k in range(len(q)):
        data.qpos[:], data.qvel[:] = small_model.place(model, mj, q[k]), G[k] @ qd[k]
        mujoco.mj_forward(mj, data)
        np.testing.assert_allclose(found[k], G[k].T @ data.qfrc_passive, atol=1e-10)
    assert np.abs(found[:, hip]).max() > 10.0
    assert (found[:, hip] == 0.0).any()


def test_gradients_of_passive_joint_force(sprung, passive):
    """Against central differences; at a limit, and at the rest of a spring without limits."""
    model, _ = sprung
    q, qd, _ = small_model.random_states(model, 8, seed=10)
    h, rng = 1e-6, np.random.default_rng(11)
    (_, (by_q, by_qd), _), way = passive(q, qd), rng.normal(size=q.shape)
    for x, slope, steps in ((0, by_q, (h * way, 0 * way)), (1, by_qd, (0 * way, h * way))):
        ends = [passive(q + s * steps[0], qd + s * steps[1])[0] for s in (1, -1)]
        numeric = (np.asarray(ends[0]) - np.asarray(ends[1])) / (2 * h)
        ours = np.einsum("tij,tj->ti", slope, way)
        np.testing.assert_allclose(ours, numeric, atol=1e-5 * np.abs(numeric).max(), err_msg=str(x))
    index = model.layout.coordinate_index
    hip, knee, add = (index[n] for n in ("hip_flexion_r", "knee_angle_r", "hip_adduction_r"))
    q[0, [hip, knee, add]] = 0.6, 0.4, 0.0
    slope = np.asarray(passive(q, qd)[1][0])[0]
    assert slope[hip, hip] == pytest.approx(-20.0)
    assert slope[add, knee] == pytest.approx(6.0)
    assert np.isfinite(slope).all()
