"""Opens estimates in Studio, in a window of its own or in a browser."""

from pathlib import Path

from mjx_msk import MskError, Playback
from mjx_msk_studio import host
from mjx_msk_studio.simulation import MotionSim
from mjx_msk_studio.windows import MotionViewer


def run(
    folders: list[Path], *, web: bool, port: int = 0, video: Path | None = None, graphics: str = ""
) -> None:
    """Open the first estimate, the others as ghosts; returns when the viewer is closed.

    ``web`` serves a page on ``port`` (0: the first free one from 8080 on) instead of opening a
    window; ``graphics`` is Studio's ``gfx`` for the window. Raises ``MskError`` for a folder that
    holds no estimate, and where the window cannot be opened.
    """
    first = Playback.open(folders[0], video)
    viewer = MotionViewer([Playback.open(folder) for folder in folders[1:]], video)
    app = host.App(host.AppConfig(show_options=False, show_inspector=False))
    config = host.viewer_protocol.ViewerConfig(
        title=first.name, gfx="web" if web else graphics, http_port=port, open_browser=web
    )
    launcher = host.launch_web if web else host.launch_native
    try:
        launcher.run(
            config,
            model_path=str(folders[0] / "model.xml"),
            plugins=[app, MotionSim(), viewer],
        )
    except (ImportError, RuntimeError) as error:
        if web:
            raise
        raise MskError(
            f"Studio cannot open a window here ({error}).",
            remedy="Give --web and open the page that it names, or --viewer mujoco.",
        ) from error
