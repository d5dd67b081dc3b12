"""The compiler on small models made here, on bad files, and on the default model's contract."""

from pathlib import Path

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mjx_msk.compile import add_landmarks, compile_file, compile_osim, to_xml
from mjx_msk.resources import asset

opensim = pytest.importorskip("opensim")

GENERIC = "models/RajagopalLaiUhlrich2023.osim"


def write_model(path: Path, *joints, bodies=("rod",), mass: float = 2.0) -> Path:
    """Write a model of bodies that hang from OpenSim joints made by ``joints(model)``."""
    opensim.Logger.setLevelString("Off")
    model = opensim.Model()
    model.setName("small")
    for name in bodies:
        com, inertia = opensim.Vec3(0.1, -0.2, 0.3), opensim.Inertia(0.3, 0.2, 0.25, 0.01, 0, 0)
        model.addBody(opensim.Body(name, mass, com, inertia))
    for joint in joints:
        model.addJoint(joint(model))
    model.finalizeConnections()
    model.printToXML(str(path))
    return path


def pin(model):
    """A pin whose offset frames are turned and shifted on both sides."""
    return opensim.PinJoint(
        "pin",
        model.getGround(), opensim.Vec3(1, 2, 3), opensim.Vec3(0.3, -0.2, 0.5),
        model.getBodySet().get("rod"), opensim.Vec3(0.1, 0.2, 0.3), opensim.Vec3(0.4, 0.1, -0.6),
    )  # fmt: skip


@pytest.fixture(scope="module")
def default_model() -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_path(str(asset("rajagopal_lai_uhlrich_2023.xml")))


def test_pin_joint_turns_about_its_own_place(tmp_path):
    """The child's origin moves on the circle that the two offset frames describe."""
    spec = compile_osim(write_model(tmp_path / "pin.osim", pin))
    model = spec.compile()
    data = mujoco.MjData(model)
    data.qpos[0] = 0.7
    mujoco.mj_kinematics(model, data)

    def frame(angles: list[float], position: list[float]) -> np.ndarray:
        result = np.eye(4)
        result[:3, :3] = Rotation.from_euler("XYZ", angles).as_matrix()
        result[:3, 3] = position
        return result

    up = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])
    parent, child = frame([0.3, -0.2, 0.5], [1, 2, 3]), frame([0.4, 0.1, -0.6], [0.1, 0.2, 0.3])
    expected = up @ parent @ frame([0, 0, 0.7], [0, 0, 0]) @ np.linalg.inv(child)
    np.testing.assert_allclose(data.body("rod").xpos, expected[:3, 3], atol=1e-12)
    np.testing.assert_allclose(data.body("rod").xmat.reshape(3, 3), expected[:3, :3], atol=1e-12)


def test_inertia_keeps_every_digit_in_the_file(tmp_path):
    osim = write_model(tmp_path / "pin.osim", pin, mass=2 / 3)
    compile_file(osim, tmp_path / "pin.xml")
    body = mujoco.MjSpec.from_file(str(tmp_path / "pin.xml")).body("rod")
    assert body.mass == 2 / 3
    np.testing.assert_array_equal(body.fullinertia, [0.3, 0.2, 0.25, 0.01, 0, 0])


def test_impossible_inertia_is_raised_to_the_nearest_possible_and_noted(tmp_path):
    path = write_model(tmp_path / "flat.osim", pin)
    text = path.read_text().replace("0.3 0.2 0.25 0.01", "0.1 0.1 0.5 0")
    text = text.replace(
        "0.29999999999999999 0.20000000000000001 0.25 0.01 0 0", "0.1 0.1 0.5 0 0 0"
    )
    path.write_text(text)
    spec = compile_osim(path)
    x, y, z = np.sort(spec.compile().body("rod").inertia)
    assert z == pytest.approx(0.5)
    assert x + y == pytest.approx(z, rel=0.01)
    assert spec.text("repaired/rod").data.split()[:3] == ["0.1", "0.1", "0.5"]


def test_bodies_without_mass_move_and_are_noted(shared_data):
    """OpenSim poses such a model; MuJoCo needs a little inertia to step it."""
    spec = compile_osim(shared_data / "models/wrist.osim")
    model = spec.compile()
    assert model.body_mass.sum() < 1e-6
    assert "armature" in spec.text("repaired/elbow_flexion").data
    data = mujoco.MjData(model)
    for _ in range(300):
        mujoco.mj_step(model, data)
    assert not any(warning.number for warning in data.warning)


def test_own_contact_spheres_are_kept_and_named_by_foot(shared_data):
    path = shared_data / "motions/opencap/processing_example/model.osim"
    spec = compile_osim(path)
    geoms = [geom for geom in spec.geoms if geom.name.startswith("contact/")]
    assert len(geoms) == 12
    heel = next(geom for geom in geoms if geom.name == "contact/l/s1_l")
    assert heel.parent.name == "calcn_l"
    assert heel.size[0] == 0.032
    np.testing.assert_allclose(heel.pos, [0.0020926, -0.01, 0.0042117], atol=1e-7)


def test_locked_and_default_values_are_noted(tmp_path):
    def locked(model):
        joint = pin(model)
        coordinate = joint.updCoordinate()
        coordinate.setName("angle")
        coordinate.setDefaultValue(0.25)
        coordinate.setDefaultLocked(True)
        return joint

    spec = compile_osim(write_model(tmp_path / "pin.osim", locked))
    assert float(spec.text("locked/angle").data) == 0.25
    assert float(spec.text("default/angle").data) == 0.25
    assert spec.key("default").qpos[0] == 0.25


def test_default_model_is_what_the_compiler_writes(shared_data, tmp_path):
    """One documented command regenerates the asset, byte for byte, every time."""
    for name in ("first.xml", "second.xml"):
        compile_file(shared_data / GENERIC, tmp_path / name)
    first = (tmp_path / "first.xml").read_bytes()
    assert first == (tmp_path / "second.xml").read_bytes()
    assert first == asset("rajagopal_lai_uhlrich_2023.xml").read_bytes()


def test_default_model_follows_the_contract(default_model):
    model = default_model
    names = [model.joint(i).name for i in range(6)]
    assert names[:3] == ["pelvis_tx", "pelvis_ty", "pelvis_tz"]
    assert names[3:] == ["pelvis_tilt", "pelvis_list", "pelvis_rotation"]
    assert not model.qpos0.any()
    assert model.nbody == 23
    assert model.ntendon == 80
    assert model.nu == 97  # and 17 motors of the arms and the trunk
    assert [model.tendon(i).name for i in range(80)] == [model.actuator(i).name for i in range(80)]
    assert (np.ptp(model.actuator_lengthrange[:80], axis=1) > 0).all()
    np.testing.assert_allclose(model.opt.gravity, [0, 0, -9.80665], atol=1e-9)
    assert sum("contact/" in model.geom(i).name for i in range(model.ngeom)) == 12
    kind = mujoco.mjtObj.mjOBJ_TEXT
    assert mujoco.mj_name2id(model, kind, "coordinate/knee_angle_r_beta") >= 0


def test_only_feet_and_floor_touch(default_model):
    model = default_model
    touching = {
        tuple(sorted((model.geom(i).name, model.geom(j).name)))
        for i in range(model.ngeom)
        for j in range(i)
        if model.geom_contype[i] & model.geom_conaffinity[j]
        or model.geom_contype[j] & model.geom_conaffinity[i]
    }
    assert len(touching) == 12
    assert all(a.startswith("contact/") and b == "floor" for a, b in touching)


def test_standing_feet_reach_the_floor(default_model):
    """In the default pose the lowest contact sphere is within 4 cm of the floor."""
    data = mujoco.MjData(default_model)
    mujoco.mj_resetDataKeyframe(default_model, data, 0)
    mujoco.mj_kinematics(default_model, data)
    spheres = [i for i in range(default_model.ngeom) if default_model.geom_conaffinity[i]]
    lowest = min(data.geom_xpos[i][2] - default_model.geom_size[i][0] for i in spheres[1:])
    assert abs(lowest) < 0.04


def test_left_mirrors_right(default_model):
    """With mirrored coordinates, left and right sites and tendons are mirror images."""
    model, data = default_model, mujoco.MjData(default_model)
    for joint in (model.joint(i) for i in range(model.njnt)):
        if joint.name[:-1].endswith("_") and "/" not in joint.name:
            value = 0.3 if "knee" not in joint.name and "elbow" not in joint.name else 0.8
            data.qpos[joint.qposadr[0]] = value
    for name, source in ((f"patellofemoral_{s}/rotation1", f"knee_angle_{s}") for s in "rl"):
        data.joint(name).qpos = -0.5 * data.joint(source).qpos
    mujoco.mj_fwdPosition(model, data)
    for bone in ("femur", "tibia", "calcn", "toes", "humerus", "radius", "hand"):
        right, left = data.body(f"{bone}_r").xpos, data.body(f"{bone}_l").xpos
        np.testing.assert_allclose(left * [1, -1, 1], right, atol=1e-4)


def test_mjx_accepts_the_default_model(default_model):
    from mujoco import mjx

    assert mjx.put_model(default_model).ntendon == 80


def test_default_model_falls_without_exploding(default_model):
    """Without control it collapses onto its feet, the only parts that the floor stops."""
    data = mujoco.MjData(default_model)
    mujoco.mj_resetDataKeyframe(default_model, data, 0)
    for _ in range(300):
        mujoco.mj_step(default_model, data)
    assert not any(warning.number for warning in data.warning)
    assert -1.2 < data.body("pelvis").xpos[2] < 0.9
    assert np.abs(data.qvel).max() < 200


def test_landmarks_replace_those_of_the_same_spec(tmp_path):
    spec = compile_osim(write_model(tmp_path / "pin.osim", pin))
    add_landmarks(spec, {"tip": {"body": "rod", "pos": [0, 0, 1]}})
    add_landmarks(
        spec,
        {
            "end": {"body": "rod", "pos": [0, 0, 2]},
            "gone": {"body": "femur_r", "pos": [0, 0, 0]},
        },
    )
    assert [site.name for site in spec.sites] == ["landmark/end"]
    assert 'pos="0 0 2"' in to_xml(spec)
