"""Read what acts on an OpenSim model besides muscles: actuators, springs, ligaments, contact."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mjx_msk.compile.frames import frame_of, point_in_body
from mjx_msk.compile.source import GROUND, Forces, HalfSpace, Motor, Point, Spring

FAR = 1e3  #: m or rad, beyond every length: the open side of a band
_CONTACT = ("HuntCrossleyForce", "SmoothSphereHalfSpaceForce")


class _SkippedError(Exception):
    """A force that MuJoCo has no exact counterpart of."""


class _Reader:
    """Collects the forces of a model; the methods of its ``kinds`` read one each."""

    def __init__(self, opensim: Any, model: Any) -> None:
        self.opensim, self.model = opensim, model
        self.motors: list[Motor] = []
        self.springs: list[Spring] = []
        self.friction: dict[str, float] = {}
        self.skipped: dict[str, str] = {}
        self.approximated: dict[str, str] = {}
        self.kinds: dict[str, Callable[[Any], None]] = {
            "CoordinateActuator": self._coordinate_actuator,
            "ActivationCoordinateActuator": self._coordinate_actuator,
            "TorqueActuator": self._torque_actuator,
            "PointActuator": self._point_actuator,
            "PointToPointActuator": self._point_to_point_actuator,
            "PathActuator": self._path_actuator,
            "CoordinateLimitForce": self._limit_force,
            "SpringGeneralizedForce": self._generalized_spring,
            "PointToPointSpring": self._point_to_point_spring,
            "PathSpring": self._path_spring,
            "Ligament": self._ligament,
            "Blankevoort1991Ligament": self._blankevoort,
            **dict.fromkeys(_CONTACT, self._contact),
        }

    def read(self, force: Any) -> None:
        name, kind = force.getName(), force.getConcreteClassName()
        if not force.get_appliesForce():
            self.skipped[name] = "the model has it switched off (appliesForce is false)"
            return
        try:
            if kind not in self.kinds:
                raise _SkippedError(f"MuJoCo has no counterpart of a {kind}")
            self.kinds[kind](getattr(self.opensim, kind).safeDownCast(force))
        except _SkippedError as reason:
            self.skipped[name] = str(reason)

    def _coordinate_actuator(self, force: Any) -> None:
        self._add_motor(force, (force.get_optimal_force(),), coordinate=force.get_coordinate())
        if force.getConcreteClassName() == "ActivationCoordinateActuator":
            self.approximated[force.getName()] = "its control acts at once, without activation"

    def _torque_actuator(self, force: Any) -> None:
        """A torque on body A and its reaction on body B; in MuJoCo seen from the one with axes."""
        a, b = force.get_bodyA(), force.get_bodyB()
        axis = force.get_axis().to_numpy()
        axis = axis / np.linalg.norm(axis) * force.get_optimal_force()
        if not force.get_torque_is_global():
            moved, fixed, axis = b, a, -axis
        elif b == GROUND:
            moved, fixed = a, b
        elif a == GROUND:
            moved, fixed, axis = b, a, -axis
        else:
            raise _SkippedError("its axis is fixed in the ground, but it acts between two bodies")
        if moved == GROUND:  # only the other body can feel it, in its own axes
            moved, fixed, axis = a, a, -axis
        points = tuple(Point(f"on-{body}", body, np.zeros(3)) for body in (moved, fixed))
        self._add_motor(force, (0.0, 0.0, 0.0, *axis), points=points)

    def _point_actuator(self, force: Any) -> None:
        if force.get_point_is_global():
            raise _SkippedError("its point of application is fixed in the ground")
        direction = force.get_direction().to_numpy()
        direction = direction / np.linalg.norm(direction) * force.get_optimal_force()
        body = force.get_body()
        axes = GROUND if force.get_force_is_global() else body
        points = (
            Point("at", body, force.get_point().to_numpy()),
            Point("axes", axes, force.get_point().to_numpy() * (axes == body)),
        )
        self._add_motor(force, (*direction, 0.0, 0.0, 0.0), points=points)

    def _point_to_point_actuator(self, force: Any) -> None:
        if force.get_points_are_global():
            raise _SkippedError("its points are fixed in the ground")
        points = (
            Point("from", force.get_bodyA(), force.get_pointA().to_numpy()),
            Point("to", force.get_bodyB(), force.get_pointB().to_numpy()),
        )
        self._add_motor(force, (force.get_optimal_force(),), points=points)

    def _path_actuator(self, force: Any) -> None:
        # Tension pulls its ends together, MuJoCo's force lengthens.
        self._add_motor(force, (-force.get_optimal_force(),), points=self._path(force))

    def _limit_force(self, force: Any) -> None:
        """A spring beyond each limit; OpenSim counts in degrees where the coordinate turns."""
        name, coordinate = force.getName(), force.get_coordinate()
        turns = self.opensim.Coordinate.Rotational
        rotational = self.model.getCoordinateSet().get(coordinate).getMotionType() == turns
        unit = np.radians(1.0) if rotational else 1.0
        lower, upper = force.get_lower_limit() * unit, force.get_upper_limit() * unit
        below, above = force.get_lower_stiffness() / unit, force.get_upper_stiffness() / unit
        if below == above:
            self._add_spring(name, (lower, upper), above, coordinate=coordinate)
        else:
            self._add_spring(f"{name}/lower", (lower, FAR), below, coordinate=coordinate)
            self._add_spring(f"{name}/upper", (-FAR, upper), above, coordinate=coordinate)
        width = force.get_transition() * unit
        self.approximated[name] = (
            f"the stiffness sets in at the limit, not over {width:.3g} beyond it"
            + ("; its damping beyond the limits is left out" if force.get_damping() else "")
        )

    def _generalized_spring(self, force: Any) -> None:
        rest = force.get_rest_length()
        self._add_spring(
            force.getName(),
            (rest, rest),
            force.get_stiffness(),
            damping=force.get_viscosity(),
            coordinate=force.get_coordinate(),
        )

    def _point_to_point_spring(self, force: Any) -> None:
        points = tuple(
            Point(name, *point_in_body(frame, location))
            for name, frame, location in (
                ("from", force.getBody1(), force.get_point1()),
                ("to", force.getBody2(), force.get_point2()),
            )
        )
        rest = force.get_rest_length()
        self._add_spring(force.getName(), (rest, rest), force.get_stiffness(), points=points)

    def _path_spring(self, force: Any) -> None:
        name, rest = force.getName(), force.get_resting_length()
        self._add_spring(name, (0.0, rest), force.get_stiffness(), points=self._path(force))
        if force.get_dissipation():
            self.approximated[name] = "its dissipation, which grows with tension, is left out"

    def _ligament(self, force: Any) -> None:
        """A straight line through the force-length curve up to ``pcsa_force``."""
        curve, rest = force.get_force_length_curve(), force.get_resting_length()
        stretch = np.linspace(1.0, 2.0, 401)
        values = np.array([curve.calcValue(self.opensim.Vector(1, float(x))) for x in stretch])
        kept = (values > 0) & (np.maximum.accumulate(values) <= 1.0)
        if kept.sum() < 3:
            raise _SkippedError("its force-length curve does not rise above its resting length")
        slope, offset = np.polyfit(stretch[kept], values[kept], 1)
        onset = max(1.0, -offset / slope)
        slope = np.sum(values * (stretch - onset) * kept) / np.sum((stretch - onset) ** 2 * kept)
        scale = force.get_pcsa_force()
        line = np.maximum(0.0, slope * (stretch - onset))
        self._add_spring(
            force.getName(), (0.0, rest * onset), scale * slope / rest, points=self._path(force)
        )
        error = scale * np.abs(line - values)[kept].max()
        self.approximated[force.getName()] = f"a linear spring, up to {error:.3g} N off"

    def _blankevoort(self, force: Any) -> None:
        """The straight part of Blankevoort (1991), which begins at ``transition_strain``.

        Force is k s^2 / (2 t) up to a strain of t and k (s - t / 2) beyond.
        """
        slack, strain = force.get_slack_length(), force.get_transition_strain()
        stiffness = force.get_linear_stiffness()
        band = (0.0, slack * (1 + strain / 2))
        self._add_spring(force.getName(), band, stiffness / slack, points=self._path(force))
        self.approximated[force.getName()] = (
            f"a linear spring, up to {stiffness * strain / 8:.3g} N off where it slackens"
            + ("; its damping is left out" if force.get_damping_coefficient() else "")
        )

    def _contact(self, force: Any) -> None:
        """Only friction is taken over."""
        tree = ElementTree.fromstring(force.dump().replace("::", "."))
        for element in tree.iter("HuntCrossleyForce.ContactParameters"):
            names = (element.findtext("geometry") or "").split()
            self.friction |= dict.fromkeys(names, float(element.findtext("static_friction", "1")))
        if force.getConcreteClassName() == "SmoothSphereHalfSpaceForce":
            for socket in ("sphere", "half_space"):
                name = force.getSocket(socket).getConnecteeAsObject().getName()
                self.friction[name] = force.get_static_friction()
        self.approximated[force.getName()] = (
            "MuJoCo's contact with this static friction; stiffness, dissipation, "
            "dynamic and viscous friction are left out"
        )

    def _path(self, force: Any) -> tuple[Point, ...]:
        path = force.getGeometryPath()
        points = []
        for point in path.getPathPointSet():
            fixed = self.opensim.PathPoint.safeDownCast(point)
            if point.getConcreteClassName() != "PathPoint":
                raise _SkippedError(f"its path has a {point.getConcreteClassName()}")
            place = point_in_body(point.getParentFrame(), fixed.get_location())
            points.append(Point(point.getName(), *place))
        if path.getWrapSet().getSize():
            raise _SkippedError("its path goes round a wrapping surface")
        return tuple(points)

    def _add_motor(self, force: Any, gear: tuple[float, ...], **transmission: Any) -> None:
        controls = (force.get_min_control(), force.get_max_control())
        self.motors.append(Motor(force.getName(), gear, controls, **transmission))

    def _add_spring(
        self, name: str, band: tuple[float, float], stiffness: float, **rest: Any
    ) -> None:
        if not np.isfinite([*band, stiffness]).all():
            raise _SkippedError("its stiffness or rest length is not a number")
        self.springs.append(Spring(name, band, stiffness, **rest))


def read_forces(opensim: Any, model: Any) -> Forces:
    """Return the actuators and springs of a model, and what is left out or only nearly right.

    Controllers, probes and analyses are named as left out.
    """
    reader = _Reader(opensim, model)
    for component in model.getComponentsList():
        force = opensim.Force.safeDownCast(component)
        if force is not None and opensim.Muscle.safeDownCast(component) is None:
            reader.read(force)
        elif opensim.Controller.safeDownCast(component) is not None:
            reader.skipped[component.getName()] = "a controller is no part of the compiled model"
        elif opensim.Probe.safeDownCast(component) is not None:
            reader.skipped[component.getName()] = "a probe is no part of the compiled model"
    return Forces(
        motors=tuple(reader.motors),
        springs=tuple(reader.springs),
        friction=reader.friction,
        skipped=reader.skipped,
        approximated=reader.approximated,
    )


def read_half_spaces(opensim: Any, model: Any, friction: dict[str, float]) -> Iterator[HalfSpace]:
    """Yield the half-spaces that are fixed to the ground or to a body welded to it."""
    welded = {GROUND}
    for joint in model.getJointSet():
        if opensim.WeldJoint.safeDownCast(joint) is not None:
            parent = joint.getParentFrame().findBaseFrame().getName()
            if parent in welded:
                welded.add(joint.getChildFrame().findBaseFrame().getName())
    state = model.initSystem()
    model.realizePosition(state)
    for geometry in model.getContactGeometrySet():
        half_space = opensim.ContactHalfSpace.safeDownCast(geometry)
        if half_space is None or half_space.getFrame().findBaseFrame().getName() not in welded:
            continue
        place = frame_of(half_space.getFrame().getTransformInGround(state))
        own = frame_of(half_space.getTransform())
        yield HalfSpace(
            half_space.getName(),
            place.position + place.rotation @ own.position,
            -(place.rotation @ own.rotation)[:, 0],  # it fills the side of positive x
            friction.get(half_space.getName()),
        )
