"""Files that a test can only fetch; without the package index it skips and says so."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mjx_msk.errors import MskError


def fetched(get: Callable[[], Path]) -> Path:
    """Return what ``get`` fetches; skip where it cannot be (in CI a skip is a failure)."""
    try:
        return get()
    except MskError as error:
        pytest.skip(f"cannot be fetched: {error}")
