"""OpenSim's joint types as sequences of elementary motions.

Every type becomes slides and hinges that follow one coordinate each. Where a joint's translation
is a product of functions of several coordinates, turning forth and back does the multiplication:
a constant offset between a rotation and its inverse moves along a circle.
"""

from typing import Any

import numpy as np

from mjx_msk.compile.functions import constant, linear, read_function, read_separated, separated
from mjx_msk.compile.source import Axis
from mjx_msk.errors import MskError

Range = tuple[float, float]
X, Y, Z = np.eye(3)
PRODUCT_WORTH = 5e-5  #: m; a rod's length that is off by more is worth eight more joints

# The motions of the joints that have fixed axes, in the order in which they move the child:
# (hinge or slide, axis, index of the coordinate). OpenSim's angles are those of successive turns
# about the moved x, y and z, also in ball and free joints.
_TURNS = ((True, X, 0), (True, Y, 1), (True, Z, 2))
_FIXED_AXES: dict[str, tuple[tuple[bool, np.ndarray, int], ...]] = {
    "WeldJoint": (),
    "PinJoint": ((True, Z, 0),),
    "SliderJoint": ((False, X, 0),),
    "UniversalJoint": _TURNS[:2],
    "GimbalJoint": _TURNS,
    "BallJoint": _TURNS,
    "PlanarJoint": ((False, X, 1), (False, Y, 2), (True, Z, 0)),
    "FreeJoint": ((False, X, 3), (False, Y, 4), (False, Z, 5), *_TURNS),
}


def read_axes(
    opensim: Any, joint: Any, ranges: dict[str, Range]
) -> tuple[tuple[Axis, ...], dict[str, str]]:
    """Return the motions of an OpenSim joint, and what of them is approximate: axis -> how.

    ``ranges`` are those of the coordinates. Raises ``MskError`` for a joint type without such
    motions, and for an axis that mixes its coordinates too much.
    """
    kind = joint.getConcreteClassName()
    names = coordinate_names(joint)
    if kind == "CustomJoint":
        return _custom_axes(opensim, joint, ranges)
    if kind == "ConstantCurvatureJoint":
        joint = opensim.ConstantCurvatureJoint.safeDownCast(joint)
        neutral = joint.get_neutral_angle_x_z_y().to_numpy()
        return _curved_axes(names, joint.get_length(), neutral, ranges)
    if kind == "EllipsoidJoint":
        joint = opensim.EllipsoidJoint.safeDownCast(joint)
        a, b, c = joint.get_radii_x_y_z().to_numpy()
        return _ellipsoid_axes(names, (X, Y), (b, a, c)), {}
    if kind == "ScapulothoracicJoint":
        joint = opensim.ScapulothoracicJoint.safeDownCast(joint)
        a, b, c = joint.get_thoracic_ellipsoid_radii_x_y_z().to_numpy()
        origin = [joint.get_scapula_winging_axis_origin(index) for index in range(2)]
        direction = joint.get_scapula_winging_axis_direction()
        sliding = _ellipsoid_axes(names, (Y, -X), (a, b, c))
        return sliding + _winging(names[3], origin, direction), {}
    if kind not in _FIXED_AXES:
        raise MskError(
            f"joint '{joint.getName()}' is a {kind}, which is not supported.",
            remedy="Replace it by a CustomJoint in the model.",
        )
    return tuple(
        Axis(names[index], hinge, direction, linear(1.0), names[index])
        for hinge, direction, index in _FIXED_AXES[kind]
    ), {}


def coordinate_names(joint: Any) -> tuple[str, ...]:
    """Return the names of the coordinates that an OpenSim joint owns."""
    return tuple(joint.get_coordinates(index).getName() for index in range(joint.numCoordinates()))


def _custom_axes(
    opensim: Any, joint: Any, ranges: dict[str, Range]
) -> tuple[tuple[Axis, ...], dict[str, str]]:
    """Return the axes of a CustomJoint: its three translations move first, then its rotations.

    An axis of several coordinates becomes motions of one each, as far as its function is a sum.
    """
    spatial = opensim.CustomJoint.safeDownCast(joint).getSpatialTransform()
    axes: list[Axis] = []
    approximate = {}
    for index in (3, 4, 5, 0, 1, 2):
        axis = spatial.getTransformAxis(index)
        name, coordinates = axis.getName(), axis.getCoordinateNamesInArray()
        names = [coordinates.get(i) for i in range(coordinates.size())]
        direction = axis.getAxis().to_numpy()
        direction = direction / np.linalg.norm(direction)
        if len(names) > 1:
            sum_ = read_separated(opensim, axis.getFunction(), [ranges[n] for n in names])
            if sum_.error:
                approximate[name] = sum_.words()
            axes += [
                Axis(f"{name}/{coordinate}", index < 3, direction, function, coordinate)
                for coordinate, function in zip(names, sum_.terms, strict=True)
            ]
            continue
        function = read_function(opensim, axis.getFunction())
        if not names:  # OpenSim evaluates such an axis at 0
            function = constant(float(function.evaluate(np.zeros(1))[0]))
        axes.append(Axis(name, index < 3, direction, function, names[0] if names else None))
    return tuple(axes), approximate


def _ellipsoid_axes(
    names: tuple[str, ...],
    turns: tuple[np.ndarray, np.ndarray],
    radii: tuple[float, float, float],
) -> tuple[Axis, ...]:
    """Return the motions of a joint that slides over an ellipsoid, its z axis outwards.

    It turns by q0 and q1 about the two axes ``turns``, then by q2 about z. Its place is a sin q0
    cos q1, b sin q1 and c cos q0 cos q1 along the two directions in which these turns tip z, and
    along z; ``radii`` are a, b, c. That is the sum of w R0(s q0) R1(t q1) z over the signs
    (s, t) = (-, +), (+, -) and (+, +), whose weights w give c in all, a from the second and third
    less the first, and b from the first and third less the second.
    """
    (first, second), (q0, q1, q2) = turns, names[:3]
    a, b, c = radii
    return (
        Axis("turn1", True, first, linear(-1.0), q0),
        Axis("turn2", True, second, linear(1.0), q1),
        Axis("offset1", False, Z, constant((c - a) / 2)),
        Axis("turn3", True, second, linear(-1.0), q1),
        Axis("turn4", True, first, linear(2.0), q0),
        Axis("turn5", True, second, linear(-1.0), q1),
        Axis("offset2", False, Z, constant((c - b) / 2)),
        Axis("turn6", True, second, linear(2.0), q1),
        Axis("offset3", False, Z, constant((a + b) / 2)),
        Axis("turn7", True, Z, linear(1.0), q2),
    )


def _winging(name: str, origin: list[float], direction: float) -> tuple[Axis, ...]:
    """Return the winging of a scapula about an axis through ``origin`` (2,) in its x-y plane.

    ``direction`` is the axis' angle to y, about z.
    """
    axis = np.array([-np.sin(direction), np.cos(direction), 0.0])
    return (
        Axis("winging/x", False, X, constant(origin[0])),
        Axis("winging/y", False, Y, constant(origin[1])),
        Axis("winging", True, axis, linear(1.0), name),
        Axis("winging/-y", False, Y, constant(-origin[1])),
        Axis("winging/-x", False, X, constant(-origin[0])),
    )


def _curved_axes(
    names: tuple[str, ...], length: float, neutral: np.ndarray, ranges: dict[str, Range]
) -> tuple[tuple[Axis, ...], dict[str, str]]:
    """Return the motions of a rod of constant curvature: bends about x and z, twist about y.

    With t the angle between y and the bent y, both ends lie h = L/2 tan(t/2) / (t/2) from where
    the tangents meet: along y, turn, along the turned y. cos t is the product of the cosines of
    the two bends, so that h is no sum of their functions; what lacks is close to the product of
    the cosine of one and a function of the other.
    """
    first, second = names[0], names[1]

    def half(bend: np.ndarray, extension: np.ndarray) -> np.ndarray:
        cosine = np.cos(bend + neutral[0]) * np.cos(extension + neutral[1])
        angle = np.maximum(np.arccos(np.clip(cosine, -1.0, 1.0)) / 2, 1e-6)
        return length / 2 * np.tan(angle) / angle

    intervals = [ranges[first], ranges[second]]
    total = separated(half, intervals)
    if total.error > PRODUCT_WORTH:
        total = separated(half, intervals, factor=lambda bend: 2 * np.cos(bend + neutral[0]))

    def slides(part: str) -> list[Axis]:
        found = [
            Axis(f"{part}/{name}", False, Y, function, name)
            for name, function in zip((first, second), total.terms, strict=False)
        ]
        if len(total.terms) == 3:
            product = total.terms[2]
            found += [
                Axis(f"{part}/turn1", True, X, linear(1.0, neutral[0]), first),
                Axis(f"{part}/product1", False, Y, product, second),
                Axis(f"{part}/turn2", True, X, linear(-2.0, -2 * neutral[0]), first),
                Axis(f"{part}/product2", False, Y, product, second),
                Axis(f"{part}/turn3", True, X, linear(1.0, neutral[0]), first),
            ]
        return found

    axes = (
        *slides("lower"),
        Axis(first, True, X, linear(1.0, neutral[0]), first),
        Axis(second, True, Z, linear(1.0, neutral[1]), second),
        *slides("upper"),
        Axis(names[2], True, Y, linear(1.0, neutral[2]), names[2]),
    )
    return axes, {"length": total.words()} if total.error else {}
