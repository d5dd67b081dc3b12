"""The inverse-forward loop at inference: networks propose, the fit and the laws of motion judge.

The inverse kinematics proposes a motion, which is fitted to the image and the floor; the inverse
dynamics says what moves it, and motion and forces are brought together (MonoMSK, Koleini et al.
2025, with ``fit.video``'s solver in the place of gradient steps). Without networks, the fit starts
from what the image shows and the forces follow from the motion alone.
"""

from typing import NamedTuple

import mujoco
import numpy as np

from mjx_msk.fit.assemble import in_travel_frame
from mjx_msk.fit.balance import central_differences
from mjx_msk.fit.config import FitConfig
from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.learned import learned_kinetics
from mjx_msk.fit.observation import ImageObservation
from mjx_msk.fit.proposal import Proposal, propose
from mjx_msk.fit.subject import scaled_spec
from mjx_msk.fit.video import Progress, VideoFit, fit_video, refine
from mjx_msk.model import Model
from mjx_msk.nets.shipped import Networks

#: A fit that starts near its end needs fewer rounds and steps, and can tell where a foot stands.
NEARBY = FitConfig(floor_rounds=1, balance_rounds=2, tolerance=1e-2, touch_slip_m_s=0.03)


class Followed(NamedTuple):
    """A person's model and motion as one camera saw it."""

    spec: mujoco.MjSpec
    model: Model
    fit: VideoFit
    qd: np.ndarray  #: (T, n)
    qdd: np.ndarray  #: (T, n)
    proposal: Proposal | None


def follow(
    spec: mujoco.MjSpec,
    generic: Model,
    seen: ImageObservation,
    *,
    height_m: float,
    mass_kg: float,
    networks: Networks | None,
    treadmill_m_s: float = 0.0,
    config: FitConfig | None = None,
    on_progress: Progress = lambda label: None,
) -> Followed:
    """Return the motion of a person; ``spec`` and ``generic`` are the model before scaling."""
    proposal = None
    if networks is not None:
        on_progress("asking the network")
        proposal = propose(networks.ikt, generic, seen, height_m)
        config = config or NEARBY
    config = config or FitConfig()
    fit = fit_video(
        generic, seen, height_m=height_m, treadmill_m_s=treadmill_m_s, proposal=proposal,
        config=config, on_progress=on_progress,
    )  # fmt: skip
    spec = scaled_spec(spec, fit.base, fit.log_segments, mass_kg)
    model = Model.from_spec(spec)
    told = None
    if networks is not None:

        def told(q: np.ndarray) -> FootLoads:
            moving = q, *central_differences(seen.time, q)
            return learned_kinetics(networks.idt, model, *moving, seen.dt, height_m).loads

    fit = refine(
        model, seen, fit, treadmill_m_s=treadmill_m_s, proposal=proposal, told=told, config=config,
        on_progress=on_progress,
    )  # fmt: skip
    fit = in_travel_frame(model, fit)
    return Followed(spec, model, fit, *central_differences(seen.time, fit.q), proposal)
