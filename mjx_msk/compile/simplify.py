"""What the user may leave out of a model: coordinates held still, knees that only bend."""

from dataclasses import replace

import numpy as np

from mjx_msk.compile.functions import constant
from mjx_msk.compile.motions import Motion, read_motions, terms_of
from mjx_msk.compile.options import CompileOptions
from mjx_msk.compile.source import Axis, Coupling, Joint, Source
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
    return replace(
        source, joints=joints, couplings=couplings, coordinates=coordinates, held=held
    )


def _held(axis: Axis, held: dict[str, float]) -> Axis:
    if axis.coordinate not in held:
        return axis
    return replace(axis, function=constant(_at(axis.function, held[axis.coordinate])), coordinate=None)


def _at(function, value: float) -> float:
    return float(function.evaluate(np.array([value]))[0])


def _with_hinged_knees(source: Source) -> Source:
    """Return the model with knees that only bend.

    A knee is a joint with "knee" in its name or in that of a coordinate that it owns. Movements
    that follow this coordinate, also those of other joints (patellae), stay where they are at its
    default value. They are noted as ``simplified/<joint>``.
    """
    knees = {
        name
        for joint in source.joints
        for name in joint.coordinates
        if name not in source.couplings and "knee" in f"{joint.name} {name}".lower()
    }
    if not knees:
        raise MskError("the model has no knee.", where="--knee", remedy="Leave out --knee hinge.")
    joints, simplified = [], {}
    for joint in source.joints:
        motions, _ = read_motions(source, joint)
        axes = _bent_only(source, joint, motions, knees)
        if any(new is not old for new, old in zip(axes, joint.axes, strict=True)):
            simplified[joint.name] = "held where it is at the knee's default angle"
        joints.append(replace(joint, axes=axes))
    return replace(source, joints=tuple(joints), simplified=simplified)
