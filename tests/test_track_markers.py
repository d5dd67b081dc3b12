"""Inverse kinematics of a whole trial: a made motion, gaps, an arm that starts straight.

Trials are solved in single precision, as everything of ``fit`` is.
"""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from compiling import quick

from mjx_msk.fit.inverse_kinematics import track_markers
from mjx_msk.model import Model
from mjx_msk.physics.tracking import Goals, inverse_kinematics

#: A pelvis and an arm whose elbow has its default at a bound, where it is straight.
ARM = """
<mujoco>
  <compiler angle="radian" autolimits="false"/>
  <worldbody>
    <body name="pelvis" quat="0.7071067811865476 0.7071067811865476 0 0">
      <inertial pos="0 0 0" mass="10" diaginertia="0.1 0.1 0.1"/>
      <joint name="pelvis_tx" type="slide" axis="1 0 0"/>
      <joint name="pelvis_ty" type="slide" axis="0 1 0"/>
      <joint name="pelvis_tz" type="slide" axis="0 0 1"/>
      <joint name="pelvis_tilt" axis="0 0 1"/>
      <joint name="pelvis_list" axis="1 0 0"/>
      <joint name="pelvis_rotation" axis="0 1 0"/>
      <site name="p1" pos="0.1 0 0.1" group="3"/><site name="p2" pos="0.1 0 -0.1" group="3"/>
      <site name="p3" pos="-0.1 0.1 0" group="3"/><site name="p4" pos="-0.1 0.1 0.1" group="3"/>
      <body name="humerus" pos="0 0.4 0.2">
        <inertial pos="0 -0.15 0" mass="2" diaginertia="0.02 0.02 0.01"/>
        <joint name="arm_flex" axis="0 0 1"/>
        <joint name="arm_add" axis="1 0 0"/>
        <joint name="arm_rot" axis="0 1 0"/>
        <site name="elbow" pos="0 -0.3 0" group="3"/>
        <body name="ulna" pos="0 -0.3 0">
          <inertial pos="0 -0.15 0" mass="1" diaginertia="0.01 0.01 0.001"/>
          <joint name="elbow_flex" axis="0 0 1" limited="true" range="0 2.6"/>
          <site name="wrist" pos="0 -0.25 0" group="3"/>
          <site name="hand" pos="0 -0.3 0" group="3"/>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>
"""
NAMES = ("p1", "p2", "p3", "p4", "elbow", "wrist", "hand")
FRAMES = 70  # three groups of the solver, the last one not full
CLOSE = 5e-6  #: rad or m; single precision leaves less than 1e-6


@pytest.fixture(scope="module")
def arm() -> Model:
    return Model.from_spec(mujoco.MjSpec.from_string(ARM))


@pytest.fixture(scope="module")
def truth(arm) -> np.ndarray:
    """Return a motion (FRAMES, n): a turn in walking, an arm that swings and bends."""
    t = np.linspace(0.0, 1.0, FRAMES)[:, None]
    rng = np.random.default_rng(4)
    amplitude, phase = rng.uniform(0.1, 0.5, arm.n), rng.uniform(0, 6, arm.n)
    q = amplitude * np.sin(2 * np.pi * t + phase)
    index = arm.layout.coordinate_index
    q[:, index["pelvis_tx"]] = 1.3 * t[:, 0]
    q[:, index["pelvis_rotation"]] += 2.0 * t[:, 0]
    q[:, index["elbow_flex"]] += 1.3
    return q


def markers(q: np.ndarray) -> np.ndarray:
    """Return where the C engine puts the markers, (T, m, 3) m."""
    mj = mujoco.MjModel.from_xml_string(ARM)
    data, found = mujoco.MjData(mj), []
    for row in q:
        data.qpos[:] = row
        mujoco.mj_kinematics(mj, data)
        found.append([data.site(name).xpos.copy() for name in NAMES])
    return np.array(found)


def test_a_made_motion_comes_back(arm, truth):
    found = track_markers(arm, NAMES, markers(truth))
    np.testing.assert_allclose(found.q, truth, atol=CLOSE)
    assert found.error_m.shape == (FRAMES, len(NAMES))
    assert found.error_m.max() < CLOSE
    assert (found.iterations > 0).all()


def test_gaps_are_bridged_by_other_markers(arm, truth):
    """One marker of a frame may lack, in solved-first frames too; a half marker counts as none."""
    rng = np.random.default_rng(6)
    seen = markers(truth)
    lacking = rng.integers(0, len(NAMES) - 1, FRAMES)
    seen[np.arange(FRAMES), lacking] = np.nan
    seen[5::9, -1, 1] = np.nan
    seen[5::9, :-1] = markers(truth)[5::9, :-1]
    found = track_markers(arm, NAMES, seen)
    missing = ~np.isfinite(seen).all(axis=2)
    np.testing.assert_array_equal(np.isnan(found.error_m), missing)
    assert np.nanmax(found.error_m) < CLOSE
    np.testing.assert_allclose(found.q, truth, atol=10 * CLOSE)


def test_a_frame_without_markers_stays_finite(arm, truth):
    """It starts between its neighbours and nothing moves it; all others are as they were."""
    seen = markers(truth)
    seen[11] = np.nan
    found = track_markers(arm, NAMES, seen)
    assert np.isfinite(found.q).all()
    assert np.isnan(found.error_m[11]).all()
    np.testing.assert_allclose(np.delete(found.q, 11, 0), np.delete(truth, 11, 0), atol=CLOSE)
    assert np.abs(found.q[11] - truth[11]).max() < 0.1


def test_an_elbow_that_starts_straight_bends(arm, truth):
    """With the upper arm turned away, straightening lowers the cost at first: it may stay there."""
    q = truth.copy()
    index = arm.layout.coordinate_index
    q[:, index["arm_rot"]] += 2.2
    assert arm.q_default[index["elbow_flex"]] == arm.q_range[index["elbow_flex"], 0]
    found = track_markers(arm, NAMES, markers(q))
    assert np.nanmax(found.error_m) < CLOSE
    np.testing.assert_allclose(found.q, q, atol=CLOSE)


def test_ranges_hold_unless_they_are_to_be_left(arm, truth):
    """Without ranges every frame starts at an elbow that is exactly straight: a singular place."""
    q, elbow = truth.copy(), arm.layout.coordinate_index["elbow_flex"]
    q[:, elbow] -= 1.3
    assert (q[:, elbow] < -0.05).any()
    held = track_markers(arm, NAMES, markers(q))
    assert held.q[:, elbow].min() == 0.0
    free = track_markers(arm, NAMES, markers(q), limits=False)
    assert np.nanmax(free.error_m) < CLOSE


def test_every_frame_is_the_solution_of_one_frame(arm, truth):
    """Markers off by 2 cm with weights, and values to meet: the same minimum as frame by frame."""
    rng = np.random.default_rng(7)
    seen = markers(truth) + rng.normal(0, 0.02, (FRAMES, len(NAMES), 3))
    seen[::7, 4] = np.nan
    weights = np.linspace(1.0, 3.0, len(NAMES))
    q_weight = np.linspace(0.0, 1e-3, arm.n)
    found = track_markers(
        arm, NAMES, seen, marker_weights=weights, coordinates=truth, coordinate_weights=q_weight
    )
    with jax.enable_x64(True):
        double = Model.from_spec(mujoco.MjSpec.from_string(ARM))
        sites = jnp.array([double.layout.site_index[name] for name in NAMES])

        @quick
        def one(target: jax.Array, weight: jax.Array, q_target: jax.Array, start: jax.Array):
            goals = Goals(target, weight, q_target, jnp.asarray(q_weight))
            return inverse_kinematics(double, sites, goals, double.q_range, start, tolerance=1e-9)

        for t in range(0, FRAMES, 9):
            weight = np.where(np.isnan(seen[t]).any(axis=1), 0.0, weights)
            alone = one(np.nan_to_num(seen[t]), weight, truth[t], truth[t] + 0.05)
            assert alone.converged
            np.testing.assert_allclose(found.q[t], alone.q, atol=CLOSE)
