"""Muscles: their routes as spatial tendons, and MuJoCo's muscle actuators on them."""

import mujoco
import numpy as np

from mjx_msk.compile.actuators import add_actuator, add_curve_notes
from mjx_msk.compile.functions import compose, error, quartic, series
from mjx_msk.compile.motions import independent_of, interval_of
from mjx_msk.compile.moves import MAX_JOINTS
from mjx_msk.compile.routes import Route, Wrap, route
from mjx_msk.compile.skeleton import in_world, mujoco_body, quaternion, tie
from mjx_msk.compile.source import (
    GROUND,
    MovingPoint,
    Path,
    Point,
    ScalarFunction,
    Source,
    Surface,
)

WRAP_GROUP, PATH_GROUP = 4, 5
_RED = [0.72, 0.22, 0.2, 1.0]
#: Moving points: a body must have mass, and its slides enough of it to stand a muscle's pull
#: (kg), yet too little to feel; this close (m) they must come to the source's function.
_MASS, _ARMATURE, _TOLERANCE = 1e-9, 2e-3, 1e-4
_STIFF = (
    0.9999,
    0.9999,
)  #: the impedance of what ties them: a kilonewton moves them by a millimetre
#: Side sites that a coordinate moves: metres per unit of the gate, and an armature (kg) that
#: nobody feels, as nothing pulls at them.
_GATE, _GATE_ARMATURE = 0.1, 1e-5


def add_muscles(spec: mujoco.MjSpec, source: Source) -> None:
    """Add a tendon and an actuator per muscle, both with its name, and the surfaces in use.

    What was skipped or approximated is named by texts ``skipped/...`` and ``approximated/...``.
    """
    notes = {f"skipped/{name}": reason for name, reason in source.skipped.items()}
    if source.muscles and source.rows is not None:
        surfaces = {surface.name: surface for surface in source.surfaces}
        writer = _Writer(spec, source)
        for muscle in source.muscles:
            found = route(muscle.path, surfaces, source.rows)
            writer.add(muscle.path, found)
            add_actuator(spec, muscle)
            notes |= {f"approximated/{name}": text for name, text in found.approximated.items()}
        add_curve_notes(spec, source.muscles)
    for name, text in notes.items():
        spec.add_text(name=name, data=text)


class _Writer:
    """Writes routes into a spec; surfaces, their sides and slides that fit are shared."""

    def __init__(self, spec: mujoco.MjSpec, source: Source) -> None:
        self._spec, self._source = spec, source
        self._sides: dict[str, list[np.ndarray]] = {}  # sides in use, by geom
        self._slides: dict[tuple[float, ...], tuple[np.ndarray, ...]] = {}

    def add(self, path: Path, found: Route) -> None:
        """Add the tendon of a path."""
        tendon = self._spec.add_tendon(name=path.name, width=0.004, rgba=_RED)
        for element in found.elements:
            if isinstance(element, Wrap):
                geom = self._geom(path, element.surface)
                tendon.wrap_geom(geom, self._side(geom, element))
            elif isinstance(element, MovingPoint):
                tendon.wrap_site(self._moving_site(path, element))
            else:
                tendon.wrap_site(self._site(path, element))

    def _site(self, path: Path, point: Point) -> str:
        name = f"{path.name}/{point.name}"
        mujoco_body(self._spec, point.body).add_site(
            name=name, pos=in_world(point.body, point.position),
            size=[0.003, 0, 0], rgba=_RED, group=PATH_GROUP,
        )  # fmt: skip
        return name

    def _geom(self, path: Path, surface: Surface) -> str:
        """Return the name of a surface's geom, adding it at its first use."""
        own = any(surface is s for s in self._source.surfaces)
        name = f"wrap/{surface.name}" if own else f"wrap/{path.name}/{surface.name}"
        if name in self._sides:
            return name
        self._sides[name] = []
        sphere, cylinder = mujoco.mjtGeom.mjGEOM_SPHERE, mujoco.mjtGeom.mjGEOM_CYLINDER
        rotation = surface.frame.rotation
        if surface.body == GROUND:
            rotation = np.column_stack([in_world(GROUND, column) for column in rotation.T])
        mujoco_body(self._spec, surface.body).add_geom(
            name=name,
            type=sphere if surface.kind == "sphere" else cylinder,
            pos=in_world(surface.body, surface.frame.position),
            quat=quaternion(rotation),
            size=[surface.size[0], surface.size[1] / 2, 0],
            mass=0,
            contype=0,
            conaffinity=0,
            group=WRAP_GROUP,
            rgba=[0.5, 0.6, 0.8, 0.3],
        )
        return name

    def _side(self, geom: str, wrap: Wrap) -> str:
        """Return the name of the side site of a wrap, or nothing; equal sides are one site."""
        if wrap.side is None:
            return ""
        if wrap.gate is not None:
            return self._gate(geom, wrap)
        known = self._sides[geom]
        index = next((i for i, s in enumerate(known) if np.allclose(s, wrap.side)), len(known))
        name = f"{geom}/side" + (f"/{index + 1}" if index else "")
        if index == len(known):
            known.append(wrap.side)
            body = wrap.surface.body
            mujoco_body(self._spec, body).add_site(
                name=name, pos=in_world(body, wrap.side_place), size=[0.003, 0, 0], group=PATH_GROUP
            )
        return name

    def _gate(self, geom: str, wrap: Wrap) -> str:
        """Return the name of a side site that a coordinate slides from one side to the other."""
        assert wrap.gate is not None
        assert wrap.side is not None
        name, polynomial = f"{geom}/side", wrap.gate[1]
        surface, driver = wrap.surface, wrap.gate[0]
        driver, chain = independent_of(self._source, driver)
        interval = interval_of(self._source.coordinates[driver])
        coefficients = tuple(_GATE * float(c) for c in polynomial.coef)
        switch = compose(ScalarFunction(_GATE * polynomial, coefficients), chain)
        travel = quartic(switch, interval)
        if driver in self._source.held:
            travel = np.array([self._held(switch, driver), 0.0, 0.0, 0.0, 0.0])
        side = in_world(surface.body, wrap.side)
        place = in_world(surface.body, surface.frame.position) + travel[0] * side
        body = _weightless(mujoco_body(self._spec, surface.body), name, place)
        body.add_site(name=name, size=[0.003, 0, 0], group=PATH_GROUP)
        if driver in self._source.held:
            return name
        body.add_joint(
            name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=side, limited=False,
            armature=_GATE_ARMATURE,
        )  # fmt: skip
        tie(self._spec, name, driver, travel * [0, 1, 1, 1, 1])
        return name

    def _held(self, function: ScalarFunction, coordinate: str) -> float:
        """Return a function's value where a coordinate is held still."""
        return float(function.evaluate(np.array([self._source.held[coordinate]]))[0])

    def _moving_site(self, path: Path, point: MovingPoint) -> str:
        """Return the name of a site on a body of its own, which slides where the point goes."""
        name = f"path/{path.name}/{point.name}"
        place = np.zeros(3)
        slides: list[tuple[str, int, str, np.ndarray]] = []
        for index, (coordinate, function) in enumerate(point.functions):
            if coordinate is None:
                place[index] = function.evaluate(np.zeros(1))[0]
                continue
            driver, chain = independent_of(self._source, coordinate)
            function = compose(function, chain)
            if driver in self._source.held:
                place[index] = self._held(function, driver)
                continue
            polynomials = self._followed(function, interval_of(self._source.coordinates[driver]))
            place[index] = polynomials[0][0]
            first = f"{name}/{'xyz'[index]}"
            for number, polynomial in enumerate(polynomials):
                joint = f"{first}/{number + 1}" if number else first
                slides.append((joint, index, first if number == 1 else driver, polynomial))
        parent = mujoco_body(self._spec, point.body)
        body = _weightless(parent, name, in_world(point.body, place))
        for number, (joint, index, driver, polynomial) in enumerate(slides):
            if number and number % MAX_JOINTS == 0:
                body = _weightless(body, f"{name}/{number // MAX_JOINTS + 1}", np.zeros(3))
            direction = np.eye(3)[index]
            body.add_joint(
                name=joint, type=mujoco.mjtJoint.mjJNT_SLIDE,
                axis=in_world(point.body, direction), limited=False,
                armature=_ARMATURE, userdata=direction,
            )  # fmt: skip
            tie(self._spec, joint, driver, polynomial * [0, 1, 1, 1, 1], _STIFF)
        site = f"{path.name}/{point.name}"
        body.add_site(name=site, size=[0.003, 0, 0], rgba=_RED, group=PATH_GROUP)
        return site

    def _followed(
        self, function: ScalarFunction, interval: tuple[float, float]
    ) -> tuple[np.ndarray, ...]:
        """Return the quartics of one slide, or of up to three, that follow a function."""
        key = (*interval, *np.round(function.evaluate(np.linspace(*interval, 7)), 9))
        if key not in self._slides:
            polynomials: tuple[np.ndarray, ...] = (quartic(function, interval),)
            for count in (2, 3):
                if error(function, polynomials, interval) > _TOLERANCE:
                    polynomials = series(function, interval, count)
            self._slides[key] = polynomials
        return self._slides[key]


def _weightless(parent: mujoco.MjsBody, name: str, place: np.ndarray) -> mujoco.MjsBody:
    """Add a body of next to no mass, which only carries sites."""
    body = parent.add_body(name=name, pos=place, mass=_MASS)
    body.explicitinertial = True
    body.ipos, body.inertia = np.zeros(3), np.full(3, _MASS)
    return body
