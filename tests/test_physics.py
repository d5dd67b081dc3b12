"""Kinematics and dynamics in float64 against the C engine, finite differences and themselves."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
import small_model
from compiling import quick

from mjx_msk.compile.following import follow
from mjx_msk.model import Layout, Model
from mjx_msk.physics import (
    Loads,
    Pose,
    centroidal_matrix,
    forward_dynamics,
    inverse_dynamics,
    pose,
)
from mjx_msk.physics.coordinates import (
    full_acceleration,
    full_position,
    full_velocity,
    jacobian,
    reduce_force,
)
from mjx_msk.physics.kinematics import pose_of, position_data, spatial_jacobian
from mjx_msk.resources import asset

pytestmark = pytest.mark.usefixtures("float64")

FRAMES = 8
STEP = 1e-6  # of finite differences
BODIES = ("calcn_r", "calcn_l")


class Computed(NamedTuple):
    """What our functions say about the small model's random states."""

    pose: Pose
    by_q: np.ndarray  #: (T, nsite, 3, n)
    angular: np.ndarray  #: (T, nsite, 3, n)
    momentum: np.ndarray  #: (T, 6)
    moments: tuple[np.ndarray, np.ndarray]  #: inverse dynamics (T, n), without and with loads
    accelerations: tuple[np.ndarray, np.ndarray]  #: forward dynamics (T, n) of both


@pytest.fixture(scope="module")
def engine() -> mujoco.MjModel:
    return small_model.spec().compile()


@pytest.fixture(scope="module")
def states(model) -> np.ndarray:
    """Random states; in the last one the resting body falls freely."""
    states = small_model.random_states(model, FRAMES)
    states[1:, -1] = 0.0
    states[2, -1, :3] = [0.0, -9.80665, 0.0]  # the root's slides have Y up
    return states


@pytest.fixture(scope="module")
def loads() -> Loads:
    rng = np.random.default_rng(1)
    return Loads(*(jnp.array(rng.normal(0, s, (FRAMES, 2, 3))) for s in (500.0, 0.3, 20.0)))


@pytest.fixture(scope="module")
def computed(model, states, loads) -> Computed:
    """One program for everything: the parts share their kinematics, and compile together."""
    bodies = tuple(model.layout.body_names.index(name) for name in BODIES)
    site_bodies = np.asarray(model.mjx.site_bodyid)

    @quick
    @jax.vmap
    def compute(q, qd, qdd, force, point, moment):
        loads = Loads(force, point, moment)
        data = position_data(model, q)
        by_q, angular = spatial_jacobian(model, data, q, data.site_xpos, site_bodies)
        free = inverse_dynamics(model, q, qd, qdd)
        loaded = inverse_dynamics(model, q, qd, qdd, bodies, loads)
        again = forward_dynamics(model, q, qd, free)
        again_loaded = forward_dynamics(model, q, qd, loaded, bodies, loads)
        momentum = centroidal_matrix(model, q) @ qd
        moments, accelerations = (free, loaded), (again, again_loaded)
        return Computed(pose_of(model, data), by_q, angular, momentum, moments, accelerations)

    return jax.tree.map(np.array, compute(*states, *loads))


def slope(function, x: np.ndarray) -> np.ndarray:
    """Return d function / d x by central differences, (..., len(x))."""
    steps = STEP * np.eye(len(x))
    return np.stack(
        [(np.array(function(x + s)) - np.array(function(x - s))) / (2 * STEP) for s in steps], -1
    )


def test_tied_joints_follow_their_polynomials(model, engine, states):
    for q in states[0]:
        qpos = full_position(model, jnp.array(q))
        np.testing.assert_allclose(qpos, small_model.place(model, engine, q), atol=1e-14)


def test_velocity_and_jacobian_are_slopes_of_position(model, states):
    position = quick(partial(full_position, model))
    for q, qd in zip(states[0], states[1], strict=True):
        G = slope(position, q)
        np.testing.assert_allclose(jacobian(model, jnp.array(q)), G, atol=1e-8)
        velocity = full_velocity(model, jnp.array(q), jnp.array(qd))
        np.testing.assert_allclose(velocity, G @ qd, atol=1e-8)


def test_acceleration_is_the_rate_of_velocity(model, states):
    """Along q(t) = q + qd t + qdd t^2 / 2."""
    velocity = quick(partial(full_velocity, model))
    for q, qd, qdd in states.swapaxes(0, 1):

        def at(t, q=q, qd=qd, qdd=qdd):
            return velocity(q + qd * t + qdd * t**2 / 2, qd + qdd * t)

        expected = (at(STEP) - at(-STEP)) / (2 * STEP)
        found = full_acceleration(model, *map(jnp.array, (q, qd, qdd)))
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7)


def test_forces_do_the_same_work_on_both_sides(model, states):
    """F . dqpos = tau . dq for every small motion."""
    force = np.random.default_rng(2).normal(size=len(model.layout.joint_names))
    position = quick(partial(full_position, model))
    q = states[0, 0]
    expected = force @ slope(position, q)
    np.testing.assert_allclose(reduce_force(model, jnp.array(q), force), expected, atol=1e-8)


def check_poses(layout: Layout, engine: mujoco.MjModel, found: Pose, qpos: np.ndarray) -> None:
    """Compare poses with mj_kinematics at ``qpos`` (T, nq)."""
    data = mujoco.MjData(engine)
    for t in range(len(qpos)):
        data.qpos[:] = qpos[t]
        mujoco.mj_kinematics(engine, data)
        mujoco.mj_comPos(engine, data)
        close = partial(np.testing.assert_allclose, atol=1e-12)
        close(found.body_position[t], data.xpos)
        close(found.body_rotation[t], data.xmat.reshape(-1, 3, 3))
        close(found.sites[t], [data.site(name).xpos for name in layout.site_names])
        close(found.contacts[t], [data.geom(name).xpos for name in layout.contact_names])
        close(found.center_of_mass[t], data.subtree_com[1])


def test_poses_are_those_of_the_c_engine(model, engine, states, computed):
    qpos = np.array([small_model.place(model, engine, q) for q in states[0]])
    check_poses(model.layout, engine, computed.pose, qpos)


def test_poses_of_the_default_model():
    """Within the coordinates' ranges, the root at a man's height."""
    path = str(asset("rajagopal_lai_uhlrich_2023.xml"))
    model, engine = Model.load(path), mujoco.MjModel.from_xml_path(path)
    low, high = np.clip(np.array(model.q_range), -1.0, 2.0).T
    q = np.random.default_rng(3).uniform(low, high, (FRAMES, model.n))
    qpos = np.zeros((FRAMES, engine.nq))
    qpos[:, list(model.layout.independent)] = q
    found = quick(jax.vmap(partial(pose, model)))(jnp.array(q))
    check_poses(model.layout, engine, found, np.array([follow(engine, row) for row in qpos]))


def moved(model: Model, engine: mujoco.MjModel, q: np.ndarray, qd: np.ndarray) -> mujoco.MjData:
    """Return the C engine's data of a state, computed forward."""
    data = mujoco.MjData(engine)
    data.qpos[:] = small_model.place(model, engine, q)
    data.qvel[:] = full_velocity(model, jnp.array(q), jnp.array(qd))
    mujoco.mj_forward(engine, data)
    return data


def test_jacobians_of_points(model, engine, states, computed):
    """Sites on every part of the tree: mj_jacSite, times G by finite differences."""
    for t, q in enumerate(states[0]):
        data = moved(model, engine, q, states[1, t])
        G = slope(partial(small_model.place, model, engine), q)
        for k, name in enumerate(model.layout.site_names):
            translation, rotation = np.zeros((2, 3, engine.nv))
            mujoco.mj_jacSite(engine, data, translation, rotation, engine.site(name).id)
            np.testing.assert_allclose(computed.by_q[t, k], translation @ G, atol=1e-8)
            np.testing.assert_allclose(computed.angular[t, k], rotation @ G, atol=1e-8)


def test_centroidal_momentum(model, engine, states, computed):
    """Mass times the center's velocity, and the C engine's angular momentum about it."""
    for t, (q, qd) in enumerate(zip(states[0], states[1], strict=True)):
        data = moved(model, engine, q, qd)
        mujoco.mj_subtreeVel(engine, data)
        linear = engine.body_mass.sum() * data.subtree_linvel[0]
        np.testing.assert_allclose(computed.momentum[t, :3], linear, atol=1e-9)
        np.testing.assert_allclose(computed.momentum[t, 3:], data.subtree_angmom[0], atol=1e-9)


def test_inverse_dynamics_is_that_of_the_c_engine(model, engine, states, loads, computed):
    """G^T (M qacc + bias - applied wrenches), everything but the maps from the C engine."""
    for t, (q, qd, qdd) in enumerate(states.swapaxes(0, 1)):
        data = moved(model, engine, q, qd)
        inertial, applied = np.zeros((2, engine.nv))
        qacc = np.array(full_acceleration(model, *map(jnp.array, (q, qd, qdd))))
        mujoco.mj_mulM(engine, data, inertial, qacc)
        for k, name in enumerate(BODIES):
            force, point, moment = (np.array(part[t, k]) for part in loads)
            body = engine.body(name).id
            mujoco.mj_applyFT(engine, data, force, moment, point, body, applied)
        G = slope(partial(small_model.place, model, engine), q)
        free = G.T @ (inertial + data.qfrc_bias)
        loaded = free - G.T @ applied
        tolerance = 1e-8 * np.abs(loaded).max()
        np.testing.assert_allclose(computed.moments[0][t], free, atol=tolerance)
        np.testing.assert_allclose(computed.moments[1][t], loaded, atol=tolerance)


def test_free_fall_needs_no_forces(computed):
    np.testing.assert_allclose(computed.moments[0][-1], 0.0, atol=1e-10)


def test_forward_dynamics_undoes_inverse_dynamics(states, computed):
    for found in computed.accelerations:
        np.testing.assert_allclose(found, states[2], rtol=1e-8, atol=1e-8)


def test_gradients_by_differences(model, states, loads):
    """Of places, inverse and forward dynamics by the whole state, along three directions each."""
    rng = np.random.default_rng(5)
    bodies = tuple(model.layout.body_names.index(name) for name in BODIES)
    given = tuple(jnp.array(x[0]) for x in states)
    acting = Loads(*(jnp.array(x[0]) for x in loads))
    weights = jax.tree.map(lambda x: rng.normal(size=x.shape), (pose(model, given[0]), given[0]))

    def values(q, qd, third):
        places = pose(model, q)
        dot = jax.tree.map(lambda w, x: jnp.sum(w * x), weights[0], places)
        yield sum(jax.tree.leaves(dot))
        yield weights[1] @ inverse_dynamics(model, q, qd, third, bodies, acting)
        yield weights[1] @ forward_dynamics(model, q, qd, third, bodies, acting)

    def all_of(*x):
        return jnp.stack(list(values(*x)))

    found = quick(jax.jacrev(all_of, (0, 1, 2)))(*given)
    value = quick(all_of)
    for which, h in ((0, 1e-6), (1, 1e-5), (2, 1e-4)):
        for along in rng.normal(size=(3, model.n)):
            ends = [
                np.array(value(*given[:which], given[which] + s * along, *given[which + 1 :]))
                for s in (h, -h)
            ]
            expected, slope = (ends[0] - ends[1]) / (2 * h), found[which] @ along
            np.testing.assert_allclose(slope, expected, rtol=1e-5, atol=1e-7)
