"""Joint reactions against OpenSim's own, with loads on the feet, muscles, and ideal torques.

OpenSim's accelerations under these forces go into ours, and every joint's reaction on its child is
compared: force and moment at the joint, in the ground's axes.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mjx_msk.compile.skeleton import WORLD_FROM_GROUND
from mjx_msk.model import Model
from mjx_msk.physics import (
    Loads,
    inverse_dynamics,
    joint_reactions,
    muscle_paths,
)
from mjx_msk.resources import asset

opensim = pytest.importorskip("opensim")

pytestmark = pytest.mark.usefixtures("float64")

GENERIC = "models/RajagopalLaiUhlrich2023.osim"
FEET = ("calcn_r", "calcn_l")
STATES = 5
#: Each joint by the child that OpenSim's joint and our reaction act on.
CHILDREN = {
    "hip_r": "femur_r", "walker_knee_r": "tibia_r", "ankle_r": "talus_r",
    "hip_l": "femur_l", "walker_knee_l": "tibia_l", "ankle_l": "talus_l",
    "back": "torso", "acromial_l": "humerus_l",
}  # fmt: skip


class Given(NamedTuple):
    """States (s, n) of a moving body, what it carries and what its muscles pull with."""

    q: np.ndarray
    qd: np.ndarray
    qdd: np.ndarray  #: wanted: ideal torques make up for what muscles do not do
    loads: Loads  #: (s, 2, 3) on the feet
    tension: np.ndarray  #: (s, m) N


@pytest.fixture(scope="module")
def model(float64) -> Model:
    return Model.load(asset("rajagopal_lai_uhlrich_2023.xml"))


@pytest.fixture(scope="module")
def given(model) -> Given:
    rng = np.random.default_rng(21)
    low, high = np.clip(np.asarray(model.q_range), -0.4, 1.0).T
    q = rng.uniform(low, np.maximum(low, high), (STATES, model.n))
    force = rng.normal([0, 0, 600], [80, 80, 200], (STATES, 2, 3))
    point = rng.uniform(-0.3, 0.3, (STATES, 2, 3))
    loads = Loads(force, point, rng.normal(0, 10, (STATES, 2, 3)))
    tension = rng.uniform(0.0, 0.3, (STATES, 80)) * np.asarray(model.muscles.max_force)
    return Given(q, rng.normal(0, 1, q.shape), rng.normal(0, 5, q.shape), loads, tension)


@pytest.fixture(scope="module")
def torques(model, given):
    """Return what gives the ideal torques (s, n) beside muscles and loads for a motion."""
    feet = tuple(model.layout.body_names.index(name) for name in FEET)

    @jax.jit
    @jax.vmap
    def missing(g: Given) -> jax.Array:
        whole = inverse_dynamics(model, g.q, g.qd, g.qdd, feet, g.loads)
        return whole + muscle_paths(model, g.q).jacobian.T @ g.tension

    return missing


@pytest.fixture(scope="module")
def reactions(model):
    """Return what gives our reactions (s, joints, 2, 3)."""
    feet = tuple(model.layout.body_names.index(name) for name in FEET)
    rows = np.array([model.layout.body_names.index(child) for child in CHILDREN.values()])

    @jax.jit
    @jax.vmap
    def of_joints(g: Given) -> jax.Array:
        found = joint_reactions(model, g.q, g.qd, g.qdd, feet, g.loads, g.tension)
        return jnp.stack([found.force, found.moment], axis=1)[rows]

    return of_joints


class Bench:
    """OpenSim's model with forces on its feet and a motor on every coordinate; time counts states.

    Muscles pull with what they are told. Coordinates that follow others are set like them.
    """

    def __init__(self, path: str, names: tuple[str, ...], loads: Loads) -> None:
        opensim.Logger.setLevelString("Off")
        self.names = names
        self.model = opensim.Model(path)
        for coordinate in self.model.getCoordinateSet():
            coordinate.setDefaultLocked(False)
            coordinate.setDefaultClamped(False)
        for force in self.model.getForceSet():
            force.set_appliesForce(opensim.Muscle.safeDownCast(force) is not None)
        for foot, name in enumerate(FEET):
            self._push(name, loads.force[:, foot], loads.point[:, foot], loads.moment[:, foot])
        self.motors = [self._motor(name) for name in names]
        self.model.finalizeConnections()
        self.state = self.model.initSystem()

    def _push(self, body: str, *rows: np.ndarray) -> None:
        push = opensim.PrescribedForce(f"push_{body}", self.model.getBodySet().get(body))
        push.set_forceIsGlobal(True)
        push.set_pointIsGlobal(True)
        setters = (push.set_forceFunctions, push.set_pointFunctions, push.set_torqueFunctions)
        for setter, row in zip(setters, rows, strict=True):
            functions = opensim.FunctionSet()
            for values in (row @ WORLD_FROM_GROUND).T:
                function = opensim.PiecewiseLinearFunction()
                for time, value in enumerate(values):
                    function.addPoint(time, float(value))
                functions.cloneAndAppend(function)
            setter(functions)
        self.model.addForce(push)

    def _motor(self, coordinate: str) -> Any:
        motor = opensim.CoordinateActuator(coordinate)
        motor.setName(f"motor_{coordinate}")
        motor.setOptimalForce(1.0)
        self.model.addForce(motor)
        return motor

    def solve(self, index: int, given: Given, torque: np.ndarray) -> np.ndarray:
        """Go to a state and return the accelerations (n,) of the coordinates."""
        state, coordinates = self.state, self.model.getCoordinateSet()
        state.setTime(index)
        for name, q, qd in zip(self.names, given.q[index], given.qd[index], strict=True):
            for each in (name, f"{name}_beta") if name.startswith("knee") else (name,):
                coordinates.get(each).setValue(state, float(q), False)
                coordinates.get(each).setSpeedValue(state, float(qd))
        pulls = zip(self.model.getMuscles(), given.tension[index], strict=True)
        for actuator, value in [*pulls, *zip(self.motors, torque[index], strict=True)]:
            actuator.overrideActuation(state, True)
            actuator.setOverrideActuation(state, float(value))
        self.model.realizeAcceleration(state)
        return np.array([coordinates.get(n).getAccelerationValue(state) for n in self.names])

    def reaction(self, joint: str) -> np.ndarray:
        """Return the force and the moment on the child at the joint (2, 3), world axes."""
        found = self.model.getJointSet().get(joint)
        pair = found.calcReactionOnChildExpressedInGround(self.state)
        moment, force = (WORLD_FROM_GROUND @ pair.get(k).to_numpy() for k in (0, 1))
        return np.array([force, moment])


@pytest.fixture(scope="module")
def bench(shared_data, model, given) -> Bench:
    bench = Bench(str(shared_data / GENERIC), model.layout.coordinate_names, given.loads)
    assert [m.getName() for m in bench.model.getMuscles()] == list(model.layout.muscles.names)
    return bench


#: Muscles that pull, and the greatest RMS of the difference over the RMS of hip, knee and ankle.
CASES = {
    "none": (lambda names: np.zeros(len(names)), (1e-3, 1e-3, 1e-3)),
    "all but the gastrocnemii": (
        lambda names: np.array([not name.startswith("gas") for name in names]),
        (0.01, 5e-3, 1e-3),
    ),
    # their two surfaces in OpenSim are one in MuJoCo, with the same lengths and moment arms only
    "all": (lambda names: np.ones(len(names)), (0.01, 0.08, 0.05)),
}


@pytest.mark.parametrize("case", CASES)
def test_reactions_are_opensims(case, model, given, torques, bench, reactions):
    which, bars = CASES[case]
    pulled = given._replace(tension=given.tension * which(model.layout.muscles.names))
    torque = np.array(torques(pulled))
    expected, qdd = [], []
    for index in range(STATES):
        qdd.append(bench.solve(index, pulled, torque))
        expected.append([bench.reaction(joint) for joint in CHILDREN])
    error = np.array(reactions(pulled._replace(qdd=np.array(qdd)))) - expected
    share = np.sqrt(np.mean(error**2, axis=(0, 3)) / np.mean(np.square(expected), axis=(0, 3)))
    bars = dict(zip(("hip", "knee", "ankle"), bars, strict=True))
    for joint, (force, moment) in zip(CHILDREN, share, strict=True):
        bar = next((value for name, value in bars.items() if name in joint), 1e-3)
        assert force < bar, joint
        assert moment < bar, joint
    if case == "all":
        assert np.linalg.norm(np.array(expected)[:, :, 0], axis=-1)[:, :6].max() > 2000.0
