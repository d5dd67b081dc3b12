"""Compiling (or loading) what a fit will need while the landmarks are being found."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.kinetics import full_motion, joint_forces
from mjx_msk.fit.muscles import muscle_effort
from mjx_msk.fit.points import centroidal, places, points
from mjx_msk.fit.scaling import SEGMENTS, VERTEX_SITE
from mjx_msk.model import Model

_THREADS = 2  # XLA compiles one program per thread


@contextmanager
def warming_up(model: Model, landmarks: tuple[str, ...]) -> Iterator[None]:
    """Prepare every jitted function of a video fit with ``landmarks`` beside the block.

    The programs depend on the model's layout and on how many landmarks there are, not on its
    numbers; a failure shows when the fit itself runs them. Leaving the block waits.
    """
    q, feet = np.zeros((1, model.n)), np.zeros((1, 2, 3))
    sites = np.zeros(len(landmarks) + 1, int)
    sites[-1] = model.layout.site_index[VERTEX_SITE]
    jobs = (
        lambda: points(model, 1.0, q, np.zeros(len(SEGMENTS)), sites),
        lambda: joint_forces(model, q, q, q, FootLoads(feet, feet, feet)),
        lambda: centroidal(model, q),
        lambda: places(model, q),
        lambda: full_motion(model, q, q, q),
        lambda: muscle_effort(model, q, q, q, q, FootLoads(feet, feet, feet)),
    )
    with ThreadPoolExecutor(_THREADS) as pool:
        for job in jobs:
            pool.submit(job)
        yield
