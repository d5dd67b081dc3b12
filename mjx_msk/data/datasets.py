"""Every data set behind one interface: a list of trials, each read when it is wanted.

A module ``mjx_msk.data.NAME`` reads the data set NAME and has a function ``list_NAME(root)``; what
it expects in the folder, and where to get it, is in docs/datasets.md.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from mjx_msk.data.listing import Listed
from mjx_msk.data.trial import Trial
from mjx_msk.errors import MskError

#: ``folder`` is any folder of plain ``.trc``, ``.mot`` and ``.osim`` files.
NAMES = ("opencap", "movi", "bedlam", "addbiomechanics", "folder")
#: Data sets whose trials several cameras saw at once.
SEVERAL_VIEWS = ("opencap", "movi")


def list_trials(dataset: str, root: Path, *, views: bool = False) -> list[Listed]:
    """Return every trial of a data set in a folder, in an order that does not change.

    With ``views``, a trial that several cameras saw is listed once for each of them, with its
    camera and video. Raises ``MskError`` for a name that is none of ``NAMES``, and for a folder
    that is missing or does not hold the data set.
    """
    if dataset not in NAMES:
        raise MskError(f"no data set is called {dataset!r}.", remedy=f"Give one of {NAMES}.")
    if not root.is_dir():
        raise MskError("no such folder.", where=str(root), remedy="Give the data set's folder.")
    lister = getattr(import_module(f"mjx_msk.data.{dataset}"), f"list_{dataset}")
    found: list[Listed] = lister(root, views=True) if views and dataset in SEVERAL_VIEWS else (
        lister(root)
    )  # fmt: skip
    return found


def load(
    dataset: str,
    root: Path,
    *,
    views: bool = False,
    on_error: Callable[[str, MskError], None] | None = None,
) -> Iterator[Trial]:
    """Yield the trials of a data set; one that cannot be read stops no other.

    ``on_error`` hears the name of such a trial and what is wrong; without it the first one
    raises. Raises ``MskError`` as ``list_trials`` does.
    """
    for listed in list_trials(dataset, root, views=views):
        try:
            trial = listed.read()
        except MskError as error:
            if on_error is None:
                raise
            on_error(listed.name, error)
            continue
        yield trial
