"""The examples: they use the public faces alone and say what they take; the fast ones are run."""

import ast
import ctypes.util
import os
import re
import subprocess
import sys
from pathlib import Path

import mujoco
import numpy as np
import pytest
import takes

import mjx_msk
from mjx_msk.train.config import read_config

FOLDER = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(FOLDER.glob("*.py"))
#: ``physics`` is the public module beside the public names.
PUBLIC = {*mjx_msk.__all__, "physics"}
#: It turns files of another program in an environment of its own.
STANDS_APART = "export_b3d.py"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_only_public_names_are_used(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mjx_msk":
            assert node.module == "mjx_msk", f"{path.name} imports from {node.module}"
            assert {alias.name for alias in node.names} <= PUBLIC
        if isinstance(node, ast.Import):
            assert not [a.name for a in node.names if a.name.startswith("mjx_msk.")], path.name
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert node.value.id != "mjx_msk" or node.attr in PUBLIC, (path.name, node.attr)


def test_every_script_and_picture_is_in_the_table():
    said = (FOLDER / "README.md").read_text(encoding="utf-8")
    for path in SCRIPTS:
        assert f"`{path.name}`" in said
    links = re.findall(r"\]\((\.\./.+?)\)", said)
    assert len([p for p in links if p.endswith(".webp")]) == 8
    assert all((FOLDER / link).is_file() for link in links), links


@pytest.mark.parametrize("name", ["train_on_your_data.py", "osim_to_mujoco.py"])
def test_they_say_what_they_take(name):
    done = run(name, "--help", folder=FOLDER)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage:" in done.stdout


def test_the_training_is_one_that_can_run(tmp_path):
    tree = ast.parse((FOLDER / "train_on_your_data.py").read_text(encoding="utf-8"))
    (text,) = (
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CONFIG"
    )
    (tmp_path / "config.toml").write_text(text.format(steps=7))
    assert read_config(tmp_path / "config.toml").steps == 7
    for name in ("train_ikt.toml", "train_idt.toml"):
        assert read_config(FOLDER / name).steps > 1000


def test_an_osim_goes_to_mujoco(tmp_path):
    """The made arm: MuJoCo's muscle lengths are those of its points, by hand."""
    pytest.importorskip("opensim", reason="OpenSim is not installed")
    if not ctypes.util.find_library("OSMesa"):
        pytest.skip("no OSMesa: apt install libosmesa6")
    done = run("osim_to_mujoco.py", "-o", "arm.xml", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 bodies, 6 actuators, 3.5 kg" in done.stdout
    assert (tmp_path / "arm.png").stat().st_size > 10_000
    model = mujoco.MjModel.from_xml_path(str(tmp_path / "arm.xml"))
    data = mujoco.MjData(model)
    data.joint("elbow_flexion").qpos = np.pi / 2  # the forearm points forward: x is where y was
    mujoco.mj_forward(model, data)
    for name, begin, end in (
        ("deltoid_anterior", (0.035, 0.03), (0.015, -0.13)),
        ("brachialis", (0.010, -0.18), (0.035, -0.30 + 0.012)),
    ):
        length = np.hypot(*np.subtract(begin, end))
        np.testing.assert_allclose(data.actuator(name).length, length, atol=1e-6)


def test_a_reference_motion_is_made_of_an_estimate_alone(tmp_path):
    done = run("reference_motion.py", "wlak", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("wlak: no finished estimate is here.")
    assert list(tmp_path.iterdir()) == []


def test_a_reference_motion_of_the_demo_that_is_there(tmp_path):
    if not ctypes.util.find_library("OSMesa"):
        pytest.skip("no OSMesa: apt install libosmesa6")
    takes.save(takes.walk(20), tmp_path / "demo")
    done = run("reference_motion.py", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "frames at 100 Hz" in done.stdout
    assert {p.name for p in (tmp_path / "demo").iterdir()} == {"motion.npz", "model.xml"}


def test_estimates_are_compared_and_served_to_a_browser(tmp_path):
    for name, frames in (("walk", 20), ("other", 16)):
        takes.save(takes.walk(frames), tmp_path / name)
    done = run("compare_in_studio.py", "walk", "other", "--table", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0] == "other against walk, RMS in degrees:"
    angles = [float(line.split()[1]) for line in said[1:]]
    assert len(angles) == 5
    assert angles == sorted(angles, reverse=True)
    done = run("compare_in_studio.py", "wlak", folder=tmp_path)
    assert (done.returncode, done.stderr.split(":")[0]) == (1, "wlak/motion.npz")


def run(name: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(map(str, [FOLDER.parent, FOLDER.parent / "plugins"]))
    # what this process draws with is not for others
    environment = {k: v for k, v in os.environ.items() if k != "PYOPENGL_PLATFORM"}
    environment |= {"PYTHONPATH": path, "MUJOCO_GL": "osmesa"}
    if "--help" in arguments:
        environment["MUJOCO_GL"] = "disabled"
    command = [sys.executable, str(FOLDER / name), *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
