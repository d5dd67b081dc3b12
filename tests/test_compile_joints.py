"""What the user may choose of a skeleton, and how compiled skeletons move."""

import mujoco
import numpy as np
import pytest

from mjx_msk.compile import CompileOptions, compile_osim
from mjx_msk.compile.following import follow
from mjx_msk.compile.skeleton import WORLD_FROM_GROUND, is_bone
from mjx_msk.errors import MskError
from mjx_msk.model import Model
from mjx_msk.osim.tables import read_table

opensim = pytest.importorskip("opensim")

GAIT = "models/gait2354_simbody.osim"
LOCKED = ("subtalar_angle_r", "lumbar_bending")
OPTIONS = {
    "as it is": CompileOptions(),
    "free": CompileOptions(root="free"),
    "hinge": CompileOptions(knee="hinge"),
    "lock": CompileOptions(lock=LOCKED),
    "all": CompileOptions(root="free", knee="hinge", lock=LOCKED),
}


@pytest.fixture(scope="module")
def specs(shared_data) -> dict[str, mujoco.MjSpec]:
    return {name: compile_osim(shared_data / GAIT, o) for name, o in OPTIONS.items()}


def standing(model: mujoco.MjModel) -> mujoco.MjData:
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("default").id)
    mujoco.mj_forward(model, data)
    return data


@pytest.mark.parametrize("name", OPTIONS)
def test_default_pose_is_the_same_with_every_option(specs, name):
    expected, found = standing(specs["as it is"].compile()), standing(specs[name].compile())
    for body in filter(is_bone, specs["as it is"].bodies):
        places = expected.body(body.name), found.body(body.name)
        np.testing.assert_allclose(places[1].xpos, places[0].xpos, atol=4e-4, err_msg=body.name)
        np.testing.assert_allclose(places[1].xmat, places[0].xmat, atol=1e-6, err_msg=body.name)


def test_free_root_is_at_the_default_pose_from_the_start(specs):
    model = specs["free"].compile()
    assert model.joint(0).name == "ground_pelvis"
    assert model.jnt_type[0] == mujoco.mjtJoint.mjJNT_FREE
    np.testing.assert_array_equal(model.qpos0[:7], model.key("default").qpos[:7])
    assert model.nv == specs["as it is"].compile().nv


def test_hinged_knees_leave_one_joint_each(specs):
    """What still follows a coordinate are points of muscle paths, on bodies of their own."""
    model = specs["hinge"].compile()
    tied = {model.joint(j).name for j in model.eq_obj1id}
    assert all(name.startswith(("path/", "wrap/")) for name in tied)
    assert model.nv == 23 + len(tied)
    assert "held" in specs["hinge"].text("simplified/knee_r").data


def test_locked_coordinates_are_gone_and_noted(specs):
    names = {joint.name for joint in specs["lock"].joints}
    assert not names.intersection(LOCKED)
    assert float(specs["lock"].text("locked/lumbar_bending").data) == 0.0


def test_a_coordinate_to_lock_that_is_not_there_is_named(shared_data):
    with pytest.raises(MskError, match="no coordinate 'elbow'") as caught:
        compile_osim(shared_data / GAIT, CompileOptions(lock=("elbow",)))
    assert "knee_angle_r" in caught.value.remedy


def test_what_a_model_lacks_is_named(shared_data):
    arm = shared_data / "models/double_pendulum.osim"
    with pytest.raises(MskError, match="six coordinates"):
        compile_osim(arm, CompileOptions(root="free"))
    with pytest.raises(MskError, match="'knee'"):
        compile_osim(arm, CompileOptions(knee="hinge"))


@pytest.mark.parametrize("name", OPTIONS)
def test_models_fall_without_exploding(specs, name):
    """Two seconds from the default pose without control: no warning, speeds of a fall."""
    model = specs[name].compile()
    data = standing(model)
    for _ in range(int(2.0 / model.opt.timestep)):
        mujoco.mj_step(model, data)
    assert not any(warning.number for warning in data.warning)
    assert np.abs(data.qvel).max() < 200


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.filterwarnings("ignore:Attach conflict")  # the scene keeps its own options
def test_models_attach_to_a_scene_and_go_to_mjx(specs, name):
    from mujoco import mjx

    scene = mujoco.MjSpec()
    frame = scene.worldbody.add_frame(pos=[1, 0, 0])
    scene.attach(specs[name].copy(), prefix="one/", frame=frame)
    model = scene.compile()
    assert mjx.put_model(model).nv == specs[name].compile().nv
    # A free joint's keyframe is a place in the world, wherever the model was attached.
    moved = [0, 0, 0] if model.jnt_type[0] == mujoco.mjtJoint.mjJNT_FREE else [1, 0, 0]
    place = standing(specs[name].compile()).body("torso").xpos + moved
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("one/default").id)
    mujoco.mj_kinematics(model, data)
    np.testing.assert_allclose(data.body("one/torso").xpos, place, atol=1e-6)


def test_ties_of_bodies_do_not_disturb_the_model_type(shared_data):
    """The shoulder's point constraint stays in the MJCF; the model type moves coordinates only."""
    spec = compile_osim(shared_data / "models/ThoracoscapularShoulderModel.osim")
    assert spec.equality("AC").type == mujoco.mjtEq.mjEQ_CONNECT
    data = standing(spec.compile())
    first, second = (data.site(f"fastened/AC/{index}").xpos for index in (1, 2))
    np.testing.assert_allclose(first, second, atol=1e-6)
    assert Model.from_spec(spec).n == 17


@pytest.mark.parametrize(
    ("folder", "motion"),
    [
        ("motions/opencap/expert1", "walking1_ik.mot"),
        ("motions/gait_opensim/gait2392", "walk1_ik.mot"),
    ],
)
def test_a_motion_file_plays_as_in_opensim(shared_data, folder, motion):
    """Body positions of a recorded motion, by our reader and compiler and by OpenSim."""
    table = read_table(shared_data / folder / motion)
    osim = shared_data / folder / "model.osim"
    model = compile_osim(osim).compile()
    data = mujoco.MjData(model)
    opensim.Logger.setLevelString("Off")
    theirs = opensim.Model(str(osim))
    for coordinate in theirs.getCoordinateSet():
        coordinate.setDefaultLocked(False)
        coordinate.setDefaultClamped(False)
    theirs.set_assembly_accuracy(1e-10)
    state = theirs.initSystem()
    coordinates = {c.getName(): c for c in theirs.getCoordinateSet()}
    for row in range(0, len(table.time), len(table.time) // 15):
        for name in table.columns:
            value = table.column(name)[row]
            turns = coordinates[name].getMotionType() == 1
            value = np.radians(value) if turns and table.in_degrees else value
            coordinates[name].setValue(state, float(value), False)
            if mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_JOINT, name) >= 0:
                data.joint(name).qpos = value
        theirs.assemble(state)
        theirs.realizePosition(state)
        data.qpos = follow(model, data.qpos)
        mujoco.mj_kinematics(model, data)
        for body in theirs.getBodySet():
            expected = WORLD_FROM_GROUND @ body.getPositionInGround(state).to_numpy()
            found = data.body(body.getName()).xpos
            np.testing.assert_allclose(found, expected, atol=5e-4, err_msg=body.getName())
