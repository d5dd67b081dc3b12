"""Springs and dampers on sums of joints of a compiled model: MuJoCo's fixed tendons.

The compiler makes them of OpenSim's ``CoordinateLimitForce`` and ``SpringGeneralizedForce``.
"""

import dataclasses

import jax
import jax.numpy as jnp
import mujoco
import numpy as np


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Springs:
    """k springs, which can be traced; a spring's length is ``arm @ qpos`` of hinges and slides."""

    arm: jax.Array  #: (k, nv) m or rad per rad or m of joints; 0 for free joints
    rest: jax.Array  #: (k, 2) between these lengths a spring does not pull
    stiffness: jax.Array  #: (k,) N m/rad or N/m
    damping: jax.Array  #: (k,) N m s/rad or N s/m


def read_springs(mj: mujoco.MjModel) -> Springs:
    """Return the fixed tendons that pull or damp; springs between points are left out."""
    kept = [
        t
        for t in range(mj.ntendon)
        if mj.wrap_type[mj.tendon_adr[t]] == mujoco.mjtWrap.mjWRAP_JOINT
        and (mj.tendon_stiffness[t] or mj.tendon_damping[t])
    ]
    arm = np.zeros((len(kept), mj.nv))
    for row, t in zip(arm, kept, strict=True):
        items = slice(mj.tendon_adr[t], mj.tendon_adr[t] + mj.tendon_num[t])
        row[mj.jnt_dofadr[mj.wrap_objid[items]]] = mj.wrap_prm[items]
    return Springs(
        arm=jnp.array(arm),
        rest=jnp.array(mj.tendon_lengthspring[kept].reshape(-1, 2)),
        stiffness=jnp.array(mj.tendon_stiffness[kept]),
        damping=jnp.array(mj.tendon_damping[kept]),
    )
