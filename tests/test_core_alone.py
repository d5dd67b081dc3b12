"""The package without extras: what nobody but an extra or a plugin brings is not to be found."""

import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mjx_msk

PACKAGE = Path(mjx_msk.__file__).parent
PLUGINS = {p.parent.name for p in Path(__file__).parents[1].glob("plugins/*/__init__.py")}
#: Hides packages from every way of finding them, as if they were not installed.
HIDE = """
import importlib, sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            return None
        return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

hidden = set(sys.argv.pop(1).split())
sys.meta_path[:] = map(Without, sys.meta_path)
"""
IMPORT = HIDE + "for name in sys.argv[1:]: importlib.import_module(name)"
RUN = HIDE + "from mjx_msk.cli import main; main()"


def core_distributions() -> set[str]:
    """Return what ``pip install mjx-msk`` brings, by the metadata of what is installed."""
    found: set[tuple[str, str]] = set()
    waiting = [Requirement("mjx-msk")]
    while waiting:
        wanted = waiting.pop()
        for extra in ("", *wanted.extras):
            this = canonicalize_name(wanted.name), extra
            if this in found:
                continue
            found.add(this)
            needs = map(Requirement, requires(wanted.name) or ())
            waiting += [r for r in needs if r.marker is None or r.marker.evaluate({"extra": extra})]
    return {name for name, _ in found}


@pytest.fixture(scope="module")
def extras() -> set[str]:
    """Return the installed modules that the core does not bring."""
    core = core_distributions()
    return {
        module
        for module, brought_by in packages_distributions().items()
        if not core & {canonicalize_name(name) for name in brought_by}
    }


def python(code: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_hidden_are_the_extras_and_not_the_core(extras):
    assert {"pytest", "gymnasium", "h5py", "pygltflib", "pyarrow"} <= extras
    assert not extras & {"jax", "mujoco", "flax", "cv2", "mediapipe", "mjx_msk"}
    assert {"mjx_msk_gym", "mjx_msk_tracking"} <= PLUGINS
    code = HIDE + "import pytest"
    done = subprocess.run([sys.executable, "-c", code, "pytest"], capture_output=True, text=True)
    assert "ModuleNotFoundError: No module named 'pytest'" in done.stderr


def test_every_module_is_imported_without_extras_and_plugins(extras):
    files = [p.relative_to(PACKAGE.parent).with_suffix("") for p in PACKAGE.rglob("*.py")]
    modules = sorted(".".join(f.parts).removesuffix(".__init__") for f in files)
    modules = [m for m in modules if not m.endswith("__main__")]  # runs the command line
    assert len(modules) > 100
    python(IMPORT, " ".join(extras | PLUGINS), *modules)


def test_the_command_line_starts_without_extras(extras):
    """Plugins are there, in the same wheel, and offer their commands; their hosts are not."""
    assert "estimate" in python(RUN, " ".join(extras), "--help")
