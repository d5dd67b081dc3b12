"""Activation dynamics: how muscles follow what excites them."""

import jax
import jax.numpy as jnp

#: Largest slope of De Groote's switch between time constants, per unit of excitation.
SMOOTHNESS = 0.1


def activation_rate(
    excitation: jax.Array, activation: jax.Array, time_constants: jax.Array
) -> jax.Array:
    """Return the activations' time derivative (m,), 1/s, smooth in everything.

    De Groote et al. 2016 (Ann Biomed Eng 44:2922, eqs. 1 and 2): ``excitation`` and ``activation``
    (m,) lie between 0 and 1; ``time_constants`` (m, 2) s are those of activation and deactivation
    (``model.muscles.time_constants``). OpenSim's DeGrooteFregly2016Muscle has the same.
    """
    rising, falling = time_constants[:, 0], time_constants[:, 1]
    scale = 0.5 + 1.5 * activation
    gap = excitation - activation
    switch = 0.5 * jnp.tanh(SMOOTHNESS * gap)
    rate = (0.5 + switch) / (rising * scale) + (0.5 - switch) * scale / falling
    return rate * gap


def first_order_rate(
    excitation: jax.Array, activation: jax.Array, time_constants: jax.Array
) -> jax.Array:
    """Return the activations' time derivative (m,), 1/s, as Thelen's and Millard's muscles have it.

    Thelen 2003 (J Biomech Eng 125:70, eqs. 1 and 2): one time constant when excitation exceeds
    activation, another when it does not; the slope jumps in between, where the rate is 0.
    """
    rising, falling = time_constants[:, 0], time_constants[:, 1]
    scale = 0.5 + 1.5 * activation
    gap = excitation - activation
    return gap / jnp.where(gap > 0.0, rising * scale, falling / scale)
