"""Which recordings a command line means, and where the results of each go."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mjx_msk.errors import MskError

#: Suffixes of the files of a folder that are estimated; a file given by name may have any.
SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mts", ".wmv", ".trc")


def recordings(sources: Sequence[Path], out: Path) -> list[tuple[Path, Path]]:
    """Return every recording behind files and folders, and the output folder of each.

    One file goes to ``out`` itself. Of several files, or of a folder, each gets a folder in ``out``
    named like it: by its stem, or where stems clash by its whole name, its folder or a number.
    Raises ``MskError`` for a folder without recordings.
    """
    found = list(dict.fromkeys(p.resolve() for s in sources for p in _inside(s)))
    given = {path.resolve(): path for source in sources for path in _inside(source)}
    if len(found) == 1 and not sources[0].is_dir():
        return [(given[found[0]], out)]
    return [(given[p], out / name) for p, name in zip(found, _names(found), strict=True)]


def _inside(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source]
    paths = sorted(
        p for p in source.iterdir()
        if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and p.is_file()
    )  # fmt: skip
    if not paths:
        raise MskError(
            "the folder holds no video and no .trc file.",
            where=str(source),
            remedy="Give a folder of recordings.",
        )
    return paths


def _names(paths: list[Path]) -> list[str]:
    """Return one folder name for each path, no two alike even where case does not count."""
    names = [p.stem for p in paths]
    for better in (lambda p: p.name, lambda p: f"{p.parent.name}_{p.name}"):
        count = Counter(name.casefold() for name in names)
        names = [
            better(p) if count[name.casefold()] > 1 else name
            for p, name in zip(paths, names, strict=True)
        ]
    taken: set[str] = set()
    unique = []
    for name in names:
        candidate, number = name, 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate.casefold())
        unique.append(candidate)
    return unique
