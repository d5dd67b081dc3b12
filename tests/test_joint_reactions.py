"""Joint reactions against the C engine's interaction forces, and energy against its own."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import small_model
from compiling import quick

from mjx_msk.model import Model
from mjx_msk.physics import Loads, energy, joint_reactions
from mjx_msk.physics.coordinates import full_acceleration, full_position, full_velocity


def test_reactions_are_the_c_engines_interaction_forces():
    """With muscles, and a load on a foot; mj_rnePostConstraint at the same accelerations."""
    with jax.enable_x64(True):
        spec = small_model.muscled_spec()
        model, mj = Model.from_spec(spec), spec.compile()
        q, qd, qdd = map(jnp.array, small_model.random_states(model, 1)[:, 0])
        body = model.layout.body_names.index("calcn_r")
        force, moment = np.array([30.0, -20.0, 500.0]), np.array([3.0, 1.0, -4.0])
        data = mujoco.MjData(mj)
        data.qpos[:], data.qvel[:] = full_position(model, q), full_velocity(model, q, qd)
        data.act[:] = 0.3, 0.5, 0.2, 0.7
        mujoco.mj_forward(mj, data)
        muscles = [mj.actuator(name).id for name in model.layout.muscles.names]
        tension = jnp.array(-data.actuator_force[muscles])
        assert (tension > 10.0).all()
        data.ncon = data.nefc = 0
        data.qacc[:] = full_acceleration(model, q, qd, qdd)
        data.xfrc_applied[body] = [*force, *moment]  # at the center of mass
        mujoco.mj_rnePostConstraint(mj, data)
        loads = Loads(*(jnp.array(x)[None] for x in (force, data.xipos[body].copy(), moment)))

        @quick
        def compute(q, qd, qdd, loads, tension):
            found = joint_reactions(model, q, qd, qdd, (body,), loads, tension)
            return found, energy(model, q, qd)

        found, ours = compute(q, qd, qdd, loads, tension)
        arm = np.asarray(found.point) - data.subtree_com[mj.body_rootid]
        expected = data.cfrc_int[:, :3] - np.cross(arm, data.cfrc_int[:, 3:])
        np.testing.assert_allclose(found.force[1:], data.cfrc_int[1:, 3:], atol=1e-8)
        np.testing.assert_allclose(found.moment[1:], expected[1:], atol=1e-8)
        mujoco.mj_energyPos(mj, data)
        mujoco.mj_energyVel(mj, data)
        np.testing.assert_allclose([ours.potential, ours.kinetic], data.energy, rtol=1e-10)
