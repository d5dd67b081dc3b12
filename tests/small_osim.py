"""A small OpenSim model whose muscles have closed-form lengths and moment arms."""

from pathlib import Path

import numpy as np

RADIUS = 0.03  #: m, of the cylinder about the elbow's axis
CAP_SLOPE = 0.05  #: m/rad, of the slide ``cap`` that follows the elbow
SHOULDER, ELBOW = (-1.0, 1.0), (0.2, 0.6)  #: rad, ranges
FROM, TO = np.array([0.05, 0.1]), np.array([0.02, -0.2])  #: m, straight muscle: ground, upper arm


def write_arm(path: Path) -> Path:
    """Write two bodies on pins about z, a third one on a slide that follows the elbow.

    ``straight`` crosses the shoulder, ``wrapped`` lies on a cylinder about the elbow's axis (as
    it would on the far side), and ``across`` runs along the slide's axis from the forearm to the
    slide's body.
    """
    import opensim

    opensim.Logger.setLevelString("Off")
    model, zero = opensim.Model(), opensim.Vec3(0)
    model.setName("arm")
    bodies = {}
    for name, mass in (("upper", 2.0), ("fore", 1.5), ("cap", 0.1)):
        inertia = opensim.Inertia(0.02, 0.01, 0.025, 0.001, 0, 0)
        bodies[name] = opensim.Body(name, mass, opensim.Vec3(0.01, -0.15, 0.02), inertia)
        model.addBody(bodies[name])
    elbow = opensim.Vec3(0, -0.3, 0)
    joints = (
        opensim.PinJoint("j1", model.getGround(), zero, zero, bodies["upper"], zero, zero),
        opensim.PinJoint("j2", bodies["upper"], elbow, zero, bodies["fore"], zero, zero),
        opensim.SliderJoint("j3", bodies["fore"], zero, zero, bodies["cap"], zero, zero),
    )
    ranges = (SHOULDER, ELBOW, (0.0, 0.1))
    for joint, name, limits in zip(joints, ("shoulder", "elbow", "slide"), ranges, strict=True):
        coordinate = joint.updCoordinate()
        coordinate.setName(name)
        coordinate.setRangeMin(limits[0])
        coordinate.setRangeMax(limits[1])
        coordinate.setDefaultClamped(True)
        coordinate.setDefaultValue(limits[0] / 2 + limits[1] / 2)
        model.addJoint(joint)
    coupler = opensim.CoordinateCouplerConstraint()
    coupler.setName("coupler")
    names = opensim.ArrayStr()
    names.append("elbow")
    coupler.setIndependentCoordinateNames(names)
    coupler.setDependentCoordinateName("slide")
    coupler.setFunction(opensim.LinearFunction(CAP_SLOPE, 0.0))
    model.addConstraint(coupler)
    cylinder = opensim.WrapCylinder()
    cylinder.setName("pulley")
    cylinder.set_radius(RADIUS)
    cylinder.set_length(0.2)
    cylinder.set_quadrant("-x")
    cylinder.set_translation(elbow)
    bodies["upper"].addWrapObject(cylinder)

    def muscle(name: str, *points) -> None:
        result = opensim.Millard2012EquilibriumMuscle(name, 500.0, 0.1, 0.15, 0.1)
        for index, (frame, place) in enumerate(points):
            result.addNewPathPoint(f"{name}-{index}", frame, opensim.Vec3(*map(float, place)))
        if name == "wrapped":
            result.updGeometryPath().addPathWrap(cylinder)
        model.addForce(result)

    muscle("straight", (model.getGround(), (*FROM, 0)), (bodies["upper"], (*TO, 0)))
    muscle("wrapped", (bodies["upper"], (-RADIUS - 0.01, -0.1, 0)),
           (bodies["fore"], (-RADIUS - 0.01, -0.2, 0)))  # fmt: skip
    muscle("across", (bodies["fore"], (-0.2, 0, 0)), (bodies["cap"], (0.1, 0, 0)))
    model.finalizeConnections()
    model.printToXML(str(path))
    return path


def closed_forms(shoulder: float, elbow: float) -> tuple[dict[str, float], dict[tuple, float]]:
    """Return the lengths (m) of the unwrapped muscles, and the moment arms that are not 0 (m)."""
    c, s = np.cos(shoulder), np.sin(shoulder)
    end = np.array([[c, -s], [s, c]]) @ TO
    length = float(np.linalg.norm(end - FROM))
    turning = np.array([-end[1], end[0]])  # d end / d shoulder
    lengths = {"straight": length, "across": 0.3 + CAP_SLOPE * elbow}
    arms = {
        ("straight", "shoulder"): float(-(end - FROM) @ turning / length),
        ("wrapped", "elbow"): -RADIUS,
        ("across", "elbow"): -CAP_SLOPE,
    }
    return lengths, arms
