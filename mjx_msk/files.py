"""Writing files so that a half-written one never carries the final name."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mjx_msk.errors import MskError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` if the block succeeds.

    The temporary name keeps the suffix of ``path``, because encoders choose by suffix.
    Raises ``MskError`` when the folder cannot be written or the disk is full.
    """
    final = Path(path)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=final.parent, prefix=f".{final.stem}-", suffix=final.suffix
        )
    except OSError as error:
        raise _write_error(final, error) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(final)
    except OSError as error:
        raise _write_error(final, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def publish(folder: Path, final: Path, *, last: str) -> None:
    """Move the finished files of ``folder`` into ``final``; ``last`` goes last.

    Whoever finds ``last`` in ``final`` finds the others complete. Raises ``MskError``.
    """
    try:
        for path in sorted(folder.iterdir(), key=lambda p: p.name == last):
            path.replace(final / path.name)
    except OSError as error:
        raise _write_error(final, error) from error


def _write_error(path: Path, error: OSError) -> MskError:
    return MskError(
        f"cannot write this file: {error.strerror or error}.",
        where=str(path),
        remedy="Choose another folder with -o, or free some disk space.",
    )
