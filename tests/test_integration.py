"""Motions integrated from forces: closed forms, the C engine, and derivatives by differences."""

from functools import partial

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
import small_model
from compiling import quick

from mjx_msk.errors import MskError
from mjx_msk.model import Model
from mjx_msk.physics import (
    Drive,
    Loads,
    MuscleState,
    Signal,
    State,
    contact_loads,
    energy,
    forward_dynamics,
    full_position,
    full_velocity,
    integrate,
    inverse_dynamics,
    muscle_drive,
    pose,
    rollout,
    shoot,
)
from mjx_msk.physics.coordinates import difference, displaced, normalized

pytestmark = pytest.mark.usefixtures("float64")

STEP = 1e-3  # s
TORQUE_FREE = """
<mujoco>
  <option gravity="0 0 0"/>
  <worldbody>
    <body name="top" pos="0 0 1">
      <freejoint name="root"/>
      <inertial pos="0.1 -0.05 0.02" mass="2" diaginertia="0.1 0.2 0.25"/>
      <body name="arm" pos="0.2 0 0">
        <joint name="swing" axis="0 1 0" pos="0 0.01 0.02"/>
        <inertial pos="0 0 -0.2" mass="1" diaginertia="0.02 0.02 0.01"/>
      </body>
    </body>
  </worldbody>
</mujoco>
"""


@pytest.fixture(scope="module")
def free() -> Model:
    return Model.from_spec(mujoco.MjSpec.from_string(TORQUE_FREE))


def passive(model: Model):
    return lambda t, state: Drive(jnp.zeros(model.n))


def free_state() -> State:
    q = jnp.array([0.1, -0.2, 1.3, 0.6, 0.3, -0.5, 0.4, 0.7])
    q = q.at[3:7].divide(jnp.linalg.norm(q[3:7]))
    return State(q, jnp.array([0.3, -0.4, 0.2, 2.0, -3.0, 1.0, 4.0]))


def test_a_fall_keeps_its_energy(model):
    """Of the full tree with its ties, RK4 at 1 ms: 0.1 % a second is the bar."""
    q, qd, _ = small_model.random_states(model, 1)[:, 0]
    run = jax.jit(lambda s: rollout(model, passive(model), s, step=STEP, steps=200))
    found = run(State(jnp.array(q), jnp.array(qd)))
    kinetic, potential = jax.vmap(partial(energy, model))(found.q, found.qd)
    total = kinetic + potential
    assert np.abs(total - total[0]).max() < 1e-3 * 0.2 * kinetic.max()
    assert np.ptp(kinetic) > 10.0  # it does fall


@pytest.mark.parametrize("scheme", ["rk4", "euler"])
def test_free_joints_move_as_in_the_c_engine(free, scheme):
    """Same scheme, same step: a body that tumbles with an arm on it."""
    mj = mujoco.MjSpec.from_string(TORQUE_FREE).compile()
    mj.opt.timestep = STEP
    mj.opt.integrator = {
        "rk4": mujoco.mjtIntegrator.mjINT_RK4, "euler": mujoco.mjtIntegrator.mjINT_EULER
    }[scheme]  # fmt: skip
    data = mujoco.MjData(mj)
    start = free_state()
    data.qpos[:], data.qvel[:] = start.q, start.qd
    mujoco.mj_step(mj, data, 100)
    run = jax.jit(lambda s: rollout(free, passive(free), s, step=STEP, steps=100, scheme=scheme))
    found = run(start)
    np.testing.assert_allclose(np.linalg.norm(found.q[:, 3:7], axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(found.qd[-1], data.qvel, atol=1e-6)
    np.testing.assert_allclose(found.q[-1], data.qpos, atol=1e-6)


def test_forward_undoes_inverse_with_a_free_joint(free):
    state, qdd = free_state(), jnp.arange(7.0)
    tau = inverse_dynamics(free, state.q, state.qd, qdd)
    np.testing.assert_allclose(
        forward_dynamics(free, state.q, state.qd, tau), qdd, rtol=1e-10, atol=1e-10
    )


def test_a_displacement_is_the_difference(free):
    q = free_state().q
    slope = jax.jit(jax.jacrev(lambda c: displaced(free, q, c)))
    for change in (np.linspace(-0.5, 0.8, 7), np.zeros(7), np.full(7, 1e-7)):
        moved = displaced(free, q, jnp.array(change))
        np.testing.assert_allclose(difference(free, moved, q), change, atol=1e-12)
        assert np.isfinite(slope(jnp.array(change))).all()
    np.testing.assert_allclose(normalized(free, 3.0 * q)[3:7], q[3:7], atol=1e-15)


def test_adaptive_steps_come_to_the_same_place(free):
    times = jnp.array([0.0, 0.05, 0.1])
    fixed = jax.jit(lambda s: rollout(free, passive(free), s, step=1e-3, steps=100))(free_state())

    @partial(jax.jit, static_argnames="most_steps")
    def adapt(state, most_steps):
        tight = {"relative": 1e-9, "absolute": 1e-9}
        return integrate(free, passive(free), state, times, **tight, most_steps=most_steps)

    found = adapt(free_state(), 100)
    assert found.complete
    np.testing.assert_allclose(found.states.q, fixed.q[::50], atol=1e-8)
    assert not adapt(free_state(), 2).complete


def test_sampled_moments_and_loads_reproduce_the_motion(model):
    """Moments by inverse dynamics of q(t) = q0 + a sin(w t), under loads, give q(t) again."""
    q0, a, _ = small_model.random_states(model, 1)[:, 0]
    q0, a, w = jnp.array(q0), 0.1 * jnp.array(a), 7.0
    bodies = (model.layout.body_names.index("calcn_r"),)
    t = 0.5 * STEP * jnp.arange(201)[:, None]
    loads = Loads(*(jnp.broadcast_to(jnp.array([x]), (201, 1, 3)) for x in
                    ([10.0, 20.0, 300.0], [0.1, 0.0, 0.2], [1.0, 2.0, 3.0])))  # fmt: skip
    motion = q0 + a * jnp.sin(w * t), a * w * jnp.cos(w * t), -a * w**2 * jnp.sin(w * t)
    tau = jax.vmap(lambda *x: inverse_dynamics(model, *x[:3], bodies, x[3]))(*motion, loads)
    signal = Signal(0.0, 0.5 * STEP, (tau, loads))

    @jax.jit
    def run(states: State):
        drive = lambda t, s: Drive(*signal.at(t))  # noqa: E731
        return shoot(model, drive, states, step=STEP, steps=25, bodies=bodies)

    begin = slice(0, 200, 50)
    found = run(State(motion[0][begin], motion[1][begin]))
    np.testing.assert_allclose(found.states.q[:, -1], motion[0][50::50], atol=1e-8)
    np.testing.assert_allclose(found.gap_q, 0.0, atol=1e-8)
    np.testing.assert_allclose(found.gap_qd, 0.0, atol=1e-6)


def test_gradients_of_a_rollout(model):
    """Fifty steps with a muscle and feet on the floor, by state, excitation and moments."""
    q, qd, _ = small_model.random_states(model, 1)[:, 0]
    q[1] += 0.001 - lowest_sphere(model, q)  # pelvis_ty: felt, and touched within the window
    n = model.n
    given = jnp.concatenate([q, 0.2 * qd, jnp.linspace(-5.0, 5.0, n), jnp.array([0.2, 0.7])])

    @quick  # values and slopes from one program
    @jax.value_and_grad
    def end(x: jax.Array) -> jax.Array:
        q, qd, tau, activation, excitation = jnp.split(x, [n, 2 * n, 3 * n, 3 * n + 1])
        pull = muscle_drive(model, lambda t, s: excitation)

        def drive(t: jax.Array, s: State) -> Drive:
            acting = pull(t, s)
            loads = contact_loads(model, s.q, s.qd)
            return acting._replace(tau=acting.tau + tau - 0.5 * s.qd, loads=loads)

        found = rollout(
            model, drive, State(q, qd, MuscleState(activation)),
            step=STEP, steps=50, scheme="euler", bodies=model.layout.contact_bodies,
        )  # fmt: skip
        return jnp.sum(jnp.sin(found.q[-1])) + 0.01 * jnp.sum(found.qd[-1] ** 2)

    gradient = np.array(end(given)[1])
    rng = np.random.default_rng(4)
    for k in range(4):
        part = np.zeros(len(given))
        part[k * n : (k + 1) * n] = 1.0  # by q, qd, moments, and the muscle
        along, h = part * rng.normal(size=len(given)), (1e-7, 1e-6, 1e-4, 1e-5)[k]
        expected = float(end(given + h * along)[0] - end(given - h * along)[0]) / (2 * h)
        assert abs(expected) > 1e-4
        np.testing.assert_allclose(gradient @ along, expected, rtol=1e-5)


def lowest_sphere(model: Model, q: np.ndarray) -> float:
    """Return the height of the lowest point of the feet, m."""
    centre = pose(model, jnp.array(q)).contacts
    return float(jnp.min(centre[:, 2] - model.contact_radius))


def test_further_states_integrate_along(free):
    """An activation that decays, in both schemes: exp(-t / tau) to the order of each."""

    def drive(t, state):
        return Drive(jnp.zeros(free.n), rate=-state.inner / 0.02)

    for scheme, tolerance in (("euler", 2e-2), ("rk4", 1e-6)):
        state = free_state()._replace(inner=jnp.array([1.0]))
        run = partial(rollout, free, drive, step=STEP, steps=20, scheme=scheme)
        found = jax.jit(run)(state)
        np.testing.assert_allclose(found.inner[-1, 0], np.exp(-1.0), atol=tolerance)


def test_steps_that_cannot_be_taken(free):
    with pytest.raises(MskError, match="0 steps"):
        rollout(free, passive(free), free_state(), step=STEP, steps=0)
    with pytest.raises(MskError, match="'leapfrog'"):
        rollout(free, passive(free), free_state(), step=STEP, steps=1, scheme="leapfrog")


def test_the_c_engine_falls_alike(model):
    """With stiff ties; it holds them by springs, so only nearly so."""
    spec = small_model.spec()
    mj = spec.compile()
    off = mujoco.mjtDisableBit
    mj.opt.disableflags |= off.mjDSBL_CONTACT | off.mjDSBL_LIMIT | off.mjDSBL_ACTUATION
    mj.opt.timestep, mj.opt.integrator = 2e-4, mujoco.mjtIntegrator.mjINT_RK4
    mj.eq_solref[:], mj.eq_solimp[:, :2] = (4e-4, 1.0), 0.9999
    data = mujoco.MjData(mj)
    q, qd, _ = map(jnp.array, small_model.random_states(model, 1)[:, 0])
    data.qpos[:], data.qvel[:] = full_position(model, q), full_velocity(model, q, 0.3 * qd)
    mujoco.mj_step(mj, data, 250)
    run = jax.jit(lambda s: rollout(model, passive(model), s, step=STEP, steps=50))
    found = run(State(q, 0.3 * qd))
    np.testing.assert_allclose(found.q[-1], data.qpos[list(model.layout.independent)], atol=2e-4)
