"""What the inverse dynamics network says of a whole motion."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.windows import FRAMES, blended, in_groups, padded, strided, windows_of
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

    def run(group: list[np.ndarray]) -> Kinetics:
        index = frames[np.stack([padded(window) for window in group])]
        known = np.stack([np.arange(FRAMES) < len(window) for window in group])
        moved = [jnp.asarray(x[index], jnp.float32) for x in (q, qd, qdd)]
        return _kinetics(idt, model, *moved, step, known, jnp.float32(height_m))

    found = in_groups(run, windows)

    def through(values: np.ndarray) -> np.ndarray:
        return on_lines(frames, blended(windows, values), np.arange(len(q)))

    force, moment = through(found.force), through(found.moment)
    pressed = through(found.force[..., 2:] * found.cop)
    # where a foot is, weighted by how it is loaded
    cop = np.where(force[..., 2:] > 1.0, pressed / np.maximum(force[..., 2:], 1.0), np.nan)
    return LearnedKinetics(through(found.tau), FootLoads(force, cop, moment))
