"""Pictures to a video file."""

import os
from collections.abc import Iterable
from fractions import Fraction

import numpy as np


def write_mp4(path: str | os.PathLike[str], images: Iterable[np.ndarray], rate: float) -> None:
    """Write H.264 in an ``.mp4`` that every browser plays (yuv420p, index at the front).

    ``images`` are (height, width, 3) uint8, even numbers; ``rate`` is their number in a second.
    """
    import av

    with av.open(os.fspath(path), "w", options={"movflags": "+faststart"}) as container:
        stream = None
        for image in images:
            if stream is None:
                stream = container.add_stream("libx264", Fraction(rate).limit_denominator(1001))
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.options = {"crf": "22", "preset": "veryfast"}
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        if stream is not None:
            container.mux(stream.encode())
