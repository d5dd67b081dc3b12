"""The walker and the tracking task in dm_control, by its own checks and against ``mj_step``."""

import copy

import made_motion
import mujoco
import numpy as np
import pytest

pytest.importorskip("dm_control", reason="pip install 'mjx-msk[dm_control]'")

from absl.testing import absltest
from dm_control import composer, mjcf
from dm_env import test_utils
from mjx_msk_dm_control import MusculoskeletalWalker, TrackingTask

# dm_control tries a window's library on import, which says that there is no screen
pytestmark = pytest.mark.filterwarnings("ignore::glfw.GLFWError")


def task(actuation: str = "torque", **changes) -> TrackingTask:
    settings = {"actuation": actuation, "loop": True, **changes}
    return TrackingTask(made_motion.motion(), made_motion.spec(), **settings)


@pytest.fixture(scope="module", params=["torque", "position", "muscle"])
def env(request) -> composer.Environment:
    return composer.Environment(task(request.param), time_limit=1.0, random_state=0)


class TestConforms(test_utils.EnvironmentTestMixin, absltest.TestCase):
    """DeepMind's checks of an environment: specs, the order of steps, resets."""

    def make_object_under_test(self) -> composer.Environment:
        return composer.Environment(task(), time_limit=0.3, random_state=0)


def test_every_observable_fits_its_spec_and_is_finite(env):
    specs, step = env.observation_spec(), env.reset()
    walker = {name for name in specs if name.startswith("walker/")}
    assert {"walker/joint_angles", "walker/joint_velocities", "walker/foot_contact"} <= walker
    muscles = {f"walker/muscle_{k}" for k in ("lengths", "velocities", "forces", "activations")}
    has_muscles = bool(env.task.walker.muscles)
    assert muscles <= walker if has_muscles else not muscles & walker
    for _ in range(3):
        for name, spec in specs.items():
            spec.validate(step.observation[name])
            assert np.all(np.isfinite(step.observation[name])), name
        low, high = env.action_spec().minimum, env.action_spec().maximum
        step = env.step(low + 0.5 * (high - low))
        assert 0 <= step.reward <= 1


def test_observables_are_the_engines_values(env):
    env.reset()
    env.step(env.action_spec().minimum)
    env.physics.forward()  # forces of this state, not of the last step's
    walker, model = env.task.walker, env.task.walker.model
    data = mujoco.MjData(model)
    bound = env.physics.bind(walker.mjcf_joints)
    data.qpos[:], data.qvel[:] = bound.qpos, bound.qvel
    data.act[:], data.ctrl[:] = env.physics.data.act, env.physics.data.ctrl
    mujoco.mj_forward(model, data)
    seen = env.task.walker.observables.as_dict()
    inner = env.task.tracker.joints.inner
    expected = {
        "joint_angles": data.qpos[inner], "joint_velocities": data.qvel[inner],
        "pelvis_height": data.body("pelvis").xpos[2:],
        "pelvis_orientation": data.body("pelvis").xmat,
    }  # fmt: skip
    if walker.muscles:
        count = len(walker.muscles)
        expected |= {
            "muscle_lengths": data.actuator_length[:count],
            "muscle_velocities": data.actuator_velocity[:count],
            "muscle_forces": data.actuator_force[:count],
            "muscle_activations": data.act,
        }
    for name, values in expected.items():
        found = np.ravel(seen[f"walker/{name}"](env.physics))
        # MJCF carries six digits
        scale = max(np.abs(values).max(), 1.0)
        np.testing.assert_allclose(found, values, atol=2e-4 * scale, err_msg=name)


def test_the_dynamics_are_those_of_the_model(env):
    """From one state under one ctrl, with contact, in the way of composer's arenas."""
    env.reset()
    env.physics.forward()  # resets leave out the actuators, and with them their speeds
    walker, model = env.task.walker, copy.copy(env.task.walker.model)
    model.opt.cone, model.opt.noslip_iterations = mujoco.mjtCone.mjCONE_ELLIPTIC, 5
    data = mujoco.MjData(model)
    bound = env.physics.bind(walker.mjcf_joints)
    data.qpos[:], data.qvel[:] = bound.qpos, bound.qvel
    data.act[:] = env.physics.data.act
    low, high = env.action_spec().minimum, env.action_spec().maximum
    action = low + 0.55 * (high - low)
    env.step(action)
    data.ctrl[:] = action
    for _ in range(round(0.03 / model.opt.timestep)):
        mujoco.mj_step(model, data)
    moved = np.abs(data.qpos - bound.qpos).max()
    assert moved < 1e-3  # MJCF carries six digits


def test_feet_feel_the_floor(env):
    env.reset()
    assert len(env.task.walker.touch) == 12
    joints = env.physics.bind(env.task.walker.mjcf_joints)
    qpos = np.array(joints.qpos)
    with env.physics.reset_context():
        qpos[1] += 1.0
        joints.qpos = qpos
    observable = env.task.walker.observables.foot_contact
    assert np.all(observable(env.physics) == 0)
    with env.physics.reset_context():
        qpos[1] -= 1.02
        joints.qpos = qpos
    assert np.max(observable(env.physics)) > 10


def test_a_walker_stands_in_any_arena():
    walker = MusculoskeletalWalker(made_motion.spec(), "muscle")
    assert len(walker.muscles) == 80
    assert len(walker.actuators) == walker.model.nu
    assert [a.name for a in walker.actuators] == [
        walker.model.actuator(a).name for a in range(walker.model.nu)
    ]
    physics = mjcf.Physics.from_mjcf_model(composer.Arena().attach(walker).root)
    names = [physics.model.joint(j).name for j in range(physics.model.njnt)]
    assert names == [f"walker/{n.replace('/', '.')}" for n in walker.joints.names]


def test_an_episode_starts_on_the_reference_and_ends_lost_or_with_the_motion():
    env = composer.Environment(task(loop=False), time_limit=5.0, random_state=1)
    env.reset()
    joints = env.physics.bind(env.task.walker.mjcf_joints)
    wanted, _ = env.task.reference.sample(env.task.start)
    np.testing.assert_allclose(joints.qpos, wanted)
    step = env.step(np.zeros(env.action_spec().shape))
    assert step.reward > 0.8
    while not step.last():
        step = env.step(np.zeros(env.action_spec().shape))
    assert step.discount == 0.0
    assert step.reward < 0.5
