"""Reading a model in another process first, to learn what OpenSim makes of it.

On some broken files OpenSim crashes or never comes back. There it takes another process with it,
not the user's; and what it prints, and the log files that it writes, end there as well.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mjx_msk.compile.complaints import warnings_in
from mjx_msk.errors import MskError

TIME_LIMIT = 300.0  #: s; a full body takes 2
_CHILD = "from mjx_msk.compile import reader, rehearsal; rehearsal.rehearse(reader.read_model)"
_EXCEPTION = 1  #: exit code of Python after an exception that nobody caught


def rehearsed(path: Path, **choices: Any) -> dict[str, str]:
    """Return OpenSim's warnings (place -> text) while another process reads a model.

    ``choices`` go to ``reader.read_model`` there, as JSON. Raises ``MskError`` for what it raises,
    for values that OpenSim replaces by defaults, and when it crashes or takes longer than
    ``TIME_LIMIT``.
    """
    with tempfile.TemporaryDirectory(prefix="mjx-msk-") as folder:
        result = Path(folder, "result.json")
        process = subprocess.Popen(
            [sys.executable, "-c", _CHILD, path.absolute(), result, json.dumps(choices)],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            import opensim  # noqa: F401  both need a second for it, so at the same time

            code = process.wait(TIME_LIMIT)
        except subprocess.TimeoutExpired as error:
            raise _defeated(f"does not come to an end within {TIME_LIMIT:.0f} s") from error
        finally:
            process.kill()
            process.wait()
        if code == 0:
            found = json.loads(result.read_text(encoding="utf-8"))
            warnings = warnings_in(found["said"])  # often names the cause of the error
            if found["error"] is not None:
                what, remedy = found["error"]
                raise MskError(what, remedy=remedy)
            return warnings
    if code == _EXCEPTION:
        return {}  # a mistake of ours, which reading the model here will bring to light
    raise _defeated(f"crashes (exit code {code})")


def rehearse(read: Callable[..., Any]) -> None:
    """Read a model as ``rehearsed`` asks by the arguments: model, result file, choices."""
    path, result, choices = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    error = None
    with listening() as said:
        try:
            read(path, **choices)
        except MskError as problem:
            error = (problem.what, problem.remedy)
        result.write_text(json.dumps({"error": error, "said": said()}), encoding="utf-8")
    os._exit(0)  # some models crash OpenSim only when they are taken down


@contextmanager
def listening() -> Iterator[Callable[[], str]]:
    """Let OpenSim speak, on the terminal too, and yield a function that returns what it said."""
    import opensim

    sink = opensim.StringLogSink()
    level = opensim.Logger.getLevelString()
    opensim.Logger.removeFileSink()
    opensim.Logger.addSink(sink)
    opensim.Logger.setLevelString("Warn")
    try:
        yield sink.getString
    finally:
        opensim.Logger.removeSink(sink)
        opensim.Logger.setLevelString(level)


def _defeated(how: str) -> MskError:
    return MskError(
        f"OpenSim {how} on this model.", remedy="Open it in OpenSim and repair or simplify it."
    )
