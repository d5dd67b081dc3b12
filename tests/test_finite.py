"""A hunt for NaN and infinity in values and derivatives, at the places where formulas break down.

In single and in double precision. Paths and inverse kinematics: ``test_finite_paths``; contact of
one sphere: ``test_ground_contact``.
"""

import dataclasses

import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
import small_model
from finite import assert_finite, everything, hunt
from hypothesis import given
from hypothesis import strategies as st

from mjx_msk.model import Model
from mjx_msk.physics import (
    compliant_tension,
    contact_force,
    contact_loads,
    equilibrium_fiber_length,
    fiber_velocity,
    foot_wrench,
    rigid_tension,
)
from mjx_msk.physics.coordinates import difference, displaced
from mjx_msk.physics.muscles import rigid_pull
from mjx_msk.physics.static_optimization import least_activation

CURVES = """
<text name="muscle_curves/1" data="Millard2012EquilibriumMuscle"/>
<text name="muscle_curves/1/muscles" data="muscle"/>
<text name="muscle_curves/2" data="Thelen2003Muscle"/>
<text name="muscle_curves/2/muscles" data="ball"/>
<text name="muscle_curves/3" data="DeGrooteFregly2016Muscle"/>
<text name="muscle_curves/3/muscles" data="roll"/>
<text name="muscle_curves/4" data="Millard2012EquilibriumMuscle fiber_damping=0"/>
<text name="muscle_curves/4/muscles" data="sided"/>
"""
FREE = """
<mujoco><worldbody><body><freejoint name="root"/>
  <inertial pos="0 0 0" mass="1" diaginertia="1 1 1"/></body></worldbody></mujoco>
"""


#: Muscles: four kinds of curves with one architecture.
FIBER, TENDON = 0.1, 0.2


@pytest.fixture(scope="module")
def fibers(precision):
    """Return forces and fibers of (activation, length, velocity, fiber length, pennation)."""
    spec = small_model.muscled_spec()
    notes = mujoco.MjSpec.from_string(f"<mujoco><custom>{CURVES}</custom></mujoco>")
    for text in notes.texts:
        spec.add_text(name=text.name, data=text.data)
    model, four = Model.from_spec(spec), jnp.ones(4)
    assert not model.layout.muscles.approximated

    def muscles(activation, length, velocity, fiber, pennation) -> tuple:
        sizes = {
            "max_force": 800.0 * four, "fiber_length": FIBER * four,
            "tendon_length": TENDON * four, "max_velocity": 9.0 * four,
            "pennation": pennation * four,
        }  # fmt: skip
        one = model.replace(muscles=dataclasses.replace(model.muscles, **sizes))
        activation, length, velocity, fiber = (
            x * four for x in (activation, length, velocity, fiber)
        )
        still = equilibrium_fiber_length(one, activation, length)
        return (
            rigid_tension(one, activation, length, velocity),
            rigid_pull(one, length, velocity),
            compliant_tension(one, fiber, length),
            compliant_tension(one, still, length),
            fiber_velocity(one, activation, fiber, length),
            fiber_velocity(one, activation, still, length),
        )

    return everything(muscles)


@hunt
@given(
    activation=st.sampled_from([0.0, 1e-9, 1.0]) | st.floats(0.0, 1.0),
    length=st.sampled_from([0.0, 1e-9, TENDON, TENDON + FIBER, 0.98 * TENDON, 1.0, 5.0])
    | st.floats(0.0, 2.0),
    velocity=st.sampled_from([0.0, 1e-30, -1e-12, 0.9, -0.9, 100.0, -100.0]),
    fiber=st.sampled_from([0.0, 1e-9, FIBER, 0.01 * FIBER, FIBER * np.sin(0.35), 2.5 * FIBER, 3.0])
    | st.floats(0.0, 1.0),
    pennation=st.sampled_from([0.0, 0.35, 1.4, 0.5 * np.pi]),
)
def test_fibers(precision, fibers, activation, length, velocity, fiber, pennation):
    """Slack and torn tendons, no and full activation, fibers of no length or across the tendon."""
    given = (activation, length, velocity, fiber, pennation)
    assert_finite(fibers(*map(precision, given)), precision)


@pytest.fixture(scope="module")
def solver(precision):
    return everything(least_activation)


@hunt
@given(
    seed=st.integers(0, 10**6),
    strength=st.sampled_from([0.0, 1e-20, 1e-3, 50.0, 1e4]),
    wanted=st.sampled_from([0.0, 1e-20, 1.0, 100.0, 1e5]),
    reserve=st.sampled_from([0.0, 1e-3, 1.0, 100.0]),
    alike=st.booleans(),
    left_out=st.sets(st.integers(0, 3)),
)
def test_static_optimisation(precision, solver, seed, strength, wanted, reserve, alike, left_out):
    """No muscles, none that reach, no moments, no reserves, muscles that are all the same."""
    rng = np.random.default_rng(seed)
    moments = strength * rng.normal(size=(4, 6))
    if alike:
        moments[:] = moments[:, :1]
    cheap = np.full(4, reserve)
    cheap[list(left_out)] = 0.0
    given = (moments, wanted * rng.normal(size=4), cheap)
    found = solver(*(x.astype(precision) for x in given))
    assert_finite(found, precision)
    assert ((found[0] >= 0.0) & (found[0] <= 1.0)).all()


@pytest.fixture(scope="module")
def floor(precision):
    """Return what the floor does to the small model at a height over grazing."""
    model = Model.from_spec(small_model.spec())

    def forces(q, qd) -> tuple:
        loads = contact_loads(model, q, qd)
        feet = foot_wrench(model.layout.contact_feet, loads.force, loads.point)
        cop = jnp.where(jnp.isnan(feet.cop), 0.0, feet.cop)  # of an unloaded foot, as it says
        return contact_force(model, q, qd), feet.force, feet.moment, cop

    return model, everything(forces)


@hunt
@given(
    over=st.sampled_from([0.0, 1e-9, -1e-9, 1e-4, -1e-4, 5.0, -0.5]) | st.floats(-0.03, 0.03),
    speed=st.sampled_from([0.0, 1e-30, -1.0, 30.0]),
)
def test_feet_that_graze_the_floor(precision, floor, over, speed):
    model, forces = floor
    q = np.array(model.q_default, precision)
    q[:] = 0.0
    q[1] = 0.93 + over
    assert_finite(forces(q, np.full(model.n, speed, precision)), precision)


@pytest.fixture(scope="module")
def turns(precision):
    model = Model.from_spec(mujoco.MjSpec.from_string(FREE))

    def both(start, end, change) -> tuple:
        return displaced(model, start, change), difference(model, end, start)

    return everything(both)


@hunt
@given(
    angle=st.sampled_from([0.0, 1e-30, 1e-12, 1e-5, 2e-4, 1.0, np.pi, 2 * np.pi, 7.0]),
    axis=st.sampled_from([(1.0, 0.0, 0.0), (0.6, 0.0, -0.8), (1 / 3, 2 / 3, -2 / 3)]),
    sign=st.sampled_from([1.0, -1.0]),
)
def test_quaternions(precision, turns, angle, axis, sign):
    """Identical ones, opposite ones that turn alike, and half turns, whose way is arbitrary."""
    start = np.array([0.1, 0.2, 0.3, 0.5, -0.5, 0.5, 0.5])
    w, vector = np.cos(angle / 2), np.sin(angle / 2) * np.array(axis)
    turned = np.zeros(4)
    mujoco.mju_mulQuat(turned, start[3:], np.array([w, *vector]))
    end = np.array([*start[:3], *sign * turned])
    change = np.array([0.0, 0.0, 0.0, *angle * np.array(axis)])
    assert_finite(turns(*(x.astype(precision) for x in (start, end, change))), precision)
