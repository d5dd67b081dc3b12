"""Ctrl-C, also where it falls into native code that swallows it."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Let Ctrl-C and ``kill`` raise ``KeyboardInterrupt`` in the block; yield a check for both.

    Python drops an exception that a signal raises inside a callback of native code (JAX has one in
    the garbage collector), and prints it. Here it is not printed, and the check raises
    ``KeyboardInterrupt`` if that has happened.
    """
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        raise KeyboardInterrupt

    def check() -> None:
        if asked:
            raise KeyboardInterrupt

    hook = sys.unraisablehook

    def tell(dropped: "sys.UnraisableHookArgs") -> None:
        if dropped.exc_type is not KeyboardInterrupt:
            hook(dropped)

    sys.unraisablehook = tell
    before = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield check
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)
