"""Muscle forces against OpenSim's own classes: curves, rigid and elastic tendons."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from opensim_muscle import F0, FIBER, SPEED, TENDON, make

from mjx_msk.compile.curves import describe
from mjx_msk.compile.muscle_rig import MuscleRig
from mjx_msk.model import Model
from mjx_msk.physics import MuscleState, State, muscle_drive, rollout
from mjx_msk.physics.activation import activation_rate, first_order_rate
from mjx_msk.physics.muscles import (
    active_force_length,
    compliant_tension,
    equilibrium_fiber_length,
    fiber_velocity,
    force_velocity,
    passive_force_length,
    rigid_tension,
    tendon_force,
)

opensim = pytest.importorskip("opensim")

pytestmark = pytest.mark.usefixtures("float64")

STATE = "/forceset/muscle/fiber_length"
XML = """
<mujoco>
  <custom>
    <text name="muscle_curves/1" data="{curves}"/>
    <text name="muscle_curves/1/muscles" data="muscle"/>
  </custom>
  <size nuser_actuator="5"/>
  <option gravity="0 0 0"/>
  <worldbody>
    <site name="a"/>
    <body><joint name="x" type="slide" axis="1 0 0"/>
      <inertial pos="0 0 0" mass="40" diaginertia="1 1 1"/><site name="b"/></body>
  </worldbody>
  <tendon><spatial name="muscle"><site site="a"/><site site="b"/></spatial></tendon>
  <actuator>
    <muscle name="muscle" tendon="muscle" timeconst="0.015 0.05" lengthrange="0.2 0.5"
      user="800 0.1 0.2 0.35 9"/>
  </actuator>
</mujoco>
"""


def both(kind: str, *, rigid: bool) -> tuple[MuscleRig, Model]:
    """Return a muscle on OpenSim's bench, and a model that has it."""
    muscle = make(kind)
    rig = MuscleRig(opensim, muscle, rigid=rigid)
    text = XML.format(curves=describe(muscle))
    return rig, Model.from_spec(mujoco.MjSpec.from_string(text))


def over(f, *values: np.ndarray) -> np.ndarray:
    """Return ``f`` of one muscle for many values."""
    return np.asarray(jax.jit(jax.vmap(f))(*(jnp.array(v)[:, None] for v in values)))[:, 0]


def opensims_curves(muscle) -> list:
    """Return active and passive force over length, force over velocity and over tendon length."""
    if muscle.getConcreteClassName().startswith("DeGroote"):
        return [
            muscle.calcActiveForceLengthMultiplier, muscle.calcPassiveForceMultiplier,
            muscle.calcForceVelocityMultiplier, muscle.calcTendonForceMultiplier,
        ]  # fmt: skip
    curves = (
        muscle.getActiveForceLengthCurve(), muscle.getFiberForceLengthCurve(),
        muscle.getForceVelocityCurve(), muscle.getTendonForceLengthCurve(),
    )  # fmt: skip
    return [curve.calcValue for curve in curves]


@pytest.mark.parametrize("kind", ["Millard2012EquilibriumMuscle", "DeGrooteFregly2016Muscle"])
def test_curves_are_opensims(kind):
    """Between the points of our tables."""
    _, model = both(kind, rigid=True)
    length, speed = np.linspace(0.3011, 1.7013, 157), np.linspace(-1.2011, 1.2013, 157)
    tendon = np.linspace(0.9913, 1.0911, 157)
    ours = (
        over(lambda x: active_force_length(model, x), length),
        over(lambda x: passive_force_length(model, x), length),
        over(lambda x: force_velocity(model, x, jnp.ones(1)), speed),
        over(lambda x: tendon_force(model, x), tendon),
    )
    grids = (length, length, speed, tendon)
    for found, curve, grid in zip(ours, opensims_curves(make(kind)), grids, strict=True):
        np.testing.assert_allclose(found, [curve(float(x)) for x in grid], atol=2e-5)


@pytest.mark.parametrize("kind", ["Millard2012EquilibriumMuscle", "DeGrooteFregly2016Muscle"])
def test_rigid_tension_is_opensims(kind):
    rig, model = both(kind, rigid=True)
    rng = np.random.default_rng(0)
    length, speed = rng.uniform([0.26, -0.8], [0.335, 0.8], (200, 2)).T
    expected = [rig.rigid_force(at, v) for at, v in zip(length, speed, strict=True)]
    ours = over(lambda x, v: rigid_tension(model, jnp.ones(1), x, v), length, speed)
    np.testing.assert_allclose(ours, np.maximum(0.0, expected), atol=1e-4 * F0)


@pytest.mark.parametrize("kind", ["Millard2012EquilibriumMuscle", "Thelen2003Muscle"])
def test_elastic_tendons_are_opensims(kind):
    """Tension, the fibers' velocity, and the fibers' length at rest."""
    rig, model = both(kind, rigid=False)
    rng = np.random.default_rng(1)
    fiber, strain, activation = rng.uniform([0.07, 0.002, 0.1], [0.13, 0.035, 1], (100, 3)).T
    length = np.array([rig._along(f) for f in fiber]) + TENDON * (1 + strain)

    def opensims(a: float, f: float, at: float) -> tuple[float, float]:
        rig._model.setStateVariableValue(rig._state, STATE, f)
        rig._set(at, 0.0)
        rig._muscle.setActivation(rig._state, a)
        rig._model.realizeAcceleration(rig._state)
        velocity = rig._model.getStateVariableDerivativeValue(rig._state, STATE)
        return rig._muscle.getActuation(rig._state), velocity

    tension, velocity = np.array([*map(opensims, activation, fiber, length)]).T
    ours = over(lambda f, x: compliant_tension(model, f, x), fiber, length)
    np.testing.assert_allclose(ours, tension, atol=1e-4 * F0)
    ours = over(lambda a, f, x: fiber_velocity(model, a, f, x), activation, fiber, length)
    within = np.abs(velocity) < 1.2 * SPEED * FIBER
    assert within.sum() > 50
    np.testing.assert_allclose(ours[within], velocity[within], atol=2e-3 * SPEED * FIBER)
    still = over(lambda a, x: equilibrium_fiber_length(model, a, x), activation, length)
    left = [opensims(*x)[1] for x in zip(activation, still, length, strict=True)]
    np.testing.assert_allclose(left, 0.0, atol=1e-3 * SPEED * FIBER)


def test_activation_rates_are_opensims():
    """Of De Groote's muscle and of Thelen's."""
    excitation, activation = np.random.default_rng(2).uniform(0.05, 1.0, (2, 30))
    for kind, rate in (
        ("DeGrooteFregly2016Muscle", activation_rate),
        ("Thelen2003Muscle", first_order_rate),
    ):
        rig, _ = both(kind, rigid=kind.startswith("De"))
        for e, a in zip(excitation, activation, strict=True):
            rig._set(0.3, 0.0)
            rig._muscle.setActivation(rig._state, a)
            rig._model.setControls(rig._state, opensim.Vector(1, float(e)))
            rig._model.realizeAcceleration(rig._state)
            name = "/forceset/muscle/activation"
            expected = rig._model.getStateVariableDerivativeValue(rig._state, name)
            times = (0.015, 0.06) if kind.startswith("De") else (0.015, 0.05)
            ours = rate(jnp.array([e]), jnp.array([a]), jnp.array([times]))
            assert ours[0] == pytest.approx(expected, rel=1e-6)


def test_a_simulation_driven_by_a_muscle_is_opensims():
    """An excited Thelen muscle with an elastic tendon draws 40 kg along a rail."""
    muscle = make("Thelen2003Muscle")
    _, model = both("Thelen2003Muscle", rigid=False)
    theirs = opensim.Model()
    cart = opensim.Body("cart", 40.0, opensim.Vec3(0), opensim.Inertia(1.0))
    theirs.addBody(cart)
    theirs.addJoint(opensim.SliderJoint("slider", theirs.getGround(), cart))
    muscle.addNewPathPoint("fixed", theirs.getGround(), opensim.Vec3(0))
    muscle.addNewPathPoint("moving", cart, opensim.Vec3(0))
    theirs.addForce(muscle)
    control = opensim.PrescribedController()
    control.addActuator(muscle)
    control.prescribeControlForActuator("muscle", opensim.Constant(0.7))
    theirs.addController(control)
    theirs.finalizeConnections()
    state = theirs.initSystem()
    theirs.getCoordinateSet().get(0).setValue(state, 0.305)
    muscle = theirs.getMuscles().get(0)
    muscle.setActivation(state, 0.1)
    theirs.equilibrateMuscles(state)
    fiber = muscle.getFiberLength(state)
    manager = opensim.Manager(theirs)
    manager.setIntegratorAccuracy(1e-9)
    manager.initialize(state)
    state = manager.integrate(0.1)
    theirs.realizeVelocity(state)
    expected = [
        theirs.getCoordinateSet().get(0).getValue(state),
        theirs.getCoordinateSet().get(0).getSpeedValue(state),
        muscle.getActivation(state),
        muscle.getFiberLength(state),
    ]
    drive = muscle_drive(model, lambda t, s: jnp.full(1, 0.7), first_order_rate)
    start = State(
        jnp.array([0.305]), jnp.zeros(1), MuscleState(jnp.array([0.1]), jnp.array([fiber]))
    )
    end = jax.jit(lambda s: rollout(model, drive, s, step=5e-4, steps=200))(start)
    found = [
        end.q[-1, 0],
        end.qd[-1, 0],
        end.inner.activation[-1, 0],
        end.inner.fiber_length[-1, 0],
    ]
    assert expected[0] < 0.3  # it has moved
    np.testing.assert_allclose(found, expected, rtol=2e-4)
