"""A motion and the model that makes it: what is edited and exported."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from mjx_msk.compile import read_spec
from mjx_msk.compile.following import follow_motion
from mjx_msk.errors import MskError
from mjx_msk.model import LANDMARK_PREFIX
from mjx_msk.motion import Motion

#: Frames are evenly spaced when no step differs by more than this share from the mean.
_EVEN = 1e-3


@dataclass(frozen=True, eq=False)
class Take:
    """A motion on its model, in MuJoCo's C engine."""

    motion: Motion
    spec: mujoco.MjSpec

    @cached_property
    def mj(self) -> mujoco.MjModel:
        """Return the compiled model."""
        return self.spec.copy().compile()

    @cached_property
    def bones(self) -> list[int]:
        """Return the bodies of the source model, without those that only carry joints."""
        return [b for b in range(1, self.mj.nbody) if "/" not in self.mj.body(b).name]

    @cached_property
    def parents(self) -> dict[int, int]:
        """Return the bone (0: the ground) that each bone hangs from."""
        found = {}
        for bone in self.bones:
            above = int(self.mj.body_parentid[bone])
            while above and above not in self.bones:
                above = int(self.mj.body_parentid[above])
            found[bone] = above
        return found

    @property
    def even(self) -> bool:
        """Return whether the frames are evenly spaced."""
        steps = np.diff(self.motion.time) * self.motion.rate_hz
        return bool(np.abs(steps - 1.0).max() < _EVEN)

    def replace(self, **changes: Any) -> "Take":
        """Return the take with fields of its motion replaced."""
        return replace(self, motion=self.motion.replace(**changes))

    def moving(self, q: np.ndarray, qd: np.ndarray, qdd: np.ndarray, **changes: Any) -> "Take":
        """Return the take with other coordinates (T, n) and their derivatives, and other fields.

        Dependent joints, markers and fitted landmarks follow from the coordinates.
        """
        motion = self.motion
        column = {name: i for i, name in enumerate(motion.coordinate_names)}
        own = [name in column for name in motion.joint_names]
        source = [column[name] for name in motion.joint_names if name in column]
        full = [np.zeros((len(q), len(motion.joint_names))) for _ in range(3)]
        for values, given in zip(full, (q, qd, qdd), strict=True):
            values[:, own] = given[:, source]
        qpos, qvel, qacc = follow_motion(self.mj, *full)
        changes |= self._points(qpos)
        return self.replace(q=q, qd=qd, qdd=qdd, qpos=qpos, qvel=qvel, qacc=qacc, **changes)

    def places(self, kind: str, ids: Sequence[int], qpos: np.ndarray | None = None) -> np.ndarray:
        """Return ``kind`` (``site_xpos``, ``xpos`` ...) of sites, bodies or geoms, (T, k, ...)."""
        data, found = mujoco.MjData(self.mj), []
        for row in self.motion.qpos if qpos is None else qpos:
            data.qpos[:] = row
            mujoco.mj_kinematics(self.mj, data)
            found.append(getattr(data, kind)[ids])
        return np.array(found)

    def _points(self, qpos: np.ndarray) -> dict[str, np.ndarray]:
        """Return the markers and fitted landmarks (T, k, 3) that the motion tells, at ``qpos``."""
        motion, found = self.motion, {}
        landmarks = [LANDMARK_PREFIX + name for name in motion.landmark_names]
        for field, names in (("markers", motion.marker_names), ("landmarks_fitted", landmarks)):
            if getattr(motion, field) is not None:
                ids = [self.mj.site(name).id for name in names]
                found[field] = self.places("site_xpos", ids, qpos)
        return found


def read_take(folder: Path) -> Take:
    """Read the motion and the model of an estimate's folder.

    Raises ``MskError`` where one of them is missing, or they do not belong together, or where
    there is only one frame.
    """
    motion = Motion.load(folder / "motion.npz")
    take = Take(motion, read_spec(folder / "model.xml"))
    joints = tuple(take.mj.joint(j).name for j in range(take.mj.njnt))
    if joints != motion.joint_names:
        raise MskError(
            "motion.npz and model.xml do not belong together: their joints differ.",
            where=str(folder),
            remedy="Give a folder that mjx-msk estimate or mjx-msk import has written.",
        )
    if len(motion) < 2:
        raise MskError(
            "a single frame is no motion.", where=str(folder), remedy="Estimate more of it."
        )
    return take
