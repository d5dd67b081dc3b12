"""The tree of a model's bodies: which joint carries which, and what closes a loop."""

from dataclasses import replace

from mjx_msk.compile.functions import negated
from mjx_msk.compile.source import GROUND, Fastening, Joint, Source
from mjx_msk.errors import MskError


def grow(source: Source) -> tuple[list[Joint], list[Fastening]]:
    """Return the joints from the ground outwards, and the welds that close loops.

    A joint whose child is nearer to the ground is turned round. Raises ``MskError`` for a loop
    without a weld, and for bodies that hang from nothing.
    """
    joints, closing = _grown(list(source.joints))
    if any(joint.axes for joint in closing):  # let welds close the loops
        welds = [joint for joint in source.joints if not joint.axes]
        joints, closing = _grown([j for j in source.joints if j.axes], welds)
    for joint in closing:
        if joint.axes:
            raise MskError(
                f"joint '{joint.name}' closes a loop.", remedy="Cut the loop in the model."
            )
    hanging = {GROUND, *(joint.child for joint in joints)}
    for body in source.bodies:
        if body.name not in hanging:
            raise MskError(
                f"body '{body.name}' hangs from no joint that reaches the ground.",
                remedy="Give it a joint in the model.",
            )
    return joints, [_weld(joint) for joint in closing]


def _grown(
    waiting: list[Joint], later: list[Joint] | None = None
) -> tuple[list[Joint], list[Joint]]:
    """Return joints in the order in which they reach new bodies, and those that reach none."""
    added, ordered, closing = {GROUND}, list[Joint](), list[Joint]()
    later = later or []
    while True:
        ready = [joint for joint in waiting if joint.parent in added or joint.child in added]
        if not ready:
            if not later:
                return ordered, closing
            waiting, later = waiting + later, []
            continue
        for joint in ready:
            waiting.remove(joint)
            if joint.parent in added and joint.child in added:
                closing.append(joint)
                continue
            joint = joint if joint.parent in added else reversed_joint(joint)
            ordered.append(joint)
            added.add(joint.child)


def reversed_joint(joint: Joint) -> Joint:
    """Return the joint with parent and child exchanged: its motions undone, last first."""
    return replace(
        joint,
        parent=joint.child,
        child=joint.parent,
        parent_frame=joint.child_frame,
        child_frame=joint.parent_frame,
        axes=tuple(replace(a, function=negated(a.function)) for a in reversed(joint.axes)),
    )


def _weld(joint: Joint) -> Fastening:
    ends = ((joint.parent, joint.parent_frame), (joint.child, joint.child_frame))
    return Fastening(joint.name, *ends, turns=True)
