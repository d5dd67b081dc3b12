"""Small videos for tests, made on the spot with PyAV."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

#: the colours of the four quarters: top left, top right, bottom left, bottom right
QUARTERS = np.array(
    [[(220, 30, 30), (30, 200, 30)], [(30, 30, 220), (230, 230, 230)]], dtype=np.uint8
)


def quarters(width: int = 160, height: int = 96) -> np.ndarray:
    """Return an image (height, width, 3) of four coloured quarters."""
    return np.kron(QUARTERS, np.ones((height // 2, width // 2, 1), dtype=np.uint8))


def write_video(
    path: Path,
    images: list[np.ndarray],
    *,
    times_ms: list[int] | None = None,
    rotation_deg: int = 0,
    options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write images at 30 Hz, or at the given times; ``rotation_deg`` sets the display matrix."""
    height, width = images[0].shape[:2]
    with av.open(str(path), "w", options=options or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.set_display_rotation(rotation_deg)
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = times_ms[index] if times_ms else round(index * 1000 / 30)
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_audio(path: Path) -> Path:
    """Write half a second of a tone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        tone = np.sin(np.arange(8000) / 16000 * 2 * np.pi * 440).astype(np.float32)
        for start in range(0, len(tone), 1024):
            frame = av.AudioFrame.from_ndarray(
                tone[None, start : start + 1024], format="fltp", layout="mono"
            )
            frame.sample_rate, frame.pts = 16000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_photo(path: Path, image: np.ndarray) -> Path:
    """Write one image as the format of its suffix."""
    av.VideoFrame.from_ndarray(image, format="rgb24").save(str(path))
    return path
