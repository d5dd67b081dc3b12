"""From one camera's landmarks to a motion on the anatomical model.

The whole clip is fitted at once: the image (reprojection), the network's metric depth, bone lengths
that are constant and symmetric, joint limits and habits, smoothness, and feet that stand on a flat
floor. The camera stands still at (0, 0, h); the world's X is where the person faces. ``refine``
then adds Newton's and Euler's laws: the motion must be one that the feet can cause.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from mjx_msk.fit import terms
from mjx_msk.fit.balance import AS_TOLD, balance_terms, consistent_forces
from mjx_msk.fit.config import LIMIT_SPREAD, FitConfig, habits
from mjx_msk.fit.contact import PUSH_GENEROSITY, floor_level, touching
from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.observation import ImageObservation, first_guess, upright
from mjx_msk.fit.points import Points, points
from mjx_msk.fit.proposal import Proposal
from mjx_msk.fit.root import root_pose, shifted
from mjx_msk.fit.scaling import GENERIC_HEIGHT_M, SEGMENTS, segment_spread
from mjx_msk.fit.solver import Term, gauss_newton
from mjx_msk.fit.stature import Stature
from mjx_msk.model import ROOT_COORDINATES, Model

#: Standard deviation of the stature that a model's segments add up to, m.
_STATURE_SPREAD_M = 0.015
#: Uncertainty of a gravity direction that a calibration gives, rad.
_KNOWN_GRAVITY_SPREAD = 0.002
#: Where the camera starts, so that the floor is out of the way until it is found, m.
_FAR_ABOVE_M = 10.0
#: The camera's unknowns: its height and two tilts.
_CAMERA_UNKNOWNS = 3
#: Segments are at most this many standard deviations from the usual.
_SIZE_SPREADS = 3.0
#: Nobody who is seen is nearer to the camera, m.
_NEAREST_M = 0.5
#: A point that is not known to touch may sink this far before it counts, m.
_CLEARANCE_M = 0.01

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class VideoFit:
    """A fitted motion: coordinates, body size and the camera in the same world (Z up, m)."""

    q: np.ndarray  #: (T, n)
    base: float  #: whole-body scale
    log_segments: np.ndarray  #: (k,) log factors of ``scaling.SEGMENTS``; empty once scaled
    touching: np.ndarray  #: (T, c) how surely each sole point stands
    pushing: np.ndarray  #: (T, c) how likely it can push
    camera_from_world: np.ndarray  #: (3, 3)
    camera_position: np.ndarray  #: (3,) m
    landmarks: np.ndarray  #: (T, L, 3) m
    confidence: np.ndarray  #: (T, n) 0..1, share of a coordinate's variance that the image removed
    iterations: int


@dataclass(frozen=True, kw_only=True)
class _Problem:
    """All terms of the fit as functions of (q, g); g = segments, camera height, camera tilts."""

    model: Model
    seen: ImageObservation
    config: FitConfig
    rotation: np.ndarray  #: camera_from_world before the tilts
    depth: np.ndarray  #: (T,) m
    base: float
    height_m: float
    segments: int  #: how many segments are unknown
    belt: np.ndarray  #: (2,) m/s, how the ground moves
    touch: np.ndarray  #: (T, c) what surely stands
    push: np.ndarray  #: (T, c) what might push
    stature: Stature | None = None  #: how it follows from the segments, where they are unknown
    proposal: Proposal | None = None  #: what the networks say, beside habits
    forces: np.ndarray | None = None  #: (T, c, 3) N, where the laws of motion take part

    @property
    def time_weight(self) -> float:
        """Weight of one frame: faster footage adds frames, not independent information."""
        return float(np.sqrt(min(1.0, self.config.observation_rate_hz * self.seen.dt)))

    @property
    def radius(self) -> np.ndarray:
        return np.asarray(self.model.contact_radius, float)

    def camera(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return camera_from_world and the camera's position for globals ``g``."""
        height, pitch, roll = g[self.segments :]
        tilt = Rotation.from_rotvec([pitch, 0.0, roll]).as_matrix()
        return tilt @ self.rotation, np.array([0.0, 0.0, height])

    def points(self, q: np.ndarray, g: np.ndarray) -> Points:
        return points(self.model, self.base, q, g[: self.segments], np.array(self.seen.sites))

    def soles(self, p: Points) -> slice:
        """Return where the contact spheres lie among the points."""
        last = p.position.shape[1] - 1
        return slice(last - len(self.radius), last)

    def terms(self, q: np.ndarray, g: np.ndarray) -> list[Term]:
        p = self.points(q, g)
        found = [*self.image_terms(p, g), *self._body_terms(q, g), *self._floor_terms(p)]
        if self.forces is not None:
            found += balance_terms(
                self.model, q, p, self.soles(p), self.forces, self.seen.dt, self.time_weight
            )
        return found

    def image_terms(self, p: Points, g: np.ndarray) -> list[Term]:
        config, seen = self.config, self.seen
        R, center = self.camera(g)
        hips, k, seen_points = list(seen.hips), self.segments, slice(0, len(seen.sites))
        x = (p.position[:, seen_points] - center) @ R.T
        by_q = R @ p.by_q[:, seen_points]
        by_g = np.zeros((*x.shape, len(g)))
        by_g[..., :k] = R @ p.by_scale[:, seen_points]
        by_g[..., k] = -R[:, 2]
        by_g[..., k + 1] = np.cross([1.0, 0.0, 0.0], x)
        by_g[..., k + 2] = np.cross([0.0, 0.0, 1.0], x)
        weight = seen.weight * self.time_weight
        sharp = weight * self.depth[:, None] / config.pixel_spread_m
        image = terms.reprojection(x, (by_q, by_g), seen.rays, sharp)
        metric = terms.metric_depth(
            x[..., 2], (by_q[:, :, 2], by_g[:, :, 2]), np.nan_to_num(seen.metric[..., 2]), hips,
            weight / config.depth_spread_m,
        )  # fmt: skip
        return [
            terms.robust(*image, group=2, scale=config.robust_scale),
            terms.robust(*metric, group=1, scale=config.robust_scale),
        ]

    def _body_terms(self, q: np.ndarray, g: np.ndarray) -> list[Term]:
        habit = habits(self.model)
        bounds = np.asarray(self.model.q_range, float)
        bounds[:ROOT_COORDINATES] = (-np.inf, np.inf)
        found = [
            terms.prior(q, habit.mean, habit.spread, self.time_weight),
            terms.limits(q, bounds, np.full(q.shape[1], LIMIT_SPREAD)),
            terms.smoothness(q, self.seen.dt, habit.jerk, self.time_weight),
            self._size_term(q, g),
        ]
        if self.proposal is not None:
            found.append(self._proposal_term(self.proposal, q))
        return found

    def _proposal_term(self, told: Proposal, q: np.ndarray) -> Term:
        """Coordinates near what the networks say; locked ones are left to habits."""
        config, layout = self.config, self.model.layout
        joints = np.array(layout.rotational) & ~np.array(layout.locked)
        joints[:ROOT_COORDINATES] = False
        usual = np.deg2rad(config.proposal_usual_deg)
        doubt = max(1.0, float(told.std[:, joints].mean()) / usual) ** 2
        spread = np.where(np.array(layout.locked), np.inf, np.maximum(doubt * told.std, 1e-3))
        weight = float(np.sqrt(min(1.0, config.proposal_rate_hz * self.seen.dt)))
        near = terms.prior(q, told.q, spread, weight)
        scale = config.proposal_robust_scale * weight
        return terms.robust(near.residual, near.by_offset[0], None, group=1, scale=scale)

    def _size_term(self, q: np.ndarray, g: np.ndarray) -> Term:
        """Segments near their usual share of stature, stature as given, gravity as believed."""
        k = self.segments
        known = self.seen.gravity_known
        tilt = _KNOWN_GRAVITY_SPREAD if known else self.config.gravity_spread_rad
        own = np.concatenate([1.0 / segment_spread()[:k], [0.0], [1.0 / tilt] * 2])
        residual, J = g * own, np.diag(own)
        if self.stature is not None:
            stature, by_segment = self.stature.at(self.model, self.base, g[:k])
            row = np.concatenate([by_segment, np.zeros(_CAMERA_UNKNOWNS)]) / _STATURE_SPREAD_M
            residual = np.append(residual, (stature - self.height_m) / _STATURE_SPREAD_M)
            J = np.vstack([J, row])
        return terms.shared(residual, J, len(q))

    def _floor_terms(self, p: Points) -> list[Term]:
        soles = self.soles(p)
        centre, by_q = p.position[:, soles], p.by_q[:, soles]
        pad = np.zeros((*centre.shape, _CAMERA_UNKNOWNS))
        by_g = np.concatenate([p.by_scale[:, soles], pad], axis=-1)
        touch = self.touch * self.time_weight
        flat = (len(centre), 2 * len(self.radius), -1)
        across = (by_q[:, :, :2].reshape(flat), by_g[:, :, :2].reshape(flat))
        dt = self.seen.dt
        return [
            terms.floor_height(
                centre[..., 2] - self.radius, (by_q[:, :, 2], by_g[:, :, 2]), touch,
                spread_m=self.config.touch_height_m, clearance_m=_CLEARANCE_M,
            ),
            terms.no_slip(
                centre[..., :2], across, touch, self.belt * dt, self.config.touch_slip_m_s * dt
            ),
        ]  # fmt: skip

    def with_touch(self, q: np.ndarray, g: np.ndarray) -> "_Problem":
        """Return the problem with fresh beliefs about which sole points touch the floor."""
        p = self.points(q, g)
        soles, center = p.position[:, self.soles(p)], p.position[:, -1]
        seen = (soles, self.radius, self.seen.dt, self.belt, center)
        return replace(
            self, touch=touching(*seen), push=touching(*seen, generosity=PUSH_GENEROSITY)
        )

    def on_floor(self, q: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (q, g) moved up or down together so that the floor is at z = 0."""
        p = self.points(q, g)
        level = floor_level(p.position[:, self.soles(p)], self.radius, self.seen.dt)
        lowered = g.copy()
        lowered[self.segments] -= level
        return shifted(self.model, q, np.array([0.0, 0.0, -level])), lowered

    def result(self, q: np.ndarray, g: np.ndarray, steps: int) -> VideoFit:
        p = self.points(q, g)
        rotation, center = self.camera(g)
        return VideoFit(
            q=q, base=self.base, log_segments=_plausible(g[: self.segments]), touching=self.touch,
            pushing=self.push,
            camera_from_world=rotation, camera_position=center,
            landmarks=p.position[:, : len(self.seen.sites)],
            confidence=_confidence(self.image_terms(p, g), habits(self.model).spread),
            iterations=steps,
        )  # fmt: skip


def _plausible(log_segments: np.ndarray) -> np.ndarray:
    """Return the segments (k,) that nobody's body is beyond: landmarks may all be wrong."""
    most = _SIZE_SPREADS * segment_spread()[: len(log_segments)]
    return np.clip(log_segments, -most, most)


def _confidence(observed: list[Term], spread: np.ndarray) -> np.ndarray:
    """Return how far the observations narrow each coordinate: 1 - variance after / before."""
    before = np.where(np.isfinite(spread), spread, 1.0) ** 2
    information = sum(t.by_offset[0].swapaxes(1, 2) @ t.by_offset[0] for t in observed)
    after = np.linalg.inv(information + np.diag(1.0 / before))
    return np.clip(1.0 - np.diagonal(after, axis1=1, axis2=2) / before, 0.0, 1.0)


def fit_video(
    model: Model,
    observation: ImageObservation,
    *,
    height_m: float,
    treadmill_m_s: float = 0.0,
    proposal: Proposal | None = None,
    config: FitConfig | None = None,
    on_progress: Progress = lambda label: None,
) -> VideoFit:
    """Fit the generic model's coordinates, its segment lengths and the camera's pose to a clip.

    Starts from what the networks propose, if they do, and stays near it as far as they are sure.
    """
    config = config or FitConfig()
    base = height_m / GENERIC_HEIGHT_M
    rotation = upright(observation)
    g = np.zeros(len(SEGMENTS) + _CAMERA_UNKNOWNS)
    if proposal is None:
        q, depth = first_guess(model, observation, rotation, base, habits(model).mean)
        q = shifted(model, q, np.array([0.0, 0.0, _FAR_ABOVE_M]))
        g[len(SEGMENTS)] = _FAR_ABOVE_M
    else:
        q, g[: len(SEGMENTS)] = proposal.q, proposal.log_segments
        g[len(SEGMENTS)] = proposal.camera_height
        place = root_pose(model, q)[1] - [0.0, 0.0, proposal.camera_height]
        depth = np.maximum(place @ rotation[2], _NEAREST_M)
    problem = _Problem(
        model=model, seen=observation, config=config, rotation=rotation, depth=depth, base=base,
        height_m=height_m, segments=len(SEGMENTS), stature=Stature.of(model),
        belt=np.array([-treadmill_m_s, 0.0]),
        touch=np.zeros((len(q), len(model.contact_radius))),
        push=np.zeros((len(q), len(model.contact_radius))), proposal=proposal,
    )  # fmt: skip
    steps = 0
    if proposal is None:
        on_progress("fitting the pose")
        solution = gauss_newton(
            problem.terms, q, g, iterations=config.iterations, tolerance=config.tolerance
        )
        steps = solution.iterations
        q, g = solution.x, solution.g
    q, g = problem.on_floor(q, g)
    for _ in range(config.floor_rounds):
        on_progress("standing on the floor")
        problem = problem.with_touch(q, g)
        solution = gauss_newton(
            problem.terms, q, g, iterations=config.iterations, tolerance=config.tolerance
        )
        q, g, steps = solution.x, solution.g, steps + solution.iterations
    return problem.with_touch(q, g).result(q, g, steps)


def refine(
    model: Model,
    observation: ImageObservation,
    start: VideoFit,
    *,
    treadmill_m_s: float = 0.0,
    proposal: Proposal | None = None,
    told: Callable[[np.ndarray], FootLoads] | None = None,
    config: FitConfig | None = None,
    on_progress: Progress = lambda label: None,
) -> VideoFit:
    """Refine a fit on the subject's own scaled ``model`` with the laws of motion in the loop.

    Foot forces that come closest to what the motion demands, or else those that are ``told`` of the
    motion (T, n), and a motion that comes closer to what those forces can do, take turns.
    """
    config = config or FitConfig()
    depth = ((start.landmarks - start.camera_position) @ start.camera_from_world.T)[..., 2]
    problem = _Problem(
        model=model, seen=observation, config=config, rotation=start.camera_from_world,
        depth=depth.mean(axis=1), base=1.0, height_m=0.0, segments=0,
        belt=np.array([-treadmill_m_s, 0.0]), touch=start.touching, push=start.pushing,
        proposal=proposal,
    )  # fmt: skip
    q, g = start.q, np.array([start.camera_position[2], 0.0, 0.0])
    steps = start.iterations
    for turn in range(config.balance_rounds):
        on_progress(f"balancing forces, round {turn + 1} of {config.balance_rounds}")
        p = problem.points(q, g)
        soles, center = p.position[:, problem.soles(p)], p.position[:, -1]
        if told is None:
            forces = consistent_forces(model, q, center, soles, problem.push, observation.dt)
        else:
            forces = consistent_forces(
                model, q, center, soles, problem.push, observation.dt, told(q), AS_TOLD
            )
        problem = replace(problem, forces=forces)
        solution = gauss_newton(
            problem.terms, q, g, iterations=config.balance_iterations, tolerance=config.tolerance
        )
        q, g, steps = solution.x, solution.g, steps + solution.iterations
        problem = problem.with_touch(q, g)
    return problem.result(q, g, steps)
