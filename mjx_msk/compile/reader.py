"""Read an .osim file through the `opensim` package into a `Source`.

OpenSim evaluates every file version, socket and frame offset; nothing below this file imports it.
"""

import os
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mjx_msk.compile.checks import check, check_coordinates
from mjx_msk.compile.complaints import reason
from mjx_msk.compile.document import read_document
from mjx_msk.compile.drawings import read_drawings
from mjx_msk.compile.force_reader import read_forces, read_half_spaces
from mjx_msk.compile.frames import components, frame_in_body, point_in_body
from mjx_msk.compile.functions import read_function, read_separated
from mjx_msk.compile.ignored import ignored_elements
from mjx_msk.compile.joints import Range, coordinate_names, read_axes
from mjx_msk.compile.motions import interval_of
from mjx_msk.compile.names import check_names
from mjx_msk.compile.paths import POSES, read_muscles, read_surfaces
from mjx_msk.compile.rehearsal import rehearsed
from mjx_msk.compile.source import (
    Body,
    Coordinate,
    Coupling,
    Fastening,
    Frame,
    Joint,
    Point,
    Source,
    Sphere,
)
from mjx_msk.errors import MskError, missing_extra

REHEARSED_POSES = 10  #: enough to see whether OpenSim can pose a model


def read_osim(path: str | os.PathLike[str], *, lock: Collection[str] = ()) -> Source:
    """Return the model of an .osim file, the coordinates in ``lock`` locked as by the file.

    The file is checked as XML, then read by OpenSim in another process, and only then here.
    Raises ``MskError`` for a missing, foreign, truncated or unsafe file, for one that OpenSim
    refuses, dies of, or replaces by defaults, for impossible values, for a joint or function that
    the compiler does not know, and for a coordinate to lock that the model lacks. What OpenSim
    leaves out is in ``warnings``.
    """
    try:
        document = read_document(path)
        try:
            import opensim
        except ImportError as error:
            raise missing_extra("opensim", "opensim", "Compiling an OpenSim model") from error
        warnings = rehearsed(Path(path), lock=list(lock), poses=REHEARSED_POSES)
        opensim.Logger.setLevelString("Off")  # it has said all it has to say
        source = read_model(Path(path), lock=lock)
        return replace(source, warnings=warnings | ignored_elements(opensim, document))
    except MskError as error:
        raise MskError(error.what, where=str(path), remedy=error.remedy) from error.__cause__


def read_model(path: Path, *, lock: Collection[str] = (), poses: int = POSES) -> Source:
    """Return the model of a file that was checked as XML, as OpenSim understands it.

    Its muscles are seen in that many ``poses``. Raises ``MskError`` as ``read_osim``; crashes
    where OpenSim does.
    """
    import opensim

    try:
        model = opensim.Model(str(path))
        model.initSystem()
        with np.errstate(all="ignore"):  # whatever is not a number is refused by its name
            source = _read_model(opensim, model, lock, poses)
    except RuntimeError as error:
        raise MskError(
            f"OpenSim cannot load this model: {reason(error)}",
            remedy="Open it in OpenSim and repair it first.",
        ) from error
    check(source)
    return source


def _read_model(opensim: Any, model: Any, lock: Collection[str], poses: int) -> Source:
    check_names(opensim, model)
    posed = components(opensim.Coordinate, model)
    coordinates = {c.getName(): _read_coordinate(opensim, c) for c in posed}
    check_coordinates(coordinates.values())
    for name in lock:
        if name not in coordinates:
            raise MskError(
                f"the model has no coordinate '{name}' to lock.",
                remedy=f"Its coordinates are: {', '.join(coordinates)}.",
            )
        coordinates[name] = replace(coordinates[name], locked=True)
    ranges = {name: interval_of(coordinate) for name, coordinate in coordinates.items()}
    constraints = _Constraints(opensim, model, ranges)
    if constraints.fastenings:  # OpenSim has moved the default pose to where they hold
        state = model.initSystem()
        for c in posed:
            coordinates[c.getName()] = replace(coordinates[c.getName()], default=c.getValue(state))
    couplings = constraints.couplings
    approximated = dict(constraints.approximated)
    joints = []
    for joint in components(opensim.Joint, model):
        found, approximate = _read_joint(opensim, joint, ranges)
        joints.append(found)
        approximated |= {f"{found.name}/{axis}": words for axis, words in approximate.items()}
    surfaces = dict(read_surfaces(opensim, model))
    forces = read_forces(opensim, model)
    muscles = read_muscles(opensim, model, coordinates, couplings, tuple(joints), surfaces, poses)
    drawings, undrawn = read_drawings(opensim, model)
    return Source(
        name=model.getName(),
        gravity=model.getGravity().to_numpy(),
        bodies=tuple(_read_body(body) for body in components(opensim.Body, model)),
        joints=tuple(joints),
        coordinates=coordinates,
        couplings=couplings,
        fastenings=tuple(constraints.fastenings),
        markers=tuple(
            Point(marker.getName(), *point_in_body(marker.getParentFrame(), marker.get_location()))
            for marker in components(opensim.Marker, model)
        ),
        fixed_markers=frozenset(m.getName() for m in model.getMarkerSet() if m.get_fixed()),
        spheres=tuple(_read_spheres(opensim, model, forces.friction)),
        half_spaces=tuple(read_half_spaces(opensim, model, forces.friction)),
        forces=forces,
        surfaces=tuple(surfaces.values()),
        muscles=muscles.muscles,
        drawings=drawings,
        rows=muscles.rows,
        skipped=constraints.skipped | muscles.skipped | undrawn,
        approximated=approximated,
    )


def _read_coordinate(opensim: Any, coordinate: Any) -> Coordinate:
    prescribed = coordinate.getDefaultIsPrescribed()
    default = coordinate.getDefaultValue()
    if prescribed:
        default = coordinate.get_prescribed_function().calcValue(opensim.Vector(1, 0.0))
    return Coordinate(
        name=coordinate.getName(),
        range=(coordinate.getRangeMin(), coordinate.getRangeMax()),
        default=default,
        clamped=coordinate.getDefaultClamped(),
        locked=coordinate.getDefaultLocked(),
        prescribed=prescribed,
    )


def _read_body(body: Any) -> Body:
    inertia = np.array([body.get_inertia().get(i) for i in range(6)])
    return Body(body.getName(), body.getMass(), body.get_mass_center().to_numpy(), inertia)


def _read_joint(opensim: Any, joint: Any, ranges: dict[str, Range]) -> tuple[Joint, dict[str, str]]:
    parent, parent_frame = frame_in_body(joint.getParentFrame())
    child, child_frame = frame_in_body(joint.getChildFrame())
    axes, approximate = read_axes(opensim, joint, ranges)
    names = coordinate_names(joint)
    found = Joint(joint.getName(), parent, child, parent_frame, child_frame, axes, names)
    return found, approximate


class _Constraints:
    """The constraints of a model that are enforced: couplers, fastenings, and what is skipped."""

    def __init__(self, opensim: Any, model: Any, ranges: dict[str, Range]) -> None:
        self._opensim, self._ranges = opensim, ranges
        self.couplings: dict[str, Coupling] = {}
        self.fastenings: list[Fastening] = []
        self.skipped: dict[str, str] = {}
        self.approximated: dict[str, str] = {}
        for constraint in components(opensim.Constraint, model):
            if constraint.get_isEnforced():
                self._read(constraint)

    def _read(self, constraint: Any) -> None:
        name, kind = constraint.getName(), constraint.getConcreteClassName()
        if kind == "CoordinateCouplerConstraint":
            self._read_coupler(
                name, self._opensim.CoordinateCouplerConstraint.safeDownCast(constraint)
            )
        elif kind == "PointConstraint":
            point = self._opensim.PointConstraint.safeDownCast(constraint)
            ends = [
                point_in_body(self._opensim.PhysicalFrame.safeDownCast(frame), place)
                for frame, place in (
                    (constraint.getConnectee("body_1"), point.get_location_body_1()),
                    (constraint.getConnectee("body_2"), point.get_location_body_2()),
                )
            ]
            first, second = ((body, Frame(place, np.eye(3))) for body, place in ends)
            self.fastenings.append(Fastening(name, first, second, turns=False))
        elif kind == "WeldConstraint":
            weld = self._opensim.WeldConstraint.safeDownCast(constraint)
            first, second = frame_in_body(weld.getFrame1()), frame_in_body(weld.getFrame2())
            self.fastenings.append(Fastening(name, first, second, turns=True))
        else:
            self.skipped[name] = f"a {kind} has no equal in MuJoCo"

    def _read_coupler(self, name: str, coupler: Any) -> None:
        drivers = coupler.getIndependentCoordinateNames()
        drivers = [drivers.get(index) for index in range(drivers.size())]
        dependent = coupler.getDependentCoordinateName()
        if not drivers:
            raise MskError(
                f"constraint '{name}' couples '{dependent}' to no coordinate.",
                remedy="Write its independent_coordinate_names in the model.",
            )
        if dependent in self.couplings:
            raise MskError(
                f"several constraints couple coordinate '{dependent}'.",
                remedy="Keep one of them in the model.",
            )
        if len(drivers) == 1:
            function = read_function(self._opensim, coupler.getFunction())
            self.couplings[dependent] = Coupling(dependent, drivers[0], function)
            return
        ranges = [self._ranges[driver] for driver in drivers]
        total = read_separated(self._opensim, coupler.getFunction(), ranges)
        if total.error:
            self.approximated[name] = total.words()
        terms = list(zip(drivers, total.terms, strict=True))
        self.couplings[dependent] = Coupling(dependent, *terms[0], tuple(terms[1:]))


def _read_spheres(opensim: Any, model: Any, friction: dict[str, float]) -> Iterator[Sphere]:
    for sphere in components(opensim.ContactSphere, model):
        body, position = point_in_body(sphere.getFrame(), sphere.get_location())
        name = sphere.getName()
        yield Sphere(name, body, position, sphere.getRadius(), friction.get(name))
