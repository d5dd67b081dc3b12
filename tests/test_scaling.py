"""Scaling inside the fit against scaling of the file, and its Jacobians against differences."""

from functools import partial

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
import small_model
from scipy.spatial.transform import Rotation

from mjx_msk.compile import scale_spec
from mjx_msk.compile.following import follow
from mjx_msk.fit.points import CHUNK, points
from mjx_msk.fit.scaling import SEGMENTS
from mjx_msk.model import Model
from mjx_msk.physics import pose, scale, stretch
from mjx_msk.resources import asset

STEP = 5e-3  # float32: the truncation of central differences and rounding are both about 1e-5


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.from_spec(small_model.spec())


@pytest.fixture(scope="module")
def q(model) -> np.ndarray:
    return small_model.random_states(model, 5, seed=7)[0]


def test_fit_scales_as_the_file_is_scaled(model, q):
    """Random factors for every body: the same places as the C engine finds in the scaled file.

    The chain of tied slides included, whose polynomials the file rewrites and the fit does not.
    """
    names = model.layout.body_names
    factors = np.random.default_rng(3).uniform(0.7, 1.4, (len(names), 3))
    factors[0] = 1.0
    factors[names.index("femur_r")] = [1.3, 0.8, 1.1]  # 1.12 along the knee's tied slides
    spec = scale_spec(small_model.spec(), dict(zip(names[1:], factors[1:], strict=True)))
    engine = spec.compile()
    data = mujoco.MjData(engine)
    larger = stretch(model, jnp.array(factors, jnp.float32))
    found = jax.jit(jax.vmap(partial(pose, larger)))(jnp.array(q))
    tied = np.array(model.layout.dependent)
    np.testing.assert_allclose(larger.growth[tied], [1.12, 1.12, 1.0], rtol=1e-6)
    for t in range(len(q)):
        data.qpos[list(model.layout.independent)] = q[t]
        data.qpos[:] = follow(engine, data.qpos)
        mujoco.mj_kinematics(engine, data)
        close = partial(np.testing.assert_allclose, atol=3e-6)
        close(found.body_position[t], data.xpos)
        close(found.sites[t], [data.site(name).xpos for name in model.layout.site_names])
        close(found.contacts[t], [data.geom(name).xpos for name in model.layout.contact_names])


def test_scaling_twice_multiplies(model):
    ones = np.ones((len(model.layout.body_names), 3))
    twice = scale(scale(model, 1.1 * ones), 1.2 * ones)
    once = scale(model, 1.1 * 1.2 * ones)
    for a, b in zip(jax.tree.leaves(twice), jax.tree.leaves(once), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_jacobians_of_points():
    """By every coordinate and every segment of the default model, over more than one chunk."""
    model = Model.load(asset("rajagopal_lai_uhlrich_2023.xml"))
    rng = np.random.default_rng(9)
    low, high = np.clip(np.array(model.q_range), -1.0, 1.5).T
    q = rng.uniform(low, high, (CHUNK + 2, model.n))
    segments = rng.normal(0, 0.1, len(SEGMENTS))
    at = points(model, 1.05, q, segments)

    def difference(dq: np.ndarray, ds: np.ndarray) -> np.ndarray:
        high = points(model, 1.05, q + dq, segments + ds).position
        return (high - points(model, 1.05, q - dq, segments - ds).position) / (2 * STEP)

    for i in range(model.n):
        expected = difference(STEP * np.eye(model.n)[i], np.zeros(len(segments)))
        np.testing.assert_allclose(at.by_q[..., i], expected, atol=5e-4)
    for i in range(len(segments)):
        expected = difference(np.zeros(model.n), STEP * np.eye(len(segments))[i])
        np.testing.assert_allclose(at.by_scale[..., i], expected, atol=5e-4)
        assert np.abs(expected).max() > 0.02


@pytest.fixture
def uneven(model) -> np.ndarray:
    """Factors of every body, all different."""
    factors = np.random.default_rng(5).uniform(0.8, 1.25, (len(model.layout.body_names), 3))
    factors[0] = 1.0
    return factors


def test_masses_and_inertias_are_those_of_the_scaled_file(model, uneven):
    names = model.layout.body_names
    spec = scale_spec(small_model.spec(), dict(zip(names[1:], uneven[1:], strict=True)), 33.0)
    engine = spec.compile()
    larger = scale(model, jnp.array(uneven, jnp.float32), 33.0)
    m = larger.mjx
    np.testing.assert_allclose(m.body_mass, engine.body_mass, rtol=1e-6)
    np.testing.assert_allclose(m.body_subtreemass, engine.body_subtreemass, rtol=1e-6)
    np.testing.assert_allclose(m.eq_data[:, :5], engine.eq_data[:, :5], rtol=1e-5)
    spheres = [engine.geom(name) for name in model.layout.contact_names]
    np.testing.assert_allclose(larger.contact_radius, [g.size[0] for g in spheres], rtol=1e-6)
    for ours, theirs in zip(inertia_matrices(m), inertia_matrices(engine), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=3e-6 * np.abs(theirs).max(initial=1e-9))


def inertia_matrices(m) -> np.ndarray:
    """Return the inertia (nbody, 3, 3) of each body in its own frame."""
    axes = Rotation.from_quat(np.asarray(m.body_iquat), scalar_first=True).as_matrix()
    return np.einsum("bij,bj,bkj->bik", axes, np.asarray(m.body_inertia), axes)


def test_uniform_factors_keep_the_shape_of_the_inertia(model):
    names = model.layout.body_names
    factors = np.vstack([np.ones(3), np.full((len(names) - 1, 3), 1.2)])
    larger = scale(model, jnp.array(factors, jnp.float32)).mjx
    expected = 1.44 * inertia_matrices(model.mjx)
    np.testing.assert_allclose(inertia_matrices(larger), expected, rtol=1e-4, atol=1e-6)


def test_gradients_by_size(uneven):
    """Of all that has a size, by all factors and the mass, against differences in float64."""
    with jax.enable_x64(True):
        model = Model.from_spec(small_model.spec())

        def numbers(size: jax.Array) -> jax.Array:
            larger = scale(model, size[:-1].reshape(-1, 3), size[-1])
            m = larger.mjx
            turn = jax.vmap(jax.vmap(rotate, (None, 0)), (0, None))(m.body_iquat, jnp.eye(3))
            inertia = jnp.einsum("bai,ba,baj->bij", turn, m.body_inertia, turn)
            found = (
                m.body_pos, m.body_ipos, m.body_mass, m.jnt_pos, m.site_pos, m.eq_data, inertia,
                larger.growth, larger.contact_position, larger.contact_radius,
            )  # fmt: skip
            return jnp.concatenate([jnp.ravel(x) for x in found])

        size = jnp.append(jnp.array(uneven).ravel(), 40.0)
        slopes = jax.jit(jax.jacrev(numbers))(size)
        change = 1e-6 * jnp.eye(len(size))
        many = jax.jit(jax.vmap(numbers))
        differences = (many(size + change) - many(size - change)) / 2e-6
        assert np.abs(differences).max(axis=1)[3:].min() > 1e-6  # every factor matters
        np.testing.assert_allclose(slopes[:, 3:], differences.T[:, 3:], rtol=1e-6, atol=1e-8)


def rotate(quaternion: jax.Array, vector: jax.Array) -> jax.Array:
    """Return a vector turned by a quaternion (w, x, y, z)."""
    w, u = quaternion[0], quaternion[1:]
    return 2 * (u @ vector) * u + (w * w - u @ u) * vector + 2 * w * jnp.cross(u, vector)
