"""Marker inverse kinematics in float64 on a small model, markers made by the C engine."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
import small_model
from compiling import quick

from mjx_msk.model import Model
from mjx_msk.physics.tracking import Goals, inverse_kinematics

pytestmark = pytest.mark.usefixtures("float64")

#: On the pelvis, thigh, foot, toes: every coordinate moves some of them.
MARKERS = {
    "pelvis": [[0.1, 0, 0.1], [0.1, 0, -0.1], [-0.1, 0.1, 0]],
    "femur_r": [[0.02, -0.2, 0.05], [0, -0.3, -0.05]],
    "calcn_r": [[0, 0, 0.04], [0.1, 0.02, 0]],
    "toes_r": [[0.08, 0.03, 0.05], [0.06, -0.03, -0.05]],
    "calcn_l": [[0.1, 0.05, 0.02], [0, 0.1, 0]],
}
STEP = 1e-6


@pytest.fixture(scope="module")
def spec() -> mujoco.MjSpec:
    spec = small_model.spec()
    for body, places in MARKERS.items():
        for k, place in enumerate(places):
            spec.body(body).add_site(name=f"{body}/{k}", pos=place, group=3)
    return spec


@pytest.fixture(scope="module")
def model(spec, float64) -> Model:
    return Model.from_spec(spec)


@pytest.fixture(scope="module")
def sites(model) -> np.ndarray:
    names = [f"{body}/{k}" for body, places in MARKERS.items() for k in range(len(places))]
    return np.array([model.layout.site_index[name] for name in names])


@pytest.fixture(scope="module")
def truth(model) -> np.ndarray:
    """Within the ranges of hip and knee."""
    q = small_model.random_states(model, 4, seed=1)[0] * 0.5
    q[:, model.layout.coordinate_index["knee_angle_r"]] += 0.5
    return q


@pytest.fixture(scope="module")
def seen(spec, model, sites, truth) -> np.ndarray:
    """Return where the C engine puts the markers, (4, m, 3)."""
    engine = spec.copy().compile()
    found = np.zeros((len(truth), len(sites), 3))
    for t, q in enumerate(truth):
        data = mujoco.MjData(engine)
        data.qpos[:] = small_model.place(model, engine, q)
        mujoco.mj_kinematics(engine, data)
        names = [model.layout.site_names[s] for s in sites]
        found[t] = [data.site(name).xpos for name in names]
    return found


@pytest.fixture(scope="module")
def one(model, sites):
    """Return the solution (n,) of (target, weight, q_target, q_weight, bounds, start)."""

    def one(target, weight, q_target, q_weight, bounds, start):
        goals = Goals(target, weight, q_target, q_weight)
        return inverse_kinematics(
            model, jnp.asarray(sites), goals, bounds, start, tolerance=1e-11
        ).q  # fmt: skip

    return one


@pytest.fixture(scope="module")
def solve(one):
    return quick(one)


@pytest.fixture(scope="module")
def slopes(one):
    """Return d q / d target (n, m, 3), by reverse mode."""
    return quick(jax.jacrev(one))


def frame(model: Model, target: np.ndarray, **changes: np.ndarray) -> dict[str, np.ndarray]:
    n = model.n
    return {
        "target": target, "weight": np.ones(len(target)), "q_target": np.zeros(n),
        "q_weight": np.zeros(n), "bounds": np.tile([-np.inf, np.inf], (n, 1)),
        "start": np.zeros(n),
    } | changes  # fmt: skip


def noisy(seen: np.ndarray) -> np.ndarray:
    return seen + np.random.default_rng(5).normal(0, 0.02, seen.shape)


def test_exact_markers_give_the_motion_back(model, solve, truth, seen):
    for q, target in zip(truth, seen, strict=True):
        np.testing.assert_allclose(solve(*frame(model, target).values()), q, atol=1e-8)


def by_differences(solve, given: dict, model: Model) -> np.ndarray:
    target = given["target"]
    found = np.zeros((model.n, *target.shape))
    for k in np.ndindex(target.shape):
        step = np.zeros(target.shape)
        step[k] = STEP
        ends = [solve(*(given | {"target": target + s}).values()) for s in (step, -step)]
        found[:, k[0], k[1]] = (np.array(ends[0]) - np.array(ends[1])) / (2 * STEP)
    return found


def test_gradients_are_those_of_finite_differences(model, solve, slopes, seen):
    """Markers off by 2 cm, so that Gauss-Newton's matrix alone would be wrong; one is missing."""
    weight = np.linspace(1.0, 3.0, seen.shape[1])
    weight[4] = 0.0
    target = noisy(seen)[0]
    given = frame(model, target, weight=weight)
    given["start"] = np.array(solve(*given.values()))
    expected = by_differences(solve, given, model)
    found = slopes(*given.values())
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    assert not np.any(np.asarray(found)[:, 4])


def test_bounds_hold_and_have_no_slope(model, solve, slopes, truth, seen):
    knee = model.layout.coordinate_index["knee_angle_r"]
    bounds = frame(model, seen[0])["bounds"]
    bounds[knee] = [-1.0, truth[0, knee] - 0.2]
    given = frame(model, noisy(seen)[0], bounds=bounds)
    q = np.array(solve(*given.values()))
    assert q[knee] == bounds[knee, 1]
    given["start"] = q
    expected = by_differences(solve, given, model)
    found = slopes(*given.values())
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_a_firm_coordinate_is_met(model, solve, truth, seen):
    knee = model.layout.coordinate_index["knee_angle_r"]
    given = frame(model, seen[0], q_target=truth[0] * 0 + 0.3, q_weight=np.eye(model.n)[knee] * 1e4)
    assert abs(solve(*given.values())[knee] - 0.3) < 1e-4


@pytest.mark.parametrize("left", [0, 1, 3], ids=["nothing", "one", "pelvis"])
def test_frames_that_show_too_little_stay_finite(model, solve, slopes, seen, left):
    weight = np.zeros(seen.shape[1])
    weight[:left] = 1.0
    target = np.where(weight[:, None] > 0, seen[0], np.nan)
    given = frame(model, target, weight=weight)
    q = np.array(solve(*given.values()))
    assert np.isfinite(q).all()
    assert np.isfinite(slopes(*given.values())).all()
    np.testing.assert_array_equal(q[6:], 0.0)  # no marker moves it: it stays at the start
