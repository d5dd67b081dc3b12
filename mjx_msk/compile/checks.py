"""What no model can be, refused by name after OpenSim has read it."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from mjx_msk.compile.source import GROUND, Body, Coordinate, Muscle, Source, Sphere, Surface
from mjx_msk.errors import MskError

#: Fields that may be infinite.
_OPEN_ENDED = {"controls", "band"}


def check(source: Source) -> None:
    """Raise ``MskError`` for the first thing in a model that cannot be.

    Numbers that are undefined or infinite; negative masses, inertias, radii and lengths; joints
    and couplers that hold what the model lacks.
    """
    for owner, name, number in _numbers(source, "the model", ""):
        if not math.isfinite(number) and not (name in _OPEN_ENDED and not math.isnan(number)):
            raise _wrong(f"{owner} has a {name.replace('_', ' ')} that is {number}.")
    for body in source.bodies:
        _check_body(body)
    for muscle in source.muscles:
        _check_muscle(muscle)
    for surface in source.surfaces:
        _check_size(surface)
    for sphere in source.spheres:
        _check_radius(sphere)
    _check_tree(source)


def _numbers(value: Any, owner: str, name: str) -> Iterator[tuple[str, str, float]]:
    """Yield every number in a model with the thing that it belongs to and its name there."""
    if is_dataclass(value) and not isinstance(value, type):
        owner = _title(value) if hasattr(value, "name") else owner
        for field in fields(value):
            inner = name if field.name in ("position", "rotation") and name else field.name
            yield from _numbers(getattr(value, field.name), owner, inner)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _numbers(inner, owner, name)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from _numbers(inner, owner, name)
    elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
        bad = value[~np.isfinite(value)]
        yield owner, name, float(bad[0]) if bad.size else 0.0
    elif isinstance(value, float):
        yield owner, name, value


def _check_body(body: Body) -> None:
    if body.mass < 0:
        raise _wrong(f"{_title(body)} has the mass {body.mass:g} kg.")
    if (smallest := body.inertia[:3].min()) < 0:  # others are repaired and noted
        raise _wrong(f"{_title(body)} has a negative moment of inertia, {smallest:g} kg m^2.")


def check_coordinates(coordinates: Iterable[Coordinate]) -> None:
    """Raise ``MskError`` for a range that is upside down or endless, before poses are drawn."""
    for coordinate in coordinates:
        low, high = coordinate.range
        if not (low <= high and math.isfinite(low) and math.isfinite(high)):
            raise _wrong(f"{_title(coordinate)} has a range from {low:g} to {high:g}.")


def _check_radius(sphere: Sphere) -> None:
    if sphere.radius <= 0:
        raise _wrong(f"{_title(sphere)} has the radius {sphere.radius:g} m.")


def _check_size(surface: Surface) -> None:
    needed = 3 if surface.kind == "ellipsoid" else 1
    if (surface.size[:needed] <= 0).any():
        raise _wrong(f"{_title(surface)} has the radius {surface.size[:needed].min():g} m.")


def _check_muscle(muscle: Muscle) -> None:
    for name, value, unit in (
        ("maximum isometric force", muscle.max_force, "N"),
        ("optimal fiber length", muscle.fiber_length, "m"),
        ("maximum contraction velocity", muscle.max_velocity, "optimal fiber lengths/s"),
    ):
        if value <= 0:
            raise _wrong(f"{_title(muscle)} has the {name} {value:g} {unit}.")
    if muscle.tendon_length < 0:
        raise _wrong(f"{_title(muscle)} has the tendon slack length {muscle.tendon_length:g} m.")
    if not 0 <= muscle.pennation < np.pi / 2:
        raise _wrong(
            f"{_title(muscle)} has a pennation angle of {np.degrees(muscle.pennation):g} degrees."
        )


def _check_tree(source: Source) -> None:
    bodies = {GROUND, *(body.name for body in source.bodies)}
    for joint in source.joints:
        for body in (joint.parent, joint.child):
            if body not in bodies:
                raise _wrong(f"{_title(joint)} holds '{body}', which is no body of the model.")
        if joint.parent == joint.child:
            raise _wrong(f"{_title(joint)} joins '{joint.parent}' to itself.")
    for coupling in source.couplings.values():
        for name in (coupling.dependent, *(driver for driver, _ in coupling.terms)):
            if name not in source.coordinates:
                raise _wrong(f"a coupler ties '{name}', which is no coordinate of the model.")


def _title(thing: Any) -> str:
    return f"{type(thing).__name__.lower()} '{thing.name}'"


def _wrong(what: str) -> MskError:
    return MskError(what, remedy="Correct it in the model.")
