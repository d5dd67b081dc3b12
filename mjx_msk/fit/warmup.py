"""Compiling (or loading) what a fit will need while the landmarks are being found."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from mjx_msk.fit.drift import SIMULATED_S, drift
from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.kinetics import full_motion, joint_forces
from mjx_msk.fit.learned import learned_kinetics
from mjx_msk.fit.muscles import muscle_effort
from mjx_msk.fit.observation import ImageObservation
from mjx_msk.fit.points import centroidal, places, points
from mjx_msk.fit.proposal import propose
from mjx_msk.fit.scaling import SEGMENTS
from mjx_msk.fit.stature import Stature
from mjx_msk.model import Model
from mjx_msk.nets.shipped import Networks

_THREADS = 2  # XLA compiles one program per thread


@contextmanager
def warming_up(
    model: Model, landmarks: tuple[str, ...], dt: float, networks: Networks | None
) -> Iterator[None]:
    """Prepare every jitted function of a video fit with ``landmarks`` beside the block.

    The programs depend on the model's layout, on how many landmarks there are and on the time
    ``dt`` (s) between frames, not on the model's numbers; a failure shows when the fit itself runs
    them. Leaving the block waits.
    """
    q, feet = np.zeros((1, model.n)), np.zeros((1, 2, 3))
    sites = np.zeros(len(landmarks), int)
    frames = round(SIMULATED_S[-1] / dt) + 1
    still, none = np.zeros((frames, model.n)), np.zeros((frames, 2, 3))
    jobs: tuple[Callable[[], object], ...] = (
        lambda: points(model, 1.0, q, np.zeros(len(SEGMENTS)), sites),
        lambda: Stature.of(model),
        lambda: joint_forces(model, q, q, q, FootLoads(feet, feet, feet)),
        lambda: centroidal(model, q),
        lambda: places(model, q),
        lambda: full_motion(model, q, q, q),
        lambda: muscle_effort(model, q, q, q, q, FootLoads(feet, feet, feet)),
        lambda: drift(
            model, still, still, still, FootLoads(none, none, none), dt, spans_s=SIMULATED_S
        ),
    )
    if networks is not None:
        somebody = _anybody(landmarks, sites)
        jobs += (
            lambda: propose(networks.ikt, model, somebody, 1.7),
            lambda: learned_kinetics(networks.idt, model, q, q, q, somebody.dt, 1.7),
        )
    with ThreadPoolExecutor(_THREADS) as pool:
        for job in jobs:
            pool.submit(job)
        yield


def _anybody(landmarks: tuple[str, ...], sites: np.ndarray) -> ImageObservation:
    """Return an observation of which nothing matters but its shape."""
    hips = (landmarks.index("right_hip"), landmarks.index("left_hip"))
    metric = np.zeros((1, len(landmarks), 3))
    metric[0, hips, 0] = -0.1, 0.1
    return ImageObservation(
        time=np.zeros(1), sites=sites, rays=metric[..., :2], metric=metric,
        weight=np.ones(metric.shape[:2]), hips=hips, down=np.array([0.0, 1.0, 0.0]),
        gravity_known=False,
    )  # fmt: skip
