"""Motions of other programs: OpenSim's coordinates, and joint positions."""

from pathlib import Path

import mujoco
import numpy as np
import pytest
import small_model
import takes

from mjx_msk import cli
from mjx_msk.compile import write_xml
from mjx_msk.compile.free_root import with_free_root
from mjx_msk.errors import MskError
from mjx_msk.export.exporting import export_motion
from mjx_msk.export.take import read_take
from mjx_msk.importing import import_motion, short_name
from mjx_msk.motion import Motion
from mjx_msk.options import Options

TIME = np.arange(12) / 25.0
KNEE = 0.6 + 0.3 * np.sin(5 * TIME)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.xml"
    write_xml(small_model.spec(), path)
    return path


def table(path: Path, columns: dict[str, np.ndarray], header: str = "inDegrees=no") -> Path:
    """Write a table as OpenSim does."""
    rows = np.column_stack([TIME, *columns.values()])
    lines = ["motion", "version=1", f"nRows={len(rows)}", header, "endheader"]
    lines += ["\t".join(["time", *columns])]
    lines += ["\t".join(f"{x:.12g}" for x in row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def brought(path: Path, model: Path, **options) -> Motion:
    found = import_motion(path, path.parent / "out", Options(model=model), **options)
    again = Motion.load(path.parent / "out" / "motion.npz")
    np.testing.assert_array_equal(again.q, found.q)
    return found


def test_degrees_by_the_header(tmp_path, model):
    columns = {"pelvis_ty": 0.9 + 0 * TIME, "knee_angle_r": np.rad2deg(KNEE)}
    motion = brought(table(tmp_path / "deg.mot", columns, "inDegrees=yes"), model)
    np.testing.assert_allclose(motion.q[:, motion.index("knee_angle_r")], KNEE, atol=1e-9)
    np.testing.assert_allclose(motion.q[:, motion.index("pelvis_ty")], 0.9)  # metres stay
    np.testing.assert_allclose(motion.time, TIME)
    # a quintic through a sine of 5 rad/s at 25 Hz, ends reflected
    speed = motion.qd[:, motion.index("knee_angle_r")]
    np.testing.assert_allclose(speed[3:-3], 1.5 * np.cos(5 * TIME)[3:-3], atol=0.01)
    tied = motion.qpos[:, motion.joint_names.index("knee/translation1")]
    np.testing.assert_allclose(tied, small_model.CHAIN[0][2](KNEE), atol=1e-6)
    assert motion.generalized_force is None


def test_what_the_file_lacks_stays_at_the_default_and_is_said(tmp_path, model):
    columns = {"knee_angle_r": KNEE, "knee_angle_r_beta": KNEE, "tail_angle": KNEE}
    motion = brought(table(tmp_path / "rad.sto", columns), model)
    np.testing.assert_allclose(motion.q[:, motion.index("hip_flexion_r")], 0.1, atol=1e-6)
    np.testing.assert_allclose(motion.q[:, motion.index("mtp_angle_r")], -0.2, atol=1e-6)
    lacking, unknown = motion.quality["warnings"]
    assert "default: pelvis_tx" in lacking
    assert unknown.endswith("left out: tail_angle")


def test_states_of_opensim_4(tmp_path, model):
    states = {
        "/jointset/knee_r/knee_angle_r/value": KNEE,
        "/jointset/knee_r/knee_angle_r/speed": 100 * KNEE,
        "/forceset/muscle/activation": KNEE,
    }
    motion = brought(table(tmp_path / "states.sto", states), model)
    np.testing.assert_allclose(motion.q[:, motion.index("knee_angle_r")], KNEE, atol=1e-9)
    assert len(motion.quality["warnings"]) == 1
    assert short_name("/forceset/muscle/activation") == ""


def test_a_cutoff_filters(tmp_path, model):
    shaken = KNEE + 0.02 * (-1.0) ** np.arange(len(TIME))
    path = table(tmp_path / "noise.mot", {"knee_angle_r": shaken})
    motion = brought(path, model, cutoff_hz=4.0)
    error = motion.q[3:-3, motion.index("knee_angle_r")] - KNEE[3:-3]
    assert np.abs(error).max() < 0.01


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"knee_angle_r": 60 * KNEE}, "reaches 54 rad. The numbers look like degrees"),
        ({"left_wing": KNEE}, "none of its columns .left_wing. is a coordinate"),
        ({"knee_angle_r": np.where(TIME > 0.2, np.nan, KNEE)}, "'knee_angle_r' has gaps"),
    ],
)
def test_tables_that_cannot_be(tmp_path, model, columns, says):
    path = table(tmp_path / "bad.mot", columns)
    with pytest.raises(MskError, match=says) as raised:
        brought(path, model)
    assert raised.value.where == str(path)
    assert not (tmp_path / "out").exists()


def test_a_model_with_a_free_root_has_no_coordinates(tmp_path, model):
    free = tmp_path / "free.xml"
    write_xml(with_free_root(mujoco.MjSpec.from_file(str(model))), free)
    path = table(tmp_path / "a.mot", {"knee_angle_r": KNEE})
    with pytest.raises(MskError, match="free joint"):
        brought(path, free)


def test_the_command_line_says_what_is_wrong(tmp_path, model, capsys):
    path = table(tmp_path / "a.mot", {"knee_angle_r": KNEE})

    def run(*arguments) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["import", *map(str, arguments)])
        return ended.value.code, "".join(capsys.readouterr())

    out = ("-o", tmp_path / "new")
    for arguments, says in (
        ((path, *out), "--model: the model of these coordinates is missing"),
        ((path, "--model", "no.osim", *out), "no such file: no.osim"),
        ((path, "--model", model, "--cutoff", 0, *out), "a cutoff of 0 Hz"),
        ((takes.walking.__file__, "--model", model, *out), "not imported from '.py' files"),
        ((Path(__file__).parent / "data" / "squat.trc", *out), "mjx-msk estimate MARKERS.trc"),
    ):
        code, said = run(*arguments)
        assert (code, says in said) == (2, True), said
        assert not (tmp_path / "new").exists()
    code, said = run(path, "--model", model, *out)
    assert code == 0
    assert "12 frames at 25 Hz" in said


def test_an_exported_motion_comes_back(tmp_path):
    take = takes.walk()
    takes.save(take, tmp_path / "estimate")
    export_motion(tmp_path / "estimate", "opensim")
    found = import_motion(
        tmp_path / "estimate" / "opensim" / "kinematics.mot",
        tmp_path / "again",
        Options(model=tmp_path / "estimate" / "model.xml"),
    )
    np.testing.assert_allclose(found.q, take.motion.q, atol=1e-8)
    np.testing.assert_allclose(found.qpos, take.motion.qpos, atol=1e-6)  # model in six digits
    np.testing.assert_allclose(found.markers, take.motion.markers, atol=2e-5)
    assert found.marker_names == take.motion.marker_names
    assert read_take(tmp_path / "again").even


JOINTS = ("hip", "knee", "ankle", "foot", "shoulder", "elbow", "wrist")
BONES = ("femur", "tibia", "talus", "toes", "humerus", "ulna", "hand")


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"poses": np.zeros((5, 156)), "trans": np.zeros((5, 3))}, "without the body model's own"),
        ({"positions": np.zeros((5, 3))}, r"shape \(5, 3\)"),
        ({"positions": np.zeros((5, 22, 3))}, "how many frames per second"),
        ({"positions": np.zeros((5, 7, 3)), "fps": 30}, "22 names belong to 7 joints"),
        ({"joints": np.zeros((5, 1, 3)), "names": ["left_hip"], "fps": 30}, "missing: right_hip"),
        ({"positions": np.array([None]), "fps": 30}, "not a readable"),
    ],
)  # fmt: skip
def test_files_without_joint_positions(tmp_path, arrays, says):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(MskError, match=says):
        import_motion(tmp_path / "a.npz", tmp_path / "out", Options(height_m=1.7, mass_kg=70))


def test_joint_positions_become_a_motion(tmp_path):
    """The joint centres of a known walk, named like a body model's."""
    take = takes.walk()
    names = [f"{side}_{joint}" for joint in JOINTS for side in ("left", "right")]
    bones = [f"{bone}_{side}" for bone in BONES for side in "lr"]
    places = take.places("xpos", [take.mj.body(name).id for name in bones])
    np.savez(tmp_path / "joints.npz", positions=places, names=names, fps=takes.RATE_HZ)
    found = import_motion(
        tmp_path / "joints.npz", tmp_path / "out", Options(height_m=1.70, mass_kg=75.0)
    )
    assert len(found) == len(take.motion)
    for name, degrees in (
        ("hip_flexion_r", 3), ("knee_angle_r", 3), ("knee_angle_l", 3), ("ankle_angle_r", 4),
        ("elbow_flex_l", 4), ("pelvis_rotation", 4),
    ):  # fmt: skip
        error = found.q[:, found.index(name)] - take.motion.q[:, take.motion.index(name)]
        assert np.rad2deg(np.sqrt(np.mean(error**2))) < degrees, name
    again = read_take(tmp_path / "out")
    np.testing.assert_allclose(again.mj.body_mass.sum(), 75.0, rtol=1e-4)
    assert any("mm from the model's" in line for line in found.quality["warnings"])
