"""The muscles behind the joint moments of a motion, and what the joints of the legs bear."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.points import in_chunks
from mjx_msk.model import FOOT_BODIES, Model
from mjx_msk.physics.dynamics import Loads, joint_reactions
from mjx_msk.physics.kinematics import pose
from mjx_msk.physics.muscles import passive_joint_force
from mjx_msk.physics.static_optimization import crossed, muscle_activations

#: Joints whose load is reported, and the bones that they carry.
_CARRIED = {
    f"{joint}_{side}": f"{bone}_{side}"
    for joint, bone in (("hip", "femur"), ("knee", "tibia"), ("ankle", "talus"))
    for side in "rl"
}


class MuscleEffort(NamedTuple):
    """What muscles do in a motion and what joints bear."""

    activation: np.ndarray  #: (T, m) 0..1
    tension: np.ndarray  #: (T, m) N, along the tendons
    reserve: np.ndarray  #: (T, n) N m, of the moments, what muscles do not make; NaN without muscle
    joint_names: tuple[str, ...]  #: j joints
    joint_force: np.ndarray  #: (T, j, 3) N on the outer bone, in its axes: x forward, y up, z right


@jax.jit
def _effort(model, q, qd, qdd, tau, force, point, moment):
    feet = tuple(model.layout.body_names.index(name) for name in FOOT_BODIES)
    bones = np.array([model.layout.body_names.index(b) for b in joints_carried(model).values()])
    passive = jax.vmap(passive_joint_force, (None, 0, 0))(model, q, qd)
    found = muscle_activations(model, q, qd, tau - passive)

    def borne(q, qd, qdd, tension, *ground):
        rotation = pose(model, q).body_rotation[bones]
        reaction = joint_reactions(model, q, qd, qdd, feet, Loads(*ground), tension)
        return jnp.einsum("jxy,jx->jy", rotation, reaction.force[bones])

    force = jax.vmap(borne)(q, qd, qdd, found.tension, force, point, moment)
    return found.activation, found.tension, found.reserve, force


def joints_carried(model: Model) -> dict[str, str]:
    """Return the joints whose load is computed, and the bone that each carries."""
    bodies = model.layout.body_names
    return {joint: bone for joint, bone in _CARRIED.items() if bone in bodies}


def muscle_effort(
    model: Model, q: np.ndarray, qd: np.ndarray, qdd: np.ndarray, tau: np.ndarray, loads: FootLoads
) -> MuscleEffort | None:
    """Return the least activations behind joint moments ``tau`` (T, n), None without muscles.

    Frames whose moments are not known (NaN) stay unknown. Joint forces are those of bone on bone:
    what is left of the reaction when all muscles pull (docs/dynamics.md).
    """
    if not model.layout.muscles.names:
        return None
    arrays = (q, qd, qdd, tau, loads.force, np.nan_to_num(loads.cop), loads.moment)
    activation, tension, reserve, force = in_chunks(lambda *a: _effort(model, *a), *arrays)
    reserve[:, ~crossed(model)] = np.nan
    return MuscleEffort(activation, tension, reserve, tuple(joints_carried(model)), force)
