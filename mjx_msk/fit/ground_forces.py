"""The feet's loads, gathered from the forces at sole points."""

from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from mjx_msk.fit.points import in_chunks
from mjx_msk.physics.contact import foot_wrench


class FootLoads(NamedTuple):
    """Per foot (right, left), world axes."""

    force: np.ndarray  #: (T, 2, 3) N, on the foot
    cop: np.ndarray  #: (T, 2, 3) m, on the floor; NaN without force
    moment: np.ndarray  #: (T, 2, 3) N m, free moment at the center of pressure


_wrench = jax.jit(foot_wrench, static_argnums=0)


def foot_loads(forces: np.ndarray, points: np.ndarray, feet: tuple[int, ...]) -> FootLoads:
    """Gather point forces (T, c, 3) at ``points`` (T, c, 3) into one load per foot.

    As ``physics.contact.foot_wrench``; ``feet`` (c,) names each point's foot.
    """
    return FootLoads(*in_chunks(partial(_wrench, feet), forces, points))
