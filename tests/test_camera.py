import json

import cv2
import jax
import numpy as np
import pytest

from mjx_msk.errors import MskError
from mjx_msk.vision import camera
from mjx_msk.vision.calibration import load_camera
from mjx_msk.vision.camera import Camera

K = np.array([[1700.0, 0, 530], [0, 1690, 948], [0, 0, 1]])
LENS = np.array([-0.05, 0.14, 0.003, -0.002, 0.01])


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    return rng.uniform((-1, -1, 2), (1, 1, 6), size=(50, 3))


def test_projection_agrees_with_opencv(points):
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), K, LENS)
    assert np.asarray(camera.project(points, K, LENS)) == pytest.approx(expected[:, 0], abs=0.01)


def test_undistort_agrees_with_opencv(points):
    pixels, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), K, LENS)
    rays = camera.undistort(pixels[:, 0], K, LENS)
    assert rays == pytest.approx(points[:, :2] / points[:, 2:], abs=1e-6)


def test_points_behind_the_camera_stay_finite():
    def total(p):
        return camera.project(p, K, LENS * 0).sum()

    behind = np.array([[0.1, 0.2, -1.0], [0.0, 0.0, 0.0]])
    assert np.isfinite(total(behind))
    assert np.isfinite(jax.grad(total)(behind)).all()


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920)])
def test_default_field_of_view_spans_the_long_side(size):
    c = camera.default_camera(size, fov_deg=60.0)
    assert c.intrinsics[0, 0] == pytest.approx(960 / np.tan(np.deg2rad(30)))
    edges = np.array([-0.5, 1919.5])
    centre = c.intrinsics[0 if size[0] == 1920 else 1, 2]
    angles = np.arctan((edges - centre) / c.intrinsics[0, 0])
    assert np.rad2deg(np.ptp(angles)) == pytest.approx(60.0)
    assert camera.default_camera(size).intrinsics[0, 0] == pytest.approx(1920 * 26 / 36)


def test_dictionary_round_trip_through_json():
    full = Camera(
        intrinsics=K,
        distortion=LENS,
        image_size=(1080, 1920),
        gravity=np.array([0, 1.0, 0]),
        source="test",
        rotation_camera_from_world=np.eye(3),
        translation_m=np.array([1.0, 2, 3]),
    )
    for c in (full, camera.default_camera((640, 480))):
        back = Camera.from_dict(json.loads(json.dumps(c.to_dict())))
        for name, value in vars(c).items():
            assert np.array_equal(getattr(back, name), value), name


def write(path, values) -> str:
    path.write_text(json.dumps(values))
    return str(path)


def test_json_with_a_resize(tmp_path, points):
    values = {"fx": 1700, "fy": 1690, "cx": 529.5, "cy": 959.5, "image_size": [1080, 1920]}
    values |= {"distortion": [-0.05, 0.14, 0, 0], "gravity": [0, 2.0, 0]}
    full = load_camera(write(tmp_path / "c.json", values), (1080, 1920))
    half = load_camera(write(tmp_path / "c.json", values), (540, 960))
    assert full.gravity == pytest.approx([0, 1, 0])
    assert "c.json" in full.source
    # the edges of a resized image stay the edges: (u + 1/2) scales, as pixel centres count from 0
    big = np.asarray(camera.project(points, full.intrinsics, full.distortion))
    small = np.asarray(camera.project(points, half.intrinsics, half.distortion))
    assert small == pytest.approx((big + 0.5) / 2 - 0.5, abs=0.01)


def test_gravity_from_a_rotation(tmp_path):
    level = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]  # looks along Y of a Z-up world
    values = {"intrinsics": K.tolist(), "rotation": level}
    assert load_camera(write(tmp_path / "r.json", values), (1080, 1920)).gravity == pytest.approx(
        [0, 1, 0]
    )


def test_pose2sim_toml(tmp_path):
    path = tmp_path / "calib.toml"
    table = """
    [{name}]
    name = "{name}"
    size = [1080.0, 1920.0]
    matrix = [[1700.0, 0.0, 530.0], [0.0, 1690.0, 948.0], [0.0, 0.0, 1.0]]
    distortions = [-0.05, 0.14, 0.003, -0.002]
    rotation = [1.5707963267948966, 0.0, 0.0]
    translation = [0.0, 1.0, 4.0]
    """
    path.write_text(table.format(name="cam01") + table.format(name="cam02") + "[metadata]\nx = 1\n")
    c = load_camera(path, (1080, 1920), name="cam02")
    rotation, _ = cv2.Rodrigues(np.array([np.pi / 2, 0, 0]))
    assert c.rotation_camera_from_world == pytest.approx(rotation)
    assert c.gravity == pytest.approx(rotation @ [0, 0, -1])
    assert c.distortion == pytest.approx([-0.05, 0.14, 0.003, -0.002, 0])
    with pytest.raises(MskError, match="no camera 'cam09'; found: cam01, cam02"):
        load_camera(path, (1080, 1920), name="cam09")
    path.write_text(table.format(name="only"))
    assert load_camera(path, (1080, 1920), name="walk").intrinsics == pytest.approx(K)


GOOD = {"fx": 1700, "fy": 1690, "cx": 530, "cy": 948, "image_size": [1080, 1920]}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"fy": 1.0}, "has no 'fx'"),
        (GOOD | {"fx": 17}, "focal lengths"),
        (GOOD | {"fx": float("nan")}, "focal lengths"),
        (GOOD | {"fx": "wide"}, "no camera calibration"),
        (GOOD | {"distortion": [1, 2]}, "distortion"),
        (GOOD | {"gravity": [0, 1]}, "gravity"),
        (GOOD | {"gravity": [0, 0, 0]}, "gravity"),
        (GOOD | {"rotation": [[1, 0, 0], [0, 1, 0], [0, 1, 1]]}, "rotation"),
        (GOOD | {"image_size": [1920, 1080]}, "turned by 90 degrees"),
        (GOOD | {"image_size": [1080, 1440]}, "cropped"),
        ([1, 2, 3], "no table"),
    ],
)
def test_bad_calibrations_are_refused(tmp_path, values, says):
    with pytest.raises(MskError, match=says):
        load_camera(write(tmp_path / "bad.json", values), (1080, 1920))


def test_unreadable_calibrations_are_refused(tmp_path):
    with pytest.raises(MskError, match="cannot be read"):
        load_camera(tmp_path / "none.json", (1080, 1920))
    broken = tmp_path / "broken.toml"
    broken.write_text("[cam\n")
    with pytest.raises(MskError, match="no camera calibration"):
        load_camera(broken, (1080, 1920))
