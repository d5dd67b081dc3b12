"""Where the project's data files lie, installed or in a checkout."""

from pathlib import Path


def asset(name: str) -> Path:
    """Return the path of a file of ``assets/``; raises ``FileNotFoundError`` if it is absent."""
    package = Path(__file__).parent
    for folder in (package / "assets", package.parent / "assets"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"asset {name!r} is not installed")
