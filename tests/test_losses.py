"""Every loss against numpy: its size for errors of known size, none at the truth, what is masked.

Then those of physics: what the equations of motion leave, and what a simulation may ask for. The
simulation's own loss is in ``test_train``.
"""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_records import bend
from scipy.spatial.transform import Rotation
from scipy.special import expit, logit
from scipy.stats import norm

from mjx_msk.data.clip import RATE_HZ, Clip
from mjx_msk.data.landmark_tree import HIPS, LANDMARKS
from mjx_msk.data.virtual_camera import View
from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.kinetics import joint_forces
from mjx_msk.fit.root import root_pose, turned
from mjx_msk.model import ROOT_COORDINATES, Model
from mjx_msk.nets import losses
from mjx_msk.nets.idt import Kinetics, Moving
from mjx_msk.nets.ikt import Kinematics
from mjx_msk.train import objective
from mjx_msk.train.config import TrainConfig, Weights
from mjx_msk.train.loop import scene
from mjx_msk.train.objective import (
    KINEMATIC,
    Scene,
    Setting,
    kinematic_losses,
    kinetic_losses,
    limited,
    total,
)
from mjx_msk.train.windows import cut

HEIGHT_M = 1.7
RIGHT = 0
FRAMES = 12
WEIGHT_N = 700.0
RNG = np.random.default_rng(4)


@pytest.fixture(scope="module")
def setting() -> Scene:
    return scene()


@pytest.fixture(scope="module")
def default(setting) -> Model:
    return setting.model


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


def told(q: np.ndarray, std: np.ndarray | float = 0.1) -> Kinematics:
    """Return coordinates (T, n) as a network's answer."""
    q = jnp.asarray(q)
    return Kinematics(q, jnp.broadcast_to(std, q.shape), q, q, q)


def unlocked(model: Model) -> np.ndarray:
    return ~np.array(model.layout.locked)


def huber(x: np.ndarray, knee: float) -> np.ndarray:
    return np.where(abs(x) < knee, x**2 / (2 * knee), abs(x) - knee / 2)


# --- kinematics ------------------------------------------------------------------------------


def test_coordinates_count_by_their_errors(model):
    true = RNG.normal(size=(FRAMES, model.n))
    error = RNG.normal(scale=0.02, size=true.shape)
    error[:, ~unlocked(model)] = 5.0  # nobody estimates a locked one
    found = losses.coordinates(model, told(true + error), jnp.asarray(true))
    assert float(found) == pytest.approx(huber(error[:, unlocked(model)], 0.02).mean(), rel=1e-3)
    assert float(losses.coordinates(model, told(true), jnp.asarray(true))) == 0.0


def test_whole_turns_of_the_pelvis_are_no_error(model):
    names = model.layout.coordinate_index
    true = np.zeros((FRAMES, model.n))
    for name, size in (("pelvis_rotation", 0.0), ("knee_angle_r", 2 * np.pi), ("pelvis_tx", 6.28)):
        other = true.copy()
        other[:, names[name]] += 2 * np.pi
        found = float(losses.coordinates(model, told(other), jnp.asarray(true)))
        assert found == pytest.approx(size / unlocked(model).sum(), abs=1e-2), name


def test_velocities_count_by_the_slopes_of_errors(model):
    true = RNG.normal(size=(FRAMES, model.n))
    slope = RNG.normal(size=model.n)
    time = np.arange(FRAMES)[:, None] / RATE_HZ
    dt = jnp.array(1 / RATE_HZ)
    off = told(true + 0.3 + slope * time)
    found = losses.velocities(model, off, jnp.asarray(true), dt)
    assert float(found) == pytest.approx(abs(slope[unlocked(model)]).mean(), rel=1e-3)
    steady = losses.velocities(model, told(true + 0.3), jnp.asarray(true), dt)
    assert float(steady) == pytest.approx(0.0, abs=1e-4)


def test_uncertainty_is_least_where_it_is_calibrated(model):
    """The loss is a normal distribution's negative log likelihood but for a constant."""
    true = jnp.zeros((4000, model.n))
    sigma = np.linspace(0.05, 0.4, model.n)
    error = RNG.normal(size=true.shape) * sigma
    own = unlocked(model)

    def loss(std: jax.Array) -> jax.Array:
        return losses.uncertainty(model, told(error, std), true)

    expected = -norm.logpdf(error, scale=sigma)[:, own].mean() - 0.5 * np.log(2 * np.pi)
    assert float(loss(jnp.asarray(sigma))) == pytest.approx(expected, rel=1e-4)
    rms = jnp.asarray(np.sqrt(np.mean(error**2, axis=0)))
    slope = jax.grad(loss)
    np.testing.assert_allclose(slope(rms)[own], 0.0, atol=1e-4)
    assert np.all(slope(0.8 * rms)[own] < -0.01)
    assert np.all(slope(1.25 * rms)[own] > 0.01)
    # it does not pull at the coordinates: what is uncertain is not learned less
    pull = jax.grad(lambda q: losses.uncertainty(model, told(q), true))(jnp.asarray(error))
    assert not np.any(pull)


def test_markers_count_by_their_distance():
    true = RNG.normal(size=(FRAMES, 5, 3))
    off = RNG.normal(scale=0.1, size=true.shape)
    found = float(losses.markers(jnp.asarray(true + off), jnp.asarray(true)))
    assert found == pytest.approx(np.linalg.norm(off, axis=-1).mean(), rel=1e-4)
    assert float(losses.markers(jnp.asarray(true), jnp.asarray(true))) <= 1.01e-4


def test_reprojection_is_a_pinholes():
    """By homogeneous coordinates; a landmark that is not seen may be anywhere."""
    turn = Rotation.from_euler("xyz", [0.2, -0.4, 0.1]).as_matrix()
    centre = np.array([0.3, -0.2, -4.0])
    matrix = np.column_stack([turn, -turn @ centre])
    points = RNG.uniform(-0.5, 0.5, size=(FRAMES, 5, 3))

    def image(points: np.ndarray) -> np.ndarray:
        x = np.concatenate([points, np.ones((*points.shape[:-1], 1))], axis=-1) @ matrix.T
        return x[..., :2] / x[..., 2:]

    rays, weight = image(points), RNG.uniform(0.2, 1.0, size=points.shape[:2])
    weight[:, 1] = 0.0
    rays[:, 1] = 7.0

    def loss(points: np.ndarray) -> float:
        return float(losses.reprojection(*map(jnp.asarray, (points, turn, centre, rays, weight))))

    assert loss(points) < 1e-5
    moved = points + RNG.normal(scale=0.1, size=points.shape)
    apart = huber(np.linalg.norm(image(moved) - rays, axis=-1), 0.02)
    expected = np.sum(weight * apart) / weight.sum()
    assert loss(moved) == pytest.approx(expected, rel=1e-3)
    moved[:, 1] += 3.0
    assert loss(moved) == pytest.approx(expected, rel=1e-3)


@pytest.fixture(scope="module")
def one_window(clip):
    """Return a window, and a config that changes nothing of what is recorded."""
    own = dict.fromkeys(
        ("pose_variation", "size_variation", "segment_variation", "pace_variation", "placement_m"),
        0.0,
    )
    config = TrainConfig(data=Path(), out=Path(), noise=False, **own)
    return jax.tree.map(jnp.asarray, cut(clip, 3, FRAMES, 1)), config


def filmed(landmarks: np.ndarray) -> View:
    """Return what an exact pose network sees of points (T, L, 3) m, but for one landmark."""
    position = np.array([1.5, -3.5, 1.2])
    forward = np.array([0.0, 0.0, 0.8]) - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    matrix = np.stack([right, np.cross(forward, right), forward])
    matrix = Rotation.from_euler("z", 0.2).as_matrix() @ matrix  # held askew
    x = (landmarks - position) @ matrix.T
    rays, seen = x[..., :2] / x[..., 2:], np.ones(x.shape[:2])
    hidden = LANDMARKS.index("left_wrist")
    rays[:, hidden], seen[:, hidden] = 3.0, 0.0
    metric = x - x[:, HIPS].mean(axis=1, keepdims=True)
    return View(*map(jnp.asarray, (rays, metric, seen, -matrix[:, 2], 1.0, matrix, position)))


def test_a_network_that_knows_the_truth_has_no_kinematic_loss(setting, one_window, monkeypatch):
    """The person of the record faces along X, and is turned in the world before being filmed.

    The level frame faces as the person does and begins under the camera.
    """
    w, config = one_window
    turn, shift = Rotation.from_euler("z", 0.7).as_matrix(), np.array([0.4, 0.3, 0.0])
    landmarks = np.asarray(w.landmarks) @ turn.T + shift
    v = filmed(landmarks)
    monkeypatch.setattr(objective, "view", lambda *_, **__: v)
    q = turned(setting.model, np.asarray(w.q), turn, shift)
    w = w._replace(q=jnp.asarray(q), landmarks=jnp.asarray(landmarks))
    below = np.asarray(v.position) * [1, 1, 0]
    level = turned(setting.model, q, turn.T, -turn.T @ below)

    @jax.jit
    def found(q: jax.Array, segments: jax.Array) -> dict[str, jax.Array]:
        def network(*_) -> Kinematics:
            return Kinematics(q, jnp.full_like(q, 0.1), q, segments, q)

        return kinematic_losses(setting, config, network, jax.random.key(0), w)

    parts = {k: float(x) for k, x in found(jnp.asarray(level), w.log_segments).items()}
    assert set(parts) == set(KINEMATIC)
    assert parts["segments"] == 0.0
    assert parts["coordinates"] < 1e-6
    assert parts["velocities"] < 1e-3
    assert parts["markers"] < 3e-4
    assert parts["reprojection"] < 1e-5
    assert parts["uncertainty"] == pytest.approx(np.log(0.1), abs=1e-3)
    other = found(jnp.asarray(level), w.log_segments + 0.02)
    assert float(other["segments"]) == pytest.approx(0.02, rel=1e-3)
    assert float(other["markers"]) > 3e-3  # another body's landmarks lie elsewhere


# --- kinetics --------------------------------------------------------------------------------

MOVING = Moving(*[jnp.zeros(0)] * 3, jnp.array(WEIGHT_N), jnp.array(HEIGHT_M))
KNOWN = np.arange(FRAMES) < 5
TRUE = Kinetics(
    tau=RNG.normal(scale=50.0, size=(FRAMES, 9)),
    force=np.abs(RNG.normal(scale=300.0, size=(FRAMES, 2, 3))),
    cop=RNG.normal(size=(FRAMES, 2, 3)),
    moment=np.zeros((FRAMES, 2, 3)),
    contact=RNG.integers(2, size=(FRAMES, 2)).astype(float),
)
#: Loss -> its value for a network's answer, where the frames ``known`` (T,) are known.
KINETIC: dict[str, Callable[[Kinetics, jax.Array], jax.Array]] = {
    "torques": lambda found, known: losses.torques(MOVING, found, TRUE.tau, known),
    "ground_forces": lambda found, known: losses.ground_forces(MOVING, found, TRUE.force, known),
    "pressure_centers": lambda found, known: losses.pressure_centers(
        MOVING, found, TRUE.force, TRUE.cop, known
    ),
    "contact": lambda found, known: losses.contact(found, TRUE.contact, known),
}


def right_answer() -> Kinetics:
    """Return the truth as a network would say it: contact as a logit."""
    return jax.tree.map(jnp.asarray, TRUE._replace(contact=40.0 * (TRUE.contact - 0.5)))


@pytest.mark.parametrize("name", KINETIC)
def test_a_kinetic_loss_is_none_at_the_truth_and_nothing_elsewhere_matters(name):
    loss, right = KINETIC[name], right_answer()
    assert float(loss(right, jnp.ones(FRAMES))) < 1e-4
    spoilt = jax.tree.map(
        lambda x: jnp.where(KNOWN.reshape(-1, *[1] * (x.ndim - 1)), x, -3.0 * x - 9.0), right
    )
    known = jnp.asarray(KNOWN, jnp.float32)
    assert float(loss(spoilt, known)) < 1e-4
    assert float(loss(spoilt, jnp.ones(FRAMES))) > 0.05
    assert float(loss(spoilt, jnp.zeros(FRAMES))) == 0.0
    for answer in (right, spoilt):
        pull = jax.grad(loss)(answer, known)
        for x in pull:
            assert np.isfinite(x).all()
            assert not np.any(x[~KNOWN])


def test_kinetic_losses_count_by_their_errors():
    off = jax.tree.map(lambda x: RNG.normal(size=x.shape), TRUE)
    off = off._replace(tau=20 * off.tau, force=90 * off.force, cop=0.1 * off.cop)
    found = jax.tree.map(lambda x, e: jnp.asarray(x + e), right_answer(), off)
    found = found._replace(contact=jnp.asarray(off.contact))
    known = jnp.asarray(KNOWN, jnp.float32)
    k = KNOWN
    share = np.clip(TRUE.force[..., 2] / WEIGHT_N, 0, 1)
    chance = np.where(TRUE.contact > 0, expit(off.contact), expit(-off.contact))
    expected = {
        "torques": abs(off.tau[k, ROOT_COORDINATES:]).mean() / WEIGHT_N / HEIGHT_M,
        "ground_forces": abs(off.force[k]).mean() / WEIGHT_N,
        "pressure_centers": (np.linalg.norm(off.cop[..., :2], axis=-1) * share)[k].mean(),
        "contact": -np.log(chance)[k].mean(),
    }
    for name, loss in KINETIC.items():
        assert float(loss(found, known)) == pytest.approx(expected[name], rel=1e-4), name


def test_contact_is_least_at_the_true_chance():
    chance = 0.3
    true = jnp.full((FRAMES, 2), chance)

    def loss(z: jax.Array) -> jax.Array:
        found = right_answer()._replace(contact=jnp.full((FRAMES, 2), z))
        return losses.contact(found, true, jnp.ones(FRAMES))

    assert float(jax.grad(loss)(logit(chance))) == pytest.approx(0.0, abs=1e-6)
    assert float(jax.grad(loss)(logit(chance) + 1)) > 0.1
    assert np.isfinite(loss(500.0))


def test_what_has_no_weight_costs_nothing(default, clip, one_window):
    w, _ = one_window
    moving = moving_of(jnp.array(weight_of(clip)), jnp.array(HEIGHT_M))
    config = TrainConfig(data=Path(), out=Path(), weights=Weights(residual=0.0, contact=0.0))
    found = Kinetics(w.tau, w.foot_force, w.foot_cop, w.foot_moment, w.contact)
    n = default.n
    shapes = (FRAMES, n), (FRAMES, 2, 3), (FRAMES, 2, 3, n), (FRAMES, 2, 3, n)
    nothing = losses.Demand(*map(jnp.zeros, shapes))
    parts = kinetic_losses(config, found, Setting(default, moving, nothing), w)
    assert set(parts) == {"torques", "ground_forces", "pressure_centers"}
    assert all(float(x) < 1e-4 for x in parts.values())
    whole = total(config, dict.fromkeys(("torques", "markers"), jnp.array(0.5)))
    assert float(whole) == pytest.approx(0.5 * (config.weights.torques + config.weights.markers))


# --- physics ---------------------------------------------------------------------------------


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
