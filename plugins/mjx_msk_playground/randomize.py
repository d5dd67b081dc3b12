"""Domain randomisation: each body on a floor, with masses and a strength, of its own."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
from mujoco import mjx

#: Sliding friction of the floor and of what touches it; factors of masses and of strengths.
FRICTION, MASS, STRENGTH = (0.5, 1.2), (0.9, 1.1), (0.9, 1.1)
_PEAK_FORCE = 2  # the place in the parameters of a muscle


def domain_randomize(model: mjx.Model, rng: jax.Array) -> tuple[mjx.Model, mjx.Model]:
    """Return a model with a batch of parameters, one a key of ``rng`` (count,), and its axes.

    The sliding friction of everything that touches is one number, the mass and the inertia of a
    body grow by one factor, gain and bias of an actuator by another: servos stay PD controllers
    with the same target, muscles change their peak force. For the ``randomization_fn`` of
    Playground's wrapper and of Brax's training.
    """
    touches = (model.geom_contype | model.geom_conaffinity) != 0
    muscle = model.actuator_gaintype == int(mujoco.mjtGain.mjGAIN_MUSCLE)
    columns = np.arange(model.actuator_gainprm.shape[1]) == _PEAK_FORCE
    grows = np.where(muscle[:, None], columns, True)

    @jax.vmap
    def drawn(key: jax.Array) -> dict[str, jax.Array]:
        on_friction, on_mass, on_strength = jax.random.split(key, 3)
        sliding = jax.random.uniform(on_friction, minval=FRICTION[0], maxval=FRICTION[1])
        mass = jax.random.uniform(on_mass, (model.nbody,), minval=MASS[0], maxval=MASS[1])
        strength = jax.random.uniform(
            on_strength, (model.nu, 1), minval=STRENGTH[0], maxval=STRENGTH[1]
        )
        strength = jnp.where(grows, strength, 1.0)
        friction = jnp.where(touches, sliding, model.geom_friction[:, 0])
        return {
            "geom_friction": model.geom_friction.at[:, 0].set(friction),
            "body_mass": model.body_mass * mass,
            "body_inertia": model.body_inertia * mass[:, None],
            "actuator_gainprm": model.actuator_gainprm * strength,
            "actuator_biasprm": model.actuator_biasprm * strength,
        }

    changes = drawn(rng)
    axes = jax.tree.map(lambda _: None, model)
    return model.tree_replace(changes), axes.tree_replace(dict.fromkeys(changes, 0))
