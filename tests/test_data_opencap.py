"""OpenCap's validation data, from its own files laid out as they were published.

Cameras are compared with OpenCV, in the board's frame and with the rotations between board and
laboratory that OpenCap's code states for a board on the ground and on the back wall.
"""

import os
import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from mjx_msk.data.datasets import list_trials, load
from mjx_msk.data.opencap import activity
from mjx_msk.errors import MskError
from mjx_msk.osim.tables import read_table
from mjx_msk.vision.camera import pixels

#: Where the files of the reference data belong: subject, trial and what the folder calls it.
SOURCES = {
    ("subject5", "walking2"): ("laiarnold5", "walking2", "_ik_opensim"),
    ("subject5", "DJ1"): ("laiarnold5", "DJ1", "_ik"),
    ("subject10", "squats1"): ("expert1", "squats1", "_ik"),
    ("subject10", "STSweakLegs1"): ("expert1", "STSweakLegs1", "_ik"),
    ("subject10", "static1"): ("expert1", "static1", None),
}
SESSION = {"walking2": "Session1"}  # all others: Session0
#: Board from laboratory (Y up): on the ground in the first session, on the wall in the second.
BOARD = {
    "Session0": np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]]),
    "Session1": np.array([[0.0, 0, -1], [0, -1, 0], [-1, 0, 0]]),
}
ORIGIN = np.array([-0.986, 0.396, -0.292])  # of the board in the laboratory, m
INTRINSICS = np.array([[930.0, 0, 362.5], [0, 931.0, 641.0], [0, 0, 1]])
DISTORTION = np.array([[0.21, -0.62, 0.0008, 0.0011, 0.21]])
#: Three of the five cameras, m in the laboratory: in front, to the left and to the right.
PLACES = {"Cam0": (2.9, 1.3, -2.6), "Cam2": (4.0, 1.3, -0.6), "Cam4": (2.9, 1.3, 1.4)}


def look_at(place, target) -> np.ndarray:
    """Return the rotation of a level camera from the laboratory, Y up."""
    z = np.subtract(target, place)
    z = z / np.linalg.norm(z)
    x = np.cross(z, (0, 1, 0))
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])


def calibration(camera: str, session: str) -> dict:
    """Return what OpenCap pickles for a camera; lengths in mm, as its board's."""
    rotation = look_at(PLACES[camera], (-0.3, 1.0, -0.6)) @ BOARD[session].T
    place = BOARD[session] @ (np.array(PLACES[camera]) - ORIGIN) * 1e3
    return {
        "distortion": DISTORTION,
        "intrinsicMat": INTRINSICS,
        "imageSize": np.array([[1280.0], [720.0]]),
        "rotation": rotation,
        "translation": (-rotation @ place)[:, None],
        "rotation_EulerAngles": cv2.Rodrigues(rotation)[0],
    }


def transform(rotation, origin=ORIGIN) -> str:
    """Return mocapToVideoTransform.yaml as PyYAML writes it."""
    rows = "".join(
        f"{'- ' if j == 0 else '  '}- {value:g}\n"
        for row in rotation
        for j, value in enumerate(row)
    )
    place = "".join(f"- {value}\n" for value in origin)
    return f"R_fromMocap_toVideo:\n{rows}position_fromMocapOrigin_toVideoOrigin:\n{place}"


def write_opencap(root: Path, shared_data: Path) -> Path:
    """Lay the reference data out as LabValidation_withVideos, and return that folder."""
    root = root / "LabValidation_withVideos"
    for (subject, trial), (folder, source, ik) in SOURCES.items():
        base, of = root / subject, shared_data / "motions" / "opencap" / folder
        results = base / "OpenSimData" / "Mocap"
        copies = {
            of / f"{source}.trc": base / "MarkerData" / "Mocap" / f"{trial}.trc",
            of / f"{source}{ik}.mot": results / "IK" / f"{trial}.mot",
            of / f"{source}_id_opensim.sto": results / "ID" / f"{trial}.sto",
            of / f"{source}_grf.mot": base / "ForceData" / f"{trial}_forces.mot",
            of / "model.osim": results / "Model" / "LaiArnoldModified2017_weldHand_scaled.osim",
        }
        for file, copy in copies.items():
            if file.is_file():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
        (results / "Model" / "LaiArnoldModified2017_generic.osim").touch()
        (results / "IK" / f"{trial}_ik_marker_errors.sto").touch()
        (base / "EMGData").mkdir(exist_ok=True)
        (base / "sessionMetadata.yaml").write_text(
            "calibrationSettings:\n  overwriteDeployedIntrinsics: false\n"
            "checkerBoard:\n  placement: backWall\n  squareSideLength_mm: 60\ngender_mf: m\n"
            "height_m: 1.85\niphoneModel:\n  Cam0: iphone13,3\nmass_kg: 79.4\n"
            f"subjectID: {subject}\n"
        )
        session = base / "VideoData" / SESSION.get(trial, "Session0")
        for camera in PLACES:
            place = session / camera / trial
            place.mkdir(parents=True)
            (place / f"{trial}.avi").touch()
            (place / f"{trial}_syncdWithMocap.avi").touch()
            file = place.parent / "cameraIntrinsicsExtrinsics.pickle"
            file.write_bytes(pickle.dumps(calibration(camera, session.name), 3))
        rotation = BOARD[session.name].copy()
        if session.name == "Session1":
            rotation[2] = rotation[0]  # as it was published
        (session / "mocapToVideoTransform.yaml").write_text(transform(rotation))
    return root


@pytest.fixture
def opencap(tmp_path, shared_data) -> Path:
    return write_opencap(tmp_path, shared_data)


def trial(root: Path, name: str, *, views: bool = False):
    """Return one trial by its name."""
    return next(t for t in list_trials("opencap", root, views=views) if t.name == name).read()


def test_every_trial_in_the_order_of_subjects(opencap):
    names = [listed.name for listed in list_trials("opencap", opencap)]
    assert names == [
        "subject5/DJ1", "subject5/walking2",
        "subject10/STSweakLegs1", "subject10/squats1", "subject10/static1",
    ]  # fmt: skip
    assert [t.name for t in load("opencap", opencap.parent)] == names


def test_a_trial_of_markers_forces_motion_and_moments(opencap):
    walk = trial(opencap, "subject5/walking2")
    assert (walk.dataset, walk.person, walk.activity) == ("opencap", "opencap/subject5", "walk")
    assert (walk.mass_kg, walk.height_m) == (79.4, 1.85)
    assert walk.model.name == "LaiArnoldModified2017_weldHand_scaled.osim"
    base = opencap / "subject5" / "OpenSimData" / "Mocap"
    motion, moments = read_table(base / "IK/walking2.mot"), read_table(base / "ID/walking2.sto")
    of = walk.coordinate_names.index
    assert motion.in_degrees
    np.testing.assert_allclose(
        np.rad2deg(walk.q[:, of("knee_angle_r")]), motion.column("knee_angle_r"), atol=1e-12
    )
    np.testing.assert_array_equal(walk.q[:, of("pelvis_ty")], motion.column("pelvis_ty"))
    np.testing.assert_array_equal(walk.kinetics_time, moments.time)
    for coordinate, column in (
        ("hip_flexion_l", "hip_flexion_l_moment"),
        ("pelvis_ty", "pelvis_ty_force"),
    ):
        np.testing.assert_array_equal(
            walk.generalized_force[:, of(coordinate)], moments.column(column)
        )
    heights = np.nanmean(walk.markers.positions[..., 2], axis=0)
    assert walk.markers.names[int(np.argmax(heights))] == "C7"
    assert 1.4 < heights.max() < 1.7
    assert [plate.name for plate in walk.forces] == ["R_ground_force_", "L_ground_force_"]
    assert max(plate.force[:, 2].max() for plate in walk.forces) > 79.4 * 9.81


def test_what_is_not_there_is_none(opencap):
    static = trial(opencap, "subject10/static1")
    assert static.markers is not None
    assert (static.time, static.q, static.kinetics_time, static.generalized_force) == (None,) * 4
    assert (static.camera, static.video, static.forces) == (None, None, ())
    (opencap / "subject10" / "sessionMetadata.yaml").unlink()
    assert trial(opencap, "subject10/static1").mass_kg is None


def test_names_of_trials_say_the_activity():
    said = {name: activity(name) for name in ("walkingTS4", "DJAsym2", "STS1", "squats1", "other")}
    assert said == {
        "walkingTS4": "walk (trunk-sway)",
        "DJAsym2": "drop-jump (asymmetric)",
        "STS1": "sit-to-stand",
        "squats1": "squat",
        "other": "other",
    }


@pytest.mark.parametrize(("name", "session"), [("DJ1", "Session0"), ("walking2", "Session1")])
def test_each_camera_sees_the_markers_where_opencv_does(opencap, name, session):
    for camera in PLACES:
        seen = trial(opencap, f"subject5/{name}/{camera}", views=True)
        assert seen.video.name == f"{name}_syncdWithMocap.avi"
        assert seen.provenance["notes"] == []
        assert seen.camera.image_size == (720, 1280)
        values = calibration(camera, session)
        world = seen.markers.positions[::40].reshape(-1, 3)
        laboratory = world[:, [0, 2, 1]] * [1, 1, -1]
        board = (laboratory - ORIGIN) @ BOARD[session].T * 1e3
        expected, _ = cv2.projectPoints(
            board, cv2.Rodrigues(values["rotation"])[0], values["translation"], INTRINSICS,
            DISTORTION,
        )  # fmt: skip
        np.testing.assert_allclose(pixels(seen.camera, world), expected[:, 0], atol=0.02)
        np.testing.assert_allclose(
            seen.camera.gravity, look_at(PLACES[camera], (-0.3, 1.0, -0.6)) @ (0, -1, 0), atol=1e-9
        )
    assert ("mended" in seen.camera.source) == (session == "Session1")


def test_a_video_that_is_not_synchronised_says_so(opencap):
    folder = opencap / "subject5/VideoData/Session0/Cam0"
    (folder / "DJ1/DJ1_syncdWithMocap.avi").unlink()
    (folder / "cameraIntrinsicsExtrinsics.pickle").unlink()
    seen = trial(opencap, "subject5/DJ1/Cam0", views=True)
    assert (seen.video.name, seen.camera) == ("DJ1.avi", None)
    assert "not synchronised" in seen.provenance["notes"][0]


def test_sessions_of_opencap_itself_have_a_folder_more(opencap):
    folder = opencap / "subject5/VideoData/Session0/Cam0"
    (folder / "InputMedia").mkdir()
    (folder / "DJ1").rename(folder / "InputMedia" / "DJ1")
    assert trial(opencap, "subject5/DJ1/Cam0", views=True).video.parent.parent.name == "InputMedia"


def test_a_place_that_cannot_be_right_is_left_out(opencap):
    path = opencap / "subject5/VideoData/Session0/mocapToVideoTransform.yaml"
    path.write_text(transform(BOARD["Session0"], np.add(ORIGIN, (0, 0, 9))))
    seen = trial(opencap, "subject5/DJ1/Cam2", views=True)
    assert (seen.camera.translation_m, seen.camera.gravity) == (None, None)
    assert "does not show the markers" in seen.provenance["notes"][0]
    path.unlink()
    seen = trial(opencap, "subject5/DJ1/Cam2", views=True)
    assert seen.camera.rotation_camera_from_world is None
    assert "not published" in seen.provenance["notes"][0]


def test_the_principal_point_says_how_the_picture_stands(opencap):
    path = opencap / "subject5/VideoData/Session0/Cam2/cameraIntrinsicsExtrinsics.pickle"
    path.write_bytes(
        pickle.dumps(calibration("Cam2", "Session0") | {"imageSize": np.array([[720.0], [1280.0]])})
    )
    assert trial(opencap, "subject5/DJ1/Cam2", views=True).camera.image_size == (720, 1280)


def test_one_broken_trial_stops_no_other(opencap):
    path = opencap / "subject5/MarkerData/Mocap/walking2.trc"
    path.write_text(path.read_text()[:200])
    heard = {}
    found = [t.name for t in load("opencap", opencap, on_error=heard.__setitem__)]
    assert len(found) == 4
    assert heard.keys() == {"subject5/walking2"}
    assert str(path) in str(heard["subject5/walking2"])
    with pytest.raises(MskError):
        list(load("opencap", opencap))


class Shell:
    def __reduce__(self):
        return os.system, ("touch evidence",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rotation": Shell()}, "not opened"),
        ({"rotation": np.ones((3, 3))}, "no rotation matrix"),
        ({"intrinsicMat": np.eye(4)}, "'intrinsicMat' is not 3 x 3 numbers"),
        ({"translation": np.array([[np.nan], [0], [0]])}, "'translation' is not 3 numbers"),
        ({"distortion": "none"}, "'distortion' is not 5 numbers"),
    ],
)
def test_a_camera_that_is_none(opencap, monkeypatch, tmp_path, change, said):
    monkeypatch.chdir(tmp_path)
    path = opencap / "subject5/VideoData/Session0/Cam2/cameraIntrinsicsExtrinsics.pickle"
    path.write_bytes(pickle.dumps(calibration("Cam2", "Session0") | change))
    with pytest.raises(MskError, match=said):
        trial(opencap, "subject5/DJ1/Cam2", views=True)
    assert not (tmp_path / "evidence").exists()


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            "VideoData/Session0/mocapToVideoTransform.yaml",
            transform(np.ones((3, 3))),
            "no rotation",
        ),
        ("VideoData/Session0/mocapToVideoTransform.yaml", "!!python/name:os.system", "be read"),
        ("VideoData/Session0/mocapToVideoTransform.yaml", "{}", "'R_fromMocap_toVideo' is not"),
        ("sessionMetadata.yaml", "mass_kg: heavy\nheight_m: 1.8\n", "not those of a person"),
        ("sessionMetadata.yaml", "mass_kg: 79\nheight_m: 185\n", "not those of a person"),
        ("sessionMetadata.yaml", "- 1\n", "it is no table"),
        ("sessionMetadata.yaml", "a: [", "cannot be read"),
    ],
)
def test_tables_that_say_nothing_useful(opencap, file, text, said):
    (opencap / "subject5" / file).write_text(text)
    with pytest.raises(MskError, match=said):
        trial(opencap, "subject5/DJ1/Cam2", views=True)


def test_a_folder_of_something_else(tmp_path):
    with pytest.raises(MskError, match="no trial of OpenCap"):
        list_trials("opencap", tmp_path)
