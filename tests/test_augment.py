"""Augmented motions obey the same mechanics: checked by kinematics and inverse dynamics."""

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mjx_msk.data import augment
from mjx_msk.data.augment import ClipArrays, mirrored, turned, warped
from mjx_msk.data.clip import RATE_HZ
from mjx_msk.data.landmark_tree import LANDMARKS
from mjx_msk.data.pose_prior import draw_pose, fit_pose_prior
from mjx_msk.fit.observation import landmark_sites
from mjx_msk.model import LANDMARK_PREFIX, Model
from mjx_msk.physics import Loads, inverse_dynamics, pose
from mjx_msk.resources import DEFAULT_MODEL, asset
from mjx_msk.vision.landmarks import NAMES

FRAMES = 3
quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@pytest.fixture(scope="module", autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def model(float64) -> Model:
    model = Model.load(asset(DEFAULT_MODEL))
    # armature is inertia about single axes: not the same in a turned world
    no_armature = jnp.zeros_like(model.mjx.dof_armature)
    return model.replace(mjx=model.mjx.replace(dof_armature=no_armature))


@pytest.fixture(scope="module")
def mechanics(model):
    """Return the landmarks and the generalized forces of a motion, from its own numbers."""
    sites = np.array([model.layout.site_index[LANDMARK_PREFIX + name] for name in LANDMARKS])
    bodies = tuple(model.layout.body_names.index(name) for name in ("calcn_r", "calcn_l"))

    def one(q, qd, qdd, force, cop, moment):
        loads = Loads(force, cop, moment)
        return pose(model, q).sites[sites], inverse_dynamics(model, q, qd, qdd, bodies, loads)

    together = quick(jax.vmap(one))

    def run(c: ClipArrays) -> tuple[np.ndarray, np.ndarray]:
        arrays = (c.q, c.qd, c.qdd, c.foot_force, c.foot_cop, c.foot_moment)
        points, tau = together(*map(jnp.asarray, arrays))
        return np.asarray(points), np.asarray(tau)

    return run


@pytest.fixture
def motion(model, mechanics) -> ClipArrays:
    """Return a motion in which everything moves, turned away from the world's axes."""
    rng = np.random.default_rng(3)
    low, high = np.clip(np.asarray(model.q_range), -1.0, 1.0).T
    q = rng.uniform(low, high, (FRAMES, model.n))
    names = model.layout.coordinate_names
    q[:, names.index("pelvis_rotation")] = [2.9, 3.1, 3.3]
    arrays = {
        "q": q,
        "qd": rng.normal(0, 2, q.shape), "qdd": rng.normal(0, 20, q.shape),
        "foot_force": rng.normal(0, 300, (FRAMES, 2, 3)),
        "foot_cop": rng.normal(0, 0.3, (FRAMES, 2, 3)),
        "foot_moment": rng.normal(0, 10, (FRAMES, 2, 3)),
        "contact": np.array([[1.0, 0], [1, 1], [0, 1]]),
        "kinetics_known": np.ones(FRAMES), "measured": np.ones(FRAMES),
        "tau": np.zeros_like(q), "landmarks": np.zeros((FRAMES, len(LANDMARKS), 3)),
    }  # fmt: skip
    points, tau = mechanics(ClipArrays(**arrays))
    return ClipArrays(**{k: jnp.asarray(v) for k, v in (arrays | {"tau": tau}).items()})._replace(
        landmarks=jnp.asarray(points)
    )


@pytest.mark.parametrize("change", ["mirror", "turn"])
def test_symmetries_keep_landmarks_and_forces(model, mechanics, motion, change):
    """The changed coordinates' own landmarks and inverse dynamics are the changed ones."""
    if change == "mirror":
        new = quick(mirrored)(model, motion)
        expected = np.asarray(motion.landmarks) * [1, -1, 1]
        swap = [LANDMARKS.index(_other(name)) for name in LANDMARKS]
        expected = expected[:, swap]
    else:
        new = quick(turned)(model, motion, 2.0)
        c, s = np.cos(2.0), np.sin(2.0)
        expected = np.asarray(motion.landmarks) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T
    points, tau = mechanics(new)
    # the generic model's sides differ by the rounding of its file, six digits
    np.testing.assert_allclose(points, expected, atol=2e-6)
    np.testing.assert_allclose(new.landmarks, expected, atol=1e-12)
    np.testing.assert_allclose(tau, new.tau, atol=2e-3 if change == "mirror" else 1e-6)


def test_landmarks_are_those_of_the_fit_in_its_order(model):
    assert tuple(landmark_sites(model, NAMES)) == LANDMARKS


def _other(name: str) -> str:
    side, part = name.split("_", 1)
    return f"{'left' if side == 'right' else 'right'}_{part}"


def test_two_mirrors_change_nothing(model, motion):
    twice = quick(lambda c: mirrored(model, mirrored(model, c)))
    again = twice(motion)
    for name in ClipArrays._fields:
        np.testing.assert_array_equal(getattr(again, name), getattr(motion, name))


def test_turned_velocities_are_derivatives(model, motion):
    """Against central differences along q(t) = q + qd t + qdd t^2 / 2."""
    step = 1e-4
    turn = quick(turned)

    def at(t: float) -> np.ndarray:
        q = motion.q + motion.qd * t + 0.5 * motion.qdd * t**2
        return np.asarray(turn(model, motion._replace(q=q), 1.0).q)

    before, here, after = at(-step), at(0.0), at(step)
    new = turn(model, motion, 1.0)
    np.testing.assert_allclose(new.qd, (after - before) / (2 * step), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(new.qdd, (after - 2 * here + before) / step**2, rtol=1e-3, atol=2e-2)


def test_turned_heading_is_continuous(model, motion):
    """Three frames that pass half a turn; another frame of the circle must not jump."""
    heading = np.asarray(quick(turned)(model, motion, 0.5).q)[
        :, model.layout.coordinate_names.index("pelvis_rotation")
    ]
    assert np.all(np.abs(np.diff(heading)) < np.pi)


def swinging(model: Model, frames: int) -> ClipArrays:
    """Return a clip whose coordinates swing with known derivatives; landmarks follow the first."""
    t = np.arange(frames)[:, None] / RATE_HZ
    w = 2 * np.pi * np.linspace(0.3, 1.5, model.n)
    zero = np.zeros((frames, 2, 3))
    q = np.sin(w * t)
    return ClipArrays(*map(jnp.asarray, (
        q, w * np.cos(w * t), -(w**2) * q, np.ones_like(q), zero + 1, zero, zero,
        np.ones((frames, 2)), np.ones(frames), np.ones(frames),
        np.tile(np.sin(w[5] * t)[:, None], (1, len(LANDMARKS), 3)),
    )))  # fmt: skip


def test_warped_motion_has_its_own_derivatives(model):
    clip = swinging(model, 100)
    new = jax.jit(warped, static_argnums=2)(jax.random.key(4), clip, 79)
    q, qd, qdd = (np.asarray(a) for a in (new.q, new.qd, new.qdd))
    # sixth-order differences of a signal of at most 2 Hz at 60 Hz
    taps = np.array([-1, 9, -45, 0, 45, -9, 1]) / 60 * RATE_HZ

    def slope(x: np.ndarray) -> np.ndarray:
        return sum(c * x[k : len(x) - 6 + k] for k, c in enumerate(taps))

    # the clip's time is the integral of its speed by the trapezoidal rule, frame by frame
    np.testing.assert_allclose(qd[3:-3], slope(q), atol=2e-3 * np.abs(qd).max())
    np.testing.assert_allclose(qdd[3:-3], slope(qd), atol=5e-3 * np.abs(qdd).max())
    np.testing.assert_allclose(np.asarray(new.landmarks)[:, 0, 0], q[:, 5], atol=1e-4)


def test_a_warp_stays_in_its_range_and_leaves_forces_unknown(model):
    clip = swinging(model, 100)
    keys = jax.random.split(jax.random.key(0), 200)
    speed, _ = jax.vmap(lambda k: augment._speed(k, 79))(keys)
    assert 0.8 - 1e-6 <= speed.min() < 0.83
    assert 1.2 < speed.max() <= 1.25 + 1e-6
    new = jax.jit(warped, static_argnums=2)(keys[0], clip, 79)
    assert not new.kinetics_known.any()
    assert not new.tau.any()
    assert not new.foot_force.any()
    assert new.contact.all()


def test_drawn_poses_stand_within_the_limits(model):
    rng = np.random.default_rng(0)
    names = model.layout.coordinate_names
    q = 0.3 * rng.normal(size=(400, 1)) * np.ones(model.n)
    q[:, names.index("hip_flexion_r")] += 0.5  # one-sided training poses
    prior = fit_pose_prior(model, q)
    right, left = names.index("hip_flexion_r"), names.index("hip_flexion_l")
    assert prior.mean[right] == pytest.approx(prior.mean[left])
    draw = quick(jax.vmap(lambda key: draw_pose(key, prior, model)))
    keys = jax.random.split(jax.random.key(1), 40)
    drawn = np.asarray(draw(keys))
    np.testing.assert_array_equal(drawn, draw(keys))
    soles = np.asarray(quick(jax.vmap(lambda q: pose(model, q).contacts[:, 2]))(drawn))
    low, high = np.asarray(model.q_range).T
    assert np.all((drawn >= low - 1e-9) & (drawn <= high + 1e-9))
    lowest = (soles - np.asarray(model.contact_radius)).min(axis=1)
    np.testing.assert_allclose(lowest, 0.0, atol=1e-9)
    assert np.ptp(drawn[:, names.index("pelvis_rotation")]) > np.pi
