"""Scaling a model to a static marker trial, as OpenSim's Scale Tool does."""

from collections.abc import Mapping
from dataclasses import dataclass

import mujoco
import numpy as np
from scipy.optimize import least_squares

from mjx_msk.compile.following import follow
from mjx_msk.compile.markers import FIXED, MARKER_GROUP
from mjx_msk.compile.measurements import (
    Measurement,
    ScaleSetup,
    default_measurements,
    measured_factors,
)
from mjx_msk.compile.plausible import check_person
from mjx_msk.compile.scaling import scale_spec
from mjx_msk.compile.stature import has_stature, stature
from mjx_msk.compile.writer import KEY
from mjx_msk.errors import MskError
from mjx_msk.osim.marker_names import match_names
from mjx_msk.osim.markers import Markers

#: A static trial must show at least this many of the model's markers.
FEWEST_MARKERS = 4
#: Weight in the static pose of markers that measure nothing, beside 1 for those that do: clusters
#: are put on a limb wherever there is room, and only then where they are on the model.
CLUSTER_WEIGHT = 0.01
#: Relative accuracy of the static pose; far below what a marker is worth.
_ACCURACY = 1e-10
_ONE_DEGREE = (mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_HINGE)


@dataclass(frozen=True)
class StaticFit:
    """A model scaled to a static trial."""

    spec: mujoco.MjSpec  #: scaled, its markers where the trial shows them
    measurements: tuple[Measurement, ...]  #: from which the factors are
    factors: dict[str, np.ndarray]  #: body -> (3,); the others kept their size
    pose: dict[str, float]  #: coordinate -> value in the static pose, rad or m
    error_m: dict[str, float]  #: marker -> its distance in the static pose before it was moved

    def lines(self) -> list[str]:
        """Return what was measured and how well the measuring markers fit, to print."""
        found, measuring = [], set[str]()
        for m in self.measurements:
            factors = {body: "XYZ".index(axes[0]) for body, axes in m.bodies.items()}
            value = next((self.factors[body][axis] for body, axis in factors.items()), np.nan)
            pairs = ", ".join(f"{a} to {b}" for a, b in m.pairs)
            found.append(f"{m.name}: {value:.3f} ({pairs})")
            measuring |= {name for pair in m.pairs for name in pair}
        errors = {name: e for name, e in self.error_m.items() if name in measuring}
        worst = max(errors, key=lambda name: errors[name])
        rms = float(np.sqrt(np.mean(np.square(list(errors.values())))))
        found.append(
            f"these markers were {1e3 * rms:.0f} mm (RMS) from where the scaled model carried "
            f"them, {worst} {1e3 * errors[worst]:.0f} mm"
        )
        return found


def scale_to_markers(
    spec: mujoco.MjSpec,
    markers: Markers,
    mass_kg: float | None = None,
    setup: ScaleSetup | None = None,
) -> StaticFit:
    """Return a compiled model scaled to a static marker trial, its markers put in place.

    The steps of OpenSim's Scale Tool: every measurement is the mean over marker pairs of measured
    over modelled distance; bodies are scaled by them (``scale_spec``) and masses to ``mass_kg``
    (None: kept); the model takes the pose that brings its markers closest to the trial's mean
    frame (weighted least squares, joint limits and locked coordinates kept); then every marker
    that is not fixed moves to where the trial has it. All frames of ``markers`` count: choose the
    quiet ones before. ``setup`` gives measurements and weights; without it measurements are
    ``default_measurements``, and markers that measure nothing weigh ``CLUSTER_WEIGHT``.

    Raises ``MskError`` for trials that show too few of the model's markers, measurements that the
    trial cannot give, and sizes that no person has.
    """
    own = [site.name for site in spec.sites if site.group == MARKER_GROUP]
    found = match_names(own, markers.names)
    positions = markers.positions[:, list(found)]
    seen = np.isfinite(positions).all(axis=2).any(axis=0)
    positions = positions[:, seen]
    names = [name for name, visible in zip(found.values(), seen, strict=True) if visible]
    if len(names) < FEWEST_MARKERS:
        raise MskError(
            f"the static trial shows only {len(names)} of the model's {len(own)} markers.",
            remedy="Give the model that carries the trial's markers.",
        )
    setup = setup or _default_setup(spec, names)
    factors = measured_factors(spec, names, positions, setup.measurements)
    scaled = scale_spec(spec, {body: list(value) for body, value in factors.items()}, mass_kg)
    if mass_kg is not None and has_stature(scaled):
        check_person(stature(scaled), mass_kg)
    targets = dict(zip(names, np.nanmean(positions, axis=0), strict=True))
    pose = _StaticPose(scaled, targets, setup)
    pose.solve()
    errors = pose.errors()
    pose.move_markers(scaled)
    return StaticFit(scaled, setup.measurements, factors, pose.coordinates(), errors)


def _default_setup(spec: mujoco.MjSpec, names: list[str]) -> ScaleSetup:
    measurements = default_measurements(spec, names)
    measuring = {name for m in measurements for pair in m.pairs for name in pair}
    return ScaleSetup(
        measurements, {name: CLUSTER_WEIGHT for name in names if name not in measuring}
    )


class _StaticPose:
    """The pose of a model that brings its markers closest to given places (m, world)."""

    def __init__(
        self, spec: mujoco.MjSpec, targets: Mapping[str, np.ndarray], setup: ScaleSetup
    ) -> None:
        self._model = spec.compile()
        self._data = mujoco.MjData(self._model)
        mujoco.mj_resetDataKeyframe(self._model, self._data, self._model.key(KEY).id)
        self._rest = self._data.qpos.copy()
        self._hold_locked(spec)
        self._update(np.zeros(0), np.zeros(0, int))
        self._names = list(targets)
        self._sites = np.array([self._model.site(name).id for name in targets])
        weights = [setup.weights.get(name, 1.0) for name in targets]
        self._root_weights = np.sqrt(weights)[:, None]
        self._targets = np.array(list(targets.values()))
        self._wanted = self._wanted_coordinates(setup)
        if self._floats():
            self._targets = self._carried(self._targets)

    def _hold_locked(self, spec: mujoco.MjSpec) -> None:
        """Put locked coordinates at their values; dependent joints are not free either."""
        m = self._model
        tied = {int(j) for j in m.eq_obj1id[m.eq_type == mujoco.mjtEq.mjEQ_JOINT]}
        locked = {t.name.split("/", 1)[1]: t for t in spec.texts if t.name.startswith("locked/")}
        free = []
        for joint in range(m.njnt):
            name = m.joint(joint).name
            if name in locked:
                self._rest[m.jnt_qposadr[joint]] = float(locked[name].data)
            elif joint not in tied:
                free.append(joint)
        self._joints = free
        self._dofs = np.flatnonzero(np.isin(m.dof_jntid, free))

    def _floats(self) -> bool:
        """Return whether the model as a whole can go and turn anywhere."""
        root = self._model.dof_bodyid[self._dofs] == 1
        return int(root.sum()) == 6 and not self._model.jnt_limited[self._joints][:6].any()

    def _carried(self, targets: np.ndarray) -> np.ndarray:
        """Return the targets carried as one rigid body onto the markers of the model at rest.

        Where the markers belong on the bones does not depend on where the person stands, and no
        search gets lost on its way to another heading.
        """
        a, b = targets, self._data.site_xpos[self._sites]
        U, _, Vt = np.linalg.svd((a - a.mean(axis=0)).T @ (b - b.mean(axis=0)))  # Kabsch 1976
        mirror = np.diag([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))])
        self._turn = (U @ mirror @ Vt).T
        return (a - a.mean(axis=0)) @ self._turn.T + b.mean(axis=0)

    def _wanted_coordinates(self, setup: ScaleSetup) -> list[tuple[int, float, float]]:
        """Return the place in qpos, the weight and the value of coordinates that have a weight."""
        wanted = []
        for name, (weight, value) in setup.coordinates.items():
            joint = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_JOINT, name)
            if joint >= 0:
                place = int(self._model.jnt_qposadr[joint])
                wanted.append((place, weight, self._rest[place] if value is None else value))
        return wanted

    def _update(self, step: np.ndarray, dofs: np.ndarray) -> None:
        """Take the pose a step (along ``dofs``) away from rest."""
        velocity = np.zeros(self._model.nv)
        velocity[dofs] = step
        qpos = self._rest.copy()
        mujoco.mj_integratePos(self._model, qpos, velocity, 1.0)
        self._data.qpos = follow(self._model, qpos)
        mujoco.mj_kinematics(self._model, self._data)

    def solve(self) -> None:
        """Find the pose."""
        low, high = np.full((2, len(self._dofs)), np.inf) * [[-1], [1]]
        m = self._model
        for place, dof in enumerate(self._dofs):
            joint = m.dof_jntid[dof]
            if m.jnt_limited[joint]:
                rest = self._rest[m.jnt_qposadr[joint]]
                low[place], high[place] = m.jnt_range[joint] - rest

        def residual(step: np.ndarray) -> np.ndarray:
            self._update(step, self._dofs)
            gap = (self._data.site_xpos[self._sites] - self._targets) * self._root_weights
            habits = [np.sqrt(w) * (self._data.qpos[i] - v) for i, w, v in self._wanted]
            return np.concatenate([gap.ravel(), habits])

        start = np.clip(np.zeros(len(low)), low, high)
        found = least_squares(
            residual, start, jac="3-point", bounds=(low, high),
            ftol=_ACCURACY, xtol=_ACCURACY, gtol=_ACCURACY,
        )  # fmt: skip
        residual(found.x)

    def coordinates(self) -> dict[str, float]:
        """Return the value of every joint of one degree of freedom that is no dependent one."""
        m = self._model
        single = [j for j in self._joints if mujoco.mjtJoint(m.jnt_type[j]) in _ONE_DEGREE]
        return {m.joint(j).name: float(self._data.qpos[m.jnt_qposadr[j]]) for j in single}

    def errors(self) -> dict[str, float]:
        """Return how far each marker of the model is from where it should be, in m."""
        gaps = np.linalg.norm(self._data.site_xpos[self._sites] - self._targets, axis=1)
        return dict(zip(self._names, gaps.tolist(), strict=True))

    def move_markers(self, spec: mujoco.MjSpec) -> None:
        """Move the markers of ``spec`` that are not fixed to where they should be."""
        for name, target in zip(self._names, self._targets, strict=True):
            site = spec.site(name)
            if list(site.userdata) != FIXED:
                body = self._data.body(site.parent.name)
                site.pos = body.xmat.reshape(3, 3).T @ (target - body.xpos)
