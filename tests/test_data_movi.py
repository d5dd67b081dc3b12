"""BML-MoVi's files, written by this test as MATLAB and numpy wrote the published ones."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from mjx_msk.data.datasets import list_trials, load
from mjx_msk.errors import MskError
from mjx_msk.train.marker_sets import known_points
from mjx_msk.vision.camera import pixels

MARKERS = ("LFHD", "RFHD", "C7", "LASI", "RASI", "LHEE", "RHEE")
#: Movements, and their frames at 120 and at 30 Hz, from 1 and with both ends.
MOVEMENTS = {"kicking": ((9, 48), (3, 12)), "walking": ((61, 100), (16, 25))}
FRAMES = 120
RNG = np.random.default_rng(3)
LOCATION = RNG.uniform(100, 1700, size=(FRAMES, len(MARKERS), 3))  # mm
LOCATION[70, 2] = 0.0  # a marker that was not seen
JOINTS = RNG.uniform(100, 1700, size=(FRAMES, 20, 3))
#: The camera as column vectors: looking along -x of the laboratory, Z up.
ROTATION = (
    np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])
    @ Rotation.from_rotvec((0.05, -0.03, 0.1)).as_matrix()
)
TRANSLATION = np.array([-177.0, 1030.0, 5000.0])
INTRINSICS = np.array([[980.0, 0.4, 411.0], [0, 982.0, 297.0], [0, 0, 1]])


def cell(*entries) -> np.ndarray:
    """Return a cell array of one column."""
    column = np.empty((len(entries), 1), dtype=object)
    column[:, 0] = entries
    return column


def subject(number: int) -> dict:
    return {"id": f"Subject_{number}", "sex": "female", "height": 168, "mass": 61, "age": 22}


def v3d(number: int, movements=MOVEMENTS) -> dict:
    """Return the struct of one person's markers."""
    move = {
        "motions_list": cell(*movements),
        "flags120": np.array([spans[0] for spans in movements.values()]),
        "flags30": np.array([spans[1] for spans in movements.values()]),
        "markerName": cell(*MARKERS).T,
        "markerLocation": LOCATION,
        "markerGaps": np.zeros((FRAMES, 1)),
        "virtualMarkerLocation": JOINTS,
        "virtualMarkerParent": np.arange(1, 20)[None],
        "jointsAffine_v3d": np.zeros((FRAMES, 15, 4, 4)),
    }
    content = {"id": f"Subject_{number}", "subject": subject(number), "move": cell(move)}
    return {f"Subject_{number}_F": content}


def amass(number: int, names=tuple(MOVEMENTS)) -> dict:
    """Return the struct of one person's SMPL-H poses."""
    moves = []
    for i, name in enumerate(names):
        vectors = np.zeros((40, 52, 3))
        vectors[:, 0] = (0, 0, 0.5 + i)  # turned about the vertical
        vectors[:, 4] = (0.7, 0, 0)
        moves.append(
            {
                "description": name,
                "jointsExpMaps_amass": vectors,
                "jointsLocation_amass": np.zeros((40, 52, 3)),
                "RootTranslation_amass": np.zeros((40, 3)),
                "jointsBetas_amass": np.zeros((1, 16)),
                "jointsParent": np.zeros((52, 1)),
            }
        )
    return {
        f"Subject_{number}_F_amass": {
            "id": f"Subject_{number}",
            "subject": subject(number),
            "move": cell(*moves),
        }
    }


def write_movi(root: Path) -> Path:
    """Lay out three people, of whom one has AMASS's poses and videos."""
    folders = {name: root / name for name in ("F_Subjects_1_45", "AMASS", "Calib", "videos")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    for number in (1, 2, 10):
        savemat(folders["F_Subjects_1_45"] / f"F_v3d_Subject_{number}.mat", v3d(number))
    savemat(folders["AMASS"] / "F_amass_Subject_1.mat", amass(1))
    for camera in ("PG1", "PG2"):
        (folders["videos"] / f"F_{camera}_Subject_1_L.avi").touch()
        np.savez(
            folders["Calib"] / f"cameraParams_{camera}.npz",
            IntrinsicMatrix=INTRINSICS.T,
            RadialDistortion=np.array([[-0.11, 0.09]]),
            TangentialDistortion=np.array([[0.001, -0.002]]),
            ImageSize=np.array([[600, 800]]),
        )
        np.savez(
            folders["Calib"] / f"Extrinsics_{camera}.npz",
            rotationMatrix=ROTATION.T,
            translationVector=TRANSLATION,
        )
    return root


@pytest.fixture
def movi(tmp_path) -> Path:
    return write_movi(tmp_path / "MoVi")


def trial(root: Path, name: str, *, views: bool = False):
    return next(t for t in list_trials("movi", root, views=views) if t.name == name).read()


def test_every_movement_of_every_person(movi):
    names = [listed.name for listed in list_trials("movi", movi)]
    assert names == [f"subject{n}/{movement}" for n in (1, 2, 10) for movement in MOVEMENTS]
    views = [listed.name for listed in list_trials("movi", movi, views=True)]
    assert views == [
        f"subject1/{movement}/{camera}" for movement in MOVEMENTS for camera in ("PG1", "PG2")
    ]


def test_a_movement_is_cut_out_of_the_recording(movi):
    walk = trial(movi, "subject2/walking")
    assert (walk.person, walk.activity) == ("movi/subject2", "walking")
    assert (walk.mass_kg, walk.height_m) == (61, 1.68)
    assert walk.markers.names == MARKERS
    assert walk.markers.rate_hz == 120
    np.testing.assert_allclose(walk.markers.time, np.arange(40) / 120)
    expected = LOCATION[60:100] / 1000
    expected[10, 2] = np.nan
    np.testing.assert_allclose(walk.markers.positions, expected)
    np.testing.assert_allclose(walk.joints.positions, JOINTS[60:100] / 1000)
    assert walk.joints.names[:3] == ("head", "mhip", "pelv")
    assert (walk.rotations, walk.camera) == (None, None)


def test_smpl_rotations_stand_in_the_markers_frame(movi):
    walk = trial(movi, "subject1/walking")
    assert walk.rotations.shape == (40, 22, 3, 3)
    assert walk.rotation_names[4] == "left_knee"
    np.testing.assert_allclose(walk.time, walk.markers.time)
    # AMASS's x is the laboratory's y, as the data set's own conversion of joints says
    turn = Rotation.from_rotvec((0, 0, 1.5 + np.pi / 2)).as_matrix()
    np.testing.assert_allclose(walk.rotations[:, 0], np.broadcast_to(turn, (40, 3, 3)), atol=1e-12)
    knee = Rotation.from_rotvec((0.7, 0, 0)).as_matrix()
    np.testing.assert_allclose(walk.rotations[7, 4], knee, atol=1e-12)


def test_rotations_of_another_movement_are_left_out(movi):
    savemat(movi / "AMASS" / "F_amass_Subject_1.mat", amass(1, ("kicking", "jogging")))
    walk = trial(movi, "subject1/walking")
    assert walk.rotations is None
    assert "do not belong" in walk.provenance["notes"][0]
    assert trial(movi, "subject1/kicking").rotations is not None


def test_a_camera_projects_as_matlab_does(movi):
    """With row vectors, and pixels that count from 1."""
    walk = trial(movi, "subject1/walking/PG2", views=True)
    assert walk.video.name == "F_PG2_Subject_1_L.avi"
    assert walk.video_frames == (15, 25)
    assert walk.camera.image_size == (800, 600)
    points = walk.markers.positions[::9].reshape(-1, 3)
    points = points[np.isfinite(points).all(-1)]
    x, y, z = (points * 1000 @ ROTATION.T + TRANSLATION).T
    x, y = x / z, y / z
    r2 = x**2 + y**2
    radial = 1 - 0.11 * r2 + 0.09 * r2**2
    distorted = np.stack(
        [
            x * radial + 2 * 0.001 * x * y - 0.002 * (r2 + 2 * x**2),
            y * radial + 0.001 * (r2 + 2 * y**2) - 2 * 0.002 * x * y,
            np.ones_like(x),
        ],
        axis=-1,
    )
    matlab = (distorted @ INTRINSICS.T)[:, :2]
    np.testing.assert_allclose(pixels(walk.camera, points), matlab - 1, atol=0.01)
    np.testing.assert_allclose(walk.camera.gravity, ROTATION @ (0, 0, -1))


def test_other_nestings_of_matlab(movi):
    """Structs instead of cells, flat positions, names twice, and no calibration."""
    content = v3d(2, {"walking": ((9, 48), (3, 12)), "walking ": ((61, 100), (16, 25))})
    move = content["Subject_2_F"]["move"][0, 0]
    move["markerLocation"] = LOCATION.reshape(FRAMES, -1)
    content["Subject_2_F"]["move"] = move
    savemat(movi / "F_Subjects_1_45" / "F_v3d_Subject_2.mat", content)
    names = [listed.name for listed in list_trials("movi", movi)]
    assert {"subject2/walking", "subject2/walking_2"} < set(names)
    np.testing.assert_allclose(
        trial(movi, "subject2/walking_2").markers.positions[0], LOCATION[60] / 1000
    )
    (movi / "Calib" / "Extrinsics_PG1.npz").unlink()
    assert trial(movi, "subject1/kicking/PG1", views=True).camera is None


def test_joint_centres_among_the_markers_are_none(movi):
    """As a user of the published files reads them: 67 markers, then the 20 virtual ones."""
    content = v3d(2)
    move = content["Subject_2_F"]["move"][0, 0]
    move["markerLocation"] = np.concatenate([LOCATION, JOINTS], axis=1)
    for names in (MARKERS, (*MARKERS, *(f"J{i}" for i in range(20)))):
        move["markerName"] = cell(*names).T
        savemat(movi / "F_Subjects_1_45" / "F_v3d_Subject_2.mat", content)
        walk = trial(movi, "subject2/walking")
        assert walk.markers.names == MARKERS
        np.testing.assert_allclose(walk.markers.positions[0], LOCATION[60] / 1000)
        np.testing.assert_allclose(walk.joints.positions, JOINTS[60:100] / 1000)


def test_the_points_that_marker_names_mean():
    """MoSh's 67 by the places that its layout gives them; wrists that may be either are not."""
    side = "FWT BWT KNE KNI ANK HEE MT5 TOE SHO ELB ELBIN IWR OWR FIN BSH THI TIB MT1"
    wanted = "ASI PSI LFC MFC LMAL CAL MT5 TOE ACR LEL MEL . . . PSH . . ."
    for prefix in "LR":
        names = [prefix + name for name in side.split()]
        found = known_points(["C7", *names, "CLAV"])
        expected = {i: prefix + p for i, p in enumerate(wanted.split(), 1) if p != "."}
        assert found == {0: "C7", **expected, len(names) + 1: "CLAV"}
    gait = known_points(["LWRA", "LWRB"])
    assert gait == {0: "LFAradius", 1: "LFAulna"}


def test_the_size_of_the_picture_without_the_files_word(movi):
    path = movi / "Calib" / "cameraParams_PG1.npz"
    np.savez(path, IntrinsicMatrix=INTRINSICS.T, RadialDistortion=np.zeros(2))
    seen = trial(movi, "subject1/walking/PG1", views=True)  # the video is empty
    assert seen.camera.image_size == (820, 592)
    np.testing.assert_array_equal(seen.camera.distortion, np.zeros(5))


def test_one_broken_person_stops_no_other(movi):
    path = movi / "F_Subjects_1_45" / "F_v3d_Subject_2.mat"
    path.write_bytes(path.read_bytes()[:2000])
    heard = {}
    found = [t.name for t in load("movi", movi, on_error=heard.__setitem__)]
    assert len(found) == 4
    assert heard.keys() == {"subject2/unreadable"}
    assert "MATLAB" in str(heard["subject2/unreadable"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"flags120": np.array([[9, 48], [100, 61]])}, "'flags120' does not say"),
        ({"flags120": np.array([[9, 48]])}, "'flags120' does not say"),
        ({"flags120": np.array([[9, 48], [61, 900]])}, "ends in frame 900 of 120"),
        ({"markerName": cell("LFHD")}, "1 markers are named"),
    ],
)
def test_recordings_that_contradict_themselves(movi, change, said):
    content = v3d(2)
    content["Subject_2_F"]["move"][0, 0] |= change
    savemat(movi / "F_Subjects_1_45" / "F_v3d_Subject_2.mat", content)
    with pytest.raises(MskError, match=said):
        trial(movi, "subject2/walking")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"something": np.eye(2)}, "no struct Subject_N_F"),
        ({"Subject_2_F": {"id": 1, "move": {"flags120": np.eye(2)}}}, "lacks motions_list"),
    ],
)
def test_other_files_of_matlab(movi, content, said):
    savemat(movi / "F_Subjects_1_45" / "F_v3d_Subject_2.mat", content)
    with pytest.raises(MskError, match=said):
        trial(movi, "subject2/unreadable")


def test_calibrations_that_are_none(movi):
    path = movi / "Calib" / "Extrinsics_PG1.npz"
    np.savez(path, rotationMatrix=np.ones((3, 3)), translationVector=TRANSLATION)
    with pytest.raises(MskError, match="no rotation matrix"):
        trial(movi, "subject1/walking/PG1", views=True)
    np.savez(path, rotationMatrix=ROTATION.T)
    with pytest.raises(MskError, match="no translationVector"):
        trial(movi, "subject1/walking/PG1", views=True)


def test_a_folder_of_something_else(tmp_path):
    with pytest.raises(MskError, match="F_v3d_Subject"):
        list_trials("movi", tmp_path)
