"""From video frames to people's landmarks: the interface, and MediaPipe Pose behind it."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mjx_msk.errors import MskError
from mjx_msk.vision import video
from mjx_msk.vision.bundle import pose_model
from mjx_msk.vision.landmarks import Landmarks
from mjx_msk.vision.tracks import Detection, associate, distinct
from mjx_msk.vision.twice import combined, mirrored_back

OnFrame = Callable[[int, int], None]  #: called with (frames done, frames in all)

MAX_PEOPLE = 4
_LARGE = 0.25  # of the image's long side, which is what the detector's input is scaled by
# MediaPipe is told that frames are this far apart: its one-euro filter then lets everything
# through. At true times it delays fast limbs by half a frame and more, and the fit smooths
# without delay anyway.
_TICK_MS = 1_000_000


class PoseFrontEnd(Protocol):
    """Anything that finds people's landmarks in a video."""

    def detect(
        self,
        info: video.VideoInfo,
        *,
        samples: list[tuple[float, np.ndarray]] | None = None,
        on_frame: OnFrame | None = None,
    ) -> list[Landmarks]:
        """Return one track per person, the most complete first; all tracks share their times."""
        ...


class MediaPipePose:
    """MediaPipe Pose (Tasks API, video mode), looking at each frame and at its mirror image.

    One person is followed from frame to frame at the least cost; where the sampled frames show
    several people, all of them are, which also runs the person detector on every frame.
    """

    def __init__(self, model: str | os.PathLike[str] | None = None) -> None:
        """Use an official ``.task`` file, or the full model fetched on the first use."""
        self.model = Path(model) if model is not None else pose_model()
        if not self.model.is_file():
            raise MskError(
                "no such pose model.", where=str(model), remedy="Give a MediaPipe .task file."
            )

    def detect(
        self,
        info: video.VideoInfo,
        *,
        samples: list[tuple[float, np.ndarray]] | None = None,
        on_frame: OnFrame | None = None,
    ) -> list[Landmarks]:
        """Return one track per person, the most complete first; an empty list if nobody is there.

        ``samples`` are frames spread over the video (``video.sample``), read here if not given.
        Raises ``MskError`` for an unreadable video or model file.
        """
        people = self._people_to_follow([image for _, image in samples or video.sample(info)])
        times: list[float] = []
        found: list[list[Detection]] = []
        with (
            self._landmarker("VIDEO", num_poses=people) as direct,
            self._landmarker("VIDEO", num_poses=people) as mirror,
            ThreadPoolExecutor(1) as helper,  # a landmarker keeps one core busy
        ):
            for time_s, image in video.frames(info.path, slow_motion=info.slow_motion):
                flipped = np.ascontiguousarray(image[:, ::-1])
                tick = len(times) * _TICK_MS
                with _quiet():
                    later = helper.submit(mirror.detect_for_video, _wrapped(flipped), tick)
                    first = direct.detect_for_video(_wrapped(image), tick)
                    second = later.result()
                back = [mirrored_back(d, info.width) for d in _detections(second, info.image_size)]
                times.append(time_s)
                found.append(combined(_detections(first, info.image_size), back))
                if on_frame is not None:
                    on_frame(len(times), info.frame_count)
        return associate(np.array(times), found, info.image_size)

    def _people_to_follow(self, images: list[np.ndarray]) -> int:
        """Return 1 where every sampled frame shows one large person alone, else 2 or more.

        A small person easily escapes the detector, so counting proves little about small ones.
        """
        people = []
        with self._landmarker("IMAGE", num_poses=MAX_PEOPLE) as landmarker, _quiet():
            for image in images:
                size = image.shape[1], image.shape[0]
                people.append(distinct(_detections(landmarker.detect(_wrapped(image)), size)))
        tall = [
            bool(found) and np.ptp(found[0].pixels[:, 1]) > _LARGE * max(image.shape)
            for found, image in zip(people, images, strict=True)
        ]
        most = max(map(len, people))
        alone = most == 1 and np.mean(tall) >= 0.8
        return 1 if alone else max(2, most)

    @contextmanager
    def _landmarker(self, mode: str, num_poses: int) -> Iterator[Any]:
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.PoseLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(self.model)),
            running_mode=vision.RunningMode[mode],
            num_poses=num_poses,
        )
        try:
            with _quiet():
                landmarker = vision.PoseLandmarker.create_from_options(options)
        except (ValueError, RuntimeError) as error:
            raise MskError(
                f"this is no MediaPipe pose model ({str(error).splitlines()[0]}).",
                where=str(self.model),
                remedy="Give an official pose landmarker .task file, or leave it out.",
            ) from error
        try:
            yield landmarker
        finally:
            with _quiet():
                landmarker.close()


def _wrapped(image: np.ndarray) -> Any:
    import mediapipe

    return mediapipe.Image(mediapipe.ImageFormat.SRGB, image)


def _detections(result: Any, image_size: tuple[int, int]) -> list[Detection]:
    """Return the people of one frame; MediaPipe's 0..1 spans the image from edge to edge."""
    return [
        Detection(
            pixels=np.array([(p.x, p.y) for p in points]) * image_size - 0.5,
            world=np.array([(p.x, p.y, p.z) for p in metric]),
            visibility=np.array([p.visibility for p in points]),
        )
        for points, metric in zip(result.pose_landmarks, result.pose_world_landmarks, strict=True)
    ]


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what native code writes to stderr; let it out if the block fails."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
