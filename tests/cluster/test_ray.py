"""Tasks on a real local Ray cluster of three workers, one of which dies at its work."""

import os
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from mjx_msk.engines import DONE, FAILED, KEPT, Task, find_engine, run_all
from mjx_msk.errors import MskError

pytest.importorskip("ray", reason="Ray is not installed: pip install 'mjx-msk[ray]'")

WORKERS = 3
BAD, DEADLY, BUGGY, DOOMED = 2, 4, 6, 7
NAMES = [f"t{i}" for i in range(9)]


def stamp(folder, number, on_stage):
    """Write a file once; one number is bad, one kills its process once, and one every time."""
    path = Path(folder) / f"{number}.txt"  # a relative folder: of the user's working directory
    if path.exists():
        return KEPT, None
    time.sleep(0.3)
    with open(Path(folder) / f"tries-{number}", "a") as file:
        file.write("x")
    tries = (Path(folder) / f"tries-{number}").stat().st_size
    if number == BAD:
        raise MskError("is bad.", where=f"task {number}")
    if number == BUGGY:
        raise ZeroDivisionError("a bug")
    if number == DOOMED or (number == DEADLY and tries == 1):
        os._exit(1)
    path.write_text("done")
    return DONE, number**2


@pytest.fixture(scope="module")
def engine():
    """Use a cluster of three cores from the first task to the last."""
    import ray

    found = find_engine("ray", workers=WORKERS)
    here = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(here))  # workers import `stamp` from here
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(address="local", num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
        yield found
        ray.shutdown()


@contextmanager
def silent(title):
    yield lambda *_: None


def test_a_worker_dies_and_the_work_is_done(engine, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    tasks = [Task(name, ("out", i)) for i, name in enumerate(NAMES)]
    heard = {}
    outcomes = run_all(engine, stamp, tasks, lambda o: heard.setdefault(o.name, o.value), silent)
    by_name = {o.name: o for o in outcomes}
    assert sorted(by_name) == NAMES
    failed = {name for name, one in by_name.items() if one.state == FAILED}
    assert failed == {f"t{BAD}", f"t{BUGGY}", f"t{DOOMED}"}, [str(o.why) for o in outcomes]
    assert {heard[n] for n in NAMES if n not in failed} == {0, 1, 9, 16, 25, 64}
    assert str(by_name[f"t{BAD}"].why) == f"task {BAD}: is bad."
    assert "ZeroDivisionError: a bug" in str(by_name[f"t{BUGGY}"].why)
    tries = {i: (tmp_path / "out" / f"tries-{i}").stat().st_size for i in range(len(NAMES))}
    assert (tries[0], tries[DEADLY], tries[DOOMED]) == (1, 2, 3)
    assert len({one.worker for one in outcomes if one.state == DONE}) > 1

    again = run_all(engine, stamp, tasks, lambda o: None, silent)
    assert {o.name for o in again if o.state == KEPT} == set(NAMES) - failed


def test_an_interruption_cancels_what_runs(engine, tmp_path):
    def stop(outcome):
        raise KeyboardInterrupt

    tasks = [Task(f"t{i}", (str(tmp_path), 100 + i)) for i in range(50)]
    with pytest.raises(KeyboardInterrupt):
        engine.run(stamp, tasks, stop, silent)
    begun = len(list(tmp_path.glob("tries-*")))
    time.sleep(1.0)
    assert len(list(tmp_path.glob("tries-*"))) == begun < len(tasks)
