"""Reading the few pickles that data sets publish, without unpickling anything.

A pickle is a program for a small stack machine, and Python's own machine imports and calls
whatever the program names. This one knows numbers, text, lists, tuples, dictionaries and numpy's
plain arrays, and nothing that runs code: a name is looked up in a short table, and what it stands
for is carried out in ``pickled_arrays``. The opcodes are those of ``pickletools``.
"""

import os
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from mjx_msk.data.pickled_arrays import OBJECT, Name, RefusedError, Unbuilt, known
from mjx_msk.errors import MskError

#: Opcodes whose argument is the value.
_VALUES = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
    "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
}  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}


def read_pickle(path: str | os.PathLike[str], *, max_bytes: int = 1 << 20) -> Any:
    """Return what a pickle file describes, if it is plain data.

    Raises ``MskError`` for a file that is missing, larger than ``max_bytes``, damaged, or that
    names anything else than numpy's plain arrays and numbers.
    """
    where = str(path)
    try:
        size = Path(path).stat().st_size
        if size > max_bytes:
            raise MskError(
                f"has {size} bytes; at most {max_bytes} are expected of such a file.",
                where=where,
                remedy="Check that it is the file that the data set published.",
            )
        content = Path(path).read_bytes()
    except OSError as error:
        raise MskError(
            f"cannot be read ({error.strerror}).", where=where, remedy="Check the name."
        ) from error
    return plain_data(content, where)


def plain_data(content: bytes, where: str) -> Any:
    """Return what the bytes of a pickle describe; raises ``MskError`` as ``read_pickle`` does."""
    try:
        result = _Machine().run(content)
        _check_plain(result)
    except RefusedError as error:
        raise MskError(
            f"this pickle holds more than plain numbers and text ({error}); it was not opened.",
            where=where,
            remedy="Use the file that the data set published.",
        ) from error
    # what pickletools, numpy and the stack raise on damaged files
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, MemoryError) as error:
        raise MskError(
            f"this is no readable pickle ({error}).",
            where=where,
            remedy="Copy it again from the data set.",
        ) from error
    return result


class _Mark:
    """The bottom of a list on the stack."""


class _Machine:
    """The stack machine: a stack, a memo, and no way out of either."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, content: bytes) -> Any:
        """Carry out a pickle; the last value on the stack is the result."""
        for opcode, argument, _ in pickletools.genops(content):
            name = opcode.name
            if name in _VALUES:
                self.stack.append(argument)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name == "STOP":
                if len(self.stack) != 1:
                    raise ValueError("it ends with a stack of more than its result")
                return self.stack[0]
            elif name not in ("PROTO", "FRAME"):
                action = getattr(self, f"_{name.lower()}", None)
                if action is None:
                    raise RefusedError(f"opcode {name}")
                action(argument)
        raise ValueError("it has no end")

    def _above_mark(self) -> list[Any]:
        """Pop everything above the last mark, and the mark."""
        above: list[Any] = []
        while self.stack:
            value = self.stack.pop()
            if type(value) is _Mark:
                return above[::-1]
            above.append(value)
        raise ValueError("it has no mark")

    def _mark(self, _: None) -> None:
        self.stack.append(_Mark())

    def _pop(self, _: None) -> None:
        self.stack.pop()

    def _pop_mark(self, _: None) -> None:
        self._above_mark()

    def _empty_list(self, _: None) -> None:
        self.stack.append([])

    def _list(self, _: None) -> None:
        self.stack.append(self._above_mark())

    def _append(self, _: None) -> None:
        value = self.stack.pop()
        self._top(list).append(value)

    def _appends(self, _: None) -> None:
        values = self._above_mark()
        self._top(list).extend(values)

    def _empty_tuple(self, _: None) -> None:
        self.stack.append(())

    def _tuple(self, _: None) -> None:
        self.stack.append(tuple(self._above_mark()))

    def _last(self, count: int) -> None:
        if len(self.stack) < count:
            raise ValueError("the stack is too short")
        values = tuple(self.stack[-count:])
        del self.stack[-count:]
        self.stack.append(values)

    def _tuple1(self, _: None) -> None:
        self._last(1)

    def _tuple2(self, _: None) -> None:
        self._last(2)

    def _tuple3(self, _: None) -> None:
        self._last(3)

    def _empty_dict(self, _: None) -> None:
        self.stack.append({})

    def _dict(self, _: None) -> None:
        items = self._above_mark()
        self.stack.append({})
        self._fill(items)

    def _setitem(self, _: None) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._fill([key, value])

    def _setitems(self, _: None) -> None:
        self._fill(self._above_mark())

    def _fill(self, items: list[Any]) -> None:
        """Put keys and values into the dictionary on top of the stack."""
        target = self._top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) not in (str, bytes, int):  # a deep tuple would be hashed recursively
                raise RefusedError(f"a {type(key).__name__} as a key")
            target[key] = value

    def _top(self, kind: type) -> Any:
        if not self.stack or type(self.stack[-1]) is not kind:
            raise ValueError(f"no {kind.__name__} is on the stack")
        return self.stack[-1]

    def _put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]
        if type(self.stack[-1]) is Unbuilt:
            self.stack[-1].places.append(index)

    _binput = _long_binput = _put

    def _memoize(self, _: None) -> None:
        self._put(len(self.memo))

    def _get(self, index: int) -> None:
        self.stack.append(self.memo[index])

    _binget = _long_binget = _get

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.stack.append(known(module, name))

    def _stack_global(self, _: None) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(known(module, name))

    def _reduce(self, _: None) -> None:
        arguments, name = self.stack.pop(), self.stack.pop()
        if type(name) is not Name or name.call is None or type(arguments) is not tuple:
            raise RefusedError("a call")
        self.stack.append(name.call(*arguments))

    def _build(self, _: None) -> None:
        state, unbuilt = self.stack.pop(), self.stack.pop()
        if type(unbuilt) is not Unbuilt or type(state) is not tuple:
            raise RefusedError("the state of an object")
        built = unbuilt.build(state)
        for index in unbuilt.places:
            self.memo[index] = built
        self.stack.append(built)


def _check_plain(result: Any) -> None:
    """Raise ``RefusedError`` where a result holds anything that is not plain data."""
    waiting, seen = [result], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if type(value) is dict:
            waiting += value.values()
        elif type(value) in (list, tuple):
            waiting += value
        elif type(value) is np.ndarray:
            waiting += value.ravel().tolist() if value.dtype == OBJECT else []
        elif not isinstance(value, bool | int | float | str | bytes | bytearray | np.generic) and (
            value is not None
        ):
            raise RefusedError("something that is not finished")
