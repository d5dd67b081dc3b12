"""The estimate run as physics: its generalized forces, contact of the feet, and a guiding hand."""

import mujoco
import numpy as np

from mjx_msk import Playback

_OFF = int(mujoco.mjtDisableBit.mjDSBL_ACTUATION)
_ROOT = 6  # coordinates of the pelvis, which come first
_LONGEST_STEP = 0.1  # s simulated in one go: a slow machine shows slow motion, not jumps


class Forward:
    """Forward simulation of one estimate from a time on.

    The independent coordinates get the estimate's net moments through ``qfrc_applied``; muscles
    are switched off, since the net moments hold their work. The forces on the feet are those of
    MuJoCo's contact. ``guide`` adds a spring and damper about the estimated motion at each
    coordinate, ``M (w^2 (q_ref - q) + 2 w (v_ref - v))`` with the diagonal M of the mass matrix and
    w = ``guide`` rad/s: critically damped, 0 for none. ``hold_pelvis`` extends both the guide and
    the estimate's residuals to the pelvis; without it only the ground holds the model up.
    """

    def __init__(self, playback: Playback, *, guide: float = 20.0, hold_pelvis: bool = False):
        self.playback = playback
        self.guide, self.hold_pelvis = guide, hold_pelvis
        names = playback.motion.coordinate_names
        model = playback.model
        joints = [model.joint(name).id for name in names]
        self._dofs, self._places = model.jnt_dofadr[joints], model.jnt_qposadr[joints]
        self._pelvis = self._dofs[: min(_ROOT, len(joints))]
        self._diagonal = np.zeros(model.nv)

    def start(self, model: mujoco.MjModel, data: mujoco.MjData, time: float) -> None:
        """Put the model on the motion at a time, s from its start, and switch muscles off."""
        mujoco.mj_resetData(model, data)
        self.playback.pose(data, time)
        model.opt.disableflags |= _OFF
        mujoco.mj_forward(model, data)
        full = np.zeros((model.nv, model.nv))
        mujoco.mj_fullM(model, data, full)
        self._diagonal = np.diag(full).copy()

    def stop(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Switch muscles on again and take the forces away."""
        model.opt.disableflags &= ~_OFF
        data.qfrc_applied[:] = 0

    def advance(self, model: mujoco.MjModel, data: mujoco.MjData, elapsed: float) -> float:
        """Simulate ``elapsed`` s; return the time, s from the start of the motion.

        At the end of the motion it starts again from its beginning; a simulation that becomes
        unstable is put back on the motion.
        """
        start = float(self.playback.motion.time[0])
        steps = round(min(elapsed, _LONGEST_STEP) / model.opt.timestep)
        for _ in range(steps):
            before = data.time
            if before - start >= self.playback.duration:
                self.start(model, data, 0.0)
            data.qfrc_applied[:] = self.force(data)
            mujoco.mj_step(model, data)
            if data.time <= before:  # MuJoCo resets what has become unstable
                self.start(model, data, before - start)
        return float(data.time - start)

    def force(self, data: mujoco.MjData) -> np.ndarray:
        """Return the applied forces (nv,) at the present state."""
        motion = self.playback.motion
        time = float(data.time - motion.time[0])
        force = self.playback.generalized_force(time)
        if self.guide > 0:
            behind = self.playback.between(motion.q, time) - data.qpos[self._places]
            slower = self.playback.between(motion.qd, time) - data.qvel[self._dofs]
            pull = self.guide**2 * behind + 2 * self.guide * slower
            force[self._dofs] += self._diagonal[self._dofs] * pull
        if not self.hold_pelvis:
            force[self._pelvis] = 0.0
        return force


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
