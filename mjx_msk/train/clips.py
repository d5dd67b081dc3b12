"""From a recorded trial to a clip on the default model."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mjx_msk.data.clip import RATE_HZ, Clip
from mjx_msk.data.trial import Trial
from mjx_msk.errors import MskError
from mjx_msk.fit.clock import evenly
from mjx_msk.fit.derivatives import motion_spline
from mjx_msk.fit.points import places
from mjx_msk.fit.root import shifted, with_root_pose
from mjx_msk.fit.subject import generic_spec, scaled_spec
from mjx_msk.model import LANDMARK_PREFIX, Model
from mjx_msk.train.ground import belt_velocity, floor_offset, shifted_over_time
from mjx_msk.train.loads import CONSISTENT, PLATES, STANDING_N, Explained, Moving, Plates, explained
from mjx_msk.train.marked import SHORTEST_S, follow_markers
from mjx_msk.train.published import Published, Skeleton
from mjx_msk.train.sizes import Size, Sizer
from mjx_msk.train.variants import draw, transferred

#: Cutoff of the low-pass filter on coordinates, Hz (as ``pipeline`` filters markers).
CUTOFF_HZ = 6.0
#: Joint centres further off than this on average are another body's, m.
_CENTRES_M = 0.06
#: Of somebody whose mass nobody measured, kg/m^2.
_USUAL_BMI = 23.0
_COMPARED = ("femur", "tibia", "talus", "toes", "humerus", "ulna", "hand")


@dataclass(eq=False)
class ClipMaker:
    """Turns trials into clips, person after person; keeps what the trials of a person share."""

    generic: Model = field(default_factory=lambda: Model.from_spec(generic_spec()))

    def __post_init__(self) -> None:
        self._last: tuple[object, tuple[_Person, Published]] | None = None
        self._spec = generic_spec()
        self._sizer = Sizer(self.generic)

    @property
    def landmark_names(self) -> tuple[str, ...]:
        """Return the names of a clip's landmarks, in order."""
        return tuple(
            name.removeprefix(LANDMARK_PREFIX)
            for name in self.generic.layout.site_names
            if name.startswith(LANDMARK_PREFIX)
        )

    def clips(
        self, trial: Trial, variants: int = 0, rng: np.random.Generator | None = None
    ) -> list[Clip]:
        """Return the clip of a trial, and of training people the same motion on other bodies.

        Raises ``MskError`` where the trial has no usable motion.
        """
        person, posed = self._posed(trial)
        found = [self._recorded(trial, person, posed)]
        if trial.split != "val":
            rng = np.random.default_rng() if rng is None else rng
            for number in range(1, variants + 1):
                found.append(self._variant(trial, person, found[0], number, rng))
        return found

    def _recorded(self, trial: Trial, person: "_Person", posed: "_Posed") -> Clip:
        """Return the motion of the person recorded, on a floor at z = 0."""
        model = person.model
        belt = belt_velocity(model, posed.time, posed.q)

        def carried(time: np.ndarray) -> np.ndarray:
            return -np.append(belt, 0.0) * (time - posed.time[0])[:, None]

        q = shifted_over_time(model, posed.q, carried(posed.time))
        up = np.array([0.0, 0.0, -floor_offset(model, posed.time, q)])
        time, motion = resampled(posed.time, shifted(model, q, up))
        plates = None
        if trial.forces and (trial.mass_kg or trial.model):  # else they belong to another weight
            plates = Plates(trial.forces, trial.loads, time, carried(time))
        forces = explained(model, motion, plates)
        return self._clip(
            trial, person.size, model, motion, forces,
            belt_m_s=float(np.linalg.norm(belt)), error_m=posed.error_m,
        )  # fmt: skip

    def _variant(
        self, trial: Trial, person: "_Person", clip: Clip, number: int, rng: np.random.Generator
    ) -> Clip:
        """Return the motion of a clip on another body, with the forces that this body needs."""
        body = draw(self._sizer, person.size, clip.mass_kg, rng)
        size = body.size
        spec = scaled_spec(self._spec, size.base, size.log_segments, body.mass_kg)
        model = Model.from_spec(spec)
        motion = transferred(person.model, model, clip.q)
        forces = explained(model, motion)
        return self._clip(
            trial, size, model, motion, forces, variant=number, belt_m_s=clip.belt_m_s,
            error_m=clip.centres_error_m,
        )  # fmt: skip

    def _clip(
        self, trial: Trial, size: Size, model: Model, motion: Moving,
        found: Explained, *, variant: int = 0, belt_m_s: float, error_m: float,
    ) -> Clip:  # fmt: skip
        """Gather everything of a motion with its forces."""
        sites = [model.layout.site_index[LANDMARK_PREFIX + name] for name in self.landmark_names]
        return Clip(
            name=f"{trial.dataset}/{trial.name}" + (f"#{variant}" if variant else ""),
            person=trial.person,
            split=trial.split or "train",
            activity=trial.activity,
            dataset=trial.dataset,
            variant=variant,
            force_source=PLATES if found.measured.any() else CONSISTENT,
            base=size.base,
            log_segments=size.log_segments,
            mass_kg=float(np.sum(model.mjx.body_mass)),
            height_m=size.height_m,
            q=motion.q,
            qd=motion.qd,
            qdd=motion.qdd,
            tau=found.kinetics.generalized_force,
            foot_force=found.loads.force,
            foot_cop=found.loads.cop,
            foot_moment=found.loads.moment,
            contact=(found.loads.force[..., 2] > STANDING_N).astype(float),
            kinetics_known=found.known.astype(float),
            measured=found.measured.astype(float),
            landmarks=places(model, motion.q).sites[:, sites],
            belt_m_s=belt_m_s,
            centres_error_m=error_m,
        )

    def _posed(self, trial: Trial) -> tuple["_Person", "_Posed"]:
        """Return the person of a trial and the motion on the default model in its size."""
        published = None if trial.model is None else self._published_person(trial, trial.model)
        if trial.q is None:
            size = None if published is None else published[0].size
            model = self.generic if published is None else published[0].model
            found = follow_markers(trial, model, self._sizer, size)
            person = published[0] if published else self._sized(found.size, trial.mass_kg)
            return person, _Posed(found.time, found.q, found.error_m)
        if published is None:
            raise MskError("there is a motion, but no model that it belongs to.", where=trial.name)
        return published[0], self._published_motion(trial, *published)

    def _published_person(self, trial: Trial, path: Path) -> tuple["_Person", Published]:
        """Return the default model in the size of a published one, and that one."""
        key = (path, trial.mass_kg, trial.height_m)
        if self._last is None or self._last[0] != key:
            published = Published(path)
            size = self._sizer.fit(published.distances(), trial.height_m)
            mass = trial.mass_kg or published.skeleton.mass_kg
            self._last = key, (self._sized(size, mass), published)
        return self._last[1]

    def _sized(self, size: Size, mass_kg: float | None) -> "_Person":
        mass = mass_kg or _USUAL_BMI * size.height_m**2
        spec = scaled_spec(self._spec, size.base, size.log_segments, mass)
        return _Person(size, Model.from_spec(spec), Skeleton.of(spec))

    def _published_motion(self, trial: Trial, person: "_Person", published: Published) -> "_Posed":
        """Return a published motion on the default model, with the hips where they were."""
        assert trial.time is not None
        assert trial.q is not None
        if trial.time[-1] - trial.time[0] < SHORTEST_S:
            raise MskError("the motion is too short.", where=trial.name)
        if not np.isfinite(trial.q).all():
            raise MskError("the motion has gaps.", where=trial.name)
        time, given = evenly(trial.time, trial.q)
        names = person.model.layout.coordinate_names
        q = np.tile(np.asarray(person.model.q_default, float), (len(time), 1))
        for name, sign in published.signs.items():
            if name in trial.coordinate_names:
                q[:, names.index(name)] = sign * given[:, trial.coordinate_names.index(name)]
        place, turn = published.skeleton.poses(trial.coordinate_names, given)
        pelvis = published.skeleton.bodies["pelvis"]
        q = with_root_pose(person.model, q, turn[:, pelvis], place[:, pelvis])
        ours = person.skeleton.poses(names, q)[0]
        theirs, own = published.skeleton.bodies, person.skeleton.bodies
        hips = [f"femur_{side}" for side in "rl"]
        apart = place[:, [theirs[n] for n in hips]] - ours[:, [own[n] for n in hips]]
        shift = apart.mean(axis=1)
        compared = [n for stem in _COMPARED for n in (f"{stem}_r", f"{stem}_l") if n in theirs]
        gap = place[:, [theirs[n] for n in compared]] - ours[:, [own[n] for n in compared]]
        error = float(np.sqrt(np.mean(np.sum((gap - shift[:, None]) ** 2, axis=-1))))
        if error > _CENTRES_M:
            raise MskError(
                f"on the default model joints are {1e3 * error:.0f} mm from the published ones.",
                where=trial.name,
            )
        return _Posed(time, shifted_over_time(person.model, q, shift), error)


class _Posed(NamedTuple):
    """A motion on the default model, in the recording's world, before smoothing."""

    time: np.ndarray  #: (T,) s, even
    q: np.ndarray  #: (T, n)
    error_m: float  #: how far it is from what was published


class _Person(NamedTuple):
    size: Size
    model: Model  #: the default one in this size
    skeleton: Skeleton  #: the same


def resampled(time: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, Moving]:
    """Return times at ``RATE_HZ``, and a motion low-passed with its two derivatives at them."""
    spline = motion_spline(time, q, CUTOFF_HZ)
    count = int(np.floor((time[-1] - time[0]) * RATE_HZ + 1e-6)) + 1
    even = time[0] + np.arange(count) / RATE_HZ
    return even, Moving(spline(even), spline.derivative(1)(even), spline.derivative(2)(even))
