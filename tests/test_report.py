"""The report page and the terminal table."""

import base64
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from html_page import Page
from rich.console import Console

from mjx_msk.errors import MskError
from mjx_msk.motion import Motion
from mjx_msk.report.html import write_report
from mjx_msk.report.panels import fixed, panels, pressure_path, stance
from mjx_msk.report.quality import MEASURES, walking
from mjx_msk.report.table import quality_table

NAMES = (
    "pelvis_tilt", "pelvis_tx", "pelvis_ty", "pelvis_tz",
    "hip_flexion_l", "hip_flexion_r", "wrist_flex_r", "elbow_flex_r", "strange_bend",
)  # fmt: skip
HOSTILE = "</script><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>.mp4"
FRAMES = 8


def motion(**fields) -> Motion:
    """Eight frames from t = 5 s; hip_flexion_r is 10 degrees a frame, the wrist does not move."""
    q = np.zeros((FRAMES, len(NAMES)))
    frame = np.arange(FRAMES)
    q[:, NAMES.index("hip_flexion_r")] = np.deg2rad(10) * frame
    q[:, NAMES.index("hip_flexion_l")] = 0.1 * frame
    q[:, NAMES.index("pelvis_tilt")] = 0.01 * frame
    q[:, NAMES.index("elbow_flex_r")] = 0.02 * frame
    q[:, NAMES.index("strange_bend")] = 0.02 * frame
    q[:, NAMES.index("pelvis_tx")], q[:, NAMES.index("pelvis_tz")] = 0.1 * frame, 0.3
    base = {
        "time": 5.0 + frame / 50, "coordinate_names": NAMES, "q": q, "qd": q, "qdd": q,
        "joint_names": NAMES, "qpos": q, "qvel": q, "qacc": q,
    }  # fmt: skip
    return Motion(**(base | fields))


def full() -> Motion:
    force, cop = np.zeros((FRAMES, 2, 3)), np.full((FRAMES, 2, 3), np.nan)
    force[2:5, 0] = [35, 0, 700]
    cop[2:5, 0] = [0.2, -0.1, 0]
    contact = force[..., 2] > 0
    return motion(
        foot_force=force, foot_cop=cop, foot_moment=np.zeros_like(force), contact=contact,
        generalized_force=np.full((FRAMES, len(NAMES)), 7.0),
        confidence=np.linspace(0, 1, FRAMES)[:, None] * np.ones(len(NAMES)),
        muscle_names=("soleus_r", "soleus_l", "odd_r"),
        activation=np.outer(np.arange(FRAMES) / 10, [1.0, 0.5, 0.1]),
        muscle_force=np.full((FRAMES, 3), 100.0),
        reserve=np.full((FRAMES, len(NAMES)), 0.1),
        loaded_joint_names=("knee_r", "knee_l"),
        joint_force=np.full((FRAMES, 2, 3), [0.0, -1373.4, 0.0]),
        subject={"mass_kg": 70.0, "height_m": 1.73, "name": HOSTILE},
        quality={
            "pelvis_residual_force_pct_bw": 3.21, "foot_slip_mm": 99.0, "walking_speed_m_s": 1.25,
            "walking_direction_deg": 178.0, "warnings": [f"Odd file {HOSTILE}"],
        },
        provenance={"input": HOSTILE, "seed": 0},
    )  # fmt: skip


@pytest.fixture(scope="module")
def page_file(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    (folder / "replay.mp4").write_bytes(b"not really a video")
    write_report(full(), folder / "report.html", folder / "replay.mp4")
    return folder / "report.html"


def test_nothing_is_loaded_from_anywhere(page_file):
    Page(page_file).assert_offline()


def test_a_hostile_file_name_is_only_text(page_file):
    page = Page(page_file)
    assert len(page.scripts) == 3  # plotly, the data, ours
    assert page.text.count(HOSTILE) >= 3  # title, warning, provenance
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]


def test_the_page_says_what_was_found(page_file):
    text = re.sub(r"\s+", " ", Page(page_file).text)
    for said in ("1.73 m, 70.0 kg", "0.14 s", "8 at 50 Hz", "1.25 m/s, towards the camera",
                 "3.21 % body weight good", "99 mm per stance poor", "Held fixed: wrist flexion",
                 "Odd file"):  # fmt: skip
        assert said in text, said
    assert text.index("Odd file") < text.index("Ground reaction forces")


def test_the_video_is_inside(page_file):
    source = next(a["src"] for t, a in Page(page_file).tags if t == "video")
    assert base64.b64decode(source.split(",", 1)[1]) == b"not really a video"


def test_the_plotted_numbers_are_those_of_the_motion(page_file):
    data = json.loads(Page(page_file).scripts[1])
    np.testing.assert_allclose(data["time"], np.arange(FRAMES) / 50, atol=1e-9)
    hip = next(p for p in data["sections"]["legs"] if p["title"] == "Hip flexion")
    assert [t["side"] for t in hip["traces"]] == ["r", "l"]
    np.testing.assert_allclose(hip["traces"][0]["y"], 10 * np.arange(FRAMES), atol=1e-6)
    np.testing.assert_allclose(hip["traces"][0]["confidence"][-1], 1.0)
    vertical = data["sections"]["ground"][0]
    assert vertical["unit"] == "body weights"
    np.testing.assert_allclose(vertical["traces"][0]["y"][3], 700 / (70 * 9.81), rtol=1e-3)
    moments = {p["title"]: p for p in data["sections"]["moments"]}
    assert "Hip flexion" in moments
    assert "Pelvis tilt" not in moments  # a residual, not a moment of a joint
    assert moments["Hip flexion"]["traces"][0]["y"] == [7.0] * FRAMES


def test_muscles_and_joint_forces_are_plotted(page_file):
    sections = json.loads(Page(page_file).scripts[1])["sections"]
    (soleus,) = sections["muscles"]  # the one that has a known name
    assert [t["side"] for t in soleus["traces"]] == ["r", "l"]
    np.testing.assert_allclose(soleus["traces"][1]["y"], np.arange(FRAMES) / 20, atol=1e-9)
    (knee,) = sections["loads"]
    assert knee["unit"] == "body weights"
    np.testing.assert_allclose(knee["traces"][0]["y"], 2.0, rtol=1e-3)


def test_muscles_of_unknown_names_are_plotted_by_strength():
    force = np.tile([1.0, 50.0, 9.0], (FRAMES, 1))
    names = ("a_r", "b_r", "b_l")
    found = panels(motion(muscle_names=names, activation=force / 100, muscle_force=force))
    assert [p["title"] for p in found["muscles"]] == ["b", "a"]


def test_a_motion_that_knows_little_still_makes_a_page(tmp_path):
    write_report(motion(), tmp_path / "report.html", note="No replay video: OpenGL is missing.")
    page = Page(tmp_path / "report.html")
    assert "No replay video: OpenGL is missing." in page.text
    assert "video" not in [t for t, _ in page.tags]
    assert "nan" not in page.scripts[1].lower()


@pytest.mark.parametrize("filmed", [True, False])
def test_the_words_below_the_replay_are_about_what_it_shows(tmp_path, filmed):
    (tmp_path / "replay.mp4").write_bytes(b"not really a video")
    seen = {
        "landmark_names": ("nose",), "landmark_pixels": np.zeros((FRAMES, 1, 2)),
        "landmark_visibility": np.ones((FRAMES, 1)),
    }  # fmt: skip
    muscles = {
        "muscle_names": ("soleus_r",), "activation": np.zeros((FRAMES, 1)),
        "muscle_force": np.zeros((FRAMES, 1)),
    }  # fmt: skip
    found = motion(**(seen if filmed else muscles))
    write_report(found, tmp_path / "report.html", tmp_path / "replay.mp4")
    text = re.sub(r"\s+", " ", Page(tmp_path / "report.html").text)
    assert "Arrows are ground forces" in text
    assert ("Dots are the landmarks seen" in text) == filmed
    assert ("Lines are the fitted model" in text) == filmed
    assert ("Muscles go from blue" in text) == (not filmed)


def test_an_unwritable_page_is_said_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MskError, match="cannot write"):
        write_report(motion(), tmp_path / "file" / "report.html")


def test_panels_group_sides_and_keep_what_is_unknown_absent():
    few = panels(motion())
    assert few["moments"] == few["ground"] == few["residuals"] == []
    assert [p["title"] for p in few["arms"]] == ["Elbow flexion"]
    assert [p["title"] for p in few["legs"]] == ["Hip flexion", "Pelvis tilt", "Strange bend"]
    assert fixed(motion()) == ["Wrist flexion"]
    assert stance(motion()) == {}
    assert pressure_path(motion()) == []


def test_stance_and_pressure_are_in_seconds_and_our_axes():
    assert stance(full())["l"] == []
    np.testing.assert_allclose(stance(full())["r"], [(2 / 50, 4 / 50)])
    right, _, pelvis = pressure_path(full())
    assert right["x"][:3] == [None, None, 0.2]
    assert right["y"][2] == -0.1
    assert pelvis["y"][0] == -0.3  # pelvis_tz points right, our y left


@pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed")
def test_a_browser_draws_every_plot_and_asks_for_nothing(page_file, tmp_path):
    """Headless Chromium, with a proxy that does not exist, draws the page without a complaint."""
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000",
        "--disable-background-networking", "--proxy-server=127.0.0.1:9", "--enable-logging=stderr",
        f"--user-data-dir={tmp_path}", "--dump-dom", page_file.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert complaints == []
    drawn = panels(full())
    sections = ("legs", "moments", "ground", "muscles", "loads")
    expected = 1 + sum(len(drawn[section]) for section in sections)
    assert len(re.findall(r'class="plot[^"]*js-plotly-plot"', done.stdout)) == expected
    assert done.stdout.count('<g class="scatterlayer') == expected
    assert "alert(1)</script><img" not in done.stdout


# --- the terminal -------------------------------------------------------------------------------


def printed(table) -> str:
    console = Console(width=120, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def test_the_table_says_frames_quality_and_time():
    text = printed(quality_table(full(), {"landmarks": 3.21, "fit [1/2]": 10.0}))
    rows = {line[:22].strip(): line[22:].strip() for line in text.splitlines()}
    assert "8 at 50 Hz" in text
    assert "0.14 s" in text
    assert re.search(r"Pelvis residual force +3\.21 % body weight +good", text)
    assert re.search(r"Foot slip +99 mm per stance +poor", text)
    assert re.search(r"Time: fit \[1/2\] +10\.0 s", text)
    assert re.search(r"Time: in all +13\.2 s", text)
    assert rows["Marker error"].endswith("-")


def test_the_table_of_a_motion_that_knows_little_shows_dashes():
    text = printed(quality_table(motion()))
    assert text.count(" -") == len(MEASURES) + 1
    assert "Time" not in text


@pytest.mark.parametrize(
    ("degrees", "way"),
    [
        (0, ", away from"),
        (-20, ", away from"),
        (45, "obliquely away"),
        (-90, "across"),
        (230, "obliquely towards"),
        (178, ", towards"),
        (190, ", towards"),
    ],
)
def test_the_direction_of_travel_is_said_in_words(degrees, way):
    said = walking(motion(quality={"walking_speed_m_s": 1.0, "walking_direction_deg": degrees}))
    assert way in said
