"""Compile damaged copies of a model one after the other; a crash ends this process.

Arguments: the model, the file of results, first and last + 1 of the seeds. Each result is a line:
seed, kind of damage, "model" or "refused" or "mistake", and what was said.
"""

import faulthandler
import json
import random
import sys
import warnings
from pathlib import Path
from unittest.mock import patch

import mutations

from mjx_msk.compile import compile_osim, notes, paths, reader, rehearsal
from mjx_msk.errors import MskError

HANG = 20  #: s, for one copy


def compiled_here(path: Path) -> list[str]:
    """Compile as ``compile_osim`` does, without another process; return what the model notes."""
    sources = []

    def rehearsed(path: Path) -> str:
        with rehearsal.listening() as said:
            sources.append(read_model(path))
            return said()

    read_model = reader.read_model
    with (
        patch.object(reader, "rehearsed", rehearsed),
        patch.object(reader, "read_model", lambda _: sources[0]),
    ):
        return notes(compile_osim(path))


def damaged(model: Path, seed: int, path: Path) -> Path:
    """Write the copy of a model that a seed damages."""
    path.write_bytes(mutations.mutated(model.read_text(encoding="utf-8"), random.Random(seed))[1])
    return path


def main() -> None:
    """Write one line per seed."""
    warnings.simplefilter("error")
    paths.POSES = 20  # what is sampled at many poses breaks at few
    model, results, first, end = sys.argv[1:]
    text = Path(model).read_text(encoding="utf-8")
    path = Path(results).with_suffix(".osim")
    with open(results, "a", encoding="utf-8") as file:
        for seed in range(int(first), int(end)):
            kind, content = mutations.mutated(text, random.Random(seed))
            path.write_bytes(content)
            faulthandler.dump_traceback_later(HANG, exit=True)
            try:
                outcome = "model", "; ".join(compiled_here(path))
            except MskError as error:
                outcome = "refused", str(error)
            except Exception as error:
                outcome = "mistake", f"{type(error).__name__}: {error}"
            faulthandler.cancel_dump_traceback_later()
            file.write(json.dumps([seed, kind, *outcome]) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
