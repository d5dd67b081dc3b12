"""Studio's page in a real browser: it opens, the motion plays, the slider changes the pose."""

import gc
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import small_estimate
from browser import Browser, find_browser, wait_until

pytest.importorskip("websockets", reason="Studio's page needs it")
from mjx_msk import MskError

try:
    from mjx_msk_studio import host
except MskError as reason:
    pytest.skip(str(reason), allow_module_level=True)
from mjx_msk_studio.simulation import MotionSim
from mjx_msk_studio.windows import MotionViewer

SIZE = 760, 560
PAUSE = 33, 91  #: px, the button in our window
SLIDER_Y, SLIDER_LEFT, SLIDER_RIGHT = 117, 22, 220


@pytest.fixture
def page(tmp_path: Path) -> Iterator[tuple[str, MotionSim]]:
    """Serve an estimate; yield the page's address and the simulation's side of the plugin."""
    find_browser()
    folder = small_estimate.write(tmp_path / "walk")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    motion_sim, viewer = MotionSim(), MotionViewer()
    app = host.App(host.AppConfig(show_options=False, show_inspector=False))
    config = host.viewer_protocol.ViewerConfig(title="test", gfx="web", http_port=port)
    done = threading.Event()
    with host.launch_web.launch(config, plugins=[app, motion_sim, viewer]) as handle:
        handle.dispatch(host.messages.LoadModelEvent(path=str(folder / "model.xml")))

        def serve() -> None:
            while not done.is_set():
                handle.sync()

        loop = threading.Thread(target=serve)
        loop.start()
        yield f"http://127.0.0.1:{port}/", motion_sim
        done.set()
        loop.join()
    gc.collect()


# Studio's server (3.17.0, 4.0.0) leaves its connections to the garbage collector
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_page_plays_and_the_slider_changes_the_pose(page):
    address, motion_sim = page
    transport = motion_sim.transport
    knee = motion_sim.handle.model.joint("knee_angle_r").qposadr[0]
    with Browser(address, SIZE) as browser:
        # our window with its button, on top of the scene
        wait_until(lambda: browser.picture()[60:100, 20:60].std() > 5)
        first = transport.time
        wait_until(lambda: transport.time != first)
        browser.press_until(*PAUSE, lambda: not transport.playing)
        scenes = []
        for share in (0.1, 0.9):
            x = SLIDER_LEFT + share * (SLIDER_RIGHT - SLIDER_LEFT)
            wanted = share * transport.duration
            browser.press_until(x, SLIDER_Y, lambda at=wanted: abs(transport.time - at) < 0.06)
            scenes.append(browser.picture()[60:500, 345:].astype(int))
            assert motion_sim.handle.data.qpos[knee] == pytest.approx(wanted, abs=0.06)
        scenes.append(browser.picture()[60:500, 345:].astype(int))  # drawn by now
    assert np.mean(np.abs(scenes[0] - scenes[-1]).max(axis=-1) > 40) > 0.002
