"""Static optimisation in float64: other solvers, the C engine's moment arms, finite differences."""

from functools import partial

import clarabel
import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
import small_model
from compiling import quick
from scipy import sparse
from scipy.optimize import lsq_linear

from mjx_msk.model import Model
from mjx_msk.physics import muscle_activations, muscle_paths, optimize_muscles
from mjx_msk.physics.coordinates import jacobian
from mjx_msk.physics.muscles import rigid_pull
from mjx_msk.physics.static_optimization import crossed, least_activation

pytestmark = pytest.mark.usefixtures("float64")

FRAMES = 12
CROSSED = ("hip_flexion_r", "hip_adduction_r", "knee_angle_r")


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.from_spec(small_model.muscled_spec())


@pytest.fixture(scope="module")
def motion(model) -> tuple[np.ndarray, ...]:
    """Return coordinates, speeds, moments that muscles can make in half of the frames (T, n)."""
    q, qd, _ = small_model.random_states(model, FRAMES, seed=2)
    qd = 0.1 * qd
    activation = np.random.default_rng(3).uniform(0.1, 0.9, (FRAMES, 4))

    def made(q: jax.Array, qd: jax.Array, activation: jax.Array) -> jax.Array:
        paths = muscle_paths(model, q)
        pull = rigid_pull(model, paths.length, paths.jacobian @ qd)
        return -paths.jacobian.T @ (pull.active * activation)

    tau = np.array(quick(jax.vmap(made))(q, qd, activation))
    tau[::2] += np.random.default_rng(4).normal(0, 30, tau[::2].shape)
    return q, qd, tau


@pytest.fixture(scope="module")
def found(model, motion):
    return muscle_activations(model, *motion)


def engine_paths(model: Model, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return lengths (T, m) and d length / d coordinates (T, m, n) of the muscles in C MuJoCo."""
    mj = small_model.muscled_spec().compile()
    data = mujoco.MjData(mj)
    rows = [mj.actuator(name).id for name in model.layout.muscles.names]
    lengths, moments = [], []
    for row in q:
        data.qpos[:] = small_model.place(model, mj, row)
        mujoco.mj_forward(mj, data)
        moment = np.zeros((mj.nu, mj.nv))
        mujoco.mju_sparse2dense(
            moment, data.actuator_moment, data.moment_rownnz, data.moment_rowadr,
            data.moment_colind,
        )  # fmt: skip
        lengths.append(data.actuator_length[rows])
        moments.append(moment[rows])
    return np.array(lengths), moments @ np.asarray(quick(jax.vmap(partial(jacobian, model)))(q))


def conic_solution(moments: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return ``min |a|^2 + |s|^2, moments a + s = wanted, 0 <= a <= 1`` by an interior point."""
    n, m = moments.shape
    rows = np.block([
        [moments, np.eye(n)], [-np.eye(m), np.zeros((m, n))], [np.eye(m), np.zeros((m, n))]
    ])  # fmt: skip
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-12
    solver = clarabel.DefaultSolver(
        sparse.eye_array(m + n, format="csc"), np.zeros(m + n), sparse.csc_matrix(rows),
        np.concatenate([wanted, np.zeros(m), np.ones(m)]),
        [clarabel.ZeroConeT(n), clarabel.NonnegativeConeT(2 * m)], settings,
    )  # fmt: skip
    return np.array(solver.solve().x)[:m]


@pytest.mark.parametrize("stretched", [False, True], ids=["", "with passive forces"])
def test_a_motion_is_solved_like_another_solver_solves_it(model, motion, found, stretched):
    """With the C engine's moment arms, an interior point method, and reserves as unknowns."""
    q, qd, tau = motion
    if stretched:
        found = muscle_activations(model, *motion, passive=True)
    kept = np.isin(model.layout.coordinate_names, CROSSED)
    lengths, arms = engine_paths(model, q)
    pull = quick(jax.vmap(partial(rigid_pull, model)))(lengths, np.einsum("tmn,tn->tm", arms, qd))
    active, passive = np.asarray(pull.active), stretched * np.asarray(pull.passive)
    assert pull.passive.max() > 1.0
    for t in range(FRAMES):
        moments, made = -arms[t].T * active[t], -arms[t].T @ passive[t]
        exact = conic_solution(moments[kept], (tau[t] - made)[kept])
        np.testing.assert_allclose(found.activation[t], exact, atol=1e-7)
        tension = found.activation[t] * active[t] + passive[t]
        np.testing.assert_allclose(found.tension[t], tension, rtol=1e-9)
        np.testing.assert_allclose(found.moment[t], -arms[t].T @ tension, atol=1e-9)
    assert ((found.activation == 0.0) | (found.activation == 1.0)).any()


def test_moments_that_muscles_can_make_are_met(model, motion, found):
    """By muscles to what a reserve of 1 N m costs; all that is missing is in the reserves."""
    used = np.isin(model.layout.coordinate_names, CROSSED)
    tau = motion[2]
    np.testing.assert_allclose((found.moment + found.reserve)[:, used], tau[:, used], atol=1e-9)
    np.testing.assert_array_equal(np.asarray(found.reserve)[:, ~used], 0.0)
    missing, peak = np.abs(found.reserve), np.abs(tau[1::2, used]).max()
    assert missing[1::2].max() < 0.01 * peak
    assert missing[::2].max() > 0.1 * peak  # the others are beyond the muscles


@pytest.fixture(scope="module")
def one(model):
    """Return the activations of one frame and their derivatives, compiled."""
    used = crossed(model) & np.isin(model.layout.coordinate_names, CROSSED)

    def solve(x: dict[str, jax.Array]) -> jax.Array:
        return optimize_muscles(model, x["q"], x["qd"], x["tau"], used).activation

    return quick(jax.vmap(solve)), quick(jax.vmap(jax.jacrev(solve)))


def test_a_batch_is_its_frames(motion, found, one):
    q, qd, tau = motion
    alone = one[0]({"q": q, "qd": qd, "tau": tau})
    np.testing.assert_allclose(found.activation, alone, atol=1e-9)


def test_gradients_by_moments_coordinates_and_speeds(motion, one):
    """Against central differences where no muscle is at a bound or comes to one."""
    x = dict(zip(("q", "qd", "tau"), motion, strict=True))
    activation, slopes = np.asarray(one[0](x)), one[1](x)
    inside = ((activation == 0.0) | (np.abs(activation - 0.5) < 0.499)).all(axis=1)
    assert inside.sum() > 4
    rng, h = np.random.default_rng(8), 1e-6
    for name, value in x.items():
        way = rng.normal(size=value.shape)
        ends = [np.asarray(one[0](x | {name: value + sign * h * way})) for sign in (1, -1)]
        numeric = (ends[0] - ends[1]) / (2 * h)
        slope = np.einsum("tmn,tn->tm", slopes[name], way)
        error = np.abs(slope - numeric)[inside].max()
        assert error < 1e-5 * np.abs(numeric[inside]).max(), name


@pytest.fixture(scope="module")
def solved():
    """Return the activations and their slope along a change of the moments, compiled."""

    @quick
    @jax.vmap
    def both(A, b, way):
        solve = lambda x: least_activation(A, x, jnp.ones(8))  # noqa: E731
        return *jax.jvp(solve, (b,), (way,)), jax.vjp(solve, b)[1](jnp.linspace(0, 1, 20))[0]

    return both


def test_static_optimisation_is_bounded_least_squares(solved):
    """Against another solver; slopes in both modes against central differences."""
    rng, cases = np.random.default_rng(0), 6
    A, b = rng.normal(0, 30, (cases, 8, 20)), rng.normal(0, 60, (cases, 8))
    way, h = rng.normal(0, 1, (cases, 8)), 1e-3  # linear between bounds
    ours, slope, back = solved(A, b, way)
    for i in range(cases):
        rows = np.vstack([A[i], np.eye(20)])
        exact = lsq_linear(rows, np.r_[b[i], np.zeros(20)], (0, 1), tol=1e-14, method="bvls").x
        np.testing.assert_allclose(ours[i], exact, atol=1e-8)
    assert ((ours == 0).any(axis=1) & ((ours > 0) & (ours < 1)).any(axis=1)).all()
    numeric = (solved(A, b + h * way, way)[0] - solved(A, b - h * way, way)[0]) / (2 * h)
    np.testing.assert_allclose(slope, numeric, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        np.sum(back * way, axis=1), numeric @ np.linspace(0, 1, 20), rtol=1e-5, atol=1e-7
    )


def test_one_muscle_has_a_closed_form(solved):
    """a = m b / (1 + m^2) with a moment m, and 1 or 0 where that is out of bounds."""
    A, b = np.zeros((6, 8, 20)), np.zeros((6, 8))
    A[:, 2, 5], b[:, 2] = 40.0, (20.0, 60.0, -20.0, 0.0, 30.0, 41.0)
    found, slope, _ = solved(A, b, np.broadcast_to(np.eye(8)[2], b.shape))
    expected = np.zeros((6, 20))
    expected[:, 5] = (40 * 20 / 1601, 1.0, 0.0, 0.0, 40 * 30 / 1601, 1.0)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(slope[[0, 1, 2, 4], 5], (40 / 1601, 0, 0, 40 / 1601), atol=1e-12)


def test_every_problem_comes_to_its_end(solved):
    """Muscles from weak to far too strong, moments from none to beyond reach: the slope is 0.

    That of ``|a|^2 + |b - A a|^2`` for activations between their bounds, and outward for others.
    """
    rng, cases = np.random.default_rng(1), 500
    A = rng.normal(size=(cases, 8, 20)) * 10.0 ** rng.uniform(-1, 3, (cases, 1, 20))
    b = rng.normal(size=(cases, 8)) * 10.0 ** rng.uniform(-1, 4, (cases, 1))
    a = np.asarray(solved(A, b, 0 * b)[0])
    slope = a - np.einsum("cij,ci->cj", A, b - np.einsum("cij,cj->ci", A, a))
    slope = np.where(a <= 0, np.minimum(slope, 0), np.where(a >= 1, np.maximum(slope, 0), slope))
    size = 1.0 + np.abs(np.einsum("cij,ci->cj", A, b)).max(axis=1)
    assert (np.abs(slope).max(axis=1) / size).max() < 1e-8
