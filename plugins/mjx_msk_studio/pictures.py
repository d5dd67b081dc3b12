"""The source video's frames, read once in the background and kept small."""

import threading
from bisect import bisect_left

import numpy as np

from mjx_msk import MskError, Playback

HEIGHT = 300  #: px


class Pictures:
    """Pictures by time; those that are not read yet are stood in for by the nearest one."""

    def __init__(self, playback: Playback) -> None:
        self.times: list[float] = []
        self.images: list[np.ndarray] = []
        self.problem = "" if playback.video else "No video: give it with --video."
        self._playback = playback
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for time, image in self._playback.pictures(HEIGHT):
                self.images.append(image)
                self.times.append(time)
        except MskError as error:
            self.problem = str(error)

    def wait(self) -> None:
        """Return when all pictures are read."""
        self._thread.join()

    def index(self, time: float) -> int | None:
        """Return the place of the picture nearest to a time (s from the start), None for none."""
        times = self.times
        count = len(times)
        if not count:
            return None
        after = min(bisect_left(times, time, hi=count), count - 1)
        before = max(after - 1, 0)
        return before if abs(times[before] - time) <= abs(times[after] - time) else after
