"""The losses of physics: what the equations of motion leave, and what a simulation may ask for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_records import bend

from mjx_msk.data.clip import Clip
from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.kinetics import joint_forces
from mjx_msk.fit.root import root_pose
from mjx_msk.model import ROOT_COORDINATES, Model
from mjx_msk.nets import losses
from mjx_msk.nets.idt import Kinetics, Moving
from mjx_msk.train.loop import scene
from mjx_msk.train.objective import limited

HEIGHT_M = 1.7
RIGHT = 0


@pytest.fixture(scope="module")
def default() -> Model:
    return scene().model


@pytest.fixture(scope="module")
def clip(default) -> Clip:
    return bend(default, "train", 0.7)


@pytest.fixture(scope="module")
def loads(default, clip) -> FootLoads:
    """The record's loads, and on each foot half of the wrench that they leave at the pelvis."""
    own = FootLoads(clip.foot_force, clip.foot_cop, clip.foot_moment)
    left = joint_forces(default, clip.q, clip.qd, clip.qdd, own)
    _, pelvis = root_pose(default, clip.q)
    half = left.residual_force[:, None] / 2
    turning = np.cross(own.cop - pelvis[:, None], half).sum(axis=1)
    moment = (left.residual_moment - turning)[:, None] / 2
    return FootLoads(own.force + half, own.cop, own.moment + moment)


def torques(default: Model, clip: Clip, loads: FootLoads) -> np.ndarray:
    """Return the joint torques (T, n) of the record under these loads, 0 at the root."""
    tau = joint_forces(default, clip.q, clip.qd, clip.qdd, loads).generalized_force
    tau[:, :ROOT_COORDINATES] = 0.0
    return tau


def moving_of(weight: jax.Array, height: jax.Array) -> Moving:
    """Return what the losses read of a motion: the body's weight (N) and height (m)."""
    nothing = jnp.zeros(0)
    return Moving(nothing, nothing, nothing, weight, height)


@pytest.fixture(scope="module")
def residual(default, clip):
    """Return the loss (body weights, or times height) by torques and loads."""
    asked = jax.jit(losses.demand)(default, *map(jnp.asarray, (clip.q, clip.qd, clip.qdd)))
    moving = moving_of(jnp.array(weight_of(clip)), jnp.array(HEIGHT_M))

    def loss(tau: np.ndarray, loads: FootLoads, known: np.ndarray) -> float:
        contact = jnp.zeros(loads.force.shape[:2])
        found = Kinetics(*map(jnp.asarray, (tau, *loads)), contact)
        return float(losses.residual(default, moving, found, asked, jnp.asarray(known)))

    return loss


def weight_of(clip: Clip) -> float:
    return clip.mass_kg * 9.80665


def test_nothing_is_left_of_forces_that_explain_the_motion(default, clip, loads, residual):
    known = np.ones(len(clip.q))
    assert residual(torques(default, clip, loads), loads, known) < 1e-5
    # the record's own: half of the weight on each foot leaves the pelvis's acceleration
    own = FootLoads(clip.foot_force, clip.foot_cop, clip.foot_moment)
    count = len(losses.estimated(default))
    left = np.abs(loads.force - own.force).sum(axis=(1, 2)).mean() / weight_of(clip)
    assert residual(torques(default, clip, own), own, known) > left / count


def test_a_force_that_is_missing_is_left_with_its_lever(default, clip, loads, residual):
    """A tenth of the weight off the right foot; the torques follow, so the root's rows are left.

    The pelvis stands upright in this record, so that these are the wrench's own components.
    """
    less = loads.force.copy()
    less[:, RIGHT, 2] -= 0.1 * weight_of(clip)
    lacking = loads._replace(force=less)
    _, pelvis = root_pose(default, clip.q)
    lever = np.abs(loads.cop[:, RIGHT, :2] - pelvis[:, :2]).sum(axis=1)
    rows = 0.1 + 0.1 * lever / HEIGHT_M
    count = len(losses.estimated(default))
    tau = torques(default, clip, lacking)
    known = np.ones(len(rows))
    assert residual(tau, lacking, known) == pytest.approx(rows.mean() / count, rel=1e-3)
    known[10:] = 0.0  # elsewhere nothing is measured
    assert residual(tau, lacking, known) == pytest.approx(rows[:10].mean() / count, rel=1e-3)


def test_a_torque_that_is_wrong_is_left_as_it_is(default, clip, loads, residual):
    tau = torques(default, clip, loads)
    tau[:, default.layout.coordinate_index["knee_angle_r"]] += 0.1 * weight_of(clip) * HEIGHT_M
    count = len(losses.estimated(default))
    assert residual(tau, loads, np.ones(len(tau))) == pytest.approx(0.1 / count, rel=1e-3)


def test_a_simulation_that_went_astray_pulls_no_more_than_any_other():
    """Sizes are by body weight, a tenth of weight x height, and centimetres."""
    windows, frames, joints = 3, 5, 7
    rng = np.random.default_rng(0)
    shapes = ((joints,), (2, 3), (2, 3), (2, 3), (2,))
    pull = Kinetics(*(jnp.asarray(rng.normal(size=(windows, frames, *s))) for s in shapes))
    weight, height = jnp.array([600.0, 700.0, 800.0]), jnp.array([1.6, 1.7, 1.8])
    units = (0.1 * weight * height, weight, 0.01 + 0 * weight, 0.01 * weight, 1 + 0 * weight)

    def sizes(pull: Kinetics) -> np.ndarray:
        squares = [
            np.sum((np.asarray(g).reshape(windows, -1) * np.asarray(u)[:, None]) ** 2, axis=1)
            for g, u in zip(pull, units, strict=True)
        ]
        return np.sqrt(np.sum(squares, axis=0))

    # one window far too large, one that exploded, one that is small enough
    small = 0.1 / sizes(pull)[2] / windows
    pull = jax.tree.map(lambda g: g.at[2].multiply(small), pull)
    pull = pull._replace(
        tau=pull.tau.at[1, 0, 0].set(jnp.nan).at[1, 2, 3].set(jnp.inf),
        force=pull.force.at[1].set(jnp.nan),
    )
    found = limited(pull, moving_of(weight, height))
    assert all(np.isfinite(g).all() for g in found)
    np.testing.assert_array_equal(found.force[1], 0.0)
    np.testing.assert_array_equal(found.tau[1, [0, 2], [0, 3]], 0.0)
    np.testing.assert_allclose(sizes(found), np.array([1.0, 1.0, 0.1]) / windows, rtol=1e-4)
    for ours, given in zip(found, pull, strict=True):
        np.testing.assert_allclose(ours[2], given[2], rtol=1e-6)  # as it was
        parallel = np.asarray(ours[0]) / np.asarray(given[0])
        np.testing.assert_allclose(parallel, parallel.flat[0], rtol=1e-4)
    nothing = limited(jax.tree.map(jnp.zeros_like, pull), moving_of(weight, height))
    assert not any(np.any(g) for g in nothing)
