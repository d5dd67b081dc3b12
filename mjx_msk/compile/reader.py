"""Read an .osim file through the `opensim` package into a `Source`.

OpenSim evaluates every file version, socket and frame offset; nothing below this file imports it.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mjx_msk.compile.checks import check, check_coordinates
from mjx_msk.compile.complaints import reason
from mjx_msk.compile.document import read_document
from mjx_msk.compile.frames import components, frame_in_body, point_in_body
from mjx_msk.compile.functions import read_function
from mjx_msk.compile.ignored import ignored_elements
from mjx_msk.compile.joints import read_axes
from mjx_msk.compile.names import check_names
from mjx_msk.compile.paths import read_muscles, read_surfaces
from mjx_msk.compile.rehearsal import rehearsed
from mjx_msk.compile.source import (
    Body,
    Coordinate,
    Coupling,
    Joint,
    Point,
    Source,
    Sphere,
)
from mjx_msk.errors import MskError, missing_extra


def read_osim(path: str | os.PathLike[str]) -> Source:
    """Return the model of an .osim file.

    The file is checked as XML, then read by OpenSim in another process, and only then here.
    Raises ``MskError`` for a missing, foreign, truncated or unsafe file, for one that OpenSim
    refuses, dies of, or replaces by defaults, for impossible values, and for a joint, constraint
    or function that the compiler does not know. What OpenSim leaves out is in ``warnings``.
    """
    try:
        document = read_document(path)
        try:
            import opensim
        except ImportError as error:
            raise missing_extra("opensim", "opensim", "Compiling an OpenSim model") from error
        warnings = rehearsed(Path(path))
        opensim.Logger.setLevelString("Off")  # it has said all it has to say
        source = read_model(Path(path))
        return replace(source, warnings=warnings | ignored_elements(opensim, document))
    except MskError as error:
        raise MskError(error.what, where=str(path), remedy=error.remedy) from error.__cause__


def read_model(path: Path) -> Source:
    """Return the model of a file that was checked as XML, as OpenSim understands it.

    Raises ``MskError`` as ``read_osim``; crashes where OpenSim does.
    """
    import opensim

    try:
        model = opensim.Model(str(path))
        model.initSystem()
        with np.errstate(all="ignore"):  # whatever is not a number is refused by its name
            source = _read_model(opensim, model)
    except RuntimeError as error:
        raise MskError(
            f"OpenSim cannot load this model: {reason(error)}",
            remedy="Open it in OpenSim and repair it first.",
        ) from error
    check(source)
    return source


def _read_model(opensim: Any, model: Any) -> Source:
    check_names(opensim, model)
    coordinates = {c.getName(): _read_coordinate(c) for c in components(opensim.Coordinate, model)}
    check_coordinates(coordinates.values())
    couplings = {c.dependent: c for c in _read_couplings(opensim, model)}
    surfaces = tuple(read_surfaces(opensim, model))
    muscles = read_muscles(opensim, model, coordinates, couplings, surfaces)
    return Source(
        name=model.getName(),
        gravity=model.getGravity().to_numpy(),
        bodies=tuple(_read_body(body) for body in components(opensim.Body, model)),
        joints=tuple(_read_joint(opensim, joint) for joint in components(opensim.Joint, model)),
        coordinates=coordinates,
        couplings=couplings,
        markers=tuple(
            Point(marker.getName(), *point_in_body(marker.getParentFrame(), marker.get_location()))
            for marker in components(opensim.Marker, model)
        ),
        spheres=tuple(_read_spheres(opensim, model)),
        surfaces=surfaces,
        muscles=muscles.muscles,
        poses=muscles.poses,
        skipped=muscles.skipped,
    )


def _read_coordinate(coordinate: Any) -> Coordinate:
    return Coordinate(
        name=coordinate.getName(),
        range=(coordinate.getRangeMin(), coordinate.getRangeMax()),
        default=coordinate.getDefaultValue(),
        clamped=coordinate.getDefaultClamped(),
        locked=coordinate.getDefaultLocked(),
    )


def _read_body(body: Any) -> Body:
    inertia = np.array([body.get_inertia().get(i) for i in range(6)])
    return Body(body.getName(), body.getMass(), body.get_mass_center().to_numpy(), inertia)


def _read_joint(opensim: Any, joint: Any) -> Joint:
    parent, parent_frame = frame_in_body(joint.getParentFrame())
    child, child_frame = frame_in_body(joint.getChildFrame())
    axes = read_axes(opensim, joint)
    return Joint(joint.getName(), parent, child, parent_frame, child_frame, axes)


def _read_couplings(opensim: Any, model: Any) -> Iterator[Coupling]:
    coupled = set[str]()
    for constraint in components(opensim.Constraint, model):
        if not constraint.get_isEnforced():
            continue
        coupler = opensim.CoordinateCouplerConstraint.safeDownCast(constraint)
        if coupler is None:
            raise _unknown("constraint", constraint)
        names = coupler.getIndependentCoordinateNames()
        if names.size() != 1:
            raise MskError(
                f"constraint '{constraint.getName()}' couples more than two coordinates, "
                "which is not supported.",
                remedy="Remove it from the model.",
            )
        dependent = coupler.getDependentCoordinateName()
        if dependent in coupled:
            raise MskError(
                f"several constraints couple coordinate '{dependent}'.",
                remedy="Keep one of them in the model.",
            )
        coupled.add(dependent)
        function = read_function(opensim, coupler.getFunction())
        yield Coupling(dependent, names.get(0), function)


def _read_spheres(opensim: Any, model: Any) -> Iterator[Sphere]:
    for sphere in components(opensim.ContactSphere, model):
        body, position = point_in_body(sphere.getFrame(), sphere.get_location())
        yield Sphere(sphere.getName(), body, position, sphere.getRadius())


def _unknown(kind: str, component: Any) -> MskError:
    return MskError(
        f"{kind} '{component.getName()}' is a {component.getConcreteClassName()}, "
        "which is not supported.",
        remedy="Replace or remove it in the model.",
    )
