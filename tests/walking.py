"""A person who walks in front of a camera, made by the C engine: what fits must find again."""

from dataclasses import dataclass

import mujoco
import numpy as np
from scipy.ndimage import gaussian_filter1d

from mjx_msk.compile.following import follow
from mjx_msk.fit.scaling import SEGMENTS
from mjx_msk.fit.subject import generic_spec, scaled_spec
from mjx_msk.model import LANDMARK_PREFIX
from mjx_msk.vision.camera import Camera, project
from mjx_msk.vision.landmarks import NAMES, Landmarks, from_arrays

RATE_HZ = 30.0
#: Walking: speed, duration of a stride and the share of it in which a foot stands.
SPEED_M_S, STRIDE_S, STANCE = 0.7, 1.1, 0.6
IMAGE = (1920, 1080)
#: The subject: not of average shape, symmetric.
BASE = 1.03
STRETCH = {"thigh": 0.03, "shank": -0.03, "upper_arm": 0.03, "shoulder_width": 0.04}
LOG_SEGMENTS = np.array([STRETCH.get(name, 0.0) for name in SEGMENTS])
MASS_KG = 74.0


def subject() -> mujoco.MjSpec:
    """Return the subject's own model."""
    return scaled_spec(generic_spec(), BASE, LOG_SEGMENTS, MASS_KG)


class Body:
    """A model in the C engine, posed by independent coordinates given by name."""

    def __init__(self, spec: mujoco.MjSpec, names: tuple[str, ...]) -> None:
        self.mj = spec.copy().compile()
        self.data = mujoco.MjData(self.mj)
        self.names = names
        self.address = [int(self.mj.joint(name).qposadr[0]) for name in names]
        self.soles = [
            g for g in range(self.mj.ngeom) if self.mj.geom(g).name.startswith("contact/")
        ]
        self.landmarks = [self.mj.site(s).name for s in range(self.mj.nsite)]
        self.landmarks = [n for n in self.landmarks if n.startswith(LANDMARK_PREFIX)]

    def pose(self, row: np.ndarray) -> mujoco.MjData:
        """Put the body at the coordinates (n,)."""
        qpos = np.zeros(self.mj.nq)
        qpos[self.address] = row
        self.data.qpos[:] = follow(self.mj, qpos)
        mujoco.mj_kinematics(self.mj, self.data)
        mujoco.mj_comPos(self.mj, self.data)
        return self.data

    def sole_points(self, q: np.ndarray) -> np.ndarray:
        """Return the lowest points of the contact spheres, (T, c, 3) m."""
        radius = self.mj.geom_size[self.soles, 0]
        centres = np.array([self.pose(row).geom_xpos[self.soles].copy() for row in q])
        return centres - radius[:, None] * np.array([0.0, 0.0, 1.0])

    def landmarks_at(self, q: np.ndarray) -> dict[str, np.ndarray]:
        """Return the landmarks' places (T, 3) m by name."""
        found = np.array(
            [[self.pose(row).site(name).xpos.copy() for name in self.landmarks] for row in q]
        )
        return {
            name.removeprefix(LANDMARK_PREFIX): found[:, i] for i, name in enumerate(self.landmarks)
        }

    def centre_of_mass(self, q: np.ndarray) -> np.ndarray:
        """Return the center of mass (T, 3) m."""
        return np.array([self.pose(row).subtree_com[1].copy() for row in q])

    def stature(self) -> float:
        """Return the height of the standing model, m."""
        upright = np.zeros((1, len(self.names)))
        top = self.landmarks_at(upright)["vertex"][0, 2]
        return float(top - self.sole_points(upright)[..., 2].min())


def walk(body: Body, frames: int, *, heading_deg: float = 0.0, turn_deg: float = 0.0) -> np.ndarray:
    """Return a walk (T, n) of ``SPEED_M_S``: each foot stands still and flat, or swings ahead.

    The walker sets out toward ``heading_deg`` from the world's X and turns by ``turn_deg``.
    """
    t = np.arange(frames) / RATE_HZ
    column = {name: i for i, name in enumerate(body.names)}
    q = np.zeros((frames, len(body.names)))

    def put(name: str, angle: np.ndarray | float) -> None:
        q[:, column[name]] = angle

    for side, offset in (("r", 0.0), ("l", 0.5)):
        cycle = t / STRIDE_S + offset
        hip, knee, ankle = leg(body, *foot_path(cycle % 1.0))
        put(f"hip_flexion_{side}", hip)
        put(f"knee_angle_{side}", knee)
        put(f"ankle_angle_{side}", ankle)
        swing = np.cos(2 * np.pi * cycle)
        put(f"arm_flex_{side}", np.deg2rad(5 - 18 * swing))
        put(f"arm_add_{side}", np.deg2rad(-12))
        put(f"elbow_flex_{side}", np.deg2rad(35 - 12 * swing))
        put(f"pro_sup_{side}", np.deg2rad(60))
    put("pelvis_rotation", np.deg2rad(heading_deg + turn_deg * t / max(t[-1], 1 / RATE_HZ)))
    put("lumbar_extension", np.deg2rad(-3))
    put("lumbar_rotation", np.deg2rad(6 * np.cos(2 * np.pi * t / STRIDE_S)))
    return planted(body, q)


def foot_path(cycle: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ankle ahead of the hip (m), its lift (m) and the foot's pitch along a stride."""
    reach = SPEED_M_S * STRIDE_S * STANCE / 2
    s = np.clip((cycle - STANCE) / (1 - STANCE), 0.0, 1.0)  # progress of the swing
    ahead = SPEED_M_S * STRIDE_S * (s - np.sin(2 * np.pi * s) / (2 * np.pi))
    lift = np.sin(np.pi * s) ** 2
    return reach - SPEED_M_S * STRIDE_S * cycle + ahead, 0.09 * lift, np.deg2rad(-15) * lift


def leg(
    body: Body, ahead: np.ndarray, lift: np.ndarray, pitch: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hip, knee and ankle angles (T,) of two rods that put a foot where it should be."""
    data = body.pose(np.zeros(len(body.names)))
    joints = [data.body(name).xpos.copy() for name in ("femur_r", "tibia_r", "talus_r")]
    thigh, shank = np.linalg.norm(np.diff(joints, axis=0), axis=1)
    down = 0.94 * (thigh + shank) - lift
    reach = np.hypot(ahead, down)
    knee = np.pi - np.arccos((thigh**2 + shank**2 - reach**2) / (2 * thigh * shank))
    inner = np.arccos((thigh**2 + reach**2 - shank**2) / (2 * thigh * reach))
    hip = np.arctan2(ahead, down) + inner
    return hip, knee, pitch - hip + knee


def squat(body: Body, frames: int) -> np.ndarray:
    """Return one slow squat (T, n) on flat feet, the center of mass over their middle."""
    depth = 0.5 * (1 - np.cos(2 * np.pi * np.arange(frames) / (frames - 1)))
    column = {name: i for i, name in enumerate(body.names)}
    q = np.zeros((frames, len(body.names)))
    lean = ankle = np.deg2rad(4 + 20 * depth)
    hip = np.deg2rad(50) * depth
    q[:, column["pelvis_tilt"]] = -lean
    for side in "rl":
        q[:, column[f"hip_flexion_{side}"]] = hip
        q[:, column[f"ankle_angle_{side}"]] = ankle
        q[:, column[f"knee_angle_{side}"]] = hip - lean + ankle
        q[:, column[f"elbow_flex_{side}"]] = np.deg2rad(30)
        q[:, column[f"pro_sup_{side}"]] = np.deg2rad(60)
        q[:, column[f"arm_add_{side}"]] = np.deg2rad(-10)
        q[:, column[f"arm_flex_{side}"]] = np.deg2rad(60) * depth
    soles = body.sole_points(q)
    q[:, column["pelvis_tx"]] = -soles[..., 0].mean(axis=1)
    q[:, column["pelvis_ty"]] = -soles[..., 2].min(axis=1)
    return q


def planted(body: Body, q: np.ndarray) -> np.ndarray:
    """Move the pelvis so that each frame's lowest sole point stands on z = 0.

    Where one sole point hands over to the next, the pelvis's path is rounded.
    """
    soles = body.sole_points(q)
    path = np.zeros((len(q), 3))
    for t in range(1, len(q)):
        stands = np.argmin(np.maximum(soles[t, :, 2], soles[t - 1, :, 2]))
        path[t] = path[t - 1] - (soles[t, stands] - soles[t - 1, stands])
    path[:, 2] = -soles[..., 2].min(axis=1)
    path = gaussian_filter1d(path, 1.0, axis=0, mode="nearest")
    moved = q.copy()
    places = [body.names.index(f"pelvis_t{axis}") for axis in "xyz"]
    moved[:, places] += np.column_stack([path[:, 0], path[:, 2], -path[:, 1]])  # x, up, right
    return moved


@dataclass(frozen=True)
class Filming:
    """A camera that stands still: a phone's lens, pitched down and rolled a bit."""

    camera: Camera
    rotation: np.ndarray  #: camera_from_world
    position: np.ndarray  #: (3,) m

    def points(self, world: np.ndarray) -> np.ndarray:
        """Return points (..., 3) in camera axes."""
        return (world - self.position) @ self.rotation.T


def filming(
    look_at: np.ndarray, *, distance: float = 4.0, height: float = 1.3, gravity_known: bool = True
) -> Filming:
    """Return a camera that looks along the world's Y at ``look_at`` (3,), 5 degrees rolled."""
    position = np.array([look_at[0], look_at[1] - distance, height])
    forward = (look_at - position) / np.linalg.norm(look_at - position)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    roll = np.deg2rad(5.0)
    x = np.cos(roll) * right + np.sin(roll) * down
    y = np.cross(forward, x)
    rotation = np.stack([x, y, forward])
    lens = np.array([[1400.0, 0.0, 955.0], [0.0, 1400.0, 545.0], [0.0, 0.0, 1.0]])
    return Filming(
        Camera(
            intrinsics=lens, distortion=np.array([0.05, -0.02, 0.0, 0.0, 0.0]), image_size=IMAGE,
            gravity=-rotation[:, 2] if gravity_known else None, source="made by the test",
        ),
        rotation, position,
    )  # fmt: skip


def seen_by(
    film: Filming, landmarks: dict[str, np.ndarray], *, noise: float = 1.0, seed: int = 0
) -> Landmarks:
    """Return what a pose network would say: 3 px off in the image, more, and biased, in depth.

    What no landmark of the model stands for lies in the middle of the hips and is not visible.
    """
    random = np.random.default_rng(seed)
    middle = (landmarks["right_hip"] + landmarks["left_hip"]) / 2
    points = film.points(np.stack([landmarks.get(name, middle) for name in NAMES], axis=1))
    pixels = np.asarray(project(points, film.camera.intrinsics, film.camera.distortion))
    frames, count = pixels.shape[:2]
    world = points - film.points(middle)[:, None]
    world = world + noise * random.normal(0, 0.02, world.shape)
    along = random.normal(0, 0.05, count) + random.normal(0, 0.04, (frames, count))
    world[..., 2] += noise * along
    visible = np.array([0.95 if name in landmarks else 0.0 for name in NAMES])
    return from_arrays(
        np.arange(frames) / RATE_HZ,
        pixels + noise * random.normal(0, 3.0, pixels.shape),
        world,
        np.tile(visible, (frames, 1)),
        IMAGE,
    )
