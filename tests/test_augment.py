"""Augmented motions obey the same mechanics: checked by kinematics and inverse dynamics."""

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mjx_msk.data.augment import ClipArrays, mirrored
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
    return Model.load(asset(DEFAULT_MODEL))


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
    """Return a motion in which everything moves."""
    rng = np.random.default_rng(3)
    low, high = np.clip(np.asarray(model.q_range), -1.0, 1.0).T
    q = rng.uniform(low, high, (FRAMES, model.n))
    q[:, model.layout.coordinate_names.index("pelvis_rotation")] = [2.9, 3.1, 3.3]
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


def test_a_mirror_keeps_landmarks_and_forces(model, mechanics, motion):
    """The mirrored coordinates' own landmarks and inverse dynamics are the mirrored ones."""
    new = quick(mirrored)(model, motion)
    expected = np.asarray(motion.landmarks) * [1, -1, 1]
    expected = expected[:, [LANDMARKS.index(_other(name)) for name in LANDMARKS]]
    points, tau = mechanics(new)
    # the generic model's sides differ by the rounding of its file, six digits
    np.testing.assert_allclose(points, expected, atol=2e-6)
    np.testing.assert_allclose(new.landmarks, expected, atol=1e-12)
    np.testing.assert_allclose(tau, new.tau, atol=2e-3)


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
