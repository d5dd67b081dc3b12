"""Motion from muscles: excitations drive activations, fibers and, through tendons, the joints."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from mjx_msk.model import Model
from mjx_msk.physics.activation import activation_rate
from mjx_msk.physics.integration import Drive, Driver, State
from mjx_msk.physics.muscles import (
    compliant_tension,
    fiber_velocity,
    passive_joint_force,
    rigid_tension,
)
from mjx_msk.physics.paths import muscle_paths


class MuscleState(NamedTuple):
    """What muscles add to a ``State``, as its ``inner`` part."""

    activation: jax.Array  #: (m,) 0 to 1
    fiber_length: Any = ()  #: (m,) m where tendons are elastic; none on rigid ones


def muscle_drive(
    model: Model,
    excitation: Callable[[jax.Array, State], jax.Array],
    follow: Callable[[jax.Array, jax.Array, jax.Array], jax.Array] = activation_rate,
) -> Driver:
    """Return what moves a body by its muscles, and its joints' springs and dampers.

    ``excitation(t, state)`` (m,) lies between 0 and 1; activations ``follow`` it
    (``physics.activation``). ``State.inner`` is a ``MuscleState``; with fiber lengths in it, such
    as ``equilibrium_fiber_length``, tendons are elastic. Ranges of joints do not act.
    """

    def drive(t: jax.Array, state: State) -> Drive:
        activation, fiber = state.inner
        paths = muscle_paths(model, state.q)
        rate = follow(excitation(t, state), activation, model.muscles.time_constants)
        if isinstance(fiber, tuple):
            tension = rigid_tension(model, activation, paths.length, paths.jacobian @ state.qd)
            changing: Any = ()
        else:
            tension = compliant_tension(model, fiber, paths.length)
            changing = fiber_velocity(model, activation, fiber, paths.length)
        tau = passive_joint_force(model, state.q, state.qd) - paths.jacobian.T @ tension
        return Drive(tau, rate=MuscleState(rate, changing))

    return drive
