"""The ways from one camera's landmarks to a motion with its forces that are compared."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from mjx_msk.cache import file_sha256
from mjx_msk.fit.config import FitConfig
from mjx_msk.fit.contact import floor_level
from mjx_msk.fit.derivatives import smooth_motion
from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.inverse_kinematics import track_markers
from mjx_msk.fit.learned import learned_kinetics
from mjx_msk.fit.loop import follow
from mjx_msk.fit.observation import ImageObservation, first_guess, upright
from mjx_msk.fit.points import places
from mjx_msk.fit.proposal import propose
from mjx_msk.fit.root import root_pose, shifted
from mjx_msk.fit.scaling import GENERIC_HEIGHT_M, SEGMENTS
from mjx_msk.fit.seat import carried
from mjx_msk.fit.soles import sole_touch
from mjx_msk.fit.subject import generic_spec, scaled_spec
from mjx_msk.model import Model
from mjx_msk.nets.shipped import FILES, SUMS, Networks, networks_in, shipped
from mjx_msk.resources import asset

#: Low-pass filter of landmarks that are used as they are, Hz.
_NAIVE_CUTOFF_HZ = 6.0


def without_muscles() -> mujoco.MjSpec:
    """Return the generic model without muscles: nothing here needs them, and they cost time."""
    spec = generic_spec()
    for muscle in list(spec.actuators):
        spec.delete(muscle)
    return spec


class Kit:
    """What the methods share: the generic model and the networks, shipped or in a folder."""

    def __init__(self, weights: Path | None = None) -> None:
        self.spec = without_muscles()
        self.generic = Model.from_spec(self.spec)
        self.networks = (
            shipped(self.generic) if weights is None else networks_in(weights, self.generic)
        )
        folder = asset(SUMS).parent if weights is None else weights
        #: of the weights, as text
        self.identity = " ".join(file_sha256(folder / name) for name in FILES)
        #: methods whose programs are compiled
        self.warm: set[str] = set()

    def person(self, base: float, log_segments: np.ndarray, mass_kg: float) -> Model:
        """Return somebody's model."""
        return Model.from_spec(scaled_spec(self.spec, base, log_segments, mass_kg))


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One method's answer for one clip of T frames."""

    model: Model  #: of the person, as the method found it
    q: np.ndarray  #: (T, n) rad or m
    qd: np.ndarray  #: (T, n)
    qdd: np.ndarray  #: (T, n)
    tau: np.ndarray  #: (T, n) N m or N; the root's rows are residuals
    loads: FootLoads
    std: np.ndarray | None = None  #: (T, n) rad or m, where the method states it


Method = Callable[[Kit, ImageObservation, float, float], Outcome]


def landmarks_alone(kit: Kit, seen: ImageObservation, height_m: float, mass_kg: float) -> Outcome:
    """Follow the pose network's metric landmarks frame by frame, as one would markers."""
    base = height_m / GENERIC_HEIGHT_M
    model = kit.person(base, np.zeros(len(SEGMENTS)), mass_kg)
    rotation = upright(seen)
    guess, _ = first_guess(kit.generic, seen, rotation, base, np.zeros(model.n))
    turn, place = root_pose(model, guess)
    hips = np.asarray(model.mjx.site_pos)[seen.sites[list(seen.hips)]].mean(axis=0)
    middle = place + turn @ hips
    points = np.where(seen.weight[..., None] > 0.0, seen.metric @ rotation, np.nan)
    names = tuple(model.layout.site_names[i] for i in seen.sites)
    tracked = track_markers(model, names, points + middle[:, None]).q
    q, qd, qdd = smooth_motion(seen.time, tracked, _NAIVE_CUTOFF_HZ)
    level = floor_level(places(model, q).soles, np.asarray(model.contact_radius), seen.dt)
    q = shifted(model, q, np.array([0.0, 0.0, -level]))
    _, pushing = sole_touch(model, q, seen.dt, 0.0)
    loads, kinetics = carried(model, q, qd, qdd, pushing, seen.dt)
    return Outcome(model=model, q=q, qd=qd, qdd=qdd, tau=kinetics.generalized_force, loads=loads)


def optimiser_alone(kit: Kit, seen: ImageObservation, height_m: float, mass_kg: float) -> Outcome:
    """Fit without any network, as ``mjx-msk estimate --no-learn`` does."""
    return followed(kit, seen, height_m, mass_kg, None)


def networks_alone(kit: Kit, seen: ImageObservation, height_m: float, mass_kg: float) -> Outcome:
    """Believe the networks: no fit, no laws."""
    told = propose(kit.networks.ikt, kit.generic, seen, height_m)
    model = kit.person(height_m / GENERIC_HEIGHT_M, told.log_segments, mass_kg)
    q, qd, qdd = smooth_motion(seen.time, told.q, _NAIVE_CUTOFF_HZ)
    found = learned_kinetics(kit.networks.idt, model, q, qd, qdd, seen.dt, height_m)
    return Outcome(model=model, q=q, qd=qd, qdd=qdd, tau=found.tau, loads=found.loads, std=told.std)


def full_loop(kit: Kit, seen: ImageObservation, height_m: float, mass_kg: float) -> Outcome:
    """Networks, fit and laws, as ``mjx-msk estimate`` does."""
    return followed(kit, seen, height_m, mass_kg, kit.networks)


def followed(
    kit: Kit,
    seen: ImageObservation,
    height_m: float,
    mass_kg: float,
    networks: Networks | None,
    config: FitConfig | None = None,
) -> Outcome:
    """Return what ``fit.loop.follow`` makes of a clip."""
    found = follow(
        kit.spec, kit.generic, seen, height_m=height_m, mass_kg=mass_kg, networks=networks,
        config=config,
    )  # fmt: skip
    moving = found.fit.q, found.qd, found.qdd
    loads, kinetics = carried(found.model, *moving, found.fit.pushing, seen.dt)
    return Outcome(
        model=found.model, q=found.fit.q, qd=found.qd, qdd=found.qdd,
        tau=kinetics.generalized_force, loads=loads,
        std=None if found.proposal is None else found.proposal.std,
    )  # fmt: skip


#: In the order of the tables.
METHODS: dict[str, Method] = {
    "landmarks": landmarks_alone,
    "optimiser": optimiser_alone,
    "networks": networks_alone,
    "loop": full_loop,
}
#: Those that ask no network.
UNTAUGHT = ("landmarks", "optimiser")
