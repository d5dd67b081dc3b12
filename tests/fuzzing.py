"""Compile damaged copies of a model in another process, which a crash of OpenSim ends.

Run as a script it takes the model, the file of results, how to damage, first and last + 1 of the
seeds. Each result is a line: seed, kind of damage, "model", "refused" or "mistake", what was said.
"""

import faulthandler
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from unittest.mock import patch

import mujoco
import mutations

from mjx_msk.compile import compile_osim, complaints, notes, reader, rehearsal
from mjx_msk.errors import MskError

HANG = 60  #: s, for one copy


def results_of(
    model: Path, folder: Path, how: str, count: int, budget: float
) -> list[tuple[int, str, str, str]]:
    """Return the result of every copy; its outcome is "crash" where the process ended.

    ``how`` is the name of a function of ``mutations``. After ``budget`` s no process is begun.
    """
    results, found = folder / "results.jsonl", []
    end = time.monotonic() + budget
    while len(found) < count and time.monotonic() < end:
        subprocess.run(
            [sys.executable, __file__, model, results, how, str(len(found)), str(count)],
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


def compiled_here(path: Path) -> mujoco.MjSpec:
    """Compile as ``compile_osim`` does, without another process."""
    sources = []

    def rehearsed(path: Path, **_: object) -> dict[str, str]:
        with rehearsal.listening() as said:
            sources.append(read_model(path, poses=20))  # what breaks at many poses breaks at few
            return complaints.warnings_in(said())

    read_model = reader.read_model
    with (
        patch.object(reader, "rehearsed", rehearsed),
        patch.object(reader, "read_model", lambda *_, **__: sources[0]),
    ):
        return compile_osim(path)


def main() -> None:
    """Write one line per seed."""
    warnings.simplefilter("error")
    model, results, how, first, end = sys.argv[1:]
    text = Path(model).read_text(encoding="utf-8")
    path = Path(results).with_suffix(".osim")
    with open(results, "a", encoding="utf-8") as file:
        for seed in range(int(first), int(end)):
            kind, content = getattr(mutations, how)(text, seed)
            path.write_bytes(content)
            faulthandler.dump_traceback_later(HANG, exit=True)
            try:
                outcome = "model", "; ".join(notes(compiled_here(path)))
            except MskError as error:
                outcome = "refused", str(error)
            except Exception as error:
                outcome = "mistake", f"{type(error).__name__}: {error}"
            faulthandler.cancel_dump_traceback_later()
            file.write(json.dumps([seed, kind, *outcome]) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
