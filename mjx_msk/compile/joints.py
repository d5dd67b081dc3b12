"""OpenSim's joint types as sequences of elementary motions."""

from typing import Any

import numpy as np

from mjx_msk.compile.functions import constant, identity, read_function
from mjx_msk.compile.source import Axis
from mjx_msk.errors import MskError

# The motions of the joints that have fixed axes, in the order in which they move the child:
# (slide or hinge, axis of the parent frame, index of the coordinate).
_FIXED_AXES = {
    "WeldJoint": (),
    "PinJoint": (("hinge", 2, 0),),
    "SliderJoint": (("slide", 0, 0),),
    "UniversalJoint": (("hinge", 0, 0), ("hinge", 1, 1)),
    "GimbalJoint": (("hinge", 0, 0), ("hinge", 1, 1), ("hinge", 2, 2)),
    "PlanarJoint": (("slide", 0, 1), ("slide", 1, 2), ("hinge", 2, 0)),
}


def read_axes(opensim: Any, joint: Any) -> tuple[Axis, ...]:
    """Return the motions of an OpenSim joint; raises ``MskError`` for a type without such axes."""
    kind = joint.getConcreteClassName()
    if kind == "CustomJoint":
        return _custom_axes(opensim, joint)
    if kind not in _FIXED_AXES:
        raise MskError(
            f"joint '{joint.getName()}' is a {kind}, which is not supported.",
            remedy="Replace it by a CustomJoint in the model.",
        )
    return tuple(
        Axis(
            name=joint.get_coordinates(index).getName(),
            hinge=motion == "hinge",
            direction=np.eye(3)[axis],
            function=identity(),
            coordinate=joint.get_coordinates(index).getName(),
        )
        for motion, axis, index in _FIXED_AXES[kind]
    )


def _custom_axes(opensim: Any, joint: Any) -> tuple[Axis, ...]:
    """Return the axes of a CustomJoint: its three translations move first, then its rotations."""
    spatial = opensim.CustomJoint.safeDownCast(joint).getSpatialTransform()
    axes = []
    for index in (3, 4, 5, 0, 1, 2):
        axis = spatial.getTransformAxis(index)
        names = axis.getCoordinateNamesInArray()
        if names.size() > 1:
            raise MskError(
                f"axis '{axis.getName()}' of joint '{joint.getName()}' depends on several "
                "coordinates, which is not supported.",
                remedy="Split it into joints of one coordinate each.",
            )
        direction = axis.getAxis().to_numpy()
        function = read_function(opensim, axis.getFunction())
        if names.size() == 0:  # OpenSim evaluates such an axis at 0
            function = constant(float(function.evaluate(np.zeros(1))[0]))
        axes.append(
            Axis(
                name=axis.getName(),
                hinge=index < 3,
                direction=direction / np.linalg.norm(direction),
                function=function,
                coordinate=names.get(0) if names.size() else None,
            )
        )
    return tuple(axes)
