"""The viewer's side of the plugin: what is drawn in the scene, and the windows beside it."""

from pathlib import Path

import mujoco

from mjx_msk import Playback
from mjx_msk_studio.channel import Status, Steer
from mjx_msk_studio.curves import panels
from mjx_msk_studio.drive import lacking
from mjx_msk_studio.estimates import estimate_of
from mjx_msk_studio.host import imgui, messages, plugin
from mjx_msk_studio.pictures import HEIGHT, Pictures
from mjx_msk_studio.plots import Plots
from mjx_msk_studio.scene import Scene

_WIDTH = 330.0
_MARGIN, _TOP, _BOTTOM = 8.0, 30.0, 40.0
_CONTROLS, _TITLE = 270.0, 40.0
_SLOWEST, _FASTEST = 0.05, 2.0
_STIFFEST = 150.0  # rad/s
_AMBIENT, _DIFFUSE = 0.5, 0.6  # Studio's light is dimmer than MuJoCo's own renderer's
# high and far enough for the head to be below what Studio's page has at its top
_AZIMUTH, _ELEVATION, _DISTANCE, _HEIGHT_M = 140.0, -12.0, 3.6, 1.1


class MotionViewer(plugin.ViewerPlugin):
    """Draws the estimate that the opened model belongs to; nothing for other models."""

    def __init__(self, ghosts: list[Playback] | None = None, video: Path | None = None) -> None:
        self.ghosts, self.video = ghosts or [], video
        self.scene: Scene | None = None
        self.status = Status()
        self.follow = True
        self._texture = self._uploaded = 0
        self._screen = 0.0, 0.0

    @messages.handler
    def on_model(self, event: messages.PostModelEvent) -> None:
        """Take up the motion beside the model's file, if there is one."""
        playback = estimate_of(event.path, self.video)
        self.scene = None
        if playback is None:
            return
        self.scene = Scene(playback, self.ghosts)
        self.lacking = lacking(playback)
        self.plots = Plots(panels(playback))
        self.pictures = Pictures(playback)
        self._uploaded = -1
        playback.colour_muscles(self.viewer.model, self.viewer.vis_options)
        look = self.viewer.model.vis.headlight
        look.ambient[:], look.diffuse[:] = _AMBIENT, _DIFFUSE
        self.viewer.model.mat_reflectance[:] = 0.0  # in Studio a floor mirrors in smears
        camera = self.viewer.camera
        camera.type = int(mujoco.mjtCamera.mjCAMERA_FREE)
        camera.azimuth, camera.elevation, camera.distance = _AZIMUTH, _ELEVATION, _DISTANCE

    @messages.handler
    def on_status(self, event: Status) -> None:
        """Remember where the motion is."""
        self.status = event

    @messages.handler
    def on_update(self, _: messages.UpdateEvent) -> None:
        """Draw the forces and ghosts of this moment; let the camera follow the person."""
        if self.scene is None:
            return
        model, data, geoms = self.viewer.model, self.viewer.data, self.viewer.extra_geoms
        geoms.clear()

        def new() -> mujoco.MjvGeom:
            geoms.append(mujoco.MjvGeom())
            return geoms[-1]

        self.scene.draw(new, model, data, physics=self.status.physics)
        if self.follow:
            self.viewer.camera.lookat[:2] = data.subtree_com[0, :2]
            self.viewer.camera.lookat[2] = _HEIGHT_M

    @messages.handler
    def on_build_gui(self, _: messages.BuildGuiEvent) -> None:
        """Build the windows."""
        if self.scene is None:
            return
        screen = imgui.GetIO().DisplaySize
        size = screen.x, screen.y  # a browser's comes late
        when = imgui.Cond.Once if size == self._screen else imgui.Cond.Always
        self._screen = size
        self._place(_MARGIN, _TOP, _CONTROLS, when)
        if imgui.Begin("Motion")[0]:
            self._controls(self.scene)
        imgui.End()
        top = _TOP + _CONTROLS + _MARGIN
        self._place(_MARGIN, top, min(HEIGHT + _TITLE, screen.y - top - _BOTTOM), when)
        if imgui.Begin("Video")[0]:
            self._video(self.status.time)
        imgui.End()
        left = max(screen.x - _WIDTH - _MARGIN, _MARGIN)
        self._place(left, _TOP, screen.y - _TOP - _BOTTOM, when)
        if imgui.Begin("Curves")[0]:
            wanted = self.plots.draw(self.status.time)
            if wanted is not None:
                self._steer(time=wanted)
        imgui.End()

    def _place(self, x: float, y: float, height: float, when: imgui.Cond) -> None:
        imgui.SetNextWindowPos(imgui.Vec2(x, y), when)
        imgui.SetNextWindowSize(imgui.Vec2(_WIDTH, max(height, 2 * _TITLE)), when)

    def _steer(self, **wish: float | bool) -> None:
        self.viewer.send_to_sim(Steer(**wish))

    def _controls(self, scene: Scene) -> None:
        status, playback = self.status, scene.playback
        imgui.Text(playback.name)
        if imgui.Button("Pause" if status.playing else "Play"):
            self._steer(playing=not status.playing)
        imgui.SameLine()
        if imgui.Button("Start"):
            self._steer(time=0.0)
        imgui.SameLine()
        changed, looping = imgui.Checkbox("loop", status.looping)
        if changed:
            self._steer(looping=looping)
        changed, time = imgui.SliderFloat("s", status.time, 0.0, playback.duration, "%.2f")
        if changed:
            self._steer(time=time)
        changed, speed = imgui.SliderFloat("speed", status.speed, _SLOWEST, _FASTEST, "%.2f")
        if changed:
            self._steer(speed=speed)
        self._physics()
        _, scene.show_forces = imgui.Checkbox("forces", scene.show_forces)
        if scene.ghosts:
            imgui.SameLine()
            _, scene.show_ghosts = imgui.Checkbox("ghosts", scene.show_ghosts)
        imgui.SameLine()
        _, self.follow = imgui.Checkbox("follow", self.follow)

    def _physics(self) -> None:
        """Build what belongs to physics: on or off, how firmly it is guided."""
        status = self.status
        changed, physics = imgui.Checkbox("physics", status.physics)
        if changed:
            self._steer(physics=physics)
        imgui.SetItemTooltip("Applied forward, feet on contact; Ctrl+drag pushes a body")
        if not status.physics:
            return
        imgui.SameLine()
        changed, hold = imgui.Checkbox("hold the pelvis", status.hold_pelvis)
        if changed:
            self._steer(hold_pelvis=hold)
        if imgui.RadioButton("torques", not status.muscles):
            self._steer(muscles=False)
        imgui.SameLine()
        imgui.BeginDisabled(bool(self.lacking))
        if imgui.RadioButton("muscles", status.muscles):
            self._steer(muscles=True)
        imgui.EndDisabled()
        if self.lacking:
            imgui.SameLine()
            imgui.TextDisabled(self.lacking)
        changed, guide = imgui.SliderFloat("guide 1/s", status.guide, 0.0, _STIFFEST, "%.0f")
        if changed:
            self._steer(guide=guide)

    def _video(self, time: float) -> None:
        index = self.pictures.index(time)
        if index is None:
            imgui.TextWrapped(self.pictures.problem or "Reading ...")
            return
        image = self.pictures.images[index]
        height, width = image.shape[:2]
        if index != self._uploaded:
            self._texture = self.viewer.upload_image(
                self._texture, image.tobytes(), width, height, 3
            )
            self._uploaded = index
        room = imgui.GetContentRegionAvail()
        scale = min(room.x / width, room.y / height, 1.0)
        imgui.Image(self._texture, imgui.Vec2(width * scale, height * scale))
