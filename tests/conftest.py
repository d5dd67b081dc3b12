"""Fixtures shared by all tests."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real reference data; skip where it is absent."""
    if not (SHARED_DATA / "manifest.csv").is_file():
        pytest.skip(f"the reference data are not at {SHARED_DATA}")
    return SHARED_DATA
