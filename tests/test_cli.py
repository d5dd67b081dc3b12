"""The command line as a user meets it: one sentence for each mistake, and nothing left behind."""

import csv
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import mujoco
import pytest
from make_videos import quarters, write_audio, write_photo, write_video

from mjx_msk import cli, outputs
from mjx_msk.cli.stopping import stoppable
from mjx_msk.motion import Motion
from mjx_msk.osim.markers import read_trc
from mjx_msk.report import render

ROOT = Path(__file__).parents[1]
SQUAT = Path(__file__).parent / "data" / "squat.trc"
BODY = ("--height", "1.73", "--mass", "70")


@pytest.fixture
def mjx_msk(capfd):
    """Run the command line in this process; returns exit code, standard output and error."""

    def run(*arguments) -> tuple[int, str, str]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([str(a) for a in arguments])
        return ended.value.code, *capfd.readouterr()

    return run


def is_one_message(error: str) -> bool:
    """Progress lines may come before it; then one line, no traceback."""
    lines = [line for line in error.splitlines() if not line.endswith(" ...")]
    return len(lines) == 1 and lines[0].startswith("mjx-msk: ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--height", "172", "--mass", "70"), "172 cm are --height 1.72"),
        (("--height", "5.8", "--mass", "70"), "5.8 feet are --height 1.77"),
        (("--height", "nan", "--mass", "70"), "height of nan"),
        (("--height", "1.7", "--mass", "0"), "--mass: a mass of 0 kg"),
        (("--height", "1.7", "--mass", "-70"), "a mass of -70 kg"),
        ((), "--height and --mass are missing"),
        ((), "as in --height 1.73 --mass 70, or give the scaled model that carries these markers"),
        (("--mass", "70"), "--height is missing"),
        (("--height", "1.7"), "--mass is missing"),
        ((*BODY, "--slow-motion", "0"), "slow-motion factor of 0"),
        ((*BODY, "--treadmill", "20"), "belt speed of 20 m/s"),
        ((*BODY, "--fov-deg", "200"), "field of view of 200"),
        ((*BODY, "--person", "0"), "counted from 1"),
        ((*BODY, "--camera", "none.json"), "--camera: no such file: none.json"),
        ((*BODY, "--model", "none.osim"), "--model: no such file: none.osim"),
        ((*BODY, "--grf", "none.mot"), "--grf: no such file: none.mot"),
        ((*BODY, "--pose-model", "none.task"), "--pose-model: no such file: none.task"),
    ],
)
def test_options_that_cannot_be(mjx_msk, tmp_path, arguments, says):
    code, _, error = mjx_msk("estimate", SQUAT, *arguments, "-o", tmp_path / "out")
    assert code == 2
    assert says in error
    assert is_one_message(error)
    assert not (tmp_path / "out").exists()


def bad_recording(folder: Path, kind: str) -> Path:
    path = folder / "bad.mp4"
    match kind:
        case "photo":
            return write_photo(folder / "bad.jpg", quarters())
        case "audio":
            return write_audio(folder / "bad.m4a")
        case "truncated":
            write_video(path, [quarters()] * 30)
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("not a video\n" * 99)
        case "empty markers":
            path = folder / "bad.trc"
            path.write_text("")
        case "wrong unit":
            path = folder / "bad.trc"
            path.write_text(SQUAT.read_text().replace("\tmm\n", "\tm\n"))
        case "damaged markers":
            path = folder / "bad.trc"
            path.write_text(SQUAT.read_text().replace("15\t", "15x\t"))
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "no such file"),
        ("photo", "this is a photo"),
        ("audio", "this is an audio file"),
        ("truncated", "truncated"),
        ("empty", "empty (0 bytes)"),
        ("text", "no readable video"),
        ("empty markers", "the file is empty"),
        ("wrong unit", "look like mm"),
        ("damaged markers", "where a number belongs"),
    ],
)
def test_recordings_that_are_none(mjx_msk, tmp_path, kind, says):
    path = bad_recording(tmp_path, kind)
    code, _, error = mjx_msk("estimate", path, *BODY, "-o", tmp_path / "new" / "out")
    assert code == 2
    assert says in error
    assert str(path) in error
    assert is_one_message(error)
    assert not (tmp_path / "new").exists()


def test_a_video_without_a_body_needs_one(mjx_msk, tmp_path):
    film = write_video(tmp_path / "a.mp4", [quarters()] * 3)
    code, _, error = mjx_msk("estimate", film, "-o", tmp_path / "out")
    assert code == 2
    assert "--height and --mass are missing" in error
    assert "as in --height 1.73 --mass 70" in error
    assert "--model" not in error
    assert is_one_message(error)


def test_a_camera_file_that_is_none(mjx_msk, tmp_path):
    film = write_video(tmp_path / "a.mp4", [quarters()] * 3)
    camera = tmp_path / "camera.json"
    camera.write_text("{}")
    code, _, error = mjx_msk("estimate", film, *BODY, "--camera", camera, "-o", tmp_path / "out")
    assert code == 2
    assert f"{camera}: this is no camera calibration" in error
    assert not (tmp_path / "out").exists()


def test_a_force_file_that_is_none(mjx_msk, tmp_path):
    forces = tmp_path / "forces.mot"
    forces.write_text("forces\nversion=1\nendheader\ntime\tx\n0\t1\n")
    code, _, error = mjx_msk("estimate", SQUAT, *BODY, "--grf", forces, "-o", tmp_path / "out")
    assert code == 2
    assert f"{forces}: no ground reaction force columns" in error
    assert is_one_message(error)
    assert not (tmp_path / "out").exists()


def test_one_force_file_for_two_recordings(mjx_msk, tmp_path):
    for name in ("a.trc", "b.trc"):
        (tmp_path / name).write_bytes(SQUAT.read_bytes())
    (tmp_path / "f.mot").write_text("")
    code, _, error = mjx_msk("estimate", tmp_path, *BODY, "--grf", tmp_path / "f.mot")
    assert (code, is_one_message(error)) == (2, True)


@pytest.mark.parametrize("place", ["file", "file/deeper", "/proc/nothing", "/dev/null"])
def test_a_folder_that_cannot_be_written(mjx_msk, tmp_path, place):
    (tmp_path / "file").write_text("the user's own")
    if place.startswith("/") and not Path(place).parent.exists():
        pytest.skip(f"there is no {place} on this system")
    code, _, error = mjx_msk("estimate", SQUAT, *BODY, "-o", tmp_path / place)
    assert code == 2
    assert "cannot write here" in error
    assert is_one_message(error)
    assert (tmp_path / "file").read_text() == "the user's own"


@pytest.mark.parametrize("arguments", [(), ("estimate",), ("estimate", "--nonsense"), ("guess",)])
def test_a_command_that_is_none(mjx_msk, arguments):
    code, _, error = mjx_msk(*arguments)
    assert code == 2
    assert "Traceback" not in error


def test_an_empty_folder(mjx_msk, tmp_path):
    code, _, error = mjx_msk("estimate", tmp_path, *BODY)
    assert code == 2
    assert "holds no video and no .trc" in error


def test_compiling_what_is_no_model(mjx_msk, tmp_path):
    (tmp_path / "m.osim").write_text("<OpenSimDocument>")
    for path in (tmp_path / "m.osim", tmp_path / "none.osim"):
        code, _, error = mjx_msk("compile", path, "-o", tmp_path / "m.xml")
        assert (code, is_one_message(error)) == (2, True)
        assert not (tmp_path / "m.xml").exists()


def test_a_folder_of_recordings(mjx_msk, tmp_path, monkeypatch):
    """A name out of a nightmare, a broken file, and no OpenGL; then the same folder again."""
    monkeypatch.setattr(render, "backends", lambda: ["disable"])
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    odd = "Zoë's <b>walk [1]{0} 走る"
    (folder / f"{odd}.trc").write_bytes(SQUAT.read_bytes())
    (folder / "broken.trc").write_bytes(SQUAT.read_bytes()[:900])
    (folder / "photo.jpg").write_bytes(b"is left alone")
    code, said, error = mjx_msk("estimate", folder, *BODY, "-o", out)
    assert code == 2
    assert "broken.trc: " in error
    assert "\x1b" not in said + error
    assert "\r" not in said + error
    assert f"Report: {(out / odd / 'report.html').resolve()}" in said
    assert "1 of 2 recordings are in" in said
    assert sum("OpenGL" in line for line in said.splitlines()) == 1
    assert {p.name for p in out.iterdir()} == {odd, "summary.csv"}
    with (out / "summary.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["recording"], row["state"]) for row in rows] == [
        (str(folder / f"{odd}.trc"), "done"), (str(folder / "broken.trc"), "failed"),
    ]  # fmt: skip
    assert sorted(p.name for p in (out / odd).iterdir()) == sorted(
        set(outputs.FILES) - {"replay.mp4"}
    )
    page = (out / odd / "report.html").read_text(encoding="utf-8")
    assert "<b>walk" not in page
    assert Motion.load(out / odd / "motion.npz").provenance["input"] == f"{odd}.trc"

    (folder / "broken.trc").unlink()
    code, said, _ = mjx_msk("estimate", folder, *BODY, "-o", out)
    assert code == 0
    assert "already complete" in said
    assert f"Report: {(out / odd / 'report.html').resolve()}" in said


def test_a_full_disk_leaves_nothing(mjx_msk, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.savez_compressed", full)
    code, _, error = mjx_msk("estimate", SQUAT, *BODY, "-o", tmp_path / "out")
    assert code == 2
    assert f"{tmp_path / 'out' / 'motion.npz'}: cannot write here: No space left" in error
    assert is_one_message(error)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_nothing(tmp_path, kind):
    process = subprocess.Popen(
        [sys.executable, "-m", "mjx_msk", "estimate", SQUAT, *BODY, "-o", tmp_path / "out"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in process.stderr:
        if "fitting" in line:
            break
    assert list((tmp_path / "out").iterdir())  # it works in a hidden folder
    time.sleep(0.2)
    process.send_signal(kind)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "nothing half-written" in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_that_native_code_swallows(mjx_msk, tmp_path, monkeypatch):
    """As in a callback of the garbage collector, where Python prints the exception and goes on."""

    def swallow(*_, **__):
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return read_trc(SQUAT)

    monkeypatch.setattr("mjx_msk.pipeline.read_trc", swallow)
    code, _, error = mjx_msk("estimate", SQUAT, *BODY, "-o", tmp_path / "out")
    assert code == 130
    assert "nothing half-written" in error
    assert not (tmp_path / "out").exists()


def test_a_terminal_gets_a_bar_and_a_pipe_gets_lines(tmp_path):
    pty = pytest.importorskip("pty", reason="only Unix has pseudo-terminals")
    code = (
        "from mjx_msk.cli.terminal import Terminal\n"
        "with Terminal().progress('[x] a.mp4') as on_stage:\n"
        "    for i in range(3):\n"
        "        on_stage('landmarks', i, 3)\n"
    )
    command = [sys.executable, "-c", code]
    piped = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert (piped.stdout, piped.stderr) == ("", "[x] a.mp4: landmarks ...\n")
    screen, end = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    subprocess.run(command, stderr=end, check=True, cwd=ROOT, env=environment)
    shown = os.read(screen, 65536).decode()
    assert "[x] a.mp4: landmarks" in shown
    assert "\x1b[" in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--mass", "70"), "--mass, and either --height or --static FILE.trc"),
        (("--height", "1.7"), "--mass, and either --height or --static FILE.trc"),
        ((*BODY, "--static", SQUAT), "--mass, and either --height or --static FILE.trc"),
        ((*BODY, "--static-time", "0", "1"), "belong to a static trial"),
        (("--height", "1.7", "--mass", "300"), "nobody of 1.70 m weighs 300 kg"),
        (("--static", "none.trc", "--mass", "70"), "none.trc: no such file"),
        (("none.xml", *BODY), "none.xml: cannot read this model: no such file"),
        (("--static", SQUAT, "--mass", "70", "--static-time", "98", "99"), "between 98 and 99 s"),
    ],
)
def test_scaling_mistakes(mjx_msk, tmp_path, arguments, says):
    code, _, error = mjx_msk("scale", *arguments, "-o", tmp_path / "model.xml")
    assert code == 2
    assert is_one_message(error)
    assert says in error
    assert not list(tmp_path.iterdir())


def test_scaled_default_model(mjx_msk, tmp_path):
    """To a height and a mass, then to markers, each as a file that MuJoCo loads."""
    path, again = tmp_path / "person.xml", tmp_path / "again.xml"
    assert mjx_msk("scale", *BODY, "-o", path)[0] == 0
    assert mujoco.MjModel.from_xml_path(str(path)).body_mass.sum() == pytest.approx(70.0)
    code, said, _ = mjx_msk("scale", path, "--static", SQUAT, "--mass", "71", "-o", again)
    assert code == 0
    assert "femur" in said
    assert mujoco.MjModel.from_xml_path(str(again)).body_mass.sum() == pytest.approx(71.0)


@pytest.mark.parametrize(("dropped", "told"), [(KeyboardInterrupt, False), (ValueError, True)])
def test_a_dropped_ctrl_c_is_not_printed(monkeypatch, dropped, told):
    """Python drops what is raised in a destructor; other errors there are still told."""

    class Fragile:
        def __del__(self) -> None:
            raise dropped

    heard = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: heard.append(args.exc_type))
    with stoppable():
        Fragile()
    assert heard == [dropped] * told
