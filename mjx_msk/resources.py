"""Where the project's data files lie, installed or in a checkout."""

from pathlib import Path

#: The model that is scaled to a person where none is given, in ``assets/``.
DEFAULT_MODEL = "rajagopal_lai_uhlrich_2023.xml"


def asset(name: str) -> Path:
    """Return the path of a file of ``assets/``; raises ``FileNotFoundError`` if it is absent."""
    package = Path(__file__).parent
    for folder in (package / "assets", package.parent / "assets"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"asset {name!r} is not installed")
