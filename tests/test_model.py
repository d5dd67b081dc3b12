"""Loading a compiled model: its layout, and files that are none."""

import jax
import mujoco
import numpy as np
import pytest
import small_model

from mjx_msk.compile import scale_spec
from mjx_msk.errors import MskError
from mjx_msk.model import Model
from mjx_msk.resources import asset


@pytest.fixture(scope="module")
def small() -> Model:
    return Model.from_spec(small_model.spec())


def test_coordinates_are_the_joints_that_follow_nothing(small):
    assert small.layout.coordinate_names == (
        "pelvis_tx", "pelvis_ty", "pelvis_tz", "pelvis_tilt", "pelvis_list", "pelvis_rotation",
        "hip_flexion_r", "hip_adduction_r", "knee_angle_r", "mtp_angle_r", "ankle_angle_l",
    )  # fmt: skip
    assert small.n == 11
    assert small.layout.rotational == (False,) * 3 + (True,) * 8
    assert small.layout.coordinate_index["knee_angle_r"] == 8


def test_tied_joints_come_after_what_they_follow(small):
    layout = small.layout
    known = [layout.joint_names[j] for j in (*layout.independent, *layout.dependent)]
    drivers = {known[11 + row]: known[place] for row, place in enumerate(layout.driver)}
    assert drivers == {joint: driver for joint, driver, _ in small_model.CHAIN}
    assert layout.rounds == ((0, 1), (1, 2), (2, 3))
    assert [known[place] for place in layout.joint_order] == list(layout.joint_names)


def test_order_of_the_equalities_does_not_matter(small):
    before, ties = small_model.XML.split("<equality>")
    lines = ties.split("</equality>")[0].replace("\n      polycoef", " polycoef").splitlines()
    shuffled = before + "<equality>" + "\n".join(reversed(lines)) + "</equality></mujoco>"
    assert shuffled.index('name="c"') < shuffled.index('name="a"')
    other = Model.from_spec(mujoco.MjSpec.from_string(shuffled))
    assert other.layout.rounds == small.layout.rounds
    assert other.layout.driver == small.layout.driver
    np.testing.assert_array_equal(other.polynomial, small.polynomial)


def test_defaults_ranges_and_locks(small):
    expected = np.zeros(11)
    expected[6], expected[9] = 0.1, -0.2  # a locked coordinate stays where it is locked
    np.testing.assert_allclose(small.q_default, expected, atol=1e-7)
    assert [small.layout.coordinate_names[i] for i in np.flatnonzero(small.layout.locked)] == [
        "mtp_angle_r"
    ]
    np.testing.assert_allclose(small.q_range[6:9], [[-0.5, 2], [-0.9, 0.5], [0, 2.4]], atol=1e-6)
    assert np.isinf(small.q_range[:6]).all()
    assert small.layout.coupled == (("knee_angle_r_beta", "knee_angle_r", (0, 1, 0, 0, 0)),)


def test_feet_and_points_are_found_and_muscles_left_out(small):
    layout = small.layout
    assert layout.site_names == ("RASIS", "knee_out", "landmark/right_heel")
    assert layout.contact_names == ("contact/r/heel", "contact/r/toe", "contact/l/heel")
    assert [layout.body_names[b] for b in layout.contact_bodies] == ["calcn_r", "toes_r", "calcn_l"]
    assert layout.contact_feet == (0, 0, 1)
    np.testing.assert_allclose(small.contact_radius, [0.03, 0.02, 0.03])
    assert small.mjx.nu == small.mjx.ntendon == small.mjx.ngeom == 0
    np.testing.assert_allclose(np.sum(small.mjx.body_mass), 11.8 + 9.3 + 3.7 + 1.3 + 0.2 + 1.3)


def test_another_subject_needs_no_other_program(small):
    """Sizes of one model share their tree structure and shapes, so one trace serves them all."""
    factors = {name: [1.2] * 3 for name in small.layout.body_names[1:]}
    larger = Model.from_spec(scale_spec(small_model.spec(), factors, 60.0))
    traces = []

    @jax.jit
    def reach(model):
        traces.append(1)
        return model.contact_position.sum() + model.growth.sum()

    assert reach(larger) != reach(small)
    assert len(traces) == 1


def test_default_model():
    path = asset("rajagopal_lai_uhlrich_2023.xml")
    model = Model.load(path)
    layout = model.layout
    assert (model.n, len(layout.joint_names), len(layout.body_names)) == (37, 59, 23)
    assert len(layout.contact_names) == 12
    assert layout.contact_feet == (0,) * 6 + (1,) * 6
    assert [name for name, _, _ in layout.coupled] == ["knee_angle_r_beta", "knee_angle_l_beta"]
    held = {n for n, locked in zip(layout.coordinate_names, layout.locked, strict=True) if locked}
    hands = ("wrist_flex", "wrist_dev")
    assert held == {f"{n}_{side}" for n in ("subtalar_angle", "mtp_angle", *hands) for side in "rl"}
    full = mujoco.MjModel.from_xml_path(str(path))
    assert float(np.sum(model.mjx.body_mass)) == pytest.approx(full.body_mass.sum(), rel=1e-6)
    knee = layout.coordinate_index["knee_angle_r"]
    np.testing.assert_allclose(model.q_range[knee], full.joint("knee_angle_r").range, atol=1e-6)


def edited(old: str, new: str) -> bytes:
    assert old in small_model.XML
    return small_model.XML.replace(old, new).encode()


BALL = '<joint name="ankle_angle_l" axis="0 0 1"/>', '<joint name="ankle_angle_l" type="ball"/>'
REFERENCE = 'name="pelvis_ty" type="slide"', 'name="pelvis_ty" type="slide" ref="0.9"'
CIRCLE = 'joint2="knee_angle_r"', 'joint2="knee/rotation2"'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot read"),
        (b"\x00\xff\xfe rubbish", "cannot read"),
        (b"<OpenSimDocument/>", "cannot read"),
        (b"<mujoco><worldbody><body/></worldbody>", "cannot read"),
        (edited(*BALL), "'ankle_angle_l' is neither a hinge nor a slide"),
        (edited(*REFERENCE), "'pelvis_ty' has a reference other than 0"),
        (edited(*CIRCLE), "circle"),
        (edited('data="0.1"', 'data="none"'), "none"),
    ],
)
def test_files_that_are_no_compiled_model_are_named(tmp_path, content, words):
    path = tmp_path / "model.xml"
    path.write_bytes(content)
    with pytest.raises(MskError, match=words) as caught:
        Model.load(path)
    assert caught.value.where == str(path)
    assert "mjx-msk compile" in caught.value.remedy


@pytest.mark.parametrize("name", ["absent.xml", "."])
def test_missing_files_are_named(tmp_path, name):
    with pytest.raises(MskError, match="no such model file"):
        Model.load(tmp_path / name)
