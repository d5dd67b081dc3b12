"""BEDLAM's training labels, written by this test with the fields and the order of rows that the
data set's own processing script gives them.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mjx_msk.data.datasets import list_trials, load
from mjx_msk.errors import MskError
from mjx_msk.vision.camera import pixels

RNG = np.random.default_rng(11)
#: Joints in the labels' world (x right, y down, z forward), m, and the camera that sees them.
JOINTS = RNG.uniform((-1, -1.8, -1), (1, 0, 1), size=(127, 3))
PITCH = Rotation.from_rotvec((np.deg2rad(-12), 0, 0))
ROLL = Rotation.from_rotvec((0, 0, np.deg2rad(3)))
ROTATION = (ROLL * PITCH).as_matrix()
TRANSLATION = np.array([0.3, 0.9, 5.0])
FOCAL = 1150.0
#: Places of some of SMPL-X's points.
PLACES = {
    "pelvis": 0, "left_hip": 1, "right_hip": 2, "right_wrist": 21, "nose": 55, "right_eye": 56,
    "left_big_toe": 60, "left_heel": 62, "right_heel": 65,
}  # fmt: skip


def rows(sequence: int, sub: str, frames, *, size=(1280, 720), shift=0.0, zoom=0.0) -> list[dict]:
    """Return the labels of one person in some pictures of a sequence."""
    labels = []
    for i, frame in enumerate(frames):
        inner = np.array(
            [[FOCAL + zoom * i, 0, size[0] / 2], [0, FOCAL + zoom * i, size[1] / 2], [0, 0, 1]]
        )
        outer = np.eye(4)
        outer[:3, :3], outer[:3, 3] = ROTATION, np.add(TRANSLATION, (shift * i, 0, 0))
        pose = np.zeros(165)
        pose[:3], pose[12:15] = (0, 0.4, 0), (0.6, 0, 0)  # about the vertical; the left knee
        seen = JOINTS @ ROTATION.T + outer[:3, 3]
        labels.append(
            {
                "imgname": f"seq_{sequence:06d}/seq_{sequence:06d}_{frame:04d}.png",
                "center": (640.0, 360.0),
                "scale": 1.5,
                "pose_cam": pose,
                "pose_world": pose,
                "shape": np.zeros(11),
                "trans_cam": np.zeros(3),
                "trans_world": np.zeros(3),
                "gtkps": (seen / seen[:, 2:]) @ inner.T,
                "cam_int": inner,
                "cam_ext": outer,
                "gender": "neutral",
                "proj_verts": np.zeros((437, 3)),
                "motion_info": "walk forwards",
                "sub": sub,
            }
        )
    return labels


def write_bedlam(path: Path, labels: list[dict], **changes) -> None:
    """Write a label file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {key: [row[key] for row in labels] for key in labels[0]}
    np.savez(path, **(columns | changes))


EVERY_FIFTH = range(0, 50, 5)
NAME = "20221010_3_1000_batch01hand_6fps"


@pytest.fixture
def bedlam(tmp_path) -> Path:
    """Two people in one sequence, one of whom is twice there, and one in another."""
    labels = [
        *rows(0, "rp_aaron_posed_002", EVERY_FIFTH),
        *rows(0, "rp_alexandra_posed_006", (10, 15, 25)),
        *rows(0, "rp_alexandra_posed_006", (5, 10)),
        *rows(17, "rp_aaron_posed_002", (20, 25)),
    ]
    write_bedlam(tmp_path / "all_npz_12_training" / f"{NAME}.npz", labels)
    video = tmp_path / NAME.removesuffix("_6fps") / "mp4" / "seq_000000.mp4"
    video.parent.mkdir(parents=True)
    video.touch()
    return tmp_path


def trial(root: Path, name: str):
    return next(t for t in list_trials("bedlam", root) if t.name == name).read()


def test_every_person_of_every_sequence(bedlam):
    assert [listed.name for listed in list_trials("bedlam", bedlam)] == [
        f"{NAME}/seq_000000/rp_aaron_posed_002",
        f"{NAME}/seq_000000/rp_alexandra_posed_006",
        f"{NAME}/seq_000000/rp_alexandra_posed_006_2",
        f"{NAME}/seq_000017/rp_aaron_posed_002",
    ]


def test_the_labels_of_one_person(bedlam):
    seen = trial(bedlam, f"{NAME}/seq_000000/rp_alexandra_posed_006")
    assert (seen.person, seen.activity) == ("bedlam/rp_alexandra_posed_006", "walk forwards")
    np.testing.assert_allclose(seen.time, np.array([10, 15, 25]) / 30)
    assert seen.video.name == "seq_000000.mp4"
    assert trial(bedlam, f"{NAME}/seq_000017/rp_aaron_posed_002").video is None
    assert (seen.markers, seen.q, seen.provenance["notes"]) == (None, None, [])


def test_the_camera_shows_the_joints_where_the_labels_have_them(bedlam):
    """Of our world, x is forward and z up; our pixels begin in the middle of the first one."""
    seen = trial(bedlam, f"{NAME}/seq_000000/rp_aaron_posed_002")
    ours = JOINTS[:, [2, 0, 1]] * [1, -1, -1]
    expected = np.array(pixels(seen.camera, ours))
    assert seen.camera.image_size == (1280, 720)
    np.testing.assert_allclose(seen.camera.gravity, ROTATION @ (0, 1, 0), atol=1e-12)
    assert seen.landmarks.shape == (10, 33, 2)
    for name, place in PLACES.items():
        found = seen.landmarks[3, seen.landmark_names.index(name)]
        np.testing.assert_allclose(found, expected[place], atol=0.01)


def test_rotations_stand_in_our_world(bedlam):
    seen = trial(bedlam, f"{NAME}/seq_000000/rp_aaron_posed_002")
    assert seen.rotation_names[4] == "left_knee"
    knee = Rotation.from_rotvec((0.6, 0, 0)).as_matrix()
    np.testing.assert_allclose(seen.rotations[2, 4], knee, atol=1e-12)
    forward_in_labels = Rotation.from_rotvec((0, 0.4, 0)).apply((0, 0, 1))
    np.testing.assert_allclose(
        seen.rotations[2, 0] @ (0, 0, 1), forward_in_labels[[2, 0, 1]] * [1, -1, -1], atol=1e-12
    )


def test_closeups_lie_and_cameras_move(tmp_path):
    name = "20221014_3_250_batch01hand_orbit_archVizUI3_time15_closeup_30fps"
    path = tmp_path / f"{name}.npz"
    write_bedlam(path, rows(0, "one", (0, 1, 2), size=(720, 1280), shift=0.1))
    seen = trial(tmp_path, f"{name}/seq_000000/one")
    assert seen.camera.image_size == (720, 1280)
    assert (seen.camera.translation_m, seen.camera.gravity) == (None, None)
    assert "moves" in seen.provenance["notes"][0]
    assert "clockwise" in seen.provenance["notes"][1]
    write_bedlam(path, rows(0, "one", (0, 1, 2), zoom=5.0))
    assert trial(tmp_path, f"{name}/seq_000000/one").camera is None


def test_labels_of_smpl_too(tmp_path):
    labels = rows(0, "one", (0, 5))
    for row in labels:
        row["gtkps"], row["pose_world"] = row["gtkps"][:45], np.zeros(72)
    write_bedlam(tmp_path / "group_6fps.npz", labels)
    seen = trial(tmp_path, "group_6fps/seq_000000/one")
    place = seen.landmark_names.index("nose")
    np.testing.assert_allclose(seen.landmarks[0, place], labels[0]["gtkps"][24, :2] - 0.5)


class Shell:
    def __reduce__(self):
        return os.system, ("touch evidence",)


def objects(*values) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def test_objects_are_read_without_unpickling(tmp_path, monkeypatch):
    """As older numpy wrote text and ragged lists."""
    monkeypatch.chdir(tmp_path)
    labels = rows(0, "one", (0, 5))
    names = objects(*(row["imgname"] for row in labels))
    path = tmp_path / "group_6fps.npz"
    write_bedlam(path, labels, imgname=names, motion_info=objects("walk", ["run", "turn"]))
    assert trial(tmp_path, "group_6fps/seq_000000/one").activity == "walk"
    write_bedlam(path, labels, motion_info=objects(Shell(), None))
    assert trial(tmp_path, "group_6fps/seq_000000/one").activity == "unlabelled"
    write_bedlam(path, labels, imgname=objects(names[0], Shell()))
    with pytest.raises(MskError, match="not opened"):
        trial(tmp_path, "group_6fps")
    assert not (tmp_path / "evidence").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"gtkps": np.zeros((2, 190, 3))}, "BEDLAM 2 orders its points otherwise"),
        ({"gtkps": np.full((2, 127, 3), np.nan)}, "'gtkps' has the shape"),
        ({"pose_world": np.zeros((2, 10))}, "'pose_world' has the shape"),
        ({"cam_ext": np.zeros((2, 3, 4))}, "'cam_int' and 'cam_ext' have the shapes"),
        ({"cam_ext": np.ones((2, 4, 4))}, "'cam_ext' holds no rotation"),
    ],
)
def test_labels_that_cannot_be_right(tmp_path, changes, said):
    write_bedlam(tmp_path / "group_6fps.npz", rows(0, "one", (0, 5)), **changes)
    with pytest.raises(MskError, match=said):
        trial(tmp_path, "group_6fps/seq_000000/one")


def test_one_broken_file_stops_no_other(bedlam):
    folder = bedlam / "all_npz_12_training"
    content = (folder / f"{NAME}.npz").read_bytes()
    (folder / "broken_6fps.npz").write_bytes(content[: len(content) // 2])
    write_bedlam(folder / "names_6fps.npz", rows(0, "one", (0,)), imgname=["photo.png"])
    write_bedlam(folder / "fewer_6fps.npz", [{"imgname": "seq_000000/seq_000000_0000.png"}])
    heard = {}
    found = list(load("bedlam", bedlam, on_error=heard.__setitem__))
    assert len(found) == 4
    assert heard.keys() == {"broken_6fps", "names_6fps", "fewer_6fps"}
    assert "no readable archive" in str(heard["broken_6fps"])
    assert "does not name pictures" in str(heard["names_6fps"])
    assert "has no sub" in str(heard["fewer_6fps"])


def test_a_folder_of_something_else(tmp_path):
    with pytest.raises(MskError, match="no label file"):
        list_trials("bedlam", tmp_path)
