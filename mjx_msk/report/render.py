"""``render_replay``: the replay video, with whichever OpenGL backend works on this machine."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from mjx_msk.errors import MskError
from mjx_msk.files import replacing
from mjx_msk.motion import Motion

_PACKAGE_PARENT = Path(__file__).parents[2]
_REMEDIES = {
    "Darwin": "Run in a desktop session.",
    "Windows": "Install a graphics driver or Mesa.",
}
_LINUX = "Install it with: sudo apt install libegl1 libgl1 libosmesa6"
#: What to say where no OpenGL backend works.
ADVICE = f"No video: OpenGL is missing. {_REMEDIES.get(platform.system(), _LINUX)}"


def render_replay(
    motion: Motion,
    model_xml: str | os.PathLike[str],
    out_mp4: str | os.PathLike[str],
    video_path: str | os.PathLike[str] | None = None,
    on_frame: Callable[[int, int], None] | None = None,
    *,
    video_times: np.ndarray | None = None,
) -> str | None:
    """Write the replay video: source with overlay, model with force arrows, forces over time.

    Without ``video_path`` the model is alone. ``video_times`` (T,) s are the places in the video of
    the motion's frames where they are not ``motion.time``, as in slow motion.
    ``on_frame(done, total)`` is called after each picture.

    Returns ``None`` when the video is written, else one line that says what to install, because no
    OpenGL backend works here. Raises ``MskError`` when the video cannot be read or the file cannot
    be written.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        motion.save(folder / "motion.npz")
        job = {
            "motion": str(folder / "motion.npz"),
            "model_xml": str(Path(model_xml).resolve()),
            "out": str(folder / "replay.mp4"),
            "video": str(Path(video_path).resolve()) if video_path else None,
            "video_times": None if video_times is None else video_times.tolist(),
        }
        (folder / "job.json").write_text(json.dumps(job))
        if not draw_apart("mjx_msk.report.replay", folder / "job.json", on_frame):
            return ADVICE
        with replacing(out_mp4) as temporary:
            shutil.copyfile(folder / "replay.mp4", temporary)
    return None


def backends() -> list[str]:
    """Return the values of ``MUJOCO_GL`` worth trying: what the user asks for, then the usual."""
    usual = ["egl", "osmesa", "glfw"] if platform.system() == "Linux" else [""]
    asked = os.environ.get("MUJOCO_GL", "").strip().lower()
    return list(dict.fromkeys([asked, *usual] if asked else usual))


def draw_apart(module: str, job_file: Path, on_frame: Callable[[int, int], None] | None) -> bool:
    """Run a drawing module in a process of its own; False when no OpenGL backend works here.

    Raises ``MskError`` for what the user can mend.
    """
    return any(_draw(module, job_file, backend, on_frame) for backend in backends())


def _draw(
    module: str, job_file: Path, backend: str, on_frame: Callable[[int, int], None] | None
) -> bool:
    environment = {k: v for k, v in os.environ.items() if k != "PYOPENGL_PLATFORM"}
    environment["MUJOCO_GL"] = backend
    paths = [str(_PACKAGE_PARENT), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    command = [sys.executable, "-m", module, str(job_file)]
    errors = job_file.with_suffix(".err")
    with (
        open(errors, "w+", encoding="utf-8") as complaints,
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=complaints, text=True
        ) as process,
    ):
        try:
            graphics_work = _listen(process.stdout or (), on_frame)
        except BaseException:  # Ctrl-C, or an error of on_frame: leave no process behind
            process.kill()
            raise
    if not graphics_work:
        return False
    said = errors.read_text(encoding="utf-8").strip()
    if process.returncode == 2:
        raise MskError(said.splitlines()[-1], where="replay video")
    if process.returncode != 0:
        raise RuntimeError(f"the replay could not be drawn:\n{said}")
    return True


def _listen(lines: Iterable[str], on_frame: Callable[[int, int], None] | None) -> bool:
    """Follow the drawing process to its end; tell whether OpenGL worked."""
    ready = False
    for line in lines:
        if line.strip() == "ready":
            ready = True
        elif on_frame is not None and ready:
            done, total = line.split()
            on_frame(int(done), int(total))
    return ready
