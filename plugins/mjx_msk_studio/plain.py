"""Estimates in MuJoCo's plain viewer (``mujoco.viewer``), which every MuJoCo has."""

import time
from pathlib import Path

import mujoco

from mjx_msk import MskError, Playback
from mjx_msk_studio.scene import Scene
from mjx_msk_studio.transport import Transport

_PAUSE_S = 0.01
_SPACE, _RIGHT, _LEFT, _COMMA, _PERIOD = 32, 262, 263, 44, 46  # GLFW's key codes
_STEP_S = 1 / 30


def run(folders: list[Path]) -> None:
    """Open the first estimate, the others as ghosts; returns when the window is closed.

    Space plays and pauses, the arrows left and right go back and forth, comma and period make it
    slower and faster. Raises ``MskError`` where no window can be opened.
    """
    from mujoco import viewer

    playback = Playback.open(folders[0])
    scene = Scene(playback, [Playback.open(folder) for folder in folders[1:]])
    transport, data = Transport(playback.duration), mujoco.MjData(playback.model)
    try:
        window = viewer.launch_passive(
            playback.model, data, key_callback=lambda key: press(transport, key)
        )
    except RuntimeError as error:
        raise MskError(
            f"MuJoCo's viewer cannot open a window here ({error}).",
            remedy="Run on a machine with a screen, use --web, or draw a video: mjx-msk render.",
        ) from error
    with window:
        playback.colour_muscles(playback.model, window.opt)
        clock = time.perf_counter()
        while window.is_running():
            now = time.perf_counter()
            transport.advance(now - clock)
            clock = now
            with window.lock():
                show(window.user_scn, scene, data, transport.time)
            window.sync()
            time.sleep(_PAUSE_S)


def press(transport: Transport, key: int) -> None:
    """Do what a key asks for."""
    if key == _SPACE:
        transport.playing = not transport.playing
    elif key in (_LEFT, _RIGHT):
        transport.playing = False
        transport.seek(transport.time + (_STEP_S if key == _RIGHT else -_STEP_S))
    elif key in (_COMMA, _PERIOD):
        transport.speed *= 0.5 if key == _COMMA else 2.0


def show(user_scene: mujoco.MjvScene, scene: Scene, data: mujoco.MjData, moment: float) -> None:
    """Pose the model at a time and fill the viewer's own scene with forces and ghosts."""
    playback = scene.playback
    playback.pose(data, moment)
    mujoco.mj_forward(playback.model, data)
    user_scene.ngeom = 0

    def new() -> mujoco.MjvGeom:
        user_scene.ngeom += 1
        return user_scene.geoms[user_scene.ngeom - 1]

    scene.draw(new, playback.model, data, physics=False)
