"""What the user may leave out of a model: coordinates held still, knees that only bend."""

from dataclasses import replace

import numpy as np

from mjx_msk.compile.functions import constant
from mjx_msk.compile.motions import terms_of
from mjx_msk.compile.options import CompileOptions
from mjx_msk.compile.source import Axis, Coupling, Joint, ScalarFunction, Source
from mjx_msk.errors import MskError


def simplified(source: Source, options: CompileOptions) -> Source:
    """Return the model with the options' coordinates held at their defaults and knees as hinges."""
    if options.knee == "hinge":
        source = _with_hinged_knees(source)
    return _with_held(source, options.lock)


def _with_held(source: Source, names: tuple[str, ...]) -> Source:
    """Return the model without the motions of some coordinates; what they drive stays too."""
    held = {name: source.coordinates[name].default for name in names}
    couplings = {name: c for name, c in source.couplings.items() if name not in held}
    while ready := [c for c in couplings.values() if any(d in held for d, _ in c.terms)]:
        for coupling in ready:
            del couplings[coupling.dependent]
            constants = [_at(f, held[d]) for d, f in coupling.terms if d in held]
            terms = [(d, f) for d, f in coupling.terms if d not in held]
            if not terms:
                held[coupling.dependent] = sum(constants)
                continue
            (first, function), *further = terms
            function = function.plus(sum(constants))
            couplings[coupling.dependent] = Coupling(
                coupling.dependent, first, function, tuple(further)
            )
    joints = tuple(
        replace(joint, axes=tuple(_held(axis, held) for axis in joint.axes))
        for joint in source.joints
    )
    coordinates = {
        name: replace(c, default=held[name], locked=True) if name in held else c
        for name, c in source.coordinates.items()
    }
    return replace(source, joints=joints, couplings=couplings, coordinates=coordinates, held=held)


def _held(axis: Axis, held: dict[str, float]) -> Axis:
    """Return an axis, still where its coordinate is held."""
    if axis.coordinate not in held:
        return axis
    value = _at(axis.function, held[axis.coordinate])
    return replace(axis, function=constant(value), coordinate=None)


def _at(function: ScalarFunction, value: float) -> float:
    return float(function.evaluate(np.array([value]))[0])


def _with_hinged_knees(source: Source) -> Source:
    """Return the model with knees that only bend.

    A knee is a joint that owns an independent coordinate and has "knee" in its own name or in the
    coordinate's. All movements that follow such a coordinate, but the one that carries it, stay
    where they are at its default value, also those of other joints: patellae are welded. They are
    noted as ``simplified/<joint>``.
    """
    knees = {
        name: source.coordinates[name].default
        for joint in source.joints
        for name in joint.coordinates
        if name not in source.couplings and "knee" in f"{joint.name} {name}".lower()
    }
    if not knees:
        raise MskError(
            "the model has no joint or coordinate with 'knee' in its name.",
            remedy="Leave out --knee hinge.",
        )
    joints = tuple(_bent_only(source, joint, knees) for joint in source.joints)
    notes = {
        new.name: "what follows the knee's angle is held where it is at the default angle"
        for old, new in zip(source.joints, joints, strict=True)
        if new is not old
    }
    return replace(source, joints=joints, simplified=notes)


def _bent_only(source: Source, joint: Joint, knees: dict[str, float]) -> Joint:
    """Return a joint without the movements that follow a knee, but the one that carries it."""
    axes, carried = [], set[str]()
    for axis in joint.axes:
        terms = terms_of(source, axis.coordinate) if axis.coordinate else ()
        name = axis.coordinate
        if name in knees and name not in carried and axis.hinge and _is_carrier(axis.function):
            carried.add(name)
            axes.append(axis)
        elif len(terms) == 1 and terms[0][0] in knees:
            driver, function = terms[0]
            value = _at(axis.function, _at(function, knees[driver]))
            axes.append(replace(axis, function=constant(value), coordinate=None))
        else:
            axes.append(axis)
    if all(new is old for new, old in zip(axes, joint.axes, strict=True)):
        return joint
    return replace(joint, axes=tuple(axes))


def _is_carrier(function: ScalarFunction) -> bool:
    """Return whether a function is a coordinate itself, or its negative, plus a constant."""
    coefficients = function.coefficients or ()
    return len(coefficients) == 2 and abs(coefficients[1]) == 1
