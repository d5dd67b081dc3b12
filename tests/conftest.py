"""Fixtures shared by all tests."""

from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
import small_model
from walking import Body, subject

from mjx_msk.fit.subject import generic_spec
from mjx_msk.model import Model

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real reference data; skip where it is absent."""
    if not (SHARED_DATA / "manifest.csv").is_file():
        pytest.skip(f"the reference data are not at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="module")
def float64() -> Iterator[None]:
    """Let JAX keep double precision in a module: ``pytest.mark.usefixtures("float64")``."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module", params=[False, True], ids=["float32", "float64"])
def precision(request: pytest.FixtureRequest) -> Iterator[type]:
    """Return the type of numbers that a module is run with, one after the other."""
    with jax.enable_x64(request.param):
        yield np.float64 if request.param else np.float32


@pytest.fixture(scope="module")
def model() -> Model:
    """Return the small model; a module that uses ``float64`` has it in double precision."""
    return Model.from_spec(small_model.spec())


@pytest.fixture(scope="session")
def generic() -> Model:
    """Return the default model in its own size, in single precision."""
    with jax.enable_x64(False):
        return Model.from_spec(generic_spec())


@pytest.fixture(scope="session")
def body(generic) -> Body:
    """Return the made person of ``walking``, in the C engine."""
    return Body(subject(), generic.layout.coordinate_names)
