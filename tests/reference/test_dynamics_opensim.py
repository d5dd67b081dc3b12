"""Inverse dynamics in independent coordinates against OpenSim's InverseDynamicsSolver."""

import jax
import numpy as np
import pytest

from mjx_msk.compile.reference import Reference
from mjx_msk.compile.skeleton import WORLD_FROM_GROUND
from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.kinetics import FOOT_BODIES, joint_forces
from mjx_msk.model import Model
from mjx_msk.resources import asset

opensim = pytest.importorskip("opensim")

GENERIC = "models/RajagopalLaiUhlrich2023.osim"
FRAMES = 64  # one chunk


@pytest.fixture(scope="module")
def reference(shared_data) -> Reference:
    return Reference(shared_data / GENERIC)


@pytest.fixture(scope="module")
def states(reference) -> np.ndarray:
    """Random coordinates within their ranges, speeds and accelerations (3, FRAMES, n)."""
    rng = np.random.default_rng(11)
    q = rng.uniform(*reference.ranges.T, (FRAMES, len(reference.names)))
    return np.stack([q, rng.normal(0, 2, q.shape), rng.normal(0, 10, q.shape)])


@pytest.fixture(scope="module")
def loads() -> FootLoads:
    rng = np.random.default_rng(12)
    cop = rng.uniform(-0.5, 0.5, (FRAMES, 2, 3)) * [1, 1, 0]
    force = rng.normal(0, [50, 50, 400], (FRAMES, 2, 3))
    return FootLoads(force, cop, rng.normal(0, [0, 0, 10], (FRAMES, 2, 3)))


@pytest.fixture(scope="module")
def ours(reference, states, loads) -> tuple[np.ndarray, np.ndarray]:
    """Return our forces (FRAMES, n) in OpenSim's order, without and with loads."""
    model = Model.load(asset("rajagopal_lai_uhlrich_2023.xml"))
    order = [model.layout.coordinate_index[name] for name in reference.names]
    back = np.argsort(order)
    none = FootLoads(*jax.tree.map(np.zeros_like, loads))
    return tuple(
        joint_forces(model, *states[..., back], given).generalized_force[:, order]
        for given in (none, loads)
    )


def relative(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return RMS error over RMS of each coordinate."""
    return np.sqrt(np.mean((found - expected) ** 2, axis=0) / np.mean(expected**2, axis=0))


def test_without_loads(reference, states, ours):
    expected = [reference.inverse_dynamics(*state) for state in states.swapaxes(0, 1)]
    error = relative(ours[0], np.array(expected))
    assert error.max() < 0.005
    assert np.median(error) < 2e-4


def test_with_loads_on_the_feet(reference, states, loads, ours):
    """Forces at points and free moments, given to OpenSim's solver as forces on its bodies."""
    expected = [
        reference.inverse_dynamics(*state) - applied(reference, *state[:2], FootLoads(*load))
        for state, load in zip(states.swapaxes(0, 1), zip(*loads, strict=True), strict=True)
    ]
    error = relative(ours[1], np.array(expected))
    assert error.max() < 0.005
    assert np.median(error) < 2e-4


def applied(reference: Reference, q: np.ndarray, qd: np.ndarray, load: FootLoads) -> np.ndarray:
    """Return the generalized forces (n,) of a frame's loads, by Simbody's station Jacobians."""
    reference.pose(q, qd)
    matter = reference.model.getMatterSubsystem()
    total = np.zeros(reference.state.getNU())
    for name, force, point, moment in zip(FOOT_BODIES, *load, strict=True):
        body = reference.model.getBodySet().get(name)
        force, point, moment = (
            opensim.Vec3(*map(float, WORLD_FROM_GROUND.T @ v)) for v in (force, point, moment)
        )
        ground = reference.model.getGround()
        station = ground.findStationLocationInAnotherFrame(reference.state, point, body)
        wrench = opensim.SpatialVec(moment, force)
        result = opensim.Vector()
        matter.multiplyByFrameJacobianTranspose(
            reference.state, body.getMobilizedBodyIndex(), station, wrench, result
        )
        total += result.to_numpy()
    return reference.reduced(total, q)
