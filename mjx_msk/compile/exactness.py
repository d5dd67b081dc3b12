"""Which bodies MuJoCo's joints can place exactly, and which only as well as polynomials fit."""

from typing import Any

from mjx_msk.compile.functions import QUARTIC, compose, identity, read_function
from mjx_msk.compile.source import ScalarFunction

#: Joint types whose motion is a sequence of MuJoCo's slides and hinges.
EXACT_JOINTS = {
    "WeldJoint", "PinJoint", "SliderJoint", "UniversalJoint", "GimbalJoint", "PlanarJoint",
    "BallJoint", "FreeJoint",
}  # fmt: skip


def fitted_bodies(model: Any) -> set[str]:
    """Return the bodies of an OpenSim model that hang, somewhere up the tree, from a fitted joint.

    Fitted are joints of other types than ``EXACT_JOINTS``, and CustomJoints of which an axis
    follows its independent coordinate by anything but a polynomial of degree 4 or less.
    """
    import opensim

    couplings = _couplings(opensim, model)
    parents, fitted = {}, set()
    for joint in model.getJointSet():
        child = joint.getChildFrame().findBaseFrame().getName()
        parents[child] = joint.getParentFrame().findBaseFrame().getName()
        if not _is_exact(opensim, joint, couplings):
            fitted.add(child)
    below = set()
    for body in parents:
        chain = [body]
        while chain[-1] in parents and parents[chain[-1]] not in chain:
            chain.append(parents[chain[-1]])
        if fitted.intersection(chain):
            below.add(body)
    return below


def _couplings(opensim: Any, model: Any) -> dict[str, tuple[str, ScalarFunction]]:
    """Return the coordinate that each coupled coordinate follows, and how."""
    couplings = {}
    for constraint in model.getConstraintSet():
        coupler = opensim.CoordinateCouplerConstraint.safeDownCast(constraint)
        if coupler is not None and coupler.getIndependentCoordinateNames().size() == 1:
            source = coupler.getIndependentCoordinateNames().get(0)
            function = read_function(opensim, coupler.getFunction())
            couplings[coupler.getDependentCoordinateName()] = (source, function)
    return couplings


def _is_exact(opensim: Any, joint: Any, couplings: dict[str, tuple[str, ScalarFunction]]) -> bool:
    kind = joint.getConcreteClassName()
    if kind != "CustomJoint":
        return kind in EXACT_JOINTS and not any(
            joint.get_coordinates(i).getName() in couplings
            and not _is_quartic(_from_independent(joint.get_coordinates(i).getName(), couplings))
            for i in range(joint.numCoordinates())
        )
    spatial = opensim.CustomJoint.safeDownCast(joint).getSpatialTransform()
    for axis in (spatial.getTransformAxis(index) for index in range(6)):
        names = axis.getCoordinateNamesInArray()
        if names.size() == 0:
            continue
        if names.size() > 1:
            return False
        function = read_function(opensim, axis.getFunction())
        chain = _from_independent(names.get(0), couplings)
        if not _is_quartic(compose(function, chain)):
            return False
    return True


def _from_independent(
    name: str, couplings: dict[str, tuple[str, ScalarFunction]]
) -> ScalarFunction:
    """Return a coordinate as a function of the independent one behind it."""
    function, visited = identity(), set[str]()
    while name in couplings and name not in visited:
        visited.add(name)
        name, inner = couplings[name]
        function = compose(function, inner)
    return function


def _is_quartic(function: ScalarFunction) -> bool:
    # A composition can end in zeros: their degree is what counts.
    return function.coefficients is not None and not any(function.coefficients[QUARTIC + 1 :])
