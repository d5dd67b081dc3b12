"""Engines: the one without a cluster, how they are found, the summary."""

import csv
from contextlib import contextmanager
from importlib.metadata import EntryPoint

import pytest

from mjx_msk import engines
from mjx_msk.engines import DONE, FAILED, KEPT, Here, Outcome, Task, find_engine, run_all
from mjx_msk.errors import MskError


def halve(number, on_stage):
    on_stage("halving", 0, 0)
    if number % 2:
        raise MskError("is odd.", where=str(number))
    return (KEPT, None) if number == 0 else (DONE, number // 2)


def test_here_one_task_after_another():
    shown, heard = [], []

    @contextmanager
    def progress(title):
        yield lambda label, *_: shown.append(f"{title}: {label}")

    tasks = [Task(f"t{n}", (n,)) for n in (4, 3, 0)]
    outcomes = run_all(Here(), halve, tasks, heard.append, progress)
    assert [(o.name, o.state) for o in outcomes] == [("t4", DONE), ("t3", FAILED), ("t0", KEPT)]
    assert [o.value for o in heard] == [2, None, None]
    assert [o.value for o in outcomes] == [None, None, None]
    assert str(outcomes[1].why) == "3: is odd."
    assert shown[:3] == ["t4: 1 of 3", "t4: halving", "t3: 2 of 3"]


def test_an_engine_that_is_not_there(monkeypatch):
    with pytest.raises(MskError, match=r"no engine 'abacus'; there are: here.*mjx-msk.abacus"):
        find_engine("abacus")
    with pytest.raises(MskError, match="without an engine"):
        find_engine("here", address="auto")
    point = EntryPoint("abacus", "beads_that_nobody_has:Engine", engines.GROUP)
    monkeypatch.setattr(engines, "entry_points", lambda group: [point])
    with pytest.raises(
        MskError, match=r"'beads_that_nobody_has'.* pip install 'mjx-msk\[abacus\]'"
    ):
        find_engine("abacus")


def test_the_summary_is_a_table(tmp_path):
    why = MskError('says "no",\nthen nothing.', where="b.trc")
    outcomes = [Outcome("a.trc", DONE, 1.26, "host/7"), Outcome("b.trc", FAILED, 0.0, "", why=why)]
    engines.write_summary(outcomes, tmp_path / "summary.csv")
    with open(tmp_path / "summary.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"recording": "a.trc", "state": "done", "seconds": "1.3", "worker": "host/7", "why": ""},
        {"recording": "b.trc", "state": "failed", "seconds": "0.0", "worker": "", "why": str(why)},
    ]
