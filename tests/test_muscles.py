"""Muscle paths, forces and static optimisation against C MuJoCo, OpenSim and finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
import small_model
from scipy.optimize import lsq_linear
from test_muscle_forces import make

from mjx_msk.compile import scale_spec
from mjx_msk.compile.curves import describe
from mjx_msk.compile.muscle_rig import MuscleRig
from mjx_msk.model import Model
from mjx_msk.physics import muscle_force, muscle_paths, muscle_wrenches, scale
from mjx_msk.physics.coordinates import jacobian
from mjx_msk.physics.muscles import (
    compliant_tension,
    equilibrium_fiber_length,
    fiber_velocity,
    rigid_tension,
)
from mjx_msk.physics.static_optimization import least_activation

SURFACES = """
<geom name="{body}/ball" type="sphere" size="0.03" pos="0.01 {y} 0.01"/>
<geom name="{body}/roll" type="cylinder" size="0.025 0.1" pos="0 {y} 0" quat="0.9 0.1 0.3 0.2"/>
<site name="{body}/side" pos="0.1 {y} 0.02" group="5"/>
<site name="{body}/p" pos="0.03 {p} 0.02" group="5"/>
"""
TENDONS = """
<spatial name="ball"><site site="femur_r/p"/><geom geom="tibia_r/ball"/><site site="tibia_r/p"/>
</spatial>
<spatial name="roll"><site site="RASIS"/><geom geom="femur_r/roll" sidesite="femur_r/side"/>
  <site site="tibia_r/p"/><pulley divisor="2"/><site site="muscle_point"/>
  <geom geom="tibia_r/roll"/><site site="landmark/right_heel"/></spatial>
<spatial name="sided"><site site="muscle_point"/>
  <geom geom="tibia_r/ball" sidesite="tibia_r/side"/><site site="tibia_r/p"/></spatial>
"""


def spec(notes: str = "") -> mujoco.MjSpec:
    """Return the small model with muscles that wrap, and a pulley."""
    xml = small_model.XML
    for body, y, p in (("femur_r", -0.1, -0.3), ("tibia_r", 0.0, -0.15)):
        at = xml.index("<inertial", xml.index(f'<body name="{body}"'))
        xml = xml[:at] + SURFACES.format(body=body, y=y, p=p) + xml[at:]
    muscles = "".join(
        f'<muscle name="{n}" tendon="{n}" lengthrange="0.1 0.8" force="500"/>'
        for n in ("ball", "roll", "sided")
    )
    xml = xml.replace("</tendon>", TENDONS + "</tendon>").replace(
        "</actuator>", muscles + "</actuator>"
    )
    xml = xml.replace("</custom>", notes + "</custom>")
    result = mujoco.MjSpec.from_string(xml)
    small_model.set_rest_pose(result, {"hip_flexion_r": 0.1, "mtp_angle_r": -0.2})
    return result


@pytest.fixture(scope="module")
def model(x64) -> Model:
    return Model.from_spec(spec())


@pytest.fixture(scope="module")
def x64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def states(model):
    return small_model.random_states(model, 60)


@pytest.fixture(scope="module")
def paths(model, states):
    return jax.vmap(muscle_paths, (None, 0))(model, states[0])


def test_lengths_and_moment_arms_are_c_mujocos(model, states, paths):
    mj = spec().compile()
    data = mujoco.MjData(mj)
    wraps = 0
    G = np.asarray(jax.vmap(jacobian, (None, 0))(model, states[0]))
    for i, q in enumerate(states[0]):
        data.qpos[:] = small_model.place(model, mj, q)
        mujoco.mj_forward(mj, data)
        wraps += int((data.wrap_obj >= 0).sum())
        for m, name in enumerate(model.layout.muscles.names):
            a = mj.actuator(name).id
            moment = np.zeros((mj.nu, mj.nv))
            mujoco.mju_sparse2dense(
                moment, data.actuator_moment, data.moment_rownnz, data.moment_rowadr,
                data.moment_colind,
            )  # fmt: skip
            assert paths.length[i, m] == pytest.approx(data.actuator_length[a], abs=1e-9)
            np.testing.assert_allclose(paths.jacobian[i, m], moment[a] @ G[i], atol=1e-9)
    assert wraps > 60


def test_moment_arm_is_the_slope_of_the_length(model, states, paths):
    slopes = jax.vmap(jax.jacfwd(lambda m, q: muscle_paths(m, q).length, 1), (None, 0))
    np.testing.assert_allclose(slopes(model, states[0]), paths.jacobian, atol=1e-10)


def test_gradient_of_moment_arms(model, states):
    way = states[1]
    h = 1e-6
    arms = jax.vmap(lambda q: muscle_paths(model, q).jacobian)
    slope = jax.vmap(lambda q, v: jax.jvp(lambda x: muscle_paths(model, x).jacobian, (q,), (v,))[1])
    q = jnp.asarray(states[0])
    numeric = (arms(q + h * way) - arms(q - h * way)) / (2 * h)
    error = np.abs(slope(q, way) - numeric) / (1.0 + np.abs(numeric))
    assert np.quantile(error, 0.995) < 1e-5  # a step may cross an edge of a wrap


def test_wrenches_do_the_work_of_the_muscles(model, states, paths):
    """They move bodies and joints alike, and add up to nothing."""
    pull = jnp.array([100.0, 300.0, 50.0, 20.0])
    force, moment = jax.vmap(muscle_wrenches, (None, 0, None))(model, states[0], pull)
    np.testing.assert_allclose(force.sum(axis=1), 0.0, atol=1e-9)
    from mjx_msk.physics.kinematics import position_data, spatial_jacobian

    bodies = np.arange(len(model.layout.body_names))
    for i in range(0, 60, 20):
        data = position_data(model, states[0, i])
        linear, angular = spatial_jacobian(model, data, states[0, i], data.xpos, bodies)
        work = jnp.einsum("bx,bxn->n", force[i], linear)
        work += jnp.einsum("bx,bxn->n", moment[i], angular)
        np.testing.assert_allclose(work, -paths.jacobian[i].T @ pull, atol=1e-8)


def test_scaled_muscles_are_those_of_a_scaled_spec(model):
    factors = {"pelvis": [1.1] * 3, "femur_r": [1.2, 1.1, 1.0], "tibia_r": [0.9, 1.0, 1.1]}
    other = Model.from_spec(scale_spec(spec(), factors))
    rows = np.ones((len(model.layout.body_names), 3))
    for name, value in factors.items():
        rows[model.layout.body_names.index(name)] = value
    ours = scale(model, jnp.asarray(rows))
    for field in ("site_position", "wrap_position", "wrap_radius", "fiber_length"):
        np.testing.assert_allclose(
            getattr(ours.muscles, field), getattr(other.muscles, field), rtol=1e-6, atol=1e-9
        )


@pytest.mark.parametrize("place", ["same point", "straight", "on the surface", "in the middle"])
def test_no_nan_at_singular_paths(model, place):
    """All entries of values, first and second derivatives are finite."""
    q = model.q_default
    own = model.muscles
    sites = own.site_position
    start, end = model.layout.muscles.segments[-1].start, model.layout.muscles.segments[-1].end
    center = own.wrap_position[0]
    moved = {
        "same point": sites.at[end].set(0.0).at[start].set(0.0),
        "straight": sites.at[end].set(center + jnp.array([0.0, -0.1, 0.0])),
        "on the surface": sites.at[end].set(center + jnp.array([0.03, 0.0, 0.0])),
        "in the middle": sites.at[end].set(center),
    }[place]

    def force(moved, q):
        changed = model.replace(
            muscles=jax.tree.map(lambda x: x, own).__class__(
                **(vars(own) | {"site_position": moved})
            )
        )
        return muscle_force(changed, q, jnp.zeros_like(q), jnp.full(4, 0.5)).sum()

    values = jax.value_and_grad(force, (0, 1))(moved, q)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(values))


def test_static_optimisation_is_bounded_least_squares(x64):
    rng = np.random.default_rng(0)
    for _ in range(5):
        A, b = rng.normal(0, 30, (8, 20)), rng.normal(0, 60, 8)
        ours = least_activation(jnp.array(A), jnp.array(b), jnp.ones(8))
        rows = np.vstack([A, np.eye(20)])
        exact = lsq_linear(rows, np.r_[b, np.zeros(20)], (0, 1), tol=1e-14, method="bvls").x
        np.testing.assert_allclose(ours, exact, atol=1e-8)
        way = rng.normal(0, 1, 8)
        slope = jax.jvp(partial(least_activation, jnp.array(A), reserve=jnp.ones(8)), (b,), (way,))[
            1
        ]
        h = 1e-6
        both = [
            least_activation(jnp.array(A), jnp.array(b + s * h * way), jnp.ones(8)) for s in (1, -1)
        ]
        np.testing.assert_allclose(slope, (both[0] - both[1]) / (2 * h), atol=1e-6)


@pytest.fixture(params=["Millard2012EquilibriumMuscle", "Thelen2003Muscle"])
def bench(request, x64):
    """Return a muscle of OpenSim, and a model whose four muscles are like it."""
    pytest.importorskip("opensim")
    muscle = make(request.param)
    names = "muscle ball roll sided"
    notes = (
        f'<text name="muscle_curves/1" data="{describe(muscle)}"/>'
        f'<text name="muscle_curves/1/muscles" data="{names}"/>'
    )
    model = Model.from_spec(spec(notes))
    own, four = model.muscles, jnp.ones(4)
    sizes = {
        "max_force": 800 * four, "fiber_length": 0.1 * four, "tendon_length": 0.2 * four,
        "pennation": 0.35 * four, "max_velocity": 9 * four,
    }  # fmt: skip
    return muscle, model.replace(muscles=type(own)(**(vars(own) | sizes)))


def test_compliant_muscle_is_opensims(bench):
    import opensim

    muscle, model = bench
    rig = MuscleRig(opensim, muscle, rigid=False)
    rng = np.random.default_rng(1)
    fiber, strain, activation = rng.uniform([0.07, 0.005, 0.1], [0.13, 0.03, 1], (40, 3)).T
    four = jnp.ones(4)
    checked = 0
    for lm, e, a in zip(fiber, strain, activation, strict=True):
        length = rig._along(lm) + 0.2 * (1 + e)
        rig._model.setStateVariableValue(rig._state, "/forceset/muscle/fiber_length", lm)
        rig._set(length, 0.0)
        rig._muscle.setActivation(rig._state, a)
        rig._model.realizeAcceleration(rig._state)
        name = "/forceset/muscle/fiber_length"
        v = rig._model.getStateVariableDerivativeValue(rig._state, name)
        ours = compliant_tension(model, lm * four, length * four)[0]
        assert ours == pytest.approx(rig._muscle.getActuation(rig._state), abs=0.01)
        if abs(v) < 0.85 * 0.9:
            checked += 1
            assert fiber_velocity(model, a * four, lm * four, length * four)[0] == pytest.approx(
                v, abs=1e-3
            )
    assert checked > 8


def test_gradients_of_force(bench):
    _, model = bench
    four = jnp.ones(4)

    def rigid(x):
        return rigid_tension(model, x[0] * four, x[1] * four, x[2] * four)[0]

    def compliant(x):
        fiber = equilibrium_fiber_length(model, x[0] * four, x[1] * four)
        return compliant_tension(model, fiber, x[1] * four)[0]

    for f, x in ((rigid, [0.4, 0.311, -0.2]), (compliant, [0.4, 0.311, 0.0])):
        x, h = jnp.array(x), 1e-6
        numeric = [(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(3)]
        np.testing.assert_allclose(jax.grad(f)(x), numeric, rtol=1e-5, atol=1e-4)
