"""The house: imports go down, the front door is light, the package is whole."""

import ast
import subprocess
import sys
from pathlib import Path

import mjx_msk

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mjx_msk"

#: Room -> floor, as in ../shared/DESIGN.md; a room may import from its own floor and from below.
FLOORS = {
    "cli": 6, "__main__": 6,
    "pipeline": 5, "outputs": 5,
    "fit": 4, "report": 4, "export": 4,
    "physics": 2, "vision": 2,
    "compile": 1,
    "run": 0, "options": 0, "recordings": 0, "model": 0, "motion": 0, "osim": 0, "errors": 0,
    "cache": 0, "files": 0, "resources": 0, "runtime": 0,
}  # fmt: skip
#: The least that these modules must do without: the command line answers at once.
HEAVY = {"jax", "mujoco", "scipy", "mediapipe", "av", "cv2", "plotly", "matplotlib", "opensim"}


def imports(path: Path) -> set[str]:
    """Return the rooms of ours that a module imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = [node.module or ""]
        else:
            continue
        found |= {n.split(".")[1] for n in names if n.startswith("mjx_msk.")}
    return found


def test_imports_only_go_down():
    upward = []
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        upward += [
            f"{path.relative_to(ROOT)} (floor {FLOORS[room]}) imports {other} ({FLOORS[other]})"
            for other in imports(path)
            if FLOORS[other] > FLOORS[room]
        ]
    assert not upward, "\n".join(upward)


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
