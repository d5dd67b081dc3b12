"""Files for other programs, read by those programs, by independent readers or by C MuJoCo."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import mujoco
import numpy as np
import pytest
import takes

from mjx_msk import cli
from mjx_msk.compile.free_root import root_body, with_free_root
from mjx_msk.errors import MskError
from mjx_msk.export.edits import resampled
from mjx_msk.export.exporting import Edits, export_motion
from mjx_msk.export.formats import FORMATS
from mjx_msk.export.playback import played_free
from mjx_msk.export.take import Take, read_take
from mjx_msk.motion import Motion

#: Frames in which everything is compared.
SOME = (0, 7, 31)


@pytest.fixture(scope="module")
def take() -> Take:
    return resampled(takes.walk(45, turn_deg=60.0), 60.0)


@pytest.fixture(scope="module")
def folder(take, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("estimate")
    takes.save(take, folder)
    return folder


@pytest.fixture(scope="module")
def loco(folder, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("loco") / "walk.npz"
    assert [p.name for p in export_motion(folder, "locomujoco", path)] == [
        "walk.npz", "walk.xml", "walk_motion.npz"
    ]  # fmt: skip
    return path


def c_engine(xml: Path, qpos: np.ndarray, qvel: np.ndarray) -> tuple[mujoco.MjModel, mujoco.MjData]:
    mj = mujoco.MjModel.from_xml_path(str(xml))
    data = mujoco.MjData(mj)
    data.qpos, data.qvel = qpos, qvel
    mujoco.mj_forward(mj, data)
    return mj, data


def test_only_opensims_format_holds_an_osim(folder):
    with pytest.raises(MskError, match="format 'csv' holds no OpenSim model"):
        export_motion(folder, "csv", osim=Path("generic.osim"))
    assert not (folder / "motion.csv").exists()


def test_a_free_root_changes_no_pose(take):
    free = with_free_root(take.spec)
    mj, own = free.compile(), take.mj
    assert mj.nq == own.nq + 1
    assert mj.joint(0).name == "root"
    assert [mj.body(b).name for b in range(mj.nbody)] == [own.body(b).name for b in range(mj.nbody)]
    a, b = mujoco.MjData(own), mujoco.MjData(mj)
    a.qpos = take.motion.qpos[5]
    mujoco.mj_forward(own, a)
    root = root_body(own)
    b.qpos = [*a.xpos[root], *a.xquat[root], *take.motion.qpos[5][6:]]
    mujoco.mj_forward(mj, b)
    for name in ("xpos", "xmat", "site_xpos", "ten_length"):
        np.testing.assert_allclose(getattr(b, name), getattr(a, name), atol=1e-12)
    assert [key.name for key in free.keys] == ["default"]


def test_what_hangs_from_one_hinge_cannot_be_free():
    spec = mujoco.MjSpec.from_string(
        "<mujoco><worldbody><body><joint/><geom size='.1'/></body></worldbody></mujoco>"
    )
    with pytest.raises(MskError, match="moves freely"):
        with_free_root(spec)


def test_locomujoco_has_its_names_and_no_pickles(loco):
    with np.load(loco, allow_pickle=False) as file:
        assert set(file.files) == {
            "qpos", "qvel", "xpos", "xquat", "cvel", "subtree_com", "site_xpos", "site_xmat",
            "split_points", "joint_names", "frequency", "body_names", "site_names", "njnt",
            "jnt_type", "nbody", "body_rootid", "body_weldid", "body_mocapid", "body_pos",
            "body_quat", "body_ipos", "body_iquat", "nsite", "site_bodyid", "site_pos", "site_quat",
        }  # fmt: skip
        assert not any(file[name].dtype.hasobject for name in file.files)
        assert file["split_points"].tolist() == [0, len(file["qpos"])]
        np.testing.assert_allclose(file["frequency"], 60.0, rtol=1e-9)


def test_locomujoco_holds_what_the_c_engine_computes(loco):
    file = np.load(loco)
    for t in SOME:
        mj, data = c_engine(loco.with_suffix(".xml"), file["qpos"][t], file["qvel"][t])
        for name in ("xpos", "xquat", "cvel", "subtree_com", "site_xpos", "site_xmat"):
            # float32, and places of the model that its file has in six digits
            np.testing.assert_allclose(file[name][t], getattr(data, name), atol=3e-5, err_msg=name)
    assert file["joint_names"].tolist() == [mj.joint(j).name for j in range(mj.njnt)]
    assert file["body_names"].tolist() == [mj.body(b).name for b in range(mj.nbody)]
    assert file["site_names"].tolist() == [mj.site(s).name for s in range(mj.nsite)]
    assert mj.jnt_type[0] == file["jnt_type"][0] == mujoco.mjtJoint.mjJNT_FREE


def test_speeds_are_the_rates_of_the_places():
    """Also of the free joint, whose angular velocity is in the body's axes."""
    step = 1 / 500.0
    play, _ = played_free(resampled(takes.walk(45, turn_deg=60.0), 1 / step))
    rate = np.zeros(play.mj.nv)
    for t in (100, 333, 600):
        mujoco.mj_differentiatePos(play.mj, rate, 2 * step, play.qpos[t - 1], play.qpos[t + 1])
        assert np.linalg.norm(rate[3:6]) > 0.5
        np.testing.assert_allclose(play.qvel[t], rate, atol=1e-2)
    slope = np.gradient(play.xpos, step, axis=0)
    np.testing.assert_allclose(play.linear_velocity[2:-2], slope[2:-2], atol=5e-3)


def test_the_side_car_has_the_forces(loco, take):
    motion = Motion.load(loco.with_name("walk_motion.npz"))
    np.testing.assert_array_equal(motion.generalized_force, take.motion.generalized_force)


def test_mjlab(folder, tmp_path):
    path, model = export_motion(folder, "mjlab", tmp_path / "motion.npz")
    file = np.load(path, allow_pickle=False)
    mj = mujoco.MjModel.from_xml_path(str(model))
    data = mujoco.MjData(mj)
    assert file["joint_names"].tolist() == [mj.joint(j).name for j in range(1, mj.njnt)]
    assert file["body_names"].tolist() == [mj.body(b).name for b in range(1, mj.nbody)]
    np.testing.assert_allclose(file["fps"], [60.0], rtol=1e-9)
    spin = np.zeros(6)
    for t in SOME:
        # as mjlab sets its entity: root state in world axes, turned into MuJoCo's
        place, turn = file["body_pos_w"][t, 0], file["body_quat_w"][t, 0].astype(float)
        back = np.zeros(3)
        mujoco.mju_rotVecQuat(
            back, file["body_ang_vel_w"][t, 0].astype(float), turn * [1, -1, -1, -1]
        )
        data.qpos = np.hstack([place, turn, file["joint_pos"][t]])
        data.qvel = np.hstack([file["body_lin_vel_w"][t, 0], back, file["joint_vel"][t]])
        mujoco.mj_forward(mj, data)
        np.testing.assert_allclose(file["body_pos_w"][t], data.xpos[1:], atol=3e-5)
        np.testing.assert_allclose(file["body_quat_w"][t], data.xquat[1:], atol=3e-5)
        for b in range(1, mj.nbody):
            mujoco.mj_objectVelocity(mj, data, mujoco.mjtObj.mjOBJ_XBODY, b, spin, 0)
            found = [file["body_ang_vel_w"][t, b - 1], file["body_lin_vel_w"][t, b - 1]]
            np.testing.assert_allclose(np.hstack(found), spin, atol=1e-4)


def loader(path: Path):
    """Return dm_control's own loader, which asks protobuf 7 for something that it has dropped."""
    h5 = pytest.importorskip("dm_control.locomotion.mocap.loader")

    class Loader(h5.HDF5TrajectoryLoader):
        def _fill_primitive_proto_fields(self, proto, h5_group, skip_fields=()):
            for field in proto.DESCRIPTOR.fields:
                if field.name in skip_fields or field.name not in h5_group.attrs:
                    continue
                if field.is_repeated:
                    getattr(proto, field.name).extend(h5_group.attrs[field.name])
                elif field.type != field.TYPE_MESSAGE:
                    setattr(proto, field.name, h5_group.attrs[field.name])

    return Loader(str(path))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of dm_control and protobuf
def test_dm_control_loads_its_clip(folder, tmp_path, take):
    pytest.importorskip("h5py")
    path, model = export_motion(folder, "dm_control", tmp_path / "walk.h5")
    clips = loader(path)
    assert clips.keys() == ("walk",)
    clip = clips.get_trajectory("walk", zero_out_velocities=False)
    assert clip.dt == pytest.approx(1 / 60.0)
    assert clip.num_steps == len(take.motion)
    found = clip.as_dict()
    bones = [take.mj.body(b).name for b in take.bones]
    for t in SOME:
        at = {name.removeprefix("walker/"): values[t] for name, values in found.items()}
        # as dm_control sets a walker from features
        qpos = np.hstack([at["position"], at["quaternion"], at["joints"]])
        qvel = np.hstack([at["velocity"], at["angular_velocity"], at["joints_velocity"]])
        mj, data = c_engine(model, qpos, qvel)
        root = data.body("pelvis")
        for i, name in enumerate(bones):
            np.testing.assert_allclose(at["body_positions"][i], data.body(name).xpos, atol=3e-5)
            np.testing.assert_allclose(at["body_quaternions"][i], data.body(name).xquat, atol=3e-5)
        np.testing.assert_allclose(at["center_of_mass"], root.subtree_com, atol=3e-5)
        hand = (data.body("hand_l").xpos - root.xpos) @ root.xmat.reshape(3, 3)
        np.testing.assert_allclose(at["end_effectors"][1], hand, atol=3e-5)
        assert len(at["joints"]) == mj.nq - 7


def test_c3d_is_read_by_ezc3d(folder, tmp_path):
    """In a process of its own: the types of ezc3d and of opensim get in each other's way."""
    pytest.importorskip("ezc3d")
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from test_export_formats import check_c3d\n"
        "check_c3d(Path(sys.argv[2]), Path(sys.argv[3]))\n"
    )
    given = [str(Path(__file__).parent), str(folder), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", code, *given], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def check_c3d(folder: Path, tmp_path: Path) -> None:
    """Write a motion and compare what ezc3d reads."""
    import ezc3d

    take = read_take(folder)
    (path,) = export_motion(folder, "c3d", tmp_path / "walk.c3d")
    file, motion = ezc3d.c3d(str(path), extract_forceplat_data=True), take.motion
    labels = file["parameters"]["POINT"]["LABELS"]["value"]
    assert file["parameters"]["POINT"]["RATE"]["value"][0] == pytest.approx(60.0)
    assert file["parameters"]["POINT"]["UNITS"]["value"] == ["mm"]
    points = file["data"]["points"][:3].transpose(2, 1, 0) * 1e-3
    count = len(motion.marker_names)
    assert tuple(labels[:count]) == motion.marker_names
    np.testing.assert_allclose(points[:, :count], motion.markers, atol=1e-5)
    knee = take.places("xpos", [take.mj.body("tibia_r").id])[:, 0]
    np.testing.assert_allclose(points[:, labels.index("tibia_r")], knee, atol=1e-5)
    for foot, plate in enumerate(file["data"]["platform"]):
        on = motion.contact[:, foot] & (motion.foot_force[:, foot, 2] > 1)
        np.testing.assert_allclose(plate["force"].T, motion.foot_force[:, foot], atol=1e-3)
        cop = plate["center_of_pressure"].T[on] * 1e-3
        np.testing.assert_allclose(cop, motion.foot_cop[on, foot], atol=1e-4)
        free = plate["Tz"].T[on] * 1e-3
        np.testing.assert_allclose(free, motion.foot_moment[on, foot], atol=1e-2)


def test_csv(folder, tmp_path, take):
    (path,) = export_motion(folder, "csv", tmp_path / "walk.csv")
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    motion = take.motion
    assert len(rows) == len(motion)
    column = {name: [row[name] for row in rows] for name in rows[0]}
    knee = motion.q[:, motion.index("knee_angle_r")]
    np.testing.assert_allclose(np.array(column["q/knee_angle_r"], float), knee, rtol=1e-8)
    lifted = ~motion.contact[:, 1]
    assert {x for x, up in zip(column["foot_cop/l/x"], lifted, strict=True) if up} == {""}
    height = [float(x) for x in column["markers/RASI/z"]]
    np.testing.assert_allclose(height, motion.markers[:, motion.marker_names.index("RASI"), 2])
    assert column["contact/r"] == [f"{float(x):.9g}" for x in motion.contact[:, 0]]


def test_parquet_is_read_by_pyarrow(folder, tmp_path, take):
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    (path,) = export_motion(folder, "parquet", tmp_path / "walk.parquet")
    table, motion = parquet.read_table(path), take.motion
    found = table.column("foot_force/l/z").to_numpy()
    np.testing.assert_array_equal(found, motion.foot_force[:, 1, 2])
    assert table.column("foot_cop/l/z").null_count == np.sum(~motion.contact[:, 1])
    units = {field.name: field.metadata[b"unit"].decode() for field in table.schema}
    assert units["q/knee_angle_r"] == "rad"
    assert units["q/pelvis_tx"] == "m"
    assert units["generalized_force/pelvis_tx"] == "N"
    assert json.loads(table.schema.metadata[b"subject"]) == motion.subject


def test_formats_that_need_even_frames_get_them(take, tmp_path):
    time = take.motion.time.copy()
    time[10] += 0.004
    uneven = take.replace(time=time)
    assert not uneven.even
    takes.save(uneven, tmp_path / "uneven")
    path, *_ = export_motion(tmp_path / "uneven", "mjlab")
    assert path == tmp_path / "uneven" / "mjlab.npz"
    assert len(np.load(path)["joint_pos"]) == len(time)
    (path,) = export_motion(tmp_path / "uneven", "csv")
    assert path == tmp_path / "uneven" / "motion.csv"
    with open(path, encoding="utf-8", newline="") as file:
        assert float(list(csv.DictReader(file))[10]["time"]) == pytest.approx(time[10])


def test_edits_come_before_writing(folder, tmp_path, take):
    edits = Edits(start=0.6, end=1.4, mirror=True, ground=True, rate=30.0)
    path, *_ = export_motion(folder, "locomujoco", tmp_path / "part.npz", edits)
    motion = Motion.load(tmp_path / "part_motion.npz")
    assert len(motion) == len(np.load(path)["qpos"]) == 25
    assert [words.split()[0] for words in motion.provenance["edits"]] == [
        "resampled", "cut", "mirrored:", "raised", "resampled"
    ]  # fmt: skip
    knees = [m.q[:, m.index(f"knee_angle_{s}")] for m, s in ((motion, "l"), (take.motion, "r"))]
    np.testing.assert_allclose(knees[0], knees[1][6 : 6 + 49 : 2], atol=1e-9)


@pytest.mark.parametrize(
    ("to", "name", "says"),
    [
        ("csv", "walk.txt", "end in .csv"),
        ("locomujoco", "motion.npz", "overwrite the motion"),
        ("locomujoco", "model.npz", "overwrite the motion"),
        ("dm_control", "model.h5", "overwrite the motion"),
        ("opensim", "", "overwrite the motion"),
        ("fbx", "walk.fbx", "unknown format 'fbx'"),
    ],
)
def test_names_that_cannot_be(folder, to, name, says):
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    with pytest.raises(MskError, match=says):
        export_motion(folder, to, folder / name)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_names_that_are_not_given():
    names = {form.name: form.default_name for form in FORMATS.values()}
    assert names == {
        "locomujoco": "locomujoco.npz", "mjlab": "mjlab.npz", "dm_control": "dm_control.h5",
        "opensim": "opensim", "c3d": "motion.c3d", "bvh": "motion.bvh", "gltf": "motion.glb",
        "csv": "motion.csv", "parquet": "motion.parquet",
    }  # fmt: skip


def test_a_motion_of_another_model_is_refused(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "motion.npz").write_bytes((folder / "motion.npz").read_bytes())
    text = (folder / "model.xml").read_text().replace("mtp_angle_r", "toe_angle_r")
    (other / "model.xml").write_text(text)
    with pytest.raises(MskError, match="joints differ"):
        read_take(other)


def test_the_command_line(folder, tmp_path, capsys):
    def run(*arguments) -> int:
        with pytest.raises(SystemExit) as ended:
            cli.main(["export", *map(str, arguments)])
        return ended.value.code

    assert run(folder, "--to", "bvh", "-o", tmp_path / "a.bvh", "--rate", 25, "--mirror") == 0
    assert capsys.readouterr().out == f"Wrote {tmp_path / 'a.bvh'}\n"
    assert run(folder, "--to", "csv", "--start", 99) == 2
    assert "reaches from 0.5" in capsys.readouterr().err
    assert not (folder / "motion.csv").exists()
    assert run(tmp_path / "none", "--to", "csv") == 2
    assert "no such file" in capsys.readouterr().err


def test_the_command_line_knows_every_format():
    from typing import get_args, get_type_hints

    from mjx_msk.cli.export import Export

    assert get_args(get_type_hints(Export)["to"]) == tuple(FORMATS)
