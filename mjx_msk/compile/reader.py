"""Read an .osim file through the `opensim` package into a `Source`.

OpenSim evaluates every file version, socket and frame offset; nothing below this file imports it.
"""

import os
import xml.parsers.expat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from mjx_msk.compile.frames import frame_in_body, point_in_body
from mjx_msk.compile.functions import read_function
from mjx_msk.compile.joints import read_axes
from mjx_msk.compile.paths import read_muscles, read_surfaces
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

    Raises ``MskError`` for a missing, foreign, truncated or unsafe file, for one that OpenSim
    refuses, and for a joint, constraint or function that the compiler does not know.
    """
    where = str(path)
    _check_xml(Path(path))
    try:
        import opensim
    except ImportError as error:
        raise missing_extra("opensim", "opensim", "Compiling an OpenSim model") from error
    opensim.Logger.setLevelString("Off")  # it would report every missing mesh on the terminal
    try:
        model = opensim.Model(where)
        model.initSystem()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise MskError(
            f"OpenSim cannot load this model: {reason}",
            where=where,
            remedy="Open it in OpenSim and repair it first.",
        ) from error
    try:
        return _read_model(opensim, model)
    except MskError as error:
        raise MskError(error.what, where=where, remedy=error.remedy) from None


def _check_xml(path: Path) -> None:
    """Refuse what OpenSim's own parser should never see: no file, no XML, entities."""
    where = str(path)
    roots: list[str] = []

    def refuse(*_: Any) -> NoReturn:
        raise MskError(
            "the file declares a document type or entities, which model files never need.",
            where=where,
            remedy="Remove the <!DOCTYPE ...> declaration if you trust the file.",
        )

    parser = xml.parsers.expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = lambda name, _: roots.append(name) if not roots else None
    try:
        with open(path, "rb") as file:
            parser.ParseFile(file)
    except OSError as error:
        raise MskError(
            f"cannot read this file: {error.strerror or error}.",
            where=where,
            remedy="Give an OpenSim model (.osim).",
        ) from error
    except xml.parsers.expat.ExpatError as error:
        raise MskError(
            f"not a complete XML file ({error}).",
            where=where,
            remedy="Give an OpenSim model (.osim); download it again if it was cut off.",
        ) from error
    if roots[0] != "OpenSimDocument":
        raise MskError(
            f"an XML file, but of <{roots[0]}>, not an OpenSim model.",
            where=where,
            remedy="Give an OpenSim model (.osim).",
        )


def _read_model(opensim: Any, model: Any) -> Source:
    coordinates = {c.getName(): _read_coordinate(c) for c in model.getCoordinateSet()}
    couplings = {c.dependent: c for c in _read_couplings(opensim, model)}
    surfaces = tuple(read_surfaces(opensim, model))
    muscles = read_muscles(opensim, model, coordinates, couplings, surfaces)
    return Source(
        name=model.getName(),
        gravity=model.getGravity().to_numpy(),
        bodies=tuple(_read_body(body) for body in model.getBodySet()),
        joints=tuple(_read_joint(opensim, joint) for joint in model.getJointSet()),
        coordinates=coordinates,
        couplings=couplings,
        markers=tuple(
            Point(marker.getName(), *point_in_body(marker.getParentFrame(), marker.get_location()))
            for marker in model.getMarkerSet()
        ),
        fixed_markers=frozenset(m.getName() for m in model.getMarkerSet() if m.get_fixed()),
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
    mass, com = body.getMass(), body.get_mass_center().to_numpy()
    if not np.isfinite([mass, *com, *inertia]).all() or mass < 0:
        raise MskError(
            f"body '{body.getName()}' has a negative or undefined mass, center or inertia.",
            remedy="Correct it in the model.",
        )
    return Body(body.getName(), mass, com, inertia)


def _read_joint(opensim: Any, joint: Any) -> Joint:
    parent, parent_frame = frame_in_body(joint.getParentFrame())
    child, child_frame = frame_in_body(joint.getChildFrame())
    axes = read_axes(opensim, joint)
    return Joint(joint.getName(), parent, child, parent_frame, child_frame, axes)


def _read_couplings(opensim: Any, model: Any) -> Iterator[Coupling]:
    for constraint in model.getConstraintSet():
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
        function = read_function(opensim, coupler.getFunction())
        yield Coupling(coupler.getDependentCoordinateName(), names.get(0), function)


def _read_spheres(opensim: Any, model: Any) -> Iterator[Sphere]:
    for geometry in model.getContactGeometrySet():
        sphere = opensim.ContactSphere.safeDownCast(geometry)
        if sphere is not None:
            body, position = point_in_body(sphere.getFrame(), sphere.get_location())
            yield Sphere(sphere.getName(), body, position, sphere.getRadius())


def _unknown(kind: str, component: Any) -> MskError:
    return MskError(
        f"{kind} '{component.getName()}' is a {component.getConcreteClassName()}, "
        "which is not supported.",
        remedy="Replace or remove it in the model.",
    )
