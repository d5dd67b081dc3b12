"""The process that draws ``replay.mp4``: ``python -m mjx_msk.report.replay JOB.json``.

It runs apart because MuJoCo chooses its OpenGL backend once per process and a backend that does
not work can take the process with it; ``report.render`` starts it. On its standard output it says
``ready`` once OpenGL works, then ``DONE TOTAL`` after each frame.
"""

import json
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from mjx_msk.errors import MskError
from mjx_msk.motion import Motion
from mjx_msk.report.mp4 import write_mp4

PANEL_HEIGHT, MODEL_WIDTH, MAX_RATE_HZ = 640, 560, 30.0


def run(job_file: str, draw: Callable[[dict], tuple[Iterator[np.ndarray], float, int]]) -> int:
    """Draw the video that a job describes; 2 for an error that the user can mend.

    ``draw(job)`` returns the pictures, their rate (Hz) and number.
    """
    _check_graphics()
    print("ready", flush=True)
    job = json.loads(Path(job_file).read_text())
    try:
        images, rate, count = draw(job)
        write_mp4(job["out"], counted(images, count), rate)
    except MskError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def replay(job: dict) -> tuple[Iterator[np.ndarray], float, int]:
    """Return the pictures of a replay, their rate and number."""
    motion = Motion.load(job["motion"])
    return pictures(motion, job), *output_times(motion.time)[1:]


def output_times(time: np.ndarray) -> tuple[np.ndarray, float, int]:
    """Return the motion's frame for each picture of the video, the video's rate and their number.

    The video plays at true speed, with the motion's rate or 30 Hz, whichever is lower.
    """
    duration = float(time[-1] - time[0])
    rate = min((len(time) - 1) / duration, MAX_RATE_HZ) if duration > 0 else MAX_RATE_HZ
    count = int(np.floor(duration * rate + 1e-6)) + 1
    wanted = time[0] + np.arange(count) / rate
    nearest = np.abs(time[:, None] - wanted[None]).argmin(axis=0)
    return nearest, rate, count


def pictures(motion: Motion, job: dict) -> Iterator[np.ndarray]:
    """Yield the pictures of the video: source and model side by side, forces below."""
    from mjx_msk.report.overlay import Overlay
    from mjx_msk.report.stage import Stage
    from mjx_msk.report.strip import Strip

    frames = output_times(motion.time)[0]
    stage = Stage(motion, job["model_xml"], MODEL_WIDTH, PANEL_HEIGHT)
    overlay, strip = Overlay(motion), None
    source = None
    if job["video"]:
        times = motion.time if job["video_times"] is None else np.array(job["video_times"])
        seen = zip(frames, video_frames(job["video"], times[frames]), strict=True)
        source = ahead(overlay.draw(image, frame, PANEL_HEIGHT) for frame, image in seen)
    for frame in frames:
        panels = [stage.draw(frame)]
        if source is not None:
            panels.insert(0, next(source))
        above = np.concatenate(panels, axis=1)
        strip = strip or Strip(motion, above.shape[1])
        yield np.concatenate([above, strip.draw(frame)], axis=0)
    stage.close()


def ahead(items: Iterator[np.ndarray], count: int = 4) -> Iterator[np.ndarray]:
    """Yield ``items``, the next few of which another thread makes in the meantime."""
    with ThreadPoolExecutor(1) as helper:
        waiting = deque(helper.submit(next, items, None) for _ in range(count))
        while (item := waiting.popleft().result()) is not None:
            waiting.append(helper.submit(next, items, None))
            yield item


def video_frames(path: str, times: np.ndarray) -> Iterator[np.ndarray]:
    """Yield, for each of the increasing times (s), the video frame nearest to it."""
    from mjx_msk.vision.video import frames

    decoded = frames(path)
    time, image = next(decoded)
    following: tuple[float, np.ndarray] | None = (time, image)
    for wanted in times:
        while following is not None and abs(following[0] - wanted) <= abs(time - wanted):
            time, image = following
            following = next(decoded, None)
        yield image


def counted(images: Iterator[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """Yield ``images`` and say after each how many are done."""
    for done, image in enumerate(images, start=1):
        yield image
        print(done, count, flush=True)


def _check_graphics() -> None:
    """Draw one sphere, so that a backend that does not work fails before anything else."""
    import mujoco

    xml = "<mujoco><worldbody><geom size='1'/></worldbody></mujoco>"
    model = mujoco.MjModel.from_xml_string(xml)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer = mujoco.Renderer(model, 32, 32)
    renderer.update_scene(data)
    renderer.render()
    renderer.close()


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], replay))
