"""The Gymnasium environments: the checker of Gymnasium, and the C engine stepped by hand."""

import importlib.util

import made_motion
import mujoco
import numpy as np
import pytest

from mjx_msk import MskError
from mjx_msk.compile import write_xml

gymnasium = pytest.importorskip("gymnasium", reason="pip install 'mjx-msk[rl]'")
pytest.importorskip("mjx_msk_gym", reason="install the project again: pip install -e .")

from gymnasium.utils.env_checker import check_env  # noqa: E402
from mjx_msk_tracking import Feedback  # noqa: E402

ENV = "mjx_msk_gym:mjx_msk/Track-v0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder like those of ``mjx-msk estimate``."""
    path = tmp_path_factory.mktemp("estimate")
    made_motion.motion().save(path / "motion.npz")
    write_xml(made_motion.spec(), path / "model.xml")
    return path


@pytest.fixture
def make(folder):
    opened = []

    def make(count: int | None = None, **changes):
        options = {"motion": folder, "loop": True, **changes}
        if count is None:
            opened.append(gymnasium.make(ENV, **options).unwrapped)
        else:
            opened.append(gymnasium.make_vec(ENV, num_envs=count, **options))
        return opened[-1]

    yield make
    for env in opened:
        env.close()


# angles and speeds have no bounds that hold for certain, as in Gymnasium's own MuJoCo tasks
@pytest.mark.filterwarnings("ignore:.*A Box observation space m:UserWarning")
@pytest.mark.parametrize("actuation", ["position", "torque", "muscle"])
def test_gymnasiums_checker_passes(make, actuation):
    check_env(make(actuation=actuation), skip_render_check=True)


@pytest.mark.parametrize("actuation", ["position", "torque"])
def test_steps_are_those_of_the_engine(make, actuation):
    """``mj_step`` by hand under the environment's ctrl; each action starts without warm start."""
    env = make(actuation=actuation)
    env.reset(seed=0, options={"start": 0.2})
    worlds, model = env.worlds, env.worlds.model
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = worlds.tracker.reference.sample(0.2)
    rng = np.random.default_rng(0)
    for _ in range(3):
        action = rng.uniform(-0.2, 0.2, model.nu).astype(np.float32)
        data.ctrl[:] = worlds.controls(action[None].astype(float))[0]
        data.qacc_warmstart[:] = 0
        for _ in range(worlds.steps):
            mujoco.mj_step(model, data)
        env.step(action)
        np.testing.assert_allclose(worlds.engine.qpos[0], data.qpos, atol=1e-10)
        np.testing.assert_allclose(worlds.engine.qvel[0], data.qvel, atol=1e-8)


def test_servos_aim_at_the_reference_with_its_speeds_and_moments(make):
    """On the reference, the servos give the motion's own moments."""
    env = make(gain=1.0, loop=False)
    env.reset(options={"start": 0.2})
    worlds, middle = env.worlds, 0.2 + env.worlds.step_s / 2
    data = mujoco.MjData(worlds.model)
    data.qpos[:], data.qvel[:] = worlds.tracker.reference.sample(middle)
    data.ctrl[:] = worlds.controls(np.zeros((1, worlds.model.nu)))[0]
    mujoco.mj_forward(worlds.model, data)
    driven = worlds.model.actuator_trnid[:, 0]
    moments = worlds.tracker.reference.forces(middle)[driven]
    assert np.abs(moments).max() > 10
    limited = np.clip(moments, *worlds.model.actuator_forcerange.T)
    np.testing.assert_allclose(data.actuator_force, limited, atol=1e-9)


def test_a_vector_environment_does_what_single_ones_do(make):
    single, several = make(actuation="torque"), make(3, actuation="torque")
    seen, _ = several.reset(options={"start": 0.5})
    alone, _ = single.reset(options={"start": 0.5})
    np.testing.assert_array_equal(seen, np.stack([alone] * 3))
    actions = np.random.default_rng(0).uniform(-0.1, 0.1, several.action_space.shape)
    actions = actions.astype(np.float32)
    for _ in range(2):
        seen, reward, lost, over, infos = several.step(actions)
        alone, single_reward, *_, info = single.step(actions[1])
        np.testing.assert_allclose(seen[1], alone, atol=1e-6)
        assert reward[1] == pytest.approx(single_reward, abs=1e-9)
        assert infos["pose"][1] == pytest.approx(info["pose"], abs=1e-9)
    assert not (lost | over).any()
    assert several.metadata["autoreset_mode"] == gymnasium.vector.AutoresetMode.SAME_STEP


def test_a_body_that_is_lost_starts_anew_alone(make):
    env = make(2, actuation="torque")
    env.reset(seed=0)
    env.worlds.engine.qpos[1, 1] -= 0.6
    seen, _, lost, _, infos = env.step(np.zeros(env.action_space.shape, np.float32))
    assert lost.tolist() == [False, True]
    assert infos["_final_obs"].tolist() == [False, True]
    assert np.abs(infos["final_obs"][1] - seen[1]).max() > 0.3
    np.testing.assert_array_equal(infos["final_obs"][0], seen[0])


def test_episodes_end_with_the_motion_or_in_time(make):
    short = make(loop=False)
    _, info = short.reset(seed=3)
    assert 0 <= info["time"] <= 0.8 * 2.2
    short.reset(options={"start": 2.1})
    *_, lost, over, info = short.step(np.zeros(short.action_space.shape, np.float32))
    assert not lost
    assert not over
    for _ in range(2):
        *_, over, info = short.step(np.zeros(short.action_space.shape, np.float32))
    assert over
    limited = make(episode_s=0.06)
    limited.reset(seed=0)
    assert not limited.step(np.zeros(limited.action_space.shape, np.float32))[3]
    assert limited.step(np.zeros(limited.action_space.shape, np.float32))[3]


def test_a_loop_has_a_whole_number_of_actions(make):
    """And episodes start where one begins, unless a time is given, or one for each body."""
    env = make(3)
    worlds = env.worlds
    cycle = worlds.tracker.reference.duration
    assert worlds.moments * worlds.steps * worlds.model.opt.timestep == pytest.approx(cycle)
    assert worlds.step_s == pytest.approx(0.03, rel=0.02)
    _, infos = env.reset(seed=2)
    begun = infos["time"] / worlds.step_s
    np.testing.assert_allclose(begun, np.rint(begun), atol=1e-9)
    assert len(set(begun)) > 1
    _, infos = env.reset(options={"start": np.array([0.0, 0.21, 0.5])})
    np.testing.assert_array_equal(infos["time"], [0.0, 0.21, 0.5])


def test_a_feedback_acts_under_the_actions(make, tmp_path):
    """Actions and what the feedback answers to the body's errors add up, and are limited."""
    plain = make(2)
    plain.reset(seed=0, options={"start": 0.3})
    rng = np.random.default_rng(0)
    nu, errors = plain.worlds.model.nu, plain.worlds.error().shape[1]
    np.testing.assert_allclose(plain.worlds.error(), 0.0, atol=1e-12)
    policy = Feedback(rng.normal(size=(33, nu, errors)), np.zeros((33, nu)))
    policy.save(tmp_path / "policy.npz")
    env = make(2, feedback=tmp_path / "policy.npz")
    env.reset(seed=0, options={"start": 0.3})
    for e in (plain, env):
        e.worlds.engine.qpos[1, 6] += 0.1
        e.worlds.engine.qvel[1, 7] -= 1.0
    actions = rng.uniform(-0.1, 0.1, (2, nu))
    i = np.rint(0.3 / plain.worlds.tracker.reference.duration * 33).astype(int)
    place = plain.worlds.tracker.joints.independent.tolist()
    answer = -0.1 * policy.gains[i, :, place.index(6)]
    answer += policy.gains[i, :, len(place) + place.index(7)]
    expected = plain.worlds.controls(np.stack([actions[0], actions[1] + answer]))
    np.testing.assert_allclose(env.worlds.controls(actions), expected, atol=1e-5)
    assert np.abs(answer).max() > 1
    with pytest.raises(MskError, match="actions and errors"):
        make(2, feedback=Feedback(policy.gains[:, 1:], policy.offsets[:, 1:]))


def test_a_limp_body_falls(make):
    env = make(actuation="torque")
    env.reset(seed=1)
    rewards, lost = [], False
    while not lost and len(rewards) < 100:
        _, reward, lost, _, _ = env.step(np.zeros(env.action_space.shape, np.float32))
        rewards.append(reward)
    assert 2 < len(rewards) < 60
    assert 0 <= min(rewards) <= max(rewards) <= 1
    assert rewards[0] > rewards[-1]


def test_muscles_start_with_the_estimates_activations(make):
    env = make(actuation="muscle", loop=False)
    env.reset(options={"start": 0.25})
    names = [env.worlds.model.actuator(a).name for a in range(80)]
    assert names == list(made_motion.motion().muscle_names)
    np.testing.assert_allclose(env.worlds.engine.act[0], 0.3, atol=1e-3)
    ctrl = env.worlds.controls(np.full((1, env.worlds.model.nu), -1.0))
    assert np.all(ctrl[0, :80] == 0)
    assert np.all(ctrl[0, 80:] == -1)


if importlib.util.find_spec("stable_baselines3") is not None:  # large: not in CI

    def test_stable_baselines3_trains(folder):
        from mjx_msk_gym.sb3 import TrackVecEnv
        from stable_baselines3 import PPO

        env = TrackVecEnv(2, motion=folder, loop=True)
        model = PPO("MlpPolicy", env, n_steps=16, batch_size=16, n_epochs=1, device="cpu", seed=0)
        model.learn(32)
        assert model.num_timesteps == 32
        env.close()
