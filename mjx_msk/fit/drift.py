"""How long a motion follows from its own torques and forces: forward simulation."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.points import in_chunks
from mjx_msk.model import FOOT_BODIES, ROOT_COORDINATES, Model
from mjx_msk.physics.dynamics import Loads
from mjx_msk.physics.integration import Drive, Signal, State, rollout, with_locks

#: How long an estimate is simulated from its own states, s.
SIMULATED_S = (0.1,)
#: The longest step, s.
_STEP_S = 1.0 / 240.0
#: Windows start this far apart, s, and run in groups of so many.
_EVERY_S, _GROUP = 0.25, 8
#: A simulation that has left this far behind is as bad as any, rad or m.
_LOST = 3.0


@partial(jax.jit, static_argnames=("steps", "per_frame"))
def _simulated(
    model: Model, q: jax.Array, qd: jax.Array, tau: jax.Array, force: jax.Array, cop: jax.Array,
    moment: jax.Array, dt: jax.Array, *, steps: int, per_frame: int,
) -> tuple[jax.Array]:  # fmt: skip
    """Return the coordinates at every frame of windows (W, T, ...) that start from their own."""
    feet = tuple(model.layout.body_names.index(name) for name in FOOT_BODIES)

    def one(q, qd, tau, force, cop, moment):
        signal = Signal(0.0, dt, (tau, Loads(force, cop, moment)))

        def drive(t: jax.Array, state: State) -> Drive:
            return Drive(*signal.at(t))

        states = rollout(
            model, drive, State(q[0], qd[0]), step=dt / per_frame, steps=steps, bodies=feet,
            scheme="euler",
        )  # fmt: skip
        return states.q[::per_frame]

    return (jax.vmap(one)(q, qd, tau, force, cop, moment),)


def drift(
    model: Model,
    q: np.ndarray,
    qd: np.ndarray,
    tau: np.ndarray,
    loads: FootLoads,
    dt: float,
    *,
    spans_s: tuple[float, ...],
) -> dict[str, float]:
    """Return how far a motion (T, n) and its simulation are apart after ``spans_s``, longest last.

    Residuals are left out: nothing acts on the pelvis. Joint angles in deg and the pelvis's place
    in mm, means over windows that start from the motion's own states; clips that are too short say
    nothing.
    """
    per_frame = max(1, round(dt / _STEP_S))
    span = round(spans_s[-1] / dt)
    starts = np.arange(0, len(q) - span, max(1, round(_EVERY_S / dt)))
    if not len(starts):
        return {}
    index = starts[:, None] + np.arange(span + 1)
    tau = np.where(np.arange(model.n) < ROOT_COORDINATES, 0.0, tau)
    rows = (q, qd, tau, loads.force, np.nan_to_num(loads.cop), loads.moment)
    held, step = with_locks(model), jnp.float32(dt)
    simulate = partial(_simulated, steps=span * per_frame, per_frame=per_frame)
    (found,) = in_chunks(
        lambda *a: simulate(held, *a, step), *(x[index] for x in rows), size=_GROUP
    )
    apart = np.abs(np.nan_to_num(found - q[index], nan=_LOST, posinf=_LOST, neginf=_LOST))
    apart = np.minimum(apart, _LOST)
    turning = np.array(model.layout.rotational)
    turning[:ROOT_COORDINATES] = False
    turning &= ~np.array(model.layout.locked)
    moving = ~np.array(model.layout.rotational) & (np.arange(model.n) < ROOT_COORDINATES)
    result = {}
    for seconds in spans_s:
        at = round(seconds / dt)
        name = f"drift_{seconds:g}s"
        result[f"{name}_deg"] = float(np.rad2deg(apart[:, at][:, turning].mean()))
        result[f"{name}_mm"] = 1e3 * float(np.linalg.norm(apart[:, at][:, moving], axis=1).mean())
    return result
