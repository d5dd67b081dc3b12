"""OpenSim models opened by MuJoCo itself, in a process of its own: registering is for good."""

import subprocess
import sys
import tempfile

import mujoco
import numpy as np
import pytest
from small_osim import write_arm

from mjx_msk.compile import compile_osim, to_xml

pytest.importorskip("opensim", reason="needs the extra 'opensim'")


@pytest.fixture(scope="module")
def arm(tmp_path_factory):
    return write_arm(tmp_path_factory.mktemp("osim") / "arm.osim")


def run(code: str, *arguments: str) -> subprocess.CompletedProcess:
    """Run code after ``import mujoco, mjx_msk_osim`` with ``path`` as its first argument."""
    head = "import sys, mujoco, numpy as np, mjx_msk_osim\npath = sys.argv[1]\n"
    command = [sys.executable, "-c", head + code, *arguments]
    with tempfile.TemporaryDirectory() as folder:  # MuJoCo leaves a log of its warnings there
        return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=folder)


def said(done: subprocess.CompletedProcess, word: str) -> list[list[str]]:
    """Return what the code printed after a word, line by line: MuJoCo prints warnings as well."""
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    return [row[1:] for row in rows if row[:1] == [word]]


def lengths(path) -> np.ndarray:
    """Return the tendon lengths (m) at the default pose of the model compiled the usual way."""
    model = mujoco.MjModel.from_xml_string(to_xml(compile_osim(path)))
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    return data.ten_length


SHOW = """
def show(model):
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    print("lengths", *map(float, data.ten_length))
"""


def test_every_door_of_mujoco_gives_the_same_model(arm, tmp_path):
    (tmp_path / "scene.xml").write_text(
        f'<mujoco><asset><model name="arm" file="{arm}"/></asset><worldbody>'
        '<frame><attach model="arm" body="upper" prefix="a/"/></frame></worldbody></mujoco>'
    )
    code = SHOW + (
        "show(mujoco.MjSpec.from_file(path).compile())\n"
        "show(mujoco.MjModel.from_xml_path('osim:' + path))\n"
        "print('body', mujoco.MjModel.from_xml_path(sys.argv[2]).body('a/upper').name)\n"
        "with mujoco.MjVfs() as vfs:\n"
        "    vfs['held.osim'] = open(path, 'rb').read()\n"
        "    show(mujoco.MjSpec.from_file('held.osim', vfs=vfs).compile())\n"
        "try:\n    from mujoco.studio import parser\n"
        "except ImportError:\n    from mujoco.experimental.studio import parser\n"
        "show(parser.load(path))\n"
    )
    done = run(code, str(arm), str(tmp_path / "scene.xml"))
    rows, expected = said(done, "lengths"), lengths(arm)
    assert len(rows) == 4
    for row in rows:
        np.testing.assert_allclose(np.array(row, float), expected, atol=1e-6)
    assert said(done, "body") == [["a/upper"]]


def test_an_error_says_what_is_wrong(tmp_path):
    broken = tmp_path / "broken.osim"
    broken.write_text("<OpenSimDocument/>")
    code = (
        "doors = (mujoco.MjSpec.from_file, lambda p: mujoco.MjModel.from_xml_path('osim:' + p))\n"
        "for door in doors:\n"
        "    try: door(path)\n"
        "    except ValueError as error: print('refused', error)\n"
    )
    done = run(code, str(broken))
    first, second = said(done, "refused")
    assert "broken.osim" in " ".join(first)
    assert "broken.osim" in " ".join(second)
    assert "broken.osim" in done.stderr  # the reason, which C takes from no provider
    assert "Traceback" not in done.stderr


def test_a_real_model_is_opened(shared_data):
    path = shared_data / "models" / "arm26.osim"
    done = run(SHOW + "show(mujoco.MjSpec.from_file(path).compile())", str(path))
    (row,) = said(done, "lengths")
    np.testing.assert_allclose(np.array(row, float), lengths(path), atol=1e-6)
