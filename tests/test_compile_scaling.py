"""Scaling rules that follow from geometry alone."""

import mujoco
import numpy as np
import pytest

from mjx_msk.compile import scale_spec
from mjx_msk.errors import MskError
from mjx_msk.resources import asset


@pytest.fixture
def spec() -> mujoco.MjSpec:
    return mujoco.MjSpec.from_file(str(asset("rajagopal_lai_uhlrich_2023.xml")))


def at_rest(spec: mujoco.MjSpec) -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("default").id)
    mujoco.mj_forward(model, data)
    return model, data


def test_uniform_scaling_is_a_similarity(spec):
    """All lengths times s, inertia times s^2 and the mass ratio, forces' lever arms times s."""
    names = [body.name for body in spec.bodies[1:]]
    small, before = at_rest(spec)
    large, after = at_rest(scale_spec(spec, dict.fromkeys(names, [1.3] * 3), 100.0))
    root = before.body("pelvis").xpos
    bodies, scaled = before.xpos[1:] - root, after.xpos[1:] - root
    np.testing.assert_allclose(scaled, 1.3 * bodies, atol=1e-6)
    np.testing.assert_allclose(after.site_xpos - root, 1.3 * (before.site_xpos - root), atol=1e-6)
    ratio = 100.0 / small.body_mass.sum()
    np.testing.assert_allclose(large.body_inertia, 1.69 * ratio * small.body_inertia, rtol=1e-6)
    np.testing.assert_allclose(after.ten_length, 1.3 * before.ten_length, rtol=1e-6)
    np.testing.assert_allclose(
        large.actuator_lengthrange, 1.3 * small.actuator_lengthrange, rtol=1e-5
    )


def test_scaling_leaves_the_original_alone(spec):
    before = spec.to_xml()
    scale_spec(spec, {"femur_r": [1.2, 1.2, 1.2]}, 50)
    assert spec.to_xml() == before


def test_ones_change_nothing(spec):
    small, _ = at_rest(spec)
    same, _ = at_rest(scale_spec(spec, {}))
    np.testing.assert_allclose(same.body_pos, small.body_pos, atol=1e-12)
    np.testing.assert_allclose(same.body_inertia, small.body_inertia, rtol=1e-9)
    np.testing.assert_allclose(same.eq_data, small.eq_data, atol=1e-12)


def test_longer_thigh_moves_the_knee_along_the_thigh(spec):
    """Scaling the femur's y by 1.1 lowers the knee by a tenth of its depth below the hip."""
    _, before = at_rest(spec)
    _, after = at_rest(scale_spec(spec, {"femur_r": [1, 1.1, 1]}))
    down = after.body("tibia_r").xpos[2] - before.body("tibia_r").xpos[2]
    assert down == pytest.approx(-0.1 * 0.4096, abs=1e-3)
    assert after.body("tibia_l").xpos == pytest.approx(before.body("tibia_l").xpos)


@pytest.mark.parametrize(
    ("factors", "mass", "words"),
    [
        ({"tail": [1, 1, 1]}, None, "no body 'tail'"),
        ({"femur_r": [1, 0, 1]}, None, "scale factors of 'femur_r'"),
        ({"femur_r": [1, 1]}, None, "scale factors of 'femur_r'"),
        ({"femur_r": [1, float("nan"), 1]}, None, "scale factors of 'femur_r'"),
        ({}, 0.0, "mass is 0.0"),
    ],
)
def test_bad_factors_are_named(spec, factors, mass, words):
    with pytest.raises(MskError, match=words):
        scale_spec(spec, factors, mass)
