"""The floors of the house: imports only go down, and importing the package stays light."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import mjx_msk

PACKAGE = Path(mjx_msk.__file__).parent

#: The rooms (modules or folders of ``mjx_msk``) of each floor, as in docs/architecture.md.
FLOORS = {
    7: {"__main__"},
    6: {"cli"},
    5: {"pipeline", "outputs", "importing", "joint_positions", "train", "evaluation"},
    4: {"fit", "report", "export"},
    3: {"nets", "data"},
    2: {"physics", "vision"},
    1: {"compile"},
    0: {
        "model", "motion", "osim", "errors", "cache", "files", "resources", "runtime",
        "options", "recordings", "run", "engines", "musculature", "force_curves", "springs",
    },
}  # fmt: skip
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
#: Floors whose rooms may use each other, in no circle: small things that everything shares, and
#: the way from recording to result. Elsewhere the rooms of a floor do not know each other.
OPEN_FLOORS = {0, 5}
#: Packages that only some users have, imported where they are needed.
OPTIONAL = {"opensim", "h5py", "ezc3d", "pygltflib", "pyarrow"}
#: Packages that are slow to import: a line of help must not wait for them.
HEAVY = ("mediapipe", "opensim", "plotly", "mujoco", "jax", "scipy", "cv2")

#: What each plugin connects with, beside NumPy and MuJoCo; ``tyro`` describes commands.
HOSTS = {
    "mjx_msk_dm_control": {"dm_control"},
    "mjx_msk_gym": {"gymnasium", "stable_baselines3"},
    "mjx_msk_osim": set(),
    "mjx_msk_playground": {"brax", "jax", "ml_collections", "mujoco_playground"},
    "mjx_msk_ray": {"ray"},
    "mjx_msk_studio": {"tyro"},
    "mjx_msk_tracking": set(),
}
#: What plugins share.
SHARED = {"mjx_msk_tracking", "mujoco", "numpy"}

SOURCES = sorted(PACKAGE.rglob("*.py"))
PLUGINS = Path(__file__).parents[1] / "plugins"
PLUGIN_SOURCES = sorted(PLUGINS.rglob("*.py"))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST) -> set[str]:
    """Return the dotted names that code imports anywhere."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the floor they go to"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def on_import(tree: ast.AST) -> set[str]:
    """Return what is imported as soon as the module is: everything outside functions."""
    found = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= imports(ast.Module([node], []))
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found |= on_import(node)
    return found


def rooms_used(path: Path) -> set[str]:
    """Return the rooms that a file imports from, its own included."""
    dotted = [name.split(".") for name in imports(tree_of(path))]
    return {name[1] for name in dotted if name[0] == "mjx_msk" and len(name) > 1} & set(FLOOR_OF)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def test_every_room_has_a_floor():
    folders = {p.name for p in PACKAGE.iterdir() if any(p.glob("*.py"))}
    modules = {p.stem for p in PACKAGE.glob("*.py")} - {"__init__"}
    assert folders | modules == set(FLOOR_OF)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path):
    room = room_of(path)
    if room == "__init__":
        return  # the public face shows what it likes; what it loads is tested below
    floor = FLOOR_OF[room]
    for other in rooms_used(path) - {room}:
        level = floor in OPEN_FLOORS and FLOOR_OF[other] == floor
        assert level or FLOOR_OF[other] < floor, f"{room} ({floor}) uses {other}"


def test_no_circles():
    used: dict[str, set[str]] = {room: set() for room in FLOOR_OF}
    for path in SOURCES:
        room = room_of(path)
        if room in used:
            used[room] |= rooms_used(path) - {room}
    list(TopologicalSorter(used).static_order())  # raises CycleError


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_optional_packages_are_imported_where_they_are_needed(path):
    modules = on_import(tree_of(path))
    assert not {module.split(".")[0] for module in modules} & OPTIONAL


def test_every_plugin_has_its_hosts():
    assert {path.parent.name for path in PLUGINS.glob("*/__init__.py")} == set(HOSTS)


@pytest.mark.parametrize("path", PLUGIN_SOURCES, ids=lambda p: str(p.relative_to(PLUGINS)))
def test_plugins_know_their_hosts_and_the_public_face(path):
    tree = tree_of(path)
    plugin = path.relative_to(PLUGINS).parts[0]
    dotted = imports(tree)
    allowed = HOSTS[plugin] | SHARED | {plugin, "mjx_msk"} | sys.stdlib_module_names
    assert {name.split(".")[0] for name in dotted} <= allowed
    public = {"mjx_msk", *(f"mjx_msk.{name}" for name in mjx_msk.__all__)}
    assert {name for name in dotted if name.split(".")[0] == "mjx_msk"} <= public
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert node.value.id != "mjx_msk" or node.attr in mjx_msk.__all__, node.attr


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_package_knows_no_plugin(path):
    assert not {name.split(".")[0] for name in imports(tree_of(path))} & set(HOSTS)


@pytest.mark.parametrize("module", ["mjx_msk", "mjx_msk.cli"])
def test_import_is_light(module):
    """In a fresh interpreter, so that other tests' imports do not count."""
    code = f"import sys, {module}; print(*(m for m in {HEAVY} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
