"""What a data set offers, before anything of it is read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mjx_msk.cache import file_sha256
from mjx_msk.data.trial import Trial
from mjx_msk.errors import MskError


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One trial that a folder offers: a loader lists many, and whoever wants one reads it.

    So a trial that cannot be read stops no other, and one whose files have not changed need not be
    read again.
    """

    dataset: str
    name: str  #: unique in its data set
    files: tuple[Path, ...]  #: everything that ``read`` depends on
    read: Callable[[], Trial]  #: raises ``MskError``

    def hashes(self) -> dict[str, str]:
        """Return the sha256 of each file by its name; raises ``MskError`` for one not readable."""
        try:
            return {path.name: file_sha256(path) for path in self.files}
        except OSError as error:
            raise MskError(
                f"cannot be read: {error.strerror or error}.",
                where=str(error.filename),
                remedy="Check the file.",
            ) from error
