"""A hunt for NaN and infinity in muscle paths and inverse kinematics, in both precisions."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_model
from finite import assert_finite, everything, hunt
from hypothesis import given
from hypothesis import strategies as st

from mjx_msk.model import Model
from mjx_msk.physics import marker_positions, muscle_force, muscle_wrenches
from mjx_msk.physics.tracking import Goals, inverse_kinematics

PLACES = ("far", "same point", "at the center", "on the surface", "straight through", "in line")
POSES = 60


@pytest.fixture(scope="module")
def model(precision) -> Model:
    return Model.from_spec(small_model.spec())


@pytest.fixture(scope="module")
def muscled(precision) -> Model:
    return Model.from_spec(small_model.muscled_spec())


@pytest.fixture(scope="module")
def pulled(muscled):
    """Return the muscles' forces as functions of sites, radii, state and activation."""

    def pull(sites, radius, q, qd, activation) -> tuple:
        muscles = dataclasses.replace(muscled.muscles, site_position=sites, wrap_radius=radius)
        changed = muscled.replace(muscles=muscles)
        force = muscle_force(changed, q, qd, activation)
        return force, muscle_wrenches(changed, q, 100.0 * activation)

    return everything(pull)


def placed(model: Model, place: str, surface: int) -> np.ndarray:
    """Return the sites (s, 3) with those of a surface's path at a place of that surface."""
    own, layout = model.muscles, model.layout.muscles
    part = next(s for s in layout.segments if s.wrap == surface)
    body = layout.wrap_bodies[surface]
    center, radius = own.wrap_position[surface], own.wrap_radius[surface]
    on_body = [i for i in (part.start, part.end) if layout.site_bodies[i] == body]
    sites, out = np.array(own.site_position), np.array([0.6, 0.0, 0.8])
    for i, side in zip(on_body, (1.0, -1.0), strict=False):
        sites[i] = {
            "far": sites[i], "same point": sites[i],
            "at the center": center, "on the surface": center + side * radius * out,
            "straight through": center + side * 2 * radius * out,
            "in line": center + 3 * radius * out,
        }[place]  # fmt: skip
    return 0.0 * sites if place == "same point" else sites


@hunt
@given(
    place=st.sampled_from(PLACES),
    surface=st.integers(0, 3),
    speed=st.sampled_from([0.0, 1e-12, -3.0, 500.0]),
    activation=st.sampled_from([0.0, 1e-9, 0.5, 1.0]),
    slack=st.sampled_from([0.01, 1.0, 5.0]),
    pose=st.integers(0, POSES),
)
def test_paths(precision, muscled, pulled, place, surface, speed, activation, slack, pose):
    """Singular wraps, straight and slack tendons, no speed, no activation; the last pose is 0."""
    own = muscled.muscles
    surface = surface % len(own.wrap_radius)
    q = small_model.random_states(muscled, POSES + 1)[0][pose] * (pose < POSES)
    given = (
        placed(muscled, place, surface), slack * np.asarray(own.wrap_radius), q,
        np.full(muscled.n, speed), np.full(len(own.max_force), activation),
    )  # fmt: skip
    assert_finite(pulled(*(np.asarray(x, precision) for x in given)), precision)


@pytest.fixture(scope="module")
def tracked(precision, model):
    """Return the sites' places, and the solution as a function of what it depends on."""
    sites = jnp.arange(len(model.layout.site_names))

    def solution(target, weight, q_target, q_weight, bounds, start) -> tuple:
        goals = Goals(target, weight, q_target, q_weight)
        found = inverse_kinematics(model, sites, goals, bounds, start, iterations=20)
        return found.q, found.cost

    return jax.jit(lambda q: marker_positions(model, q, sites)), everything(solution)


@hunt
@given(
    at=st.sampled_from(["zero", "bound", "somewhere", "half a turn"]),
    off=st.sampled_from([0.0, 1e-7, 0.02, 10.0]),
    weight=st.sampled_from([0.0, 1e-6, 1.0, 1e4]),
    q_weight=st.sampled_from([0.0, 1e-6, 1e4]),
    hidden=st.sets(st.integers(0, 2)),
    start=st.sampled_from(["solution", "zero"]),
)
def test_inverse_kinematics(precision, model, tracked, at, off, weight, q_weight, hidden, start):
    """Starts at the solution and at a bound, markers that are met, far off, missing, all alike."""
    places, solution = tracked
    q = {
        "zero": np.zeros(model.n), "bound": np.asarray(model.q_range)[:, 0],
        "somewhere": small_model.random_states(model, 1)[0, 0],
        "half a turn": np.full(model.n, np.pi),
    }[at]  # fmt: skip
    q = np.where(np.isfinite(q), q, 0.0).astype(precision)
    target = np.asarray(places(q)) + off
    weights = np.full(len(target), weight)
    weights[list(hidden)] = 0.0
    given = (
        target, weights, q, np.full(model.n, q_weight), np.asarray(model.q_range),
        q if start == "solution" else 0.0 * q,
    )  # fmt: skip
    assert_finite(solution(*(np.asarray(x, precision) for x in given)), precision)
