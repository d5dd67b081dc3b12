"""Muscle paths and forces: the C engine, closed forms, finite differences."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
import small_model
from compiling import quick

from mjx_msk.compile import scale_spec
from mjx_msk.model import Model
from mjx_msk.physics import (
    activation_rate,
    equilibrium_fiber_length,
    fiber_velocity,
    first_order_rate,
    muscle_force,
    muscle_paths,
    muscle_wrenches,
    scale,
)
from mjx_msk.physics.coordinates import jacobian
from mjx_msk.physics.kinematics import position_data, spatial_jacobian
from mjx_msk.physics.muscles import compliant_tension, rigid_pull, rigid_tension

pytestmark = pytest.mark.usefixtures("float64")

COUNT = 60
PULL = (100.0, 300.0, 50.0, 20.0)  # N


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.from_spec(small_model.muscled_spec())


@pytest.fixture(scope="module")
def states(model) -> np.ndarray:
    return small_model.random_states(model, COUNT)


@pytest.fixture(scope="module")
def found(model, states):
    """Return paths, the sum of the muscles' forces, and the work that they do on bodies."""
    bodies = np.arange(len(model.layout.body_names))

    @quick
    @jax.vmap
    def everything(q: jax.Array) -> tuple:
        force, moment = muscle_wrenches(model, q, jnp.array(PULL))
        data = position_data(model, q)
        linear, angular = spatial_jacobian(model, data, q, data.xpos, bodies)
        work = jnp.einsum("bx,bxn->n", force, linear) + jnp.einsum("bx,bxn->n", moment, angular)
        return muscle_paths(model, q), force.sum(axis=0), work, jacobian(model, q)

    return everything(states[0])


def test_lengths_and_moment_arms_are_c_mujocos(model, states, found):
    paths, _, _, G = found
    mj = small_model.muscled_spec().compile()
    data = mujoco.MjData(mj)
    bent = np.zeros(mj.ntendon, int)
    actuators = [mj.actuator(name).id for name in model.layout.muscles.names]
    moment = np.zeros((mj.nu, mj.nv))
    for i, q in enumerate(states[0]):
        data.qpos[:] = small_model.place(model, mj, q)
        mujoco.mj_forward(mj, data)
        mujoco.mju_sparse2dense(
            moment, data.actuator_moment, data.moment_rownnz, data.moment_rowadr,
            data.moment_colind,
        )  # fmt: skip
        for tendon in range(mj.ntendon):
            start = data.ten_wrapadr[tendon]
            points = data.wrap_obj.ravel()[start : start + data.ten_wrapnum[tendon]]
            bent[tendon] += np.any(points >= 0)
        np.testing.assert_allclose(paths.length[i], data.actuator_length[actuators], atol=1e-9)
        np.testing.assert_allclose(paths.jacobian[i], moment[actuators] @ G[i], atol=1e-9)
    assert bent[mj.tendon("muscle").id] == 0
    assert all(bent[mj.tendon(name).id] > 5 for name in ("ball", "roll", "sided"))


def test_wrenches_do_the_work_of_the_muscles(found):
    """They move bodies and joints alike, and add up to nothing."""
    paths, total, work, _ = found
    np.testing.assert_allclose(total, 0.0, atol=1e-9)
    np.testing.assert_allclose(work, -np.einsum("tmn,m->tn", paths.jacobian, PULL), atol=1e-8)


def test_scaled_muscles_are_those_of_a_scaled_spec(model):
    factors = {"pelvis": [1.1] * 3, "femur_r": [1.2, 1.1, 1.0], "tibia_r": [0.9, 1.0, 1.1]}
    other = Model.from_spec(scale_spec(small_model.muscled_spec(), factors))
    rows = np.ones((len(model.layout.body_names), 3))
    for name, value in factors.items():
        rows[model.layout.body_names.index(name)] = value
    ours = quick(scale)(model, jnp.asarray(rows))
    for field in ("site_position", "wrap_position", "wrap_radius", "fiber_length"):
        np.testing.assert_allclose(
            getattr(ours.muscles, field), getattr(other.muscles, field), rtol=1e-6, atol=1e-9
        )


@pytest.fixture(scope="module")
def pulled(model):
    """Return a number that depends on a muscle force in every way, and its gradient, compiled."""
    weight = jnp.linspace(-1.0, 1.0, model.n)

    def work(x: dict[str, jax.Array]) -> jax.Array:
        muscles = dataclasses.replace(
            model.muscles, site_position=x["sites"], wrap_radius=x["radius"]
        )
        changed = model.replace(muscles=muscles)
        return weight @ muscle_force(changed, x["q"], x["qd"], x["activation"])

    return quick(jax.vmap(jax.value_and_grad(work)))


def inputs(model, states) -> dict[str, np.ndarray]:
    own, rng = model.muscles, np.random.default_rng(2)
    return {
        "sites": own.site_position + rng.normal(0, 0.003, (COUNT, *own.site_position.shape)),
        "radius": own.wrap_radius * rng.uniform(0.9, 1.1, (COUNT, len(own.wrap_radius))),
        "q": states[0],
        "qd": 0.1 * states[1],
        "activation": rng.uniform(0.1, 0.9, (COUNT, len(own.max_force))),
    }


def test_gradients_of_muscle_force(model, states, pulled):
    """By coordinates, speeds, activations, sites and radii, against central differences."""
    x, rng, h = inputs(model, states), np.random.default_rng(3), 1e-6
    way = {name: rng.normal(size=value.shape) for name, value in x.items()}
    value, gradient = pulled(x)
    slope = sum(
        np.sum(np.asarray(gradient[k]) * way[k], axis=tuple(range(1, way[k].ndim))) for k in x
    )
    sides = [pulled({k: v + sign * h * way[k] for k, v in x.items()})[0] for sign in (1, -1)]
    numeric = (sides[0] - sides[1]) / (2 * h)
    error = np.abs(slope - numeric) / (np.abs(numeric) + np.abs(value) + 1.0)
    assert np.median(np.abs(numeric)) > 10.0
    assert np.sort(error)[-3] < 1e-5  # a step may cross the edge of a surface
    assert error.max() < 1e-2


def isolated(model, **sizes: float):
    """Return the model with four muscles of one architecture."""
    four = jnp.ones(4)
    values = {
        "max_force": 800.0, "fiber_length": 0.1, "tendon_length": 0.2, "pennation": 0.35,
        "max_velocity": 9.0,
    } | sizes  # fmt: skip
    changes = {name: value * four for name, value in values.items()}
    return model.replace(muscles=dataclasses.replace(model.muscles, **changes))


def test_gradients_of_tension(model):
    """Rigid, compliant at rest and the compliant fiber's velocity, against central differences."""
    one, four = isolated(model), jnp.ones(4)

    def rigid(x):
        return rigid_tension(one, x[0] * four, x[1] * four, x[2] * four)[0]

    def compliant(x):
        fiber = equilibrium_fiber_length(one, x[0] * four, x[1] * four)
        return compliant_tension(one, fiber, x[1] * four)[0]

    def velocity(x):
        return 100.0 * fiber_velocity(one, x[0] * four, x[2] * four, x[1] * four)[0]

    @quick
    @jax.vmap
    def all_three(x):
        return tuple(jax.value_and_grad(f)(x) for f in (rigid, compliant, velocity))

    x, h = jnp.array([0.4, 0.297, 0.097]), 1e-6
    values = all_three(jnp.concatenate([x[None], x + h * np.eye(3), x - h * np.eye(3)]))
    for value, gradient in values:
        numeric = (value[1:4] - value[4:7]) / (2 * h)
        np.testing.assert_allclose(
            gradient[0], numeric, rtol=1e-5, atol=1e-5 * np.abs(numeric).max()
        )
        assert np.abs(numeric).max() > 10.0


@pytest.fixture(scope="module")
def balance():
    """Return fibers at rest, what their tendons pull with, and their rates when out of place."""

    @quick
    @partial(jax.vmap, in_axes=(None, 0, 0))
    def compiled(one: Model, activation: jax.Array, length: jax.Array) -> tuple:
        activation, length = activation * jnp.ones(4), length * jnp.ones(4)
        fiber = equilibrium_fiber_length(one, activation, length)
        rates = [
            fiber_velocity(one, activation, share * fiber, length) for share in (1, 0.98, 1.02)
        ]
        return fiber, compliant_tension(one, fiber, length), rates

    return compiled


def test_compliant_fibers_balance_their_tendon(model, balance):
    """Their rate is 0 at the equilibrium, and leads there."""
    activation, length = np.meshgrid([0.01, 0.3, 1.0], [0.26, 0.29, 0.31, 0.33])
    _, _, (still, shorter, longer) = balance(isolated(model), activation.ravel(), length.ravel())
    np.testing.assert_allclose(still, 0.0, atol=1e-9)
    assert (shorter > 1e-4).all()
    assert (longer < -1e-4).all()


def test_stiff_tendons_are_rigid_ones(model, balance):
    """A tendon a thousand times shorter than the fibers stretches by nothing that counts."""
    short = isolated(model, tendon_length=1e-4, pennation=0.0)
    activation, length = np.meshgrid([0.1, 0.5, 0.8], [0.08, 0.09, 0.1, 0.11])
    _, found, _ = balance(short, activation.ravel(), length.ravel())
    for a, at, tension in zip(activation.flat, length.flat, found, strict=True):
        four = jnp.ones(4)
        rigid = rigid_tension(short, a * four, at * four, 0.0 * four)
        np.testing.assert_allclose(tension, rigid, rtol=2e-3)


def test_pull_is_linear_in_activation(model):
    one, four = isolated(model), jnp.ones(4)
    length = jnp.array([0.27, 0.3, 0.31, 0.33])
    pull = rigid_pull(one, length, -0.1 * four)
    expected = rigid_tension(one, 0.3 * four, length, -0.1 * four)
    passive_pushes = pull.passive == 0.0
    assert passive_pushes.any()
    np.testing.assert_allclose(
        jnp.where(passive_pushes, expected, 0.3 * pull.active + pull.passive), expected, rtol=1e-12
    )
    assert (0.3 * pull.active + pull.passive >= expected - 1e-9).all()


def test_activation_follows_excitation():
    """Thelen's rate with e = a everywhere is 0; for fixed scale, its closed form."""
    times = jnp.array([[0.01, 0.04]])
    assert activation_rate(jnp.array([0.3]), jnp.array([0.3]), times) == 0.0

    def after(rate, start, excitation, seconds, steps=400):
        h = seconds / steps
        e = jnp.array([excitation])

        def step(a, _):
            k1 = rate(e, a, times)
            k2 = rate(e, a + 0.5 * h * k1, times)
            k3 = rate(e, a + 0.5 * h * k2, times)
            return a + h / 6 * (k1 + 2 * k2 + 2 * k3 + rate(e, a + h * k3, times)), None

        return float(jax.lax.scan(step, jnp.array([start]), None, steps)[0][0])

    # e = 1: a' (1/2 + 3/2 a) tau = 1 - a, so (-3/2 a - 2 ln(1 - a)) from a0 to a is t / tau
    a = after(first_order_rate, 0.1, 1.0, 0.02)
    assert -1.5 * (a - 0.1) - 2 * np.log((1 - a) / 0.9) == pytest.approx(2.0, abs=1e-8)
    # e = 0: a' = -a (1/2 + 3/2 a) / tau, so ln(a / (1 + 3 a)) falls by t / (2 tau)
    a = after(first_order_rate, 0.8, 0.0, 0.04)
    fallen = np.log(0.8 / (1 + 3 * 0.8)) - np.log(a / (1 + 3 * a))
    assert fallen == pytest.approx(0.5, abs=1e-8)
