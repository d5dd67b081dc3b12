"""The house: the front door is light, the package is whole."""

import subprocess
import sys
from pathlib import Path

import mjx_msk

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mjx_msk"

#: The least that these modules must do without: the command line answers at once.
HEAVY = {"jax", "mujoco", "scipy", "mediapipe", "av", "cv2", "plotly", "matplotlib", "opensim"}


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*(m.split('.')[0] for m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_the_front_door_is_light():
    assert not loaded_after("import mjx_msk") & (HEAVY | {"numpy"})
    assert not loaded_after("import mjx_msk.cli") & (HEAVY | {"numpy"})
    assert not loaded_after("import mjx_msk; mjx_msk.Motion") & HEAVY


def test_every_public_name_is_there():
    for name in mjx_msk.__all__:
        assert getattr(mjx_msk, name) is not None
    assert set(dir(mjx_msk)) == set(mjx_msk.__all__)


def test_nothing_imports_a_plugin_or_prints_on_import():
    for path in PACKAGE.rglob("*.py"):
        assert "import plugins" not in path.read_text(encoding="utf-8")
    code = "import mjx_msk.pipeline"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=ROOT,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
