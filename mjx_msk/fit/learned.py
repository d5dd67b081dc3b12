"""What the inverse dynamics network says of a whole motion.

The network was trained on short windows; ``fit.proposal`` says how they cover a clip.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.proposal import FRAMES, GROUP, hat, padded, strided, windows_of
from mjx_msk.model import Model
from mjx_msk.motion import on_lines
from mjx_msk.nets.idt import IDT, Kinetics, observe


class LearnedKinetics(NamedTuple):
    """What the network says of T frames."""

    tau: np.ndarray  #: (T, n) N m, 0 at the root
    loads: FootLoads


@jax.jit
def _kinetics(idt: IDT, model: Model, q, qd, qdd, dt, known, height) -> Kinetics:
    def one(q, qd, qdd, known):
        moving = observe(model, q, qd, qdd, height)
        return idt(model, moving, dt * jnp.arange(FRAMES), known)

    return jax.vmap(one)(q, qd, qdd, known)


def learned_kinetics(
    idt: IDT,
    model: Model,
    q: np.ndarray,
    qd: np.ndarray,
    qdd: np.ndarray,
    dt: float,
    height_m: float,
) -> LearnedKinetics:
    """Return torques and foot loads of a motion (T, n) of a person on the scaled ``model``."""
    frames = strided(len(q), dt)
    windows = windows_of(len(frames))
    step = dt * (frames[1] - frames[0]) if len(frames) > 1 else dt
    count = len(frames)
    total = np.zeros(count)
    sums = [np.zeros((count, *shape)) for shape in ((model.n,), (2, 3), (2, 3), (2, 3))]
    for start in range(0, len(windows), GROUP):
        group = windows[start : start + GROUP]
        index = np.stack([padded(w) for w in [*group, *[group[0]] * (GROUP - len(group))]])
        known = np.tile(np.arange(FRAMES) < len(windows[0]), (GROUP, 1))
        moved = [jnp.asarray(x[frames[index]], jnp.float32) for x in (q, qd, qdd)]
        found = _kinetics(idt, model, *moved, step, known, jnp.float32(height_m))
        for i, window in enumerate(group):
            weight = hat(len(window))
            total[window] += weight
            force = np.asarray(found.force[i, : len(window)], float)
            values = (
                found.tau[i], force, force[..., 2:] * found.cop[i, : len(window)],
                found.moment[i],
            )  # fmt: skip
            for place, value in zip(sums, values, strict=True):
                own = np.asarray(value, float)[: len(window)]
                place[window] += weight.reshape(-1, *[1] * (own.ndim - 1)) * own
    tau, force, pressed, moment = (
        on_lines(frames, s / total.reshape(-1, *[1] * (s.ndim - 1)), np.arange(len(q)))
        for s in sums
    )
    # where a foot is, weighted by how it is loaded
    cop = np.where(force[..., 2:] > 1.0, pressed / np.maximum(force[..., 2:], 1.0), np.nan)
    return LearnedKinetics(tau, FootLoads(force, cop, moment))
