"""The replay video, decoded again and looked at pixel by pixel."""

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from mjx_msk.errors import MskError
from mjx_msk.motion import Motion
from mjx_msk.report import render
from mjx_msk.report.overlay import Overlay, person_box, project
from mjx_msk.report.playback import ACTIVE, RESTING
from mjx_msk.report.render import render_replay
from mjx_msk.report.replay import output_times
from mjx_msk.report.style import LEFT, RIGHT, confidence_rgb, rgb

#: One leg that stands upright and two feet; nothing in it is blue or orange.
XML = """<mujoco><visual><headlight ambient=".6 .6 .6"/></visual><worldbody>
  <geom name="floor" type="plane" size="0 0 1" rgba=".8 .8 .8 1"/>
  <body name="pelvis" pos="0 0 1"><joint name="pelvis_tx" type="slide" axis="1 0 0"/>
    <geom type="capsule" fromto="0 0 0 0 0 .5" size=".1" rgba=".5 .5 .5 1" mass="10"/>
    <body name="calcn_r" pos="0 -.2 -.97">
      <geom name="contact/r/heel" type="sphere" size=".06" rgba=".5 .5 .5 1" mass="1"/></body>
    <body name="calcn_l" pos="0 .2 -.97">
      <geom name="contact/l/heel" type="sphere" size=".06" rgba=".5 .5 .5 1" mass="1"/></body>
  </body></worldbody></mujoco>"""
RATE = 60.0


@pytest.fixture
def model_xml(tmp_path) -> Path:
    path = tmp_path / "model.xml"
    path.write_text(XML)
    return path


def motion(frames: int = 20, **fields) -> Motion:
    q = np.linspace(0, 0.3, frames)[:, None]
    zero = np.zeros_like(q)
    base = {
        "time": np.arange(frames) / RATE, "coordinate_names": ("pelvis_tx",), "q": q, "qd": zero,
        "qdd": zero, "joint_names": ("pelvis_tx",), "qpos": q, "qvel": zero, "qacc": zero,
        "subject": {"mass_kg": 70.0},
    }  # fmt: skip
    return Motion(**(base | fields))


def right_foot_force(frames: int = 20) -> dict:
    force, cop = np.zeros((frames, 2, 3)), np.full((frames, 2, 3), np.nan)
    force[:, 0, 2] = 70 * 9.81
    cop[:, 0] = [0.3, -0.45, 0.0]  # clear of the body
    return {"foot_force": force, "foot_cop": cop}


def decode(path: Path) -> tuple[np.ndarray, float]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        rate = float(stream.average_rate)
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(stream)]), rate


def count(image: np.ndarray, colour: str) -> int:
    """Count the pixels of a colour's hue, whatever light falls on it."""
    wanted = np.array(rgb(colour), float)
    pixels = image.reshape(-1, 3).astype(float)
    bright = np.linalg.norm(pixels, axis=1) > 60
    cosine = (
        pixels @ wanted / np.maximum(np.linalg.norm(pixels, axis=1), 1) / np.linalg.norm(wanted)
    )
    return int(np.sum(bright & (cosine > 0.985)))


def write_video(path: Path, frames: int, size=(320, 240)) -> None:
    """Write a video whose brightness tells the frame: 10 times its number."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", int(RATE))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"crf": "10"}
        for i in range(frames):
            image = np.full((size[1], size[0], 3), 10 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def test_the_model_alone_plays_at_true_speed(tmp_path, model_xml):
    calls = []
    out = tmp_path / "replay.mp4"
    assert render_replay(motion(), model_xml, out, on_frame=lambda *a: calls.append(a)) is None
    images, rate = decode(out)
    assert rate == pytest.approx(30)
    assert len(images) == 10  # 20 frames at 60 Hz shown at 30 Hz
    assert calls == [(i + 1, 10) for i in range(10)]
    assert images.shape[1] % 2 == images.shape[2] % 2 == 0
    assert images.mean() > 30
    assert np.abs(images[0].astype(int) - images[-1].astype(int)).max() > 50  # it moves
    assert count(images[5], RIGHT) == count(images[5], LEFT) == 0


def test_a_force_is_an_arrow_of_its_side_colour(tmp_path, model_xml):
    out = tmp_path / "replay.mp4"
    assert render_replay(motion(**right_foot_force()), model_xml, out) is None
    image = decode(out)[0][5][:640]  # above the strip
    assert count(image, RIGHT) > 300
    assert count(image, LEFT) == 0
    rows = np.flatnonzero([count(row, RIGHT) for row in image])
    columns = np.flatnonzero([count(column, RIGHT) for column in image.swapaxes(0, 1)])
    assert np.ptp(rows) > 4 * np.ptp(columns)  # upright


def test_a_foot_on_the_ground_takes_its_side_colour(tmp_path, model_xml):
    contact = np.zeros((20, 2), bool)
    contact[10:, 1] = True
    out = tmp_path / "replay.mp4"
    assert render_replay(motion(contact=contact), model_xml, out) is None
    images = decode(out)[0]
    assert count(images[2], LEFT) == 0
    assert count(images[-2], LEFT) > 100
    assert count(images[-2], RIGHT) == 0


def test_muscles_go_from_blue_to_red_by_activation(tmp_path, model_xml):
    model_xml.write_text(
        XML.replace(
            "</worldbody>",
            """<site name="a" pos=".3 -.4 .4"/><site name="b" pos=".3 -.4 1.4"/></worldbody>
            <tendon><spatial name="m" width=".04" rgba=".5 .5 .5 1">
              <site site="a"/><site site="b"/></spatial></tendon>
            <actuator><muscle name="m" tendon="m" lengthrange=".5 1.5"/></actuator>""",
        )
    )
    blue, red = ("#{:02X}{:02X}{:02X}".format(*(round(255 * c) for c in rgba[:3]))
                 for rgba in (RESTING, ACTIVE))  # fmt: skip
    out = tmp_path / "replay.mp4"
    known = {
        "muscle_names": ("m",),
        "activation": np.repeat([0.0, 1.0], 10)[:, None],
        "muscle_force": np.zeros((20, 1)),
    }
    assert render_replay(motion(**known), model_xml, out) is None
    images = decode(out)[0][:, :640]
    assert count(images[1], blue) > 300 > 10 > count(images[1], red)
    assert count(images[-2], red) > 300 > 10 > count(images[-2], blue)
    assert render_replay(motion(), model_xml, out) is None
    assert count(decode(out)[0][1, :640], blue) == 0  # unknown is not resting


def test_the_video_beside_the_model_shows_the_same_moment(tmp_path, model_xml):
    write_video(tmp_path / "source.mp4", 20)
    out = tmp_path / "replay.mp4"
    assert render_replay(motion(), model_xml, out, tmp_path / "source.mp4") is None
    images = decode(out)[0]
    shown = images[:, 100:500, 100:700].mean(axis=(1, 2, 3))
    np.testing.assert_allclose(shown, 20 * np.arange(10), atol=3)


def test_slow_motion_plays_at_true_speed(tmp_path, model_xml):
    """Of a video four times slower than life, 20 frames hold what 5 frames of life hold."""
    write_video(tmp_path / "source.mp4", 20)
    out = tmp_path / "replay.mp4"
    moving = motion(time=np.arange(20) / RATE / 4)
    times = np.arange(20) / RATE
    assert render_replay(moving, model_xml, out, tmp_path / "source.mp4", video_times=times) is None
    images, rate = decode(out)
    assert rate == pytest.approx(30)
    shown = images[:, 100:500, 100:700].mean(axis=(1, 2, 3))
    np.testing.assert_allclose(shown, 80 * np.arange(len(shown)), atol=12)  # a frame is 10


CAMERA = {
    "intrinsics": [[400, 0, 160], [0, 400, 120], [0, 0, 1]],
    "distortion": [-0.2, 0.05, 0.01, -0.005, 0.02],
    "rotation_camera_from_world": [[0, -1, 0], [0, 0, -1], [1, 0, 0]],
    "translation_m": [0.1, 1.0, 0.2],
    "image_size": [320, 240],
}


def test_points_are_projected_as_opencv_does():
    cv2 = pytest.importorskip("cv2")
    points = np.random.default_rng(0).uniform([2, -1, 0], [6, 1, 2], size=(50, 3))
    rotation = cv2.Rodrigues(np.array(CAMERA["rotation_camera_from_world"], float))[0]
    expected, _ = cv2.projectPoints(
        points, rotation, np.array(CAMERA["translation_m"]), np.array(CAMERA["intrinsics"], float),
        np.array(CAMERA["distortion"]),
    )  # fmt: skip
    np.testing.assert_allclose(project(points, CAMERA), expected[:, 0], atol=1e-6)
    assert np.all(np.isnan(project(np.array([-5.0, 0, 0]), CAMERA)))


def test_skeleton_and_landmarks_lie_where_they_are_seen():
    """A thigh 4 m away on the right, and a landmark of low confidence."""
    names = ("right_hip", "right_knee")
    fitted = np.tile([[4.0, 0.3, 1.4], [4.0, 0.3, 0.8]], (2, 1, 1))
    camera = CAMERA | {"distortion": []}
    moving = motion(
        2, landmark_names=names, landmarks_fitted=fitted, camera=camera,
        landmark_pixels=np.full((2, 2, 2), [[250.0, 60.0], [np.nan, np.nan]]),
        landmark_visibility=np.zeros((2, 2)),
    )  # fmt: skip
    overlay = Overlay(moving)
    overlay.box = (0, 0, 320, 240)
    image = overlay.draw(np.zeros((240, 320, 3), np.uint8), 0, 480)
    # x = 160 + 400 (-0.3 + 0.1) / 4.2, y = 120 + 400 (1 - z) / 4.2, both twice as large
    middle = image[round(2 * (120 + 400 * -0.1 / 4.2)), round(2 * (160 - 80 / 4.2))]
    np.testing.assert_allclose(middle, rgb(RIGHT), atol=12)
    np.testing.assert_allclose(image[120, 500], confidence_rgb(0.0), atol=12)
    assert image[:, 560:].max() == 0


def test_the_panel_shows_the_person_and_stays_in_the_picture():
    names = ("right_hip", "right_knee")
    for low, high in (([900, 300], [1100, 800]), ([-50, -20], [30, 100]), ([0, 0], [1920, 1080])):
        pixels = np.tile(np.array([low, high], float), (3, 1, 1))
        moving = motion(3, landmark_names=names, landmark_pixels=pixels)
        left, top, right, bottom = person_box(moving, 1920, 1080)
        assert 0 <= left <= max(low[0], 0)
        assert 0 <= top <= max(low[1], 0)
        assert min(high[0], 1920) <= right <= 1920
        assert min(high[1], 1080) <= bottom <= 1080
    assert person_box(motion(), 640, 480) == (0, 0, 640, 480)


@pytest.mark.parametrize(("rate", "frames"), [(60, 100), (30, 31), (25, 50), (100, 143), (240, 7)])
def test_output_lasts_as_long_as_the_motion(rate, frames):
    time = np.arange(frames) / rate + 3.0
    nearest, out_rate, number = output_times(time)
    assert out_rate <= 30 + 1e-9
    assert number == len(nearest)
    assert number / out_rate == pytest.approx(frames / rate, abs=1.01 / out_rate)
    shown = time[nearest] - 3.0
    np.testing.assert_allclose(shown, np.arange(number) / out_rate, atol=0.51 / rate)


def test_without_graphics_one_line_says_what_to_install(tmp_path, model_xml, monkeypatch):
    monkeypatch.setattr(render, "backends", lambda: ["disable"])
    out = tmp_path / "replay.mp4"
    line = render_replay(motion(), model_xml, out)
    assert line is not None
    assert "nstall" in line or "desktop" in line
    assert "\n" not in line
    assert not out.exists()


def test_a_backend_that_fails_gives_way_to_the_next(tmp_path, model_xml, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "disable")
    assert render.backends()[0] == "disable"
    assert render_replay(motion(4), model_xml, tmp_path / "replay.mp4") is None


def test_a_source_that_is_no_video_is_said_so(tmp_path, model_xml):
    (tmp_path / "source.mp4").write_text("no video")
    with pytest.raises(MskError):
        render_replay(motion(4), model_xml, tmp_path / "out.mp4", tmp_path / "source.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_drawing_leaves_the_callers_mujoco_alone():
    """The caller's process never loads OpenGL, so that nothing it does later can break."""
    code = "import sys, mjx_msk.report.render; sys.exit('mujoco' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(Path(render.__file__).parents[2])}
    assert (
        subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
    )
