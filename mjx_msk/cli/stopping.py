"""Ctrl-C, also where it falls into native code that swallows it."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Let Ctrl-C and ``kill`` raise ``KeyboardInterrupt`` in the block; yield a check for both.

    Python drops an exception that a signal raises inside a callback of native code (JAX has one in
    the garbage collector). The check raises ``KeyboardInterrupt`` if that has happened.
    """
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        raise KeyboardInterrupt

    def check() -> None:
        if asked:
            raise KeyboardInterrupt

    before = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
