"""Writing files so that a half-written one never carries the final name."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
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


@contextmanager
def writable_folder(folder: Path) -> Iterator[None]:
    """Make a folder for the block; if the block fails, remove what was made and is empty.

    Raises ``MskError`` when the folder cannot be made or written.
    """
    made = [p for p in (folder, *folder.parents) if not p.exists()]
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise _write_error(folder, error) from error
        yield
    except BaseException:
        for path in made:
            with suppress(OSError):  # not empty: somebody else uses it
                path.rmdir()
        raise


def publish(folder: Path, final: Path, names: Sequence[str]) -> None:
    """Move the finished files ``names`` of ``folder`` into ``final``, in this order.

    What ``final`` has of them from before goes, also where ``folder`` has no successor; the last
    one goes first, so that whoever finds it finds all the others of the same run. Raises
    ``MskError``.
    """
    try:
        (final / names[-1]).unlink(missing_ok=True)
        for name in names:
            if (folder / name).exists():
                (folder / name).replace(final / name)
            else:
                (final / name).unlink(missing_ok=True)
    except OSError as error:
        raise _write_error(final, error) from error


def _write_error(path: Path, error: OSError) -> MskError:
    return MskError(
        f"cannot write here: {error.strerror or error}.",
        where=str(path),
        remedy="Choose another folder with -o, or free some disk space.",
    )
