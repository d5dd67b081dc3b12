"""A data set's own model of a person, and what its coordinates mean on the default model.

Older models name a coordinate alike and turn it the other way (``knee_angle`` of gait2392 and of
Hamner's model flexes to the negative), so signs are measured, not assumed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import mujoco
import numpy as np

from mjx_msk.compile import compile_osim
from mjx_msk.compile.following import follow
from mjx_msk.errors import MskError
from mjx_msk.fit.subject import generic_spec
from mjx_msk.train.sizes import distances

#: Without these coordinates a model is no whole person: planar, or one leg.
NEEDED = (
    "pelvis_tx", "pelvis_ty", "pelvis_tz", "pelvis_tilt", "pelvis_list", "pelvis_rotation",
    *(f"{name}_{side}" for side in "rl"
      for name in ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle")),
    "lumbar_extension", "lumbar_bending", "lumbar_rotation",
)  # fmt: skip
#: A small turn that shows a coordinate's axis, rad.
_STEP = 1e-3
#: Two axes are one axis when the cosine between them is at least this ...
_SAME_AXIS = 0.9
#: ... and two zeros one zero when they differ by less than this, rad.
_SAME_ZERO = 0.12


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A compiled model in MuJoCo's C engine, posed by coordinates given by name."""

    mj: mujoco.MjModel

    @classmethod
    def of(cls, spec: mujoco.MjSpec) -> "Skeleton":
        """Compile a spec."""
        return cls(spec.copy().compile())

    @cached_property
    def bodies(self) -> dict[str, int]:
        """Return the index of each body of the source."""
        return {self.mj.body(b).name: b for b in range(self.mj.nbody)}

    @cached_property
    def joints(self) -> dict[str, int]:
        """Return the index of each joint."""
        return {self.mj.joint(j).name: j for j in range(self.mj.njnt)}

    @property
    def mass_kg(self) -> float:
        """Return the whole mass."""
        return float(self.mj.body_subtreemass[0])

    def poses(self, names: Sequence[str], q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return all bodies' places (T, nbody, 3), m, and rotations (T, nbody, 3, 3) in the world.

        ``q`` (T, n) are the coordinates ``names``; what the model does not know is left out, what
        is not given stays at the model's default.
        """
        known = [(i, self.joints[name]) for i, name in enumerate(names) if name in self.joints]
        qpos = np.tile(self._rest, (len(q), 1))
        qpos[:, [self.mj.jnt_qposadr[j] for _, j in known]] = q[:, [i for i, _ in known]]
        data = mujoco.MjData(self.mj)
        place, turn = np.empty((len(q), self.mj.nbody, 3)), np.empty((len(q), self.mj.nbody, 9))
        for t, row in enumerate(follow(self.mj, qpos)):
            data.qpos[:] = row
            mujoco.mj_kinematics(self.mj, data)
            place[t], turn[t] = data.xpos, data.xmat
        return place, turn.reshape(len(q), self.mj.nbody, 3, 3)

    @cached_property
    def _rest(self) -> np.ndarray:
        return np.array(self.mj.key_qpos[0]) if self.mj.nkey else np.array(self.mj.qpos0)

    def axis(self, coordinate: str, body: str, above: str) -> np.ndarray:
        """Return how ``body`` turns in ``above`` along a coordinate at zero, rad/rad, (3,)."""
        if coordinate not in self.joints or body not in self.bodies or above not in self.bodies:
            return np.zeros(3)
        names = tuple(self.joints)
        q = np.zeros((2, len(names)))
        q[:, names.index(coordinate)] = -_STEP, _STEP
        before, after = self._relative(names, q, body, above)
        spin = (after @ before.T - before @ after.T) / (4 * _STEP)
        return np.array([spin[2, 1], spin[0, 2], spin[1, 0]])

    def zero(self, body: str, above: str) -> np.ndarray:
        """Return the rotation (3, 3) of ``body`` in ``above`` with all coordinates at zero."""
        names = tuple(self.joints)
        return self._relative(names, np.zeros((1, len(names))), body, above)[0]

    def _relative(self, names: Sequence[str], q: np.ndarray, body: str, above: str) -> np.ndarray:
        turn = self.poses(names, q)[1]
        b, a = self.bodies[body], self.bodies[above]
        return turn[:, a].swapaxes(1, 2) @ turn[:, b]


def carriers(default: Skeleton) -> dict[str, tuple[str, str]]:
    """Return the body that each turning coordinate moves, and the one that it turns it in."""
    mj, found = default.mj, {}
    for name, j in default.joints.items():
        if mj.jnt_type[j] != mujoco.mjtJoint.mjJNT_HINGE or "/" in name:
            continue
        body = int(mj.jnt_bodyid[j])
        while "/" in mj.body(body).name:  # the joint's own body hangs below a helper
            body = int(next(b for b in range(mj.nbody) if mj.body_parentid[b] == body))
        above = int(mj.body_parentid[body])
        while "/" in mj.body(above).name:
            above = int(mj.body_parentid[above])
        found[name] = (mj.body(body).name, mj.body(above).name)
    return found


class Published:
    """One person's published model beside the default one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.skeleton = Skeleton.of(compile_osim(path))
        default = Skeleton.of(generic_spec())
        self.carriers = carriers(default)
        if missing := [name for name in NEEDED if name not in self.skeleton.joints]:
            raise MskError(
                f"this model cannot be a whole person: it lacks {', '.join(missing)}.",
                where=str(path),
                remedy="Its trials are left out.",
            )
        self.signs: dict[str, float] = {}
        for name, (body, above) in self.carriers.items():
            if name in self.skeleton.joints and not name.startswith("pelvis"):
                sign = self._sign(default, name, body, above)
                if sign is not None:
                    self.signs[name] = sign

    def distances(self) -> np.ndarray:
        """Return ``sizes.DISTANCES`` of the model with all coordinates at zero, m."""
        names = tuple(self.skeleton.joints)
        place, _ = self.skeleton.poses(names, np.zeros((1, len(names))))
        return distances({name: place[0, b] for name, b in self.skeleton.bodies.items()})

    def _sign(self, default: Skeleton, name: str, body: str, above: str) -> float | None:
        """Return 1 or -1: which way a coordinate turns, as seen from the default model.

        None for one that means something else; raises ``MskError`` where that may not be.
        """
        ours, theirs = (s.axis(name, body, above) for s in (default, self.skeleton))
        length = float(np.linalg.norm(ours) * np.linalg.norm(theirs))
        cosine = float(ours @ theirs) / length if length > 0 else 0.0
        offset = default.zero(body, above).T @ self.skeleton.zero(body, above)
        angle = np.arccos(np.clip((np.trace(offset) - 1) / 2, -1, 1))
        if abs(cosine) >= _SAME_AXIS and angle <= _SAME_ZERO:
            return float(np.sign(cosine))
        if name not in NEEDED:
            return None
        raise MskError(
            f"'{name}' means something else than in the default model "
            f"(cosine of axes {cosine:.2f}, zeros {np.rad2deg(angle):.0f} deg apart).",
            where=str(self.path),
            remedy="Its trials are left out.",
        )
