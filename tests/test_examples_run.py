"""Examples that estimate or simulate, run as they stand on small input.

Not run here: ``train_on_your_data.py`` and ``muscle_gradients.py``, whose least settings still
compile for a minute or more (their parts: test_train.py, test_evaluation.py, test_muscles.py); and
``export_b3d.py``, which needs an environment of its own. In the tests of their hosts:
``track_feedback.py`` (plugins), ``track_ppo.py``, ``track_playground.py`` (ppo), ``many_on_ray.py``
(cluster). The others: test_examples.py.
"""

import ctypes.util
import sys
from pathlib import Path

import pytest
import takes
from test_examples import run

TESTS = Path(__file__).parent
pytestmark = pytest.mark.skipif(
    sys.platform == "linux" and not ctypes.util.find_library("OSMesa"),
    reason="no OSMesa: apt install libosmesa6",
)


def test_markers_become_a_report(tmp_path):
    done = run("video_to_report.py", str(TESTS / "data" / "squat.trc"), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "warnings: " in done.stdout
    found = {path.name for path in (tmp_path / "out" / "squat").iterdir()}
    assert {"kinematics.mot", "kinetics.sto", "report.html", "replay.mp4", "curves.png"} <= found


@pytest.mark.parametrize("actuation", ["torque", "muscle"])
def test_a_walker_in_dm_control_starts_as_its_reference(tmp_path, actuation):
    pytest.importorskip("dm_control", reason="pip install 'mjx-msk[dm_control]'")
    takes.save(takes.walk(45), tmp_path / "demo")
    done = run("track_dm_control.py", "--actuation", actuation, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    first = {line.split(":")[0]: float(line.split()[-1]) for line in lines[:2]}
    assert first["as_estimated"] > first["at_random"] >= 0
    assert (tmp_path / "dm_control.png").stat().st_size > 10_000
