"""The model on its floor, seen by a camera that walks along: MuJoCo's pictures of a motion.

Import this module only where an OpenGL backend has been chosen (see ``report.render``). Many
machines draw without a graphics card, so what is slow there is left out or done simply: no
multisampling (drawn larger and reduced), no shadow maps (soft discs instead), coarser capsules.
Together that is five times faster in software, at about 30 ms a picture.
"""

import os
from collections.abc import Sequence

import mujoco
import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter1d

from mjx_msk.motion import Motion
from mjx_msk.report.playback import Playback, side_rgba
from mjx_msk.report.view import View

_OVERSIZE = 1.5
_FOLLOW_S = 0.4  # how smoothly the camera follows
_FOOT_BODIES = ("calcn", "toes")
_FLAGS_OFF = (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION)


class Stage:
    """Pictures of one motion, frame by frame; close it to free the graphics memory.

    ``ghosts`` are drawn see-through at the same time from their start.
    """

    def __init__(
        self,
        motion: Motion,
        model_xml: str | os.PathLike[str],
        width: int,
        height: int,
        view: View = View(),  # noqa: B008  (frozen)
        ghosts: Sequence[Playback] = (),
    ) -> None:
        self.motion, self.view, self.ghosts = motion, view, ghosts
        self.model = model = mujoco.MjModel.from_xml_path(str(model_xml))
        self.size = width, height
        large = round(width * _OVERSIZE), round(height * _OVERSIZE)
        model.vis.global_.offwidth, model.vis.global_.offheight = large
        model.vis.quality.offsamples = model.vis.quality.shadowsize = 0
        model.vis.quality.numslices, model.vis.quality.numstacks = 16, 8
        self.data = mujoco.MjData(model)
        self.playback = Playback(motion, model, name=str(model_xml))
        self.option = mujoco.MjvOption()
        if view.muscles and motion.activation is not None:
            self.playback.colour_muscles(model, self.option)
        self.feet = [_bodies_of_foot(model, side) for side in motion.foot_names]
        self.resting = model.geom_rgba.copy(), model.geom_matid.copy()
        self.camera = mujoco.MjvCamera()
        self.camera.azimuth, self.camera.elevation = view.azimuth_deg, view.elevation_deg
        self.lookat, distance = self._follow()
        self.camera.distance = view.distance_m or distance
        self.renderer = mujoco.Renderer(model, large[1], large[0])

    def draw(self, frame: int) -> np.ndarray:
        """Return the picture (height, width, 3) uint8 of one frame of the motion."""
        self._pose(frame)
        self._tint_feet(frame)
        self.camera.lookat[:] = self.lookat[frame]
        self.renderer.update_scene(self.data, self.camera, self.option)
        for flag in _FLAGS_OFF:
            self.renderer.scene.flags[flag] = False
        self._add_shade()
        self._add_ghosts(frame)
        if self.view.forces:
            for arrow in self.playback.arrows_of(frame):
                arrow.draw(self._next())
        picture = Image.fromarray(self.renderer.render())
        return np.asarray(picture.resize(self.size, Image.Resampling.BOX))

    def close(self) -> None:
        """Free the graphics memory."""
        self.renderer.close()

    def _pose(self, frame: int) -> None:
        self.playback.pose(self.data, float(self.motion.time[frame] - self.motion.time[0]))
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)
        mujoco.mj_tendon(self.model, self.data)

    def _follow(self) -> tuple[np.ndarray, float]:
        """Return where the camera looks (T, 3) m, and a distance from which all of it is seen."""
        body = np.flatnonzero(self.model.geom_bodyid > 0)
        radius = self.model.geom_rbound[body, None]
        low, high = (np.empty((len(self.motion), 3)) for _ in range(2))
        for frame in range(len(self.motion)):
            self._pose(frame)
            places = self.data.geom_xpos[body]
            low[frame], high[frame] = (places - radius).min(0), (places + radius).max(0)
        sigma = max(_FOLLOW_S * self.motion.rate_hz, 1e-3)
        middle = gaussian_filter1d((low + high) / 2, sigma, axis=0, mode="nearest")
        reach = np.max(np.maximum(high - middle, middle - low)[:, 2])
        half_view = np.deg2rad(self.model.vis.global_.fovy) / 2
        return middle, float(reach / np.tan(half_view)) + 0.4

    def _tint_feet(self, frame: int) -> None:
        """Give a foot on the ground the colour of its side."""
        self.model.geom_rgba[:], self.model.geom_matid[:] = self.resting
        if self.motion.contact is None:
            return
        for bodies, side, down in zip(
            self.feet, self.motion.foot_names, self.motion.contact[frame], strict=True
        ):
            if down:
                geoms = np.isin(self.model.geom_bodyid, bodies)
                self.model.geom_rgba[geoms] = side_rgba(side)
                self.model.geom_matid[geoms] = -1

    def _add_shade(self) -> None:
        """Darken the floor under the feet and under the body."""
        spots = [(self.data.xpos[bodies].mean(0), 0.10) for bodies in self.feet if len(bodies)]
        for place, radius in [*spots, (self.data.subtree_com[0], 0.22)]:
            size = np.array([radius, 0.001, 0.0])
            dark = np.array([0.0, 0.0, 0.0, 0.16], dtype=np.float32)
            on_floor = np.array([place[0], place[1], 0.002])
            self._add(mujoco.mjtGeom.mjGEOM_CYLINDER, size, on_floor, dark)

    def _add_ghosts(self, frame: int) -> None:
        time = float(self.motion.time[frame] - self.motion.time[0])
        for index, ghost in enumerate(self.ghosts):
            ghost.draw_ghost(time, index, self._next)

    def _add(
        self, kind: mujoco.mjtGeom, size: np.ndarray, place: np.ndarray, rgba: np.ndarray
    ) -> None:
        """Add a shape that is not part of the model to this frame's scene."""
        mujoco.mjv_initGeom(self._next(), kind, size, place, np.eye(3).ravel(), rgba)

    def _next(self) -> mujoco.MjvGeom:
        """Return a geom of this frame's scene that is not taken yet."""
        scene = self.renderer.scene
        scene.ngeom += 1
        return scene.geoms[scene.ngeom - 1]


def _bodies_of_foot(model: mujoco.MjModel, side: str) -> list[int]:
    names = {f"{body}_{side}" for body in _FOOT_BODIES}
    return [i for i in range(model.nbody) if model.body(i).name in names]
