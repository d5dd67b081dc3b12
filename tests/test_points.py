"""The kinematics of points in float64 against the C engine and finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
import small_model
from compiling import quick

from mjx_msk.errors import MskError
from mjx_msk.physics import joint_centers, marker_positions, point_jacobian, point_motion
from mjx_msk.physics.coordinates import full_acceleration, full_velocity
from mjx_msk.vision.camera import Camera, default_camera, pixels

pytestmark = pytest.mark.usefixtures("float64")

BODIES = ("pelvis", "femur_r", "tibia_r", "toes_r", "calcn_l")
PLACES = np.random.default_rng(4).normal(0, 0.1, (len(BODIES), 3))


@pytest.fixture(scope="module")
def engine() -> mujoco.MjModel:
    return small_model.spec().compile()


@pytest.fixture(scope="module")
def bodies(model) -> np.ndarray:
    return np.array([model.layout.body_names.index(name) for name in BODIES])


@pytest.fixture(scope="module")
def computed(model, bodies):
    @quick
    @jax.vmap
    def compute(q, qd, qdd):
        return (
            joint_centers(model, q),
            marker_positions(model, q, np.arange(len(model.layout.site_names))),
            point_motion(model, q, qd, qdd, bodies, PLACES),
            point_jacobian(model, q, bodies, PLACES),
        )

    states = small_model.random_states(model, 4)
    return states, jax.tree.map(np.array, compute(*states))


def test_points_and_their_motion_are_those_of_the_c_engine(model, engine, bodies, computed):
    """mj_jac, and mj_objectVelocity and mj_objectAcceleration of the bodies' frames."""
    states, (centers, markers, motion, jacobian) = computed
    data = mujoco.MjData(engine)
    data.model.opt.gravity[:] = 0.0  # the C engine's accelerations contain it
    close = partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-9)
    for t, (q, qd, qdd) in enumerate(states.swapaxes(0, 1)):
        data.qpos[:] = small_model.place(model, engine, q)
        data.qvel[:] = full_velocity(model, jnp.array(q), jnp.array(qd))
        mujoco.mj_forward(engine, data)
        data.qacc[:] = full_acceleration(model, *map(jnp.array, (q, qd, qdd)))
        mujoco.mj_rnePostConstraint(engine, data)
        close(markers[t], [data.site(name).xpos for name in model.layout.site_names])
        for b, j in enumerate(engine.body_jntadr + engine.body_jntnum - 1):
            if engine.body_jntnum[b]:
                place = data.xmat[b].reshape(3, 3) @ engine.jnt_pos[j]
                close(centers[t, b], data.xpos[b] + place)
                if engine.jnt_type[j] == mujoco.mjtJoint.mjJNT_HINGE:
                    close(centers[t, b], data.xanchor[j])
        for k, b in enumerate(bodies):
            point = data.xpos[b] + data.xmat[b].reshape(3, 3) @ PLACES[k]
            close(motion.position[t, k], point)
            linear, angular = np.zeros((2, 3, engine.nv))
            mujoco.mj_jac(engine, data, linear, angular, point, b)
            close(motion.velocity[t, k], linear @ data.qvel)
            close(jacobian.linear[t, k] @ qd, linear @ data.qvel)
            close(jacobian.angular[t, k] @ qd, angular @ data.qvel)
            velocity, acceleration = np.zeros((2, 6))
            kind = mujoco.mjtObj.mjOBJ_XBODY
            mujoco.mj_objectVelocity(engine, data, kind, b, velocity, 0)
            mujoco.mj_objectAcceleration(engine, data, kind, b, acceleration, 0)
            omega, alpha, arm = velocity[:3], acceleration[:3], point - data.xpos[b]
            close(motion.angular_velocity[t, k], omega)
            close(motion.angular_acceleration[t, k], alpha)
            expected = acceleration[3:] + np.cross(alpha, arm)
            expected += np.cross(omega, np.cross(omega, arm))
            close(motion.acceleration[t, k], expected)


def test_jacobians_are_central_differences(model, bodies, computed):
    states, (_, _, _, jacobian) = computed
    place = quick(lambda q: point_jacobian(model, q, bodies, PLACES).position)
    q = states[0, 0]
    steps = 1e-6 * np.eye(model.n)
    slope = np.stack([(np.array(place(q + s)) - np.array(place(q - s))) / 2e-6 for s in steps], -1)
    np.testing.assert_allclose(jacobian.linear[0], slope, atol=1e-8)


@pytest.fixture(scope="module")
def camera() -> Camera:
    """3 m in front of the pelvis, looking at it, with a lens that distorts."""
    fields = vars(default_camera((640, 480))) | {
        "distortion": np.array([-0.1, 0.02, 1e-3, -1e-3, 0.0]),
        "rotation_camera_from_world": np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]),
        "translation_m": np.array([0.0, 0.3, 3.0]),
    }
    return Camera(**fields)


def test_pixels_of_markers_have_slopes(model, camera, computed):
    sites = np.arange(len(model.layout.site_names))

    def seen(q):
        return pixels(camera, marker_positions(model, q, sites))

    q = computed[0][0, 0]
    slope, seen = quick(jax.jacrev(seen)), quick(seen)
    found = slope(q)
    steps = 1e-6 * np.eye(model.n)
    expected = np.stack([(np.array(seen(q + s)) - np.array(seen(q - s))) / 2e-6 for s in steps], -1)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    behind = q.copy()
    behind[0] = -5.0
    assert np.isfinite(seen(behind)).all()
    assert np.isfinite(slope(behind)).all()


def test_a_camera_without_a_pose_says_so():
    with pytest.raises(MskError, match="no pose"):
        pixels(default_camera((640, 480)), np.zeros(3))
