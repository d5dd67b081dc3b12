"""What drives the model in physics: net moments, or muscles with reserves beside them."""

import mujoco
import numpy as np

from mjx_msk import Playback
from mjx_msk_studio.ties import Ties

_OFF = int(mujoco.mjtDisableBit.mjDSBL_ACTUATION)
_STIFF = 0.9999  # the impedance of ties, MuJoCo's largest


def lacking(playback: Playback) -> str:
    """Return why muscles cannot drive an estimate; nothing where they can."""
    if playback.motion.activation is None:
        return "the estimate has no activations"
    names = {playback.model.actuator(i).name for i in np.flatnonzero(_muscles(playback.model))}
    return "" if names & set(playback.motion.muscle_names) else "the model has none of them"


class Drive:
    """Makes a model ready to be driven, and what it was before.

    Actuators are switched off, or muscles pull with what is active in them; what stretched fibers
    pull with is left out, as it is where activations are estimated: on rigid tendons it is too much
    (docs/muscles.md). Ties between joints are made as stiff as the time step allows: a quadriceps
    turns the kneecap by half a radian against MuJoCo's usual ones.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        self._bias = model.actuator_biastype.copy()
        self._ties = model.eq_solimp.copy(), model.eq_solref.copy()

    def set(self, model: mujoco.MjModel, *, muscles: bool) -> None:
        """Make the model ready."""
        if muscles:
            model.opt.disableflags &= ~_OFF
            model.actuator_biastype[_muscles(model)] = mujoco.mjtBias.mjBIAS_NONE
        else:
            model.opt.disableflags |= _OFF
        ties = model.eq_type == mujoco.mjtEq.mjEQ_JOINT
        model.eq_solimp[ties, :2] = _STIFF
        model.eq_solref[ties] = 2 * model.opt.timestep, 1.0

    def restore(self, model: mujoco.MjModel) -> None:
        """Undo ``set``."""
        model.opt.disableflags &= ~_OFF
        model.actuator_biastype[:] = self._bias
        model.eq_solimp[:], model.eq_solref[:] = self._ties


def own_forces(playback: Playback, model: mujoco.MjModel) -> np.ndarray:
    """Return what the model itself makes of the moments in each frame, (frames, nv) N m or N.

    That is, on the estimated motion, the work of its springs, dampers and actuators, as far as
    they are switched on, at the independent coordinates. What is missing to the estimate's net
    moments are the reserves.
    """
    data, ties = mujoco.MjData(model), Ties(model)
    times = playback.motion.time - playback.motion.time[0]
    forces = np.zeros((len(times), model.nv))
    for row, time in zip(forces, times, strict=True):
        playback.pose(data, float(time))
        mujoco.mj_fwdPosition(model, data)
        mujoco.mj_fwdVelocity(model, data)
        mujoco.mj_fwdActuation(model, data)
        row[:] = ties.matrix(data.qpos).T @ (data.qfrc_passive + data.qfrc_actuator)
    return forces


def _muscles(model: mujoco.MjModel) -> np.ndarray:
    return model.actuator_dyntype == mujoco.mjtDyn.mjDYN_MUSCLE
