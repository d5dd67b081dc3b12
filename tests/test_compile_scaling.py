"""Scaling rules that follow from geometry alone."""

import mujoco
import numpy as np
import pytest

from mjx_msk.compile import read_spec, scale_spec, scale_to_markers, scale_to_person
from mjx_msk.compile.measurements import default_measurements, read_setup
from mjx_msk.compile.scaling import owners
from mjx_msk.compile.stature import stature
from mjx_msk.errors import MskError
from mjx_msk.osim.markers import Markers
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


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ({"femur_r": [1, 1.7, 1]}, "of 'femur_r', 1 1.7 1, are implausible"),
        ({"femur_r": [1, 0.4, 1]}, "of 'femur_r', 1 0.4 1, are implausible"),
        ({"tibia_r": [1.3] * 3, "femur_r": [0.8] * 3}, "'tibia_r' would become 1.62 times"),
    ],
)
def test_sizes_that_nobody_has_are_refused(spec, factors, words):
    with pytest.raises(MskError, match=words):
        scale_spec(spec, factors)


SPLIT = """
<mujoco>
  <compiler angle="radian" autolimits="false"/>
  <worldbody>
    <body name="femur">
      <inertial pos="0 0 0" mass="2" diaginertia="0.1 0.1 0.1"/>
      <joint name="hip" axis="0 0 1"/>
      {tibia}
      {point}
    </body>
  </worldbody>
  <equality><joint joint1="glide" joint2="knee" polycoef="0 0.1 0.02 0 0"/>{tie}</equality>
  <keyframe><key name="default" qpos="{rest}"/></keyframe>
</mujoco>
"""
AT = 'pos="0.1 0.2 0.3"'
GLIDE = f'<joint name="glide" type="slide" axis="0.6 0 0.8" {AT} user="0 0.6 0.8"/>'
KNEE = f'<joint name="knee" axis="1 0 0" {AT}/>'
PLACE = 'pos="0.02 -0.4 0.01" quat="0.8 0.6 0 0"'
MASS = '<inertial pos="0 0.1 0" mass="1" diaginertia="0.1 0.1 0.1"/>'
LITTLE = '<inertial pos="0 0 0" mass="0.001" diaginertia="1e-6 1e-6 1e-6"/>'


def test_added_bodies_scale_with_the_bone_that_they_hang_from():
    """Two joints of one body, and the same two with a body that the compiler added in between."""
    whole = SPLIT.format(
        tibia=f"<body name='tibia' {PLACE}>{MASS}{GLIDE}{KNEE}</body>",
        point="", tie="", rest="0 0 0",
    )  # fmt: skip
    split = SPLIT.format(
        # In between lies a frame at the joint; the tibia hangs from it by minus the joint's place.
        tibia=f"<body name='knee/1' pos='0.12 -0.632 0.286' quat='0.8 0.6 0 0'>{LITTLE}"
        f"{GLIDE.replace(AT, '')}"
        f"<body name='tibia' pos='-0.1 -0.2 -0.3'>{MASS}{KNEE}</body></body>",
        point="", tie="", rest="0 0 0",
    )  # fmt: skip
    factors = {"femur": [1.2, 0.9, 1.1], "tibia": [0.8, 1.3, 1.0]}
    found = []
    for xml in (whole, split):
        model = scale_spec(mujoco.MjSpec.from_string(xml), factors).compile()
        data = mujoco.MjData(model)
        data.qpos[:] = [0.3, 0.05, 0.7]
        mujoco.mj_kinematics(model, data)
        found.append([*data.body("tibia").xpos, *model.equality(0).data[:5]])
    np.testing.assert_allclose(found[0], found[1], atol=1e-12)


def test_moving_points_travel_with_the_bone_that_they_are_on():
    """A point of the femur that slides with the knee: its place and its way times its factors."""
    point = f"""<body name="path/muscle/P1" pos="0.1 -0.2 0.3">{LITTLE}
      <joint name="x" type="slide" axis="1 0 0" user="1 0 0"/></body>"""
    xml = SPLIT.format(
        tibia=f"<body name='tibia' {PLACE}>{MASS}{GLIDE}{KNEE}</body>", point=point,
        tie='<joint joint1="x" joint2="knee" polycoef="0 0.5 0 0 0"/>', rest="0 0 0 0",
    )  # fmt: skip
    spec = mujoco.MjSpec.from_string(xml)
    scaled = scale_spec(spec, {"femur": [1.2, 0.9, 1.1], "tibia": [1.3, 1.3, 1.3]})
    np.testing.assert_allclose(scaled.body("path/muscle/P1").pos, [0.12, -0.18, 0.33])
    np.testing.assert_allclose(scaled.compile().equality(1).data[:5], [0, 0.6, 0, 0, 0])
    with pytest.raises(MskError, match="no body 'path/muscle/P1' to scale"):
        scale_spec(spec, {"path/muscle/P1": [1.1, 1.1, 1.1]})


def test_owners():
    names = ["world", "pelvis", "hip/2", "hip/3", "femur", "path/m/P"]
    found = owners(names, [0, 0, 1, 2, 3, 4])
    assert found.own == (0, 1, 1, 1, 4, 4)
    assert found.above == (0, 0, 1, 1, 1, 4)


def test_meshes_and_springs_grow():
    """One mesh on two bodies of different growth; a tendon's resting length with its path."""
    xml = """
    <mujoco>
      <compiler angle="radian"/>
      <asset><mesh name="bone" vertex="0 0 0 1 0 0 0 1 0 0 0 1"/></asset>
      <worldbody>
        <body name="a"><inertial pos="0 0 0" mass="1" diaginertia="1 1 1"/><joint name="j"/>
          <geom type="mesh" mesh="bone" mass="0"/><site name="start" pos="0 0 0"/>
          <body name="b"><inertial pos="0 0 0" mass="1" diaginertia="1 1 1"/><joint name="k"/>
            <geom type="mesh" mesh="bone" mass="0" quat="0.5 0.5 0.5 0.5"/>
            <site name="end" pos="1 0 0"/>
          </body>
        </body>
      </worldbody>
      <tendon><spatial name="spring" stiffness="10" springlength="0.8">
        <site site="start"/><site site="end"/></spatial>
        <fixed name="stop" stiffness="5" springlength="-0.1 0.3"><joint joint="k" coef="1"/></fixed>
      </tendon>
      <keyframe><key name="default" qpos="0 0"/></keyframe>
    </mujoco>"""
    factors = {"a": [1.1, 1.2, 1.3], "b": [1.2, 0.9, 1.0]}
    before = mujoco.MjSpec.from_string(xml).compile()
    spec = scale_spec(mujoco.MjSpec.from_string(xml), factors)
    after = spec.compile()
    for geom, factor in enumerate(factors.values()):
        small, large = corners(before, geom), corners(after, geom)
        np.testing.assert_allclose(large, np.multiply(factor, small), atol=1e-6)
    # The end is on x of body b, whose factor is 1.2; angles do not grow.
    np.testing.assert_allclose(spec.tendon("spring").springlength, 1.2 * 0.8)
    np.testing.assert_allclose(spec.tendon("stop").springlength, [-0.1, 0.3])


def corners(model: mujoco.MjModel, geom: int) -> np.ndarray:
    """Return the vertices (4, 3) of a mesh geom in its body's frame."""
    mesh = model.geom_dataid[geom]
    vertices = model.mesh_vert[model.mesh_vertadr[mesh] :][: model.mesh_vertnum[mesh]]
    turn = np.zeros(9)
    mujoco.mju_quat2Mat(turn, model.geom_quat[geom])
    return vertices @ turn.reshape(3, 3).T + model.geom_pos[geom]


def test_height_and_mass(spec):
    person = scale_to_person(spec, 1.55, 48.0)
    model, data = at_rest(person)
    soles = [g for g in range(model.ngeom) if model.geom(g).name.startswith("contact/")]
    floor = min(data.geom_xpos[g][2] - model.geom_size[g, 0] for g in soles)
    assert data.site("landmark/vertex").xpos[2] - floor == pytest.approx(1.55, abs=2e-3)
    assert stature(person) == pytest.approx(1.55, abs=1e-6)
    assert model.body_mass.sum() == pytest.approx(48.0)


@pytest.mark.parametrize(
    ("height", "mass", "words"),
    [
        (0.6, 20, "a height of 0.6 m is implausible"),
        (float("nan"), 70, "a height of nan m"),
        (1.7, 5, "a mass of 5 kg is implausible"),
        (1.7, 180, "nobody of 1.70 m weighs 180 kg .body mass index 62"),
        (1.9, 30, "nobody of 1.90 m weighs 30 kg"),
    ],
)
def test_people_that_do_not_exist_are_refused(spec, height, mass, words):
    with pytest.raises(MskError, match=words):
        scale_to_person(spec, height, mass)


def test_a_model_without_head_or_feet_has_no_stature():
    with pytest.raises(MskError, match="the model has no stature"):
        scale_to_person(mujoco.MjSpec(), 1.7, 70)


@pytest.fixture(scope="module")
def subject() -> tuple[mujoco.MjSpec, dict[str, list[float]]]:
    """A person of known size: the default model, alike on both sides."""
    factors = {
        "pelvis": [1.12] * 3, "femur": [1.05] * 3, "tibia": [0.95] * 3, "calcn": [1.1] * 3,
        "talus": [1.1] * 3, "toes": [1.1] * 3, "patella": [1.05] * 3,
    }  # fmt: skip
    spec = mujoco.MjSpec.from_file(str(asset("rajagopal_lai_uhlrich_2023.xml")))
    named = {b.name: factors.get(b.name[:-2], factors.get(b.name)) for b in spec.bodies[1:]}
    chosen = {name: value for name, value in named.items() if value is not None}
    return scale_spec(spec, chosen, 80.0), chosen


def markers_of(spec: mujoco.MjSpec, bend: float) -> Markers:
    """Return five equal frames of a model's markers, turned and away from the origin."""
    model = spec.compile()
    data = mujoco.MjData(model)
    data.joint("pelvis_rotation").qpos = 2.0
    data.joint("pelvis_tx").qpos = 3.0
    data.joint("hip_flexion_r").qpos = bend
    mujoco.mj_kinematics(model, data)
    sites = [s for s in range(model.nsite) if model.site_group[s] == 3]
    names = tuple(model.site(s).name for s in sites)
    return Markers(np.arange(5) / 100, names, np.tile(data.site_xpos[sites], (5, 1, 1)), 100.0)


def test_scaled_to_the_markers_of_a_person_of_known_size(spec, subject):
    """But for what the pose changes between markers of different bones."""
    person, known = subject
    fit = scale_to_markers(spec, markers_of(person, 0.1), 80.0)
    for body in ("femur_r", "tibia_l", "calcn_r"):
        np.testing.assert_allclose(fit.factors[body], known[body], rtol=0.02, err_msg=body)
    assert fit.spec.compile().body_mass.sum() == pytest.approx(80.0)
    assert fit.pose["hip_flexion_r"] == pytest.approx(0.1, abs=0.1)
    # However the markers were moved: in the static pose they are where the trial has them.
    measured = markers_of(fit.spec, 0.0)
    assert set(fit.error_m) == set(measured.names)


def test_the_same_person_stays(spec):
    """Markers of the model itself: nothing grows and no marker moves."""
    fit = scale_to_markers(spec, markers_of(spec, 0.0), None)
    for body, factors in fit.factors.items():
        np.testing.assert_allclose(factors, 1.0, atol=1e-9, err_msg=body)
    for site in spec.sites:
        if site.group == 3:
            np.testing.assert_allclose(fit.spec.site(site.name).pos, site.pos, atol=1e-6)
    assert max(fit.error_m.values()) < 1e-6
    assert fit.pose["pelvis_rotation"] == pytest.approx(0.0, abs=1e-6)


def test_default_measurements_of_the_default_model(spec):
    centers = ("HJC", "KJC", "AJC", "plateau")  # what a laboratory without a model has not
    names = [s.name for s in spec.sites if s.group == 3 and not s.name.endswith(centers)]
    pairs = {m.name: m.pairs for m in default_measurements(spec, names)}
    assert ("RLFC", "RLMAL") in pairs["tibia XYZ"]
    assert ("RCAL", "RTOE") in pairs["calcn XYZ"]
    assert ("RASI", "RPSI") in [tuple(sorted(pair)) for pair in pairs["pelvis X"]]


def test_too_few_markers_are_refused(spec):
    trial = markers_of(spec, 0.0)
    few = [trial.names.index(name) for name in ("RASI", "LASI", "RPSI", "LPSI")]
    names = tuple(trial.names[i] for i in few)
    with pytest.raises(MskError, match="ends of 1 of the model's 7 bones"):
        scale_to_markers(spec, Markers(trial.time, names, trial.positions[:, few], 100.0))
    with pytest.raises(MskError, match="shows only 2 of the model's 66 markers"):
        scale_to_markers(spec, Markers(trial.time, names[:2], trial.positions[:, few[:2]], 100.0))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<a", "cannot read this Scale Tool setup"),
        ("<a/>", "holds no <Measurement> that applies"),
        ("<a><Measurement name='m'/></a>", "'m' needs pairs of two markers"),
        (
            "<a><Measurement name='m'><MarkerPair><markers>A B C</markers></MarkerPair>"
            "</Measurement></a>",
            "'m' needs pairs of two markers",
        ),
        ("<a><IKMarkerTask name='A'/></a>", "'A' has no <weight>"),
    ],
)
def test_bad_setups_are_named(tmp_path, text, words):
    path = tmp_path / "setup.xml"
    path.write_text(text)
    with pytest.raises(MskError, match=words):
        read_setup(path)


def test_what_is_no_model_is_named(tmp_path):
    (tmp_path / "a.xml").write_text("<mujoco/>")
    for name, words in (("a.xml", "no compiled model"), ("none.xml", "no such file")):
        with pytest.raises(MskError, match=words):
            read_spec(tmp_path / name)
