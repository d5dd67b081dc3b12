"""The model on its floor, seen by a camera that walks along: MuJoCo's pictures of a motion.

Import this module only where an OpenGL backend has been chosen (see ``report.render``). Many
machines draw without a graphics card, so what is slow there is left out or done simply: no
multisampling (drawn larger and reduced), no shadow maps (soft discs instead), coarser capsules.
Together that is five times faster in software, at about 30 ms a picture.
"""

import os

import mujoco
import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter1d

from mjx_msk.motion import Motion
from mjx_msk.report.style import SIDE_COLOURS, rgb

#: The camera stands in front of the person, to the right: X is the way the person goes.
AZIMUTH_DEG, ELEVATION_DEG = 140.0, -12.0
#: A force of one body weight is an arrow of this length, m.
ARROW_M = 0.9
_ARROW_RADIUS_M = 0.026
_OVERSIZE = 1.5
_FOLLOW_S = 0.4  # how smoothly the camera follows
_FOOT_BODIES = ("calcn", "toes")
_FLAGS_OFF = (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION)


class Stage:
    """Pictures of one motion, frame by frame; close it to free the graphics memory."""

    def __init__(
        self, motion: Motion, model_xml: str | os.PathLike[str], width: int, height: int
    ) -> None:
        self.motion = motion
        self.model = model = mujoco.MjModel.from_xml_path(str(model_xml))
        self.size = width, height
        large = round(width * _OVERSIZE), round(height * _OVERSIZE)
        model.vis.global_.offwidth, model.vis.global_.offheight = large
        model.vis.quality.offsamples = model.vis.quality.shadowsize = 0
        model.vis.quality.numslices, model.vis.quality.numstacks = 16, 8
        self.data = mujoco.MjData(model)
        self.weight = motion.subject.get("mass_kg", float(model.body_mass.sum())) * 9.81
        self.feet = [_bodies_of_foot(model, side) for side in motion.foot_names]
        self.resting = model.geom_rgba.copy(), model.geom_matid.copy()
        self.camera = mujoco.MjvCamera()
        self.camera.azimuth, self.camera.elevation = AZIMUTH_DEG, ELEVATION_DEG
        self.lookat, self.camera.distance = self._follow()
        self.renderer = mujoco.Renderer(model, large[1], large[0])

    def draw(self, frame: int) -> np.ndarray:
        """Return the picture (height, width, 3) uint8 of one frame of the motion."""
        self._pose(frame)
        self._tint_feet(frame)
        self.camera.lookat[:] = self.lookat[frame]
        self.renderer.update_scene(self.data, self.camera)
        for flag in _FLAGS_OFF:
            self.renderer.scene.flags[flag] = False
        self._add_shade()
        self._add_arrows(frame)
        picture = Image.fromarray(self.renderer.render())
        return np.asarray(picture.resize(self.size, Image.Resampling.BOX))

    def close(self) -> None:
        """Free the graphics memory."""
        self.renderer.close()

    def _pose(self, frame: int) -> None:
        self.data.qpos[:] = self.motion.qpos[frame]
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
                self.model.geom_rgba[geoms] = _rgba(side)
                self.model.geom_matid[geoms] = -1

    def _add_shade(self) -> None:
        """Darken the floor under the feet and under the body."""
        spots = [(self.data.xpos[bodies].mean(0), 0.10) for bodies in self.feet if len(bodies)]
        for place, radius in [*spots, (self.data.subtree_com[0], 0.22)]:
            size = np.array([radius, 0.001, 0.0])
            dark = np.array([0.0, 0.0, 0.0, 0.16], dtype=np.float32)
            on_floor = np.array([place[0], place[1], 0.002])
            self._add(mujoco.mjtGeom.mjGEOM_CYLINDER, size, on_floor, dark)

    def _add_arrows(self, frame: int) -> None:
        """Draw the force of the ground on each foot from its center of pressure."""
        if self.motion.foot_force is None or self.motion.foot_cop is None:
            return
        for side, force, cop in zip(
            self.motion.foot_names,
            self.motion.foot_force[frame],
            self.motion.foot_cop[frame],
            strict=True,
        ):
            arrow = force / self.weight * ARROW_M
            if np.all(np.isfinite([cop, arrow])) and np.linalg.norm(arrow) > 0.01:
                kind = mujoco.mjtGeom.mjGEOM_ARROW
                geom = self._add(kind, np.zeros(3), np.zeros(3), _rgba(side))
                mujoco.mjv_connector(geom, kind, _ARROW_RADIUS_M, cop, cop + arrow)
                geom.emission = 0.2

    def _add(
        self, kind: mujoco.mjtGeom, size: np.ndarray, place: np.ndarray, rgba: np.ndarray
    ) -> mujoco.MjvGeom:
        """Add a shape that is not part of the model to this frame's scene."""
        scene = self.renderer.scene
        geom = scene.geoms[scene.ngeom]
        mujoco.mjv_initGeom(geom, kind, size, place, np.eye(3).ravel(), rgba)
        scene.ngeom += 1
        return geom


def _rgba(side: str) -> np.ndarray:
    return np.array([*(c / 255 for c in rgb(SIDE_COLOURS[side])), 1.0], dtype=np.float32)


def _bodies_of_foot(model: mujoco.MjModel, side: str) -> list[int]:
    names = {f"{body}_{side}" for body in _FOOT_BODIES}
    return [i for i in range(model.nbody) if model.body(i).name in names]
