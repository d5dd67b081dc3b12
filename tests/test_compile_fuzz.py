"""Thousands of damaged model files: each becomes a model that loads, or one clear error.

The files are compiled in another process. Where OpenSim takes that one down, or never comes back,
the compiler itself must find out in time.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import fuzz_worker
import osim_arm
import pytest

from mjx_msk.compile import compile_osim, rehearsal
from mjx_msk.errors import MskError

pytest.importorskip("opensim")

#: Model and number of damaged copies; a budget in s for each, for a machine that is very slow.
FILES = {"arm": 700, "double_pendulum": 450, "Tug_of_War_Millard": 450, "arm26": 400}
BUDGET = 150


def results_of(model: Path, folder: Path, count: int) -> list[tuple[int, str, str, str]]:
    """Return seed, damage, outcome and words of every copy; "crash" where the process ended."""
    results, found = folder / "results.jsonl", []
    end = time.monotonic() + BUDGET
    while len(found) < count and time.monotonic() < end:
        subprocess.run(
            [sys.executable, fuzz_worker.__file__, model, results, str(len(found)), str(count)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            check=False,
        )
        found = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
        if len(found) < count:
            found.append([len(found), "", "crash", ""])
            results.write_text("".join(json.dumps(line) + "\n" for line in found), encoding="utf-8")
    return [tuple(line) for line in found]


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_become_models_or_errors(name, request, tmp_path, monkeypatch):
    model = tmp_path / "arm.osim"
    if name == "arm":
        model.write_text(osim_arm.version_4(), encoding="utf-8")
    else:
        model = request.getfixturevalue("shared_data") / f"models/{name}.osim"
    results = results_of(model, tmp_path, FILES[name])
    outcomes = Counter(outcome for _, _, outcome, _ in results)
    print(name, dict(outcomes))
    assert [result for result in results if result[2] == "mistake"] == []
    # Damage that only ever breaks a file, or never does, would show nothing.
    assert outcomes["model"] > len(results) / 10
    assert outcomes["refused"] > len(results) / 10
    monkeypatch.setattr(rehearsal, "TIME_LIMIT", 20.0)
    for seed, _, outcome, _ in results:
        if outcome == "crash":
            path = fuzz_worker.damaged(model, seed, tmp_path / "crash.osim")
            with pytest.raises(MskError, match="OpenSim (crashes|does not come to an end)"):
                compile_osim(path)
