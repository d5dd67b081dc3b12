"""Reading videos: what a file holds, and its frames upright with their true times."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from mjx_msk.cache import file_sha256
from mjx_msk.errors import MskError

FILM_WIDTH_MM = 36.0  # the long side of the 35 mm film that "equivalent" focal lengths refer to


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What a video file holds; times are real times, after ``slow_motion``."""

    path: Path
    width: int  #: px of the upright image
    height: int  #: px of the upright image
    rotation_deg: int  #: counter-clockwise turn that makes the stored picture upright
    frame_count: int
    duration_s: float  #: from the first frame's presentation to the last one's
    rate_hz: float  #: mean frame rate
    variable_rate: bool
    sha256: str
    codec: str
    slow_motion: float  #: how many times slower than life the video plays
    focal_length_px: float | None  #: of the upright image, where the file says it

    @property
    def image_size(self) -> tuple[int, int]:
        """(width, height) of the upright image in px."""
        return self.width, self.height


def probe(path: str | os.PathLike[str], *, slow_motion: float = 1.0) -> VideoInfo:
    """Read what a video holds, from its packets and its first frame.

    ``slow_motion`` is how many times slower than life the video plays.
    Raises ``MskError`` for a missing, empty, truncated or unreadable file, for files that are no
    video (photos, audio, anything else), and for a slow-motion factor that is no positive number.
    """
    where = str(path)
    if not 0 < slow_motion < float("inf"):
        raise MskError(
            f"the slow-motion factor is {slow_motion}.",
            where=where,
            remedy="Give how many times slower than life the video plays, for example 8.",
        )
    with _opened(path) as (container, stream):
        metadata = {**container.metadata, **stream.metadata}
        stamps = [p.pts for p in container.demux(stream) if p.pts is not None and not p.is_discard]
        # an index that promises more than the file holds is how a cut mp4 shows
        if len(stamps) < 0.98 * stream.frames:
            raise MskError(
                f"the file is truncated: {len(stamps)} of {stream.frames} frames are there.",
                where=where,
                remedy="Copy or record it again.",
            )
        if len(stamps) < 2:
            raise MskError(
                "this is a single picture, not a video.", where=where, remedy="Give a video."
            )
        times = np.sort(stamps) * float(stream.time_base or 1) / slow_motion
        codec = stream.codec_context.name
    with _opened(path) as (container, stream):
        first = next(_decoded(container, stream, where))
        rotation, upright = first.rotation, _upright(first)
    height, width = upright.shape[:2]
    steps = np.diff(times)
    return VideoInfo(
        path=Path(path),
        width=width,
        height=height,
        rotation_deg=rotation,
        frame_count=len(times),
        duration_s=float(times[-1] - times[0]),
        rate_hz=float((len(times) - 1) / (times[-1] - times[0])),
        # stamps are rounded to the time base, often 1 ms: only larger differences count
        variable_rate=bool(np.ptp(steps) > max(0.1 * np.median(steps), 2.1e-3)),
        sha256=file_sha256(Path(path)),
        codec=codec,
        slow_motion=slow_motion,
        focal_length_px=_focal_length_px(metadata, max(width, height)),
    )


def frames(
    path: str | os.PathLike[str], *, slow_motion: float = 1.0
) -> Iterator[tuple[float, np.ndarray]]:
    """Yield ``(time_s, image)`` for every frame: real time since the first one, RGB upright.

    Images are contiguous uint8 arrays (height, width, 3). Times are the true presentation times,
    strictly increasing. Damaged frames are left out. Raises ``MskError`` as ``probe`` does.
    """
    for time_s, frame in _timed(path, slow_motion):
        yield time_s, _upright(frame)


def sample(
    info: VideoInfo, *, count: int = 12, long_side_px: int = 960
) -> list[tuple[float, np.ndarray]]:
    """Return about ``count`` evenly spread frames, reduced in size, as ``(time_s, image)``."""
    wanted = set(np.linspace(0, info.frame_count - 1, count).round().astype(int).tolist())
    scale = min(1.0, long_side_px / max(info.image_size))
    return [
        (time_s, _upright(frame, scale))
        for index, (time_s, frame) in enumerate(_timed(info.path, info.slow_motion))
        if index in wanted
    ]


def _timed(
    path: str | os.PathLike[str], slow_motion: float
) -> Iterator[tuple[float, av.VideoFrame]]:
    with _opened(path) as (container, stream):
        base = float(stream.time_base or 1) / slow_motion
        first = last = None
        for frame in _decoded(container, stream, str(path)):
            if frame.pts is None or (last is not None and frame.pts <= last):
                continue  # no place on the time axis
            first, last = frame.pts if first is None else first, frame.pts
            yield (last - first) * base, frame


def _decoded(
    container: av.container.InputContainer, stream: av.VideoStream, where: str
) -> Iterator[av.VideoFrame]:
    """Decode frame by frame; a packet that cannot be decoded costs its own frame only."""
    good = 0
    for packet in container.demux(stream):
        try:
            decoded = packet.decode()
        except av.error.InvalidDataError:
            continue
        good += len(decoded)
        yield from decoded
    if not good:
        raise MskError(
            f"no frame of this video can be decoded ({stream.codec_context.name}).",
            where=where,
            remedy="Convert it to H.264, for example with HandBrake.",
        )


def _upright(frame: av.VideoFrame, scale: float = 1.0) -> np.ndarray:
    """Return the frame as RGB, turned (and mirrored back) as its display matrix says."""
    width, height = round(frame.width * scale), round(frame.height * scale)
    image = frame.to_ndarray(format="rgb24", width=width, height=height)
    a, b, c, d = _display_matrix(frame)
    if a == d == 0:  # a quarter turn: x' = c y, y' = b x
        image, a, d = image.swapaxes(0, 1), c, b
    image = image[:: 1 if d >= 0 else -1, :: 1 if a >= 0 else -1]
    return np.ascontiguousarray(image)  # PyAV pads its rows


def _display_matrix(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """Return (a, b, c, d) of the frame's x' = a x + c y, y' = b x + d y (16.16 fixed point)."""
    data: Any = frame.side_data.get("DISPLAYMATRIX")  # its type hints say less than it is
    if data is not None:
        m = np.frombuffer(bytes(data), dtype=np.int32)
        return int(m[0]), int(m[1]), int(m[3]), int(m[4])
    return 1, 0, 0, 1


def _focal_length_px(metadata: Mapping[str, str], long_side_px: int) -> float | None:
    """Return the focal length from a 35 mm equivalent in the metadata, as phones write it."""
    for key, value in metadata.items():
        name = key.lower().replace("_", "").replace(".", "")
        if name.endswith(("focallength35mmequivalent", "focallengthin35mmfilm")):
            try:
                millimetres = float(value.split()[0])
            except (ValueError, IndexError):
                continue
            if 8 <= millimetres <= 400:
                return millimetres / FILM_WIDTH_MM * long_side_px
    return None


@contextmanager
def _opened(
    path: str | os.PathLike[str],
) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """Open a file and its video stream, or say what the file is instead."""
    where, file = str(path), Path(path)
    if not file.is_file():
        raise MskError("no such file.", where=where, remedy="Check the name of the video.")
    if file.stat().st_size == 0:
        raise MskError("the file is empty (0 bytes).", where=where, remedy="Copy it again.")
    try:
        container = av.open(str(file))
    except PermissionError as error:
        raise MskError("no permission to read it.", where=where) from error
    except (av.FFmpegError, ValueError) as error:
        raise MskError(
            f"this is no readable video; it may be truncated or of another kind ({error}).",
            where=where,
            remedy="Check that it plays, or copy or record it again.",
        ) from error
    with container:
        moving = [s for s in container.streams.video if not s.disposition & _STILL]
        if "_pipe" in container.format.name or container.format.name == "image2":
            raise MskError(
                "this is a photo; motion needs a video.", where=where, remedy="Give a video."
            )
        if not moving:
            what = "this is an audio file, not a video."
            if not container.streams.audio:
                what = "the file holds no pictures; it may be truncated or no video."
            raise MskError(what, where=where, remedy="Give a video.")
        moving[0].thread_type = "AUTO"
        yield container, moving[0]


_STILL = av.stream.Disposition.attached_pic | av.stream.Disposition.still_image
