"""A headless Chromium that draws WebGL in software, driven over its DevTools protocol."""

import base64
import io
import json
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from PIL import Image

_NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 120.0


def find_browser() -> str:
    """Return the browser's path; skip the test where there is none."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("no Chromium on this machine")
    return found


def wait_until(done: Callable[[], bool]) -> None:
    """Return as soon as something is so; fails after the patience."""
    until = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.2)


class Browser:
    """One page; use it in a ``with`` block."""

    def __init__(self, url: str, size: tuple[int, int]) -> None:
        from websockets.sync.client import connect

        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        command = [
            find_browser(), "--headless=new", "--no-sandbox", "--remote-debugging-port=0",
            "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
            f"--window-size={size[0]},{size[1]}", f"--user-data-dir={self._profile.name}", url,
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        lines = (re.search(r"listening on ws://([^/]+)/", line) for line in self._process.stderr)
        host = next(filter(None, lines))[1]
        self._connection = ExitStack()
        self._socket = self._connection.enter_context(connect(self._page(host), max_size=None))
        self._count = 0

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._process.terminate()
        self._process.wait(30)
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._profile.cleanup()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]

    def picture(self) -> np.ndarray:
        """Return what the page shows, (height, width, 3) uint8."""
        data = base64.b64decode(self.call("Page.captureScreenshot")["data"])
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))

    def press_until(self, x: float, y: float, done: Callable[[], bool]) -> None:
        """Press the left button there, longer each time, until something is so.

        A page that is drawn in software sees the mouse once a picture, which can take seconds, and
        must have seen it hover before it is pressed.
        """
        until, hold = time.monotonic() + PATIENCE_S, 0.5
        while not done():
            assert time.monotonic() < until, "waited too long"
            self._mouse("mouseMoved", x, y, "none")
            time.sleep(hold)
            self._mouse("mousePressed", x, y, "left", buttons=1, clickCount=1)
            time.sleep(hold)
            self._mouse("mouseReleased", x, y, "left", clickCount=1)
            time.sleep(hold)
            hold = min(2 * hold, 10.0)

    def _mouse(self, kind: str, x: float, y: float, button: str, **more: int) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, **more)

    @staticmethod
    def _page(host: str) -> str:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            with urllib.request.urlopen(f"http://{host}/json") as answer:
                pages = [page for page in json.load(answer) if page["type"] == "page"]
            if pages:
                return pages[0]["webSocketDebuggerUrl"]
            time.sleep(0.2)
        raise TimeoutError("the browser opens no page")
