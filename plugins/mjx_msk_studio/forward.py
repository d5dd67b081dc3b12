"""The estimate run as physics: its moments or muscles, contact of the feet, a guiding hand."""

import mujoco
import numpy as np

from mjx_msk import Playback
from mjx_msk_studio.drive import Drive, lacking, own_forces
from mjx_msk_studio.ties import Ties

_ROOT = 6  # coordinates of the pelvis, which come first
_LONGEST_STEP = 0.1  # s simulated in one go: a slow machine shows slow motion, not jumps


class Forward:
    """Forward simulation of one estimate from a time on.

    The independent coordinates get the estimate's net moments, less what the model's own springs
    make of them on the motion, through ``qfrc_applied``; muscles are switched off. With
    ``muscles`` they are on, have the estimate's activations, and pull as their present lengths and
    speeds let them; ``qfrc_applied`` then holds the reserves: the net moments less what muscles
    and springs make of them on the motion. The forces on the feet are those of MuJoCo's contact.
    ``guide`` adds springs and dampers about the estimated motion, ``M (w^2 (q_ref - q) +
    2 w (v_ref - v))`` with the mass matrix M of the coordinates and w = ``guide`` rad/s: critically
    damped, 0 for none. ``hold_pelvis`` extends both the guide and
    the estimate's residuals to the pelvis; without it only the ground holds the model up.
    """

    def __init__(
        self,
        playback: Playback,
        *,
        guide: float = 80.0,
        hold_pelvis: bool = False,
        muscles: bool = False,
    ) -> None:
        self.playback = playback
        self.guide, self.hold_pelvis, self.muscles = guide, hold_pelvis, muscles
        names = playback.motion.coordinate_names
        model = playback.model
        joints = [model.joint(name).id for name in names]
        self._dofs, self._places = model.jnt_dofadr[joints], model.jnt_qposadr[joints]
        self._pelvis = self._dofs[: min(_ROOT, len(joints))]
        self._ties, self._drive = Ties(model), Drive(model)
        self.lacking = lacking(playback)  #: why muscles cannot drive, empty if they can
        self._own: dict[bool, np.ndarray] = {}

    @property
    def driven(self) -> bool:
        """Return whether muscles drive: wanted, and known in the estimate."""
        return self.muscles and not self.lacking

    def start(self, model: mujoco.MjModel, data: mujoco.MjData, time: float) -> None:
        """Put the model on the motion at a time, s from its start."""
        mujoco.mj_resetData(model, data)
        self.playback.pose(data, time)
        self._set_drive(model)
        mujoco.mj_forward(model, data)

    def stop(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Make the model what it was and take the forces away."""
        self._drive.restore(model)
        data.qfrc_applied[:] = 0

    def advance(self, model: mujoco.MjModel, data: mujoco.MjData, elapsed: float) -> float:
        """Simulate ``elapsed`` s; return the time, s from the start of the motion.

        At the end of the motion it starts again from its beginning; a simulation that becomes
        unstable is put back on the motion.
        """
        self._set_drive(model)
        start = float(self.playback.motion.time[0])
        steps = round(min(elapsed, _LONGEST_STEP) / model.opt.timestep)
        for _ in range(steps):
            before = data.time
            if before - start >= self.playback.duration:
                self.start(model, data, 0.0)
            data.qfrc_applied[:] = self.force(model, data)
            self.playback.activate(data, float(data.time - start))
            mujoco.mj_step(model, data)
            if data.time <= before:  # MuJoCo resets what has become unstable
                self.start(model, data, before - start)
        return float(data.time - start)

    def force(self, model: mujoco.MjModel, data: mujoco.MjData) -> np.ndarray:
        """Return the applied forces (nv,) at the present state."""
        time = float(data.time - self.playback.motion.time[0])
        force = np.nan_to_num(self.playback.generalized_force(time))
        force -= np.nan_to_num(self.playback.between(self._own[self.driven], time))
        if self.guide > 0:
            force += self._pull(model, data, time)
        if not self.hold_pelvis:
            force[self._pelvis] = 0.0
        return force

    def _pull(self, model: mujoco.MjModel, data: mujoco.MjData, time: float) -> np.ndarray:
        """Return what the guide gives (nv,), with the mass matrix of the last step.

        A pelvis that is not held goes where the others take it, so that nothing pulls at it.
        """
        motion = self.playback.motion
        behind = self.playback.between(motion.q, time) - data.qpos[self._places]
        slower = self.playback.between(motion.qd, time) - data.qvel[self._dofs]
        wanted = np.zeros(model.nv)
        wanted[self._dofs] = self.guide**2 * behind + 2 * self.guide * slower
        full, rates = np.zeros((model.nv, model.nv)), self._ties.matrix(data.qpos)
        mujoco.mj_fullM(model, data, full)
        inertia = rates.T @ full @ rates
        if self.hold_pelvis:
            return inertia @ wanted
        free = self._pelvis
        wanted[free] = 0.0
        wanted[free] = -np.linalg.solve(inertia[np.ix_(free, free)], inertia[free] @ wanted)
        return inertia @ wanted

    def _set_drive(self, model: mujoco.MjModel) -> None:
        driven = self.driven
        self._drive.set(model, muscles=driven)
        if driven not in self._own:
            self._own[driven] = own_forces(self.playback, model)


def feet_on_ground(
    model: mujoco.MjModel, data: mujoco.MjData
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return (side, force N, center of pressure m) of the feet that touch something.

    Sides are those of the model's contact spheres, ``contact/r/heel`` and so on. The center is the
    mean of the contact points, weighted by their normal forces.
    """
    found: dict[str, list[tuple[np.ndarray, np.ndarray, float]]] = {}
    wrench = np.zeros(6)
    for index in range(data.ncon):
        contact = data.contact[index]
        names = [model.geom(int(geom)).name for geom in contact.geom]
        spheres = [i for i, name in enumerate(names) if name.startswith("contact/")]
        if len(spheres) != 1:
            continue
        mujoco.mj_contactForce(model, data, index, wrench)
        # the frame's first axis points from the first geom to the second one, and so does the force
        sign = 1.0 if spheres[0] == 1 else -1.0
        force = sign * contact.frame.reshape(3, 3).T @ wrench[:3]
        side = names[spheres[0]].split("/")[1]
        found.setdefault(side, []).append((force, contact.pos.copy(), float(wrench[0])))
    result = []
    for side, rows in sorted(found.items()):
        weights = np.array([max(normal, 0.0) for _, _, normal in rows])
        if weights.sum() > 0:
            center = np.average([place for _, place, _ in rows], axis=0, weights=weights)
            result.append((side, np.sum([force for force, _, _ in rows], axis=0), center))
    return result
