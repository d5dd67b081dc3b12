"""The few names of numpy that a pickle of plain data holds, and what each stands for.

Nothing of numpy's own reconstruction is called: an array is made here of its bytes, its type and
its shape, after all three were checked against each other. The layout of the states is that of
``numpy.ndarray.__reduce__`` and ``numpy.dtype.__reduce__``.
"""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

OBJECT = np.dtype(object)
#: Booleans, integers, floats, complex numbers, bytes, text; objects only as lists of these.
_PLAIN = re.compile(r"[<>|=]?([?biufcSU]\d+|\?|O8?)")
#: numpy 1 and numpy 2.
_ARRAYS = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC = ("numpy.core.numeric", "numpy._core.numeric")
#: No array has a longer side.
_LONGEST = 1 << 40


class RefusedError(Exception):
    """The pickle asks for something that this machine does not do."""


class Name:
    """One of the few globals that are known, standing for what is done here when it is called."""

    def __init__(self, call: Callable[..., Any] | None) -> None:
        self.call = call


class Unbuilt:
    """An array or its type between its creation and its state."""

    def __init__(self, build: Callable[[tuple], Any]) -> None:
        self.build = build
        self.places: list[int] = []  #: where in the memo it is


def known(module: Any, name: Any) -> Name:
    """Return what a global stands for; everything that is not in this table is refused."""
    if name == "ndarray" and module == "numpy":
        return _NDARRAY
    if name == "dtype" and module == "numpy":
        return Name(_new_dtype)
    if name == "_reconstruct" and module in _ARRAYS:
        return Name(_new_array)
    if name == "scalar" and module in _ARRAYS:
        return Name(_scalar)
    if name == "_frombuffer" and module in _NUMERIC:
        return Name(_from_buffer)
    if name == "encode" and module == "_codecs":  # how protocol 2 writes bytes
        return Name(_latin1)
    raise RefusedError(f"the name {module}.{name}"[:80])


_NDARRAY = Name(None)


def _latin1(text: Any, encoding: Any) -> bytes:
    if type(text) is not str or encoding != "latin1":
        raise RefusedError("an encoding")
    return text.encode("latin1")


def _new_dtype(code: Any, *_: Any) -> Unbuilt:
    if type(code) is not str or not _PLAIN.fullmatch(code):
        raise RefusedError(f"a type of numpy ({code!r:.40})")
    kind = np.dtype(code)

    def build(state: tuple) -> np.dtype:
        # version, byte order, and what only types with parts have
        if len(state) != 8 or state[1] not in ("<", ">", "|", "=") or state[2:5] != (None,) * 3:
            raise RefusedError("a type of numpy with parts")
        return kind if state[1] == "|" else kind.newbyteorder(state[1])

    return Unbuilt(build)


def _new_array(kind: Any, shape: Any, code: Any) -> Unbuilt:
    if kind is not _NDARRAY or shape != (0,):
        raise RefusedError("an array of another kind")

    def build(state: tuple) -> np.ndarray:
        _, shape, dtype, fortran, data = state
        return _array(data, dtype, shape, "F" if fortran else "C")

    return Unbuilt(build)


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any, *_: Any) -> np.ndarray:
    if order not in ("C", "F"):
        raise RefusedError("an order of an array")
    return _array(data, dtype, shape, order)


def _scalar(dtype: Any, data: Any) -> Any:
    return _array(data, dtype, (), "C")[()]


def _array(data: Any, dtype: Any, shape: Any, order: str) -> np.ndarray:
    """Return an array of a type and shape whose data are all there."""
    if not isinstance(dtype, np.dtype):
        raise ValueError("an array has no type")
    if type(shape) is not tuple or not all(type(n) is int and 0 <= n <= _LONGEST for n in shape):
        raise ValueError("an array has no shape")
    count = math.prod(shape)
    if dtype == OBJECT:
        if type(data) is not list or len(data) != count:
            raise ValueError("the objects of an array are not all there")
        objects = np.empty(count, dtype=object)
        for place, value in enumerate(data):
            objects[place] = value
        return objects.reshape(shape, order=order)  # type: ignore[call-overload]
    if type(data) not in (bytes, bytearray) or len(data) != count * dtype.itemsize:
        raise ValueError("the data of an array are not all there")
    native = dtype.newbyteorder("=")
    if not data:
        return np.empty(shape, native)
    values = np.frombuffer(data, dtype).astype(native)  # a copy: the buffer is read-only
    return values.reshape(shape, order=order)  # type: ignore[call-overload]
