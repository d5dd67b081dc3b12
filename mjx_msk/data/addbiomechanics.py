"""AddBiomechanics' ``.b3d`` files, which are exported before they are used.

Werling et al. (2023), PLoS ONE 18:e0295152. Only ``nimblephysics`` reads the format, and its last
release (0.10.52, 2024) is built against numpy 1: beside the numpy 2 of this package the first
array that it is given ends the process. ``examples/export_b3d.py`` runs in an environment of its
own and writes what the loader ``folder`` reads.
"""

from pathlib import Path
from typing import NoReturn

from mjx_msk.errors import MskError


def list_addbiomechanics(root: Path) -> NoReturn:
    """Say how the files of a folder become trials; raises ``MskError``."""
    files = sorted(root.rglob("*.b3d"))
    if not files:
        raise MskError(
            "the folder holds no .b3d file.",
            where=str(root),
            remedy="Give exported .osim, .mot and .trc files as the data set 'folder'.",
        )
    raise MskError(
        f".b3d files ({len(files)} of them) are not read directly: the only library that reads "
        "them needs numpy 1.",
        where=str(root),
        remedy="Export them with examples/export_b3d.py in an environment with "
        "'numpy<2' and nimblephysics (docs/datasets.md says how), then give the result as the "
        "data set 'folder'.",
    )
