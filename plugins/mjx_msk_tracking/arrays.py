"""One text for numpy arrays and for JAX arrays, traced or not."""

from types import ModuleType
from typing import Any

import numpy as np

#: A numpy or a JAX array: the latter's package is not needed here.
Array = Any


def namespace(values: Array) -> ModuleType:
    """Return ``numpy``, or the namespace that a JAX array says is its own."""
    return values.__array_namespace__() if hasattr(values, "__array_namespace__") else np


def put(values: Array, where: np.ndarray | int, new: Array) -> Array:
    """Return ``values`` (..., n) with ``new`` at the places ``where`` of the last axis."""
    if namespace(values) is not np:
        return values.at[..., where].set(new)
    values = values.copy()
    values[..., where] = new
    return values
