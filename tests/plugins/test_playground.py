"""The Playground environment against the C engine and the formulas in numpy."""

import copy

import jax
import jax.numpy as jnp
import made_motion
import mujoco
import numpy as np
import pytest
import small_model
from playground_host import mjx_msk_playground, mujoco_playground

from mjx_msk import Motion, MskError
from mjx_msk.compile import write_xml
from mjx_msk.compile.writer import follow

pytest.importorskip("gymnasium", reason="pip install 'mjx-msk[rl]'")

from mjx_msk_gym.worlds import Worlds
from mjx_msk_tracking import TrackConfig
from mjx_msk_tracking.actuation import TIMESTEP_S

COUNT = 3
RANDOM = (
    "geom_friction", "body_mass", "body_inertia", "actuator_gainprm", "actuator_biasprm",
)  # fmt: skip


def legs() -> mujoco.MjSpec:
    """Return the small model, of which only the feet touch the floor, as compiled models do."""
    spec = small_model.spec()
    for geom in spec.geoms:
        geom.contype, geom.conaffinity = geom.name == "floor", geom.name.startswith("contact/")
    return spec


def hop() -> Motion:
    """Return a second of the small model that bends its knee while it stands on a foot."""
    model, time = legs().compile(), np.arange(51) / 50.0
    names = tuple(model.joint(j).name for j in range(model.njnt))
    swing = {"knee_angle_r": (0.5, 0.3), "hip_flexion_r": (0.2, 0.2), "pelvis_ty": (0.95, 0.02)}

    def pose(time: np.ndarray) -> np.ndarray:
        qpos = np.zeros((len(time), model.nq))
        for name, (middle, size) in swing.items():
            qpos[:, names.index(name)] = middle + size * np.sin(2 * np.pi * time)
        return follow(model, qpos)

    h = 1e-5
    qpos, qvel = pose(time), (pose(time + h) - pose(time - h)) / (2 * h)
    return Motion(
        time=time, coordinate_names=names, q=qpos, qd=qvel, qdd=0 * qpos, joint_names=names,
        qpos=qpos, qvel=qvel, qacc=0 * qpos,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("estimate")
    hop().save(path / "motion.npz")
    write_xml(legs(), path / "model.xml")
    return path


@pytest.fixture(scope="module")
def env(folder):
    return mujoco_playground.registry.load("MskTrack", config_overrides={"motion": str(folder)})


def test_it_is_an_environment_of_playground(env, folder):
    assert isinstance(env, mujoco_playground.MjxEnv)
    assert env.action_size == env.mj_model.nu
    assert env.dt == pytest.approx(0.03)
    assert env.n_substeps * env.sim_dt == pytest.approx(env.dt)
    assert env.sim_dt == TIMESTEP_S["position"]
    assert env.xml_path == str(folder / "model.xml")
    config = mujoco_playground.registry.get_default_config("MskTrack")
    assert config.episode_length == 333
    with pytest.raises(MskError, match="no motion"):
        mujoco_playground.registry.load("MskTrack")


def test_actions_do_what_they_do_in_the_c_engine(env, folder):
    """Through the wrapper of Playground's training: jitted, batched, randomised, started anew.

    The first body keeps the model's own parameters: it is the Gymnasium environment's. The C
    engine steps the others with theirs. Single precision, feet on the floor, tied joints.
    """
    keys = jax.random.split(jax.random.PRNGKey(0), COUNT)

    def randomize(model):
        batch, axes = mjx_msk_playground.domain_randomize(model, keys)
        first = {name: getattr(batch, name).at[0].set(getattr(model, name)) for name in RANDOM}
        return batch.tree_replace(first), axes

    wrapped = mujoco_playground.wrapper.wrap_for_brax_training(
        env, episode_length=2, randomization_fn=randomize
    )
    first = jax.jit(wrapped.reset)(keys)
    time = np.asarray(first.data.time, dtype=float)
    assert np.ptp(time) > 0.1
    worlds = Worlds(TrackConfig(motion=folder), COUNT)
    for i in range(COUNT):
        worlds.reset(np.array([i]), np.random.default_rng(0), time[i])
    np.testing.assert_allclose(first.obs, worlds.observe(), atol=2e-5)
    assert first.obs.shape == (COUNT, env.observation_size)

    actions = np.random.default_rng(0).uniform(-0.3, 0.3, (COUNT, env.action_size))
    ctrl, step = worlds.controls(actions), jax.jit(wrapped.step)
    begin = worlds.engine.qpos.copy(), worlds.engine.qvel.copy()
    state = step(first, jnp.array(actions))
    reward, lost, over, terms = worlds.step(actions)
    assert not (lost | over).any()
    np.testing.assert_allclose(state.data.time, worlds.time, atol=1e-5)
    np.testing.assert_allclose(state.obs[0], worlds.observe()[0], atol=5e-3)  # of rad/s, too
    np.testing.assert_allclose(state.reward[0], reward[0], atol=1e-4)
    for name, term in terms.items():
        np.testing.assert_allclose(state.metrics[name][0], term[0], atol=1e-3)
    assert 0.1 < reward[0] < 0.999

    batch, touching = randomize(env.mjx_model)[0], []
    for i in range(COUNT):
        start = begin[0][i], begin[1][i], ctrl[i]
        data = stepped(changed(env.mj_model, batch, i), *start, env.n_substeps)
        plain = stepped(env.mj_model, *start, env.n_substeps)
        touching.append(data.ncon)
        np.testing.assert_allclose(state.data.qpos[i], data.qpos, atol=1e-4)
        np.testing.assert_allclose(state.data.qvel[i], data.qvel, atol=5e-3)
        if i > 0:  # it is what was drawn that makes the difference
            error = np.abs(state.data.qvel[i] - data.qvel).max()
            assert error < 0.2 * np.abs(data.qvel - plain.qvel).max()
    assert sum(touching) > 1  # and some stand on the floor

    assert not state.done.any()
    state = step(state, jnp.array(actions))
    np.testing.assert_array_equal(state.info["truncation"], 1.0)
    np.testing.assert_array_equal(state.data.time, first.data.time)  # the motion's, too
    np.testing.assert_array_equal(state.obs, first.obs)


def changed(model: mujoco.MjModel, batch, i: int) -> mujoco.MjModel:
    """Return a copy of a model for the C engine with the parameters of body ``i`` of a batch."""
    model = copy.copy(model)
    for name in RANDOM:
        getattr(model, name)[:] = getattr(batch, name)[i]
    return model


def stepped(model, qpos, qvel, ctrl, steps: int) -> mujoco.MjData:
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:], data.ctrl[:] = qpos, qvel, ctrl
    mujoco.mj_step(model, data, steps)
    return data


@pytest.fixture(scope="module", params=["position", "muscle"])
def body(request, tmp_path_factory):
    """Return the environment of the default model."""
    path = tmp_path_factory.mktemp("body")
    made_motion.motion().save(path / "motion.npz")
    write_xml(made_motion.spec(), path / "model.xml")
    overrides = {"motion": str(path), "loop": True, "actuation": request.param}
    return mjx_msk_playground.TrackEnv(config_overrides=overrides)


def test_formulas_are_those_in_numpy(body):
    """Everything but the engine, on states that drift away from the reference, to 1e-4."""
    task, rng = body.task, np.random.default_rng(0)
    time = rng.uniform(0, 3 * task.reference.duration, 20)
    size = np.linspace(0, 0.4, 20)[:, None]
    qpos, qvel, act = task.start(time)
    qpos, qvel = (x + size * rng.normal(0, 1, x.shape) for x in (qpos, qvel))
    ends = task.tracker.target(time).ends + 0.1
    actions = rng.uniform(-1.5, 1.5, (20, body.action_size))
    qpos[-1, 0] = np.nan
    for function, inputs in {
        task.start: (time,), task.controls: (actions, time), task.finished: (time,),
        task.observe: (time, qpos, qvel, act), task.judge: (time, qpos, qvel, ends),
    }.items():  # fmt: skip
        ours, theirs = jax.jit(function)(*map(jnp.asarray, inputs)), function(*inputs)
        assert jax.tree.structure(ours) == jax.tree.structure(theirs)
        for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-4)
    lost = task.judge(time, qpos, qvel, ends)[1]
    assert 0 < lost.sum() < 20


def test_mjx_takes_the_whole_body(body):
    """Traced, not compiled, which takes MJX half a minute."""
    state = jax.eval_shape(body.reset, jax.random.PRNGKey(0))
    after = jax.eval_shape(body.step, state, jnp.zeros(body.action_size))
    assert jax.tree.structure(after) == jax.tree.structure(state)
    assert jax.tree.leaves(after) == jax.tree.leaves(state)  # shapes and types
    assert body.sim_dt == pytest.approx(TIMESTEP_S[body.task.config.actuation], rel=0.02)


def test_what_is_randomised(body):
    model, axes = mjx_msk_playground.domain_randomize(
        body.mjx_model, jax.random.split(jax.random.PRNGKey(0), 5)
    )
    assert len(jax.tree.leaves(axes)) == 5  # the others have none
    old = body.mjx_model
    touches = np.asarray(old.geom_contype | old.geom_conaffinity) != 0
    sliding = np.asarray(model.geom_friction[:, touches, 0])
    assert np.all(sliding == sliding[:, :1])
    assert len(np.unique(sliding)) == 5
    assert np.all((sliding >= 0.5) & (sliding <= 1.2))
    np.testing.assert_array_equal(model.geom_friction[0, ~touches], old.geom_friction[~touches])
    np.testing.assert_array_equal(model.geom_friction[1, :, 1:], old.geom_friction[:, 1:])
    heavy = np.asarray(old.body_mass) > 0
    share = np.asarray(model.body_mass)[:, heavy] / np.asarray(old.body_mass)[heavy]
    assert 0.9 <= share.min() < 0.93 < 1.07 < share.max() <= 1.1
    gain, bias = np.asarray(old.actuator_gainprm), np.asarray(old.actuator_biasprm)
    muscle = np.asarray(old.actuator_gaintype) == int(mujoco.mjtGain.mjGAIN_MUSCLE)
    for now, before in ((model.actuator_gainprm, gain), (model.actuator_biasprm, bias)):
        grown = np.asarray(now[0]) / np.where(before == 0, 1, before)
        changed = (before != 0) & (np.abs(grown - 1) > 1e-6)
        assert np.all((grown >= 0.9) & (grown <= 1.1) | (before == 0))
        assert np.all(np.flatnonzero(changed[muscle].any(axis=0)) == 2)  # the peak force alone
        np.testing.assert_array_equal(changed[~muscle], before[~muscle] != 0)
