"""Thousands of damaged model files: each becomes a model that loads, or one clear error.

They are compiled in another process. Where OpenSim takes that one down, or never comes back, the
compiler itself must find out in time.
"""

from collections import Counter
from contextlib import suppress

import mutations
import osim_arm
import pytest
from fuzzing import results_of

from mjx_msk.compile import compile_osim, rehearsal
from mjx_msk.errors import MskError

pytest.importorskip("opensim")

#: Model and number of damaged copies.
FILES = {"arm": 550, "double_pendulum": 800, "Tug_of_War_Millard": 600, "arm26": 100}
BUDGET = 150  #: s for each model, on a machine that is very slow


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_become_models_or_errors(name, request, tmp_path, monkeypatch):
    model = tmp_path / "arm.osim"
    if name == "arm":
        model.write_text(osim_arm.version_4(), encoding="utf-8")
    else:
        model = request.getfixturevalue("shared_data") / f"models/{name}.osim"
    results = results_of(model, tmp_path, "seeded", FILES[name], BUDGET)
    outcomes = Counter(outcome for _, _, outcome, _ in results)
    assert [result for result in results if result[2] == "mistake"] == []
    # Damage that only ever breaks a file, or never does, would show nothing.
    assert outcomes["model"] > len(results) / 10
    assert outcomes["refused"] > len(results) / 10
    monkeypatch.setattr(rehearsal, "TIME_LIMIT", 20.0)
    text = model.read_text(encoding="utf-8")
    for seed, _, outcome, _ in results:
        if outcome == "crash":
            path = tmp_path / "crash.osim"
            path.write_bytes(mutations.seeded(text, seed)[1])
            with suppress(MskError):  # and nothing else, least of all the end of this process
                compile_osim(path)


def test_no_value_is_lost_in_silence(tmp_path):
    """Words for values, misspelt elements, undefined numbers: each is refused or noted."""
    model = tmp_path / "arm.osim"
    model.write_text(osim_arm.version_4(), encoding="utf-8")
    count = mutations.number_of_values(osim_arm.version_4())
    assert count > 150
    results = results_of(model, tmp_path, "one_value", count, BUDGET)
    assert len(results) == count
    silent = [r for r in results if r[2] == "mistake" or (r[2] == "model" and not r[3])]
    assert silent == []
    assert [r for r in results if r[2] == "model" and r[1].startswith("undefined")] == []
