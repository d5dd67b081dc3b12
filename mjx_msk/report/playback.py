"""An estimate's folder as something that plays: pose, forces and muscles at any time."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import mujoco
import numpy as np

from mjx_msk.errors import MskError
from mjx_msk.motion import Motion, on_lines
from mjx_msk.report.style import SIDE_COLOURS, rgb

#: A force of one body weight is an arrow of this length, m.
ARROW_M = 0.9
ARROW_RADIUS_M = 0.026
COP_RADIUS_M = 0.04
#: A resting muscle and a fully active one.
RESTING, ACTIVE = (0.20, 0.32, 0.80, 1.0), (1.0, 0.10, 0.05, 1.0)
#: Of motions laid over another one, see-through (Okabe and Ito 2008).
GHOSTS = (
    (0.00, 0.62, 0.45, 0.45), (0.80, 0.47, 0.65, 0.45),
    (0.90, 0.62, 0.00, 0.45), (0.34, 0.71, 0.91, 0.45),
)  # fmt: skip
_HIDDEN_GROUP = 5
_SHORTEST_M = 0.01
_GRAVITY = 9.81  # m/s^2, of the weight that arrows are measured in
_LAST_GROUP = 2  # of the groups of geoms that MuJoCo draws unless told otherwise
#: Fields that run on straight lines between frames; the others have the nearest frame's value.
_SMOOTH = (
    "q", "qd", "qdd", "qpos", "qvel", "qacc", "generalized_force", "activation", "muscle_force",
    "joint_force", "reserve", "markers", "landmarks_fitted", "confidence", "q_std",
)  # fmt: skip


@dataclass(frozen=True)
class Arrow:
    """The force of the ground on one foot: from its center of pressure, in the world, m."""

    side: str  #: ``r`` or ``l``
    start: np.ndarray  #: (3,)
    end: np.ndarray  #: (3,)

    @property
    def rgba(self) -> np.ndarray:
        """Return the colour of its side, (4,) float32."""
        return side_rgba(self.side)

    def draw(self, geom: mujoco.MjvGeom) -> None:
        """Make a visual geom this arrow."""
        kind = mujoco.mjtGeom.mjGEOM_ARROW
        mujoco.mjv_initGeom(geom, kind, np.zeros(3), np.zeros(3), np.eye(3).ravel(), self.rgba)
        mujoco.mjv_connector(geom, kind, ARROW_RADIUS_M, self.start, self.end)
        geom.emission = 0.2

    def draw_spot(self, geom: mujoco.MjvGeom) -> None:
        """Make a visual geom a disc on the floor at the center of pressure."""
        size, place = np.array([COP_RADIUS_M, 0.002, 0.0]), self.start + np.array([0.0, 0.0, 0.003])
        kind = mujoco.mjtGeom.mjGEOM_CYLINDER
        mujoco.mjv_initGeom(geom, kind, size, place, np.eye(3).ravel(), self.rgba)


class Playback:
    """A motion on its model, at any time from 0 to ``duration``, s."""

    def __init__(
        self,
        motion: Motion,
        model: mujoco.MjModel,
        *,
        name: str = "",
        video: Path | None = None,
    ) -> None:
        if motion.qpos.shape[1] != model.nq:
            raise MskError(
                f"the motion moves {motion.qpos.shape[1]} joints, the model has {model.nq}.",
                where=name,
                remedy="Give the folder of one estimate.",
            )
        self.motion, self.model, self.name, self.video = motion, model, name, video
        mass = motion.subject.get("mass_kg", float(model.body_mass.sum()))
        self.weight_n = mass * _GRAVITY

    @classmethod
    def open(
        cls, folder: str | os.PathLike[str], video: str | os.PathLike[str] | None = None
    ) -> "Playback":
        """Read the folder that ``mjx-msk estimate`` wrote.

        Without ``video`` the recording is looked for by its name in the folder, beside it and
        where the program runs. Raises ``MskError`` for a folder that holds no estimate.
        """
        folder = Path(folder)
        motion = Motion.load(folder / "motion.npz")
        path = folder / "model.xml"
        try:
            model = mujoco.MjModel.from_xml_path(str(path))
        except ValueError as error:
            reason = " ".join(str(error).split()) if path.is_file() else "no such file"
            raise MskError(
                f"cannot read this model: {reason}.",
                where=str(path),
                remedy="Write it again with mjx-msk estimate.",
            ) from error
        source = Path(video) if video is not None else _recording(motion, folder)
        if video is not None and not Path(video).is_file():
            raise MskError("no such file.", where=str(video), remedy="Give the source video.")
        return cls(motion, model, name=folder.resolve().name, video=source)

    @property
    def duration(self) -> float:
        """Return the length of the motion, s."""
        return float(self.motion.time[-1] - self.motion.time[0])

    def frame(self, time: float) -> int:
        """Return the frame that is nearest to a time, s from the start."""
        return int(np.abs(self.motion.time - self.motion.time[0] - time).argmin())

    def between(self, values: np.ndarray, time: float) -> np.ndarray:
        """Return the row of values (T, ...) at a time (s from the start), on straight lines."""
        return on_lines(self.motion.time, values, np.array([self.motion.time[0] + time]))[0]

    def arrows(self, time: float) -> list[Arrow]:
        """Return the forces of the ground at a time, s from the start."""
        return self.arrows_of(self.frame(time))

    def arrows_of(self, frame: int) -> list[Arrow]:
        """Return the forces of the ground in a frame; those too small to be seen are left out."""
        motion = self.motion
        if motion.foot_force is None or motion.foot_cop is None:
            return []
        rows = zip(motion.foot_names, motion.foot_force[frame], motion.foot_cop[frame], strict=True)
        arrows = [self.arrow(side, force, cop) for side, force, cop in rows]
        return [
            arrow
            for arrow in arrows
            if np.all(np.isfinite([arrow.start, arrow.end]))
            and np.linalg.norm(arrow.end - arrow.start) > _SHORTEST_M
        ]

    def arrow(self, side: str, force: np.ndarray, cop: np.ndarray) -> Arrow:
        """Return a force (N) at a center of pressure (m) as an arrow."""
        return Arrow(side, cop, cop + force / self.weight_n * ARROW_M)

    def generalized_force(self, time: float) -> np.ndarray:
        """Return the forces (nv,) of the independent coordinates at a time; 0 for tied joints.

        The rows of the pelvis are the residuals of the estimate.
        """
        force = np.zeros(self.model.nv)
        if self.motion.generalized_force is not None:
            force[self._dofs] = self.between(self.motion.generalized_force, time)
        return force

    def pose(self, data: mujoco.MjData, time: float) -> None:
        """Put the model where it is at a time: positions, speeds and muscle activations."""
        data.time = self.motion.time[0] + time
        data.qpos[:] = self.between(self.motion.qpos, time)
        data.qvel[:] = self.between(self.motion.qvel, time)
        self.activate(data, time)

    def activate(self, data: mujoco.MjData, time: float) -> None:
        """Give the muscles their activations at a time, as state and as control."""
        if self.motion.activation is not None:
            activation = np.nan_to_num(self.between(self.motion.activation, time))
            muscle, actuator = self._muscles
            data.ctrl[actuator] = activation[muscle]
            addresses = self.model.actuator_actadr[actuator]
            data.act[addresses[addresses >= 0]] = activation[muscle[addresses >= 0]]

    @staticmethod
    def colour_muscles(model: mujoco.MjModel, option: mujoco.MjvOption) -> None:
        """Let MuJoCo draw muscles between blue and red by activation, in any of its viewers."""
        model.vis.rgba.actuator = np.array(RESTING)
        model.vis.rgba.actuatorpositive = np.array(ACTIVE)
        joint_motors = model.actuator_trntype != mujoco.mjtTrn.mjTRN_TENDON
        model.actuator_group[joint_motors] = _HIDDEN_GROUP
        option.flags[mujoco.mjtVisFlag.mjVIS_ACTUATOR] = True
        option.flags[mujoco.mjtVisFlag.mjVIS_ACTIVATION] = True

    def draw_ghost(self, time: float, index: int, new_geom: Callable[[], mujoco.MjvGeom]) -> None:
        """Draw the bodies at a time, as the ``index``-th ghost, into new visual geoms.

        Meshes are drawn as ellipsoids of their size: viewers know those of one model only.
        """
        model, data = self.model, self._ghost
        rgba = np.array(GHOSTS[index % len(GHOSTS)], dtype=np.float32)
        data.qpos[:] = self.between(self.motion.qpos, time)
        mujoco.mj_kinematics(model, data)
        mesh, ellipsoid = int(mujoco.mjtGeom.mjGEOM_MESH), int(mujoco.mjtGeom.mjGEOM_ELLIPSOID)
        for i in np.flatnonzero((model.geom_bodyid > 0) & (model.geom_group <= _LAST_GROUP)):
            kind = int(model.geom_type[i])
            mujoco.mjv_initGeom(
                new_geom(), ellipsoid if kind == mesh else kind,
                model.geom_size[i], data.geom_xpos[i], data.geom_xmat[i], rgba,
            )  # fmt: skip

    def pictures(self, height: int, count: int = 600) -> Iterator[tuple[float, np.ndarray]]:
        """Yield (time s from the start, upright picture ``height`` px high) of the source video.

        At most ``count`` of them, spread evenly; none where there is no video.
        """
        if self.video is None:
            return
        from PIL import Image

        from mjx_msk.report.replay import video_frames

        frames = np.unique(np.linspace(0, len(self.motion) - 1, count).round().astype(int))
        times = self.motion.time[frames]
        slow = self.motion.provenance.get("options", {}).get("slow_motion", 1.0)
        for time, image in zip(times, video_frames(str(self.video), times * slow), strict=True):
            width = 2 * round(image.shape[1] * height / image.shape[0] / 2)
            small = Image.fromarray(image).resize((width, height), Image.Resampling.BOX)
            yield float(time - self.motion.time[0]), np.asarray(small)

    @cached_property
    def _ghost(self) -> mujoco.MjData:
        return mujoco.MjData(self.model)

    @cached_property
    def _dofs(self) -> np.ndarray:
        joints = [self.model.joint(name).id for name in self.motion.coordinate_names]
        return self.model.jnt_dofadr[joints]

    @cached_property
    def _muscles(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the columns of the motion's muscles, and the actuators that they are."""
        kind = mujoco.mjtObj.mjOBJ_ACTUATOR
        found = [mujoco.mj_name2id(self.model, kind, n) for n in self.motion.muscle_names]
        actuator = np.array(found, dtype=int)
        return np.flatnonzero(actuator >= 0), actuator[actuator >= 0]


def side_rgba(side: str) -> np.ndarray:
    """Return the colour of a side, (4,) float32."""
    return np.array([*(c / 255 for c in rgb(SIDE_COLOURS[side])), 1.0], dtype=np.float32)


def sampled(motion: Motion, times: np.ndarray) -> Motion:
    """Return the motion at other times (T,) s; before its start and after its end it stands.

    Unlike ``export.edits.resampled`` it needs no model and computes nothing anew: at the frames'
    own times it is what was estimated, between them good enough to look at.
    """
    times = np.clip(times, motion.time[0], motion.time[-1])
    nearest = np.abs(motion.time[:, None] - times[None]).argmin(axis=0)
    arrays = motion.arrays()
    taken = {
        name: on_lines(motion.time, value, times) if name in _SMOOTH else value[nearest]
        for name, value in arrays.items()
    }
    return motion.replace(**taken | {"time": times})


def _recording(motion: Motion, folder: Path) -> Path | None:
    """Return the source video of an estimate if it lies where it is looked for."""
    if motion.landmark_pixels is None or not (name := motion.provenance.get("input")):
        return None
    places = (folder, folder.resolve().parent, Path.cwd())
    return next((place / name for place in places if (place / name).is_file()), None)
