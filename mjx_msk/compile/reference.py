"""An OpenSim model as the reference: poses, generalized forces and muscles in plain arrays."""

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from mjx_msk.compile.frames import frame_of
from mjx_msk.compile.skeleton import WORLD_FROM_GROUND
from mjx_msk.compile.source import Frame

STEP = 1e-4  #: s, of the differences that turn OpenSim's velocities into accelerations


class _Coupler(NamedTuple):
    """A coordinate that follows others."""

    dependent: str
    drivers: tuple[str, ...]
    function: Any


class Reference:
    """An OpenSim model without forces, locks or prescribed motion, in independent coordinates.

    With q the independent coordinates, every coordinate follows as g(q), and OpenSim's speeds are
    u = B(q) dq/dt: coupled coordinates are included by the slopes of their couplers, and the
    angular velocities of ball and free joints by OpenSim's own matrix N. Constraints other than
    couplers are left alone: poses need not satisfy them, and they carry no forces.

    OpenSim's poses are the reference, and its velocities where they are the poses' derivatives.
    They are not in a bent ConstantCurvatureJoint: there velocities are differences of poses.
    """

    def __init__(self, osim: str | os.PathLike[str]) -> None:
        import opensim

        opensim.Logger.setLevelString("Off")
        self._opensim = opensim
        self.model = opensim.Model(str(osim))
        for component in self.model.getComponentsList():
            force = opensim.Force.safeDownCast(component)
            if force is not None:
                force.set_appliesForce(False)
        self.model.finalizeConnections()
        self.model.initSystem()  # adds the joints of bodies without any
        coordinates = list(self.model.getCoordinateSet())
        self.locked = {c.getName() for c in coordinates if c.getDefaultLocked()}
        for coordinate in coordinates:
            coordinate.setDefaultLocked(False)
            coordinate.setDefaultClamped(False)
            coordinate.setDefaultIsPrescribed(False)
        self.state = self.model.initSystem()
        self._matter = self.model.getMatterSubsystem()
        self._couplers = self._read_couplers()
        coupled = {coupler.dependent for coupler in self._couplers}
        free = [c for c in coordinates if c.getName() not in coupled]
        self.names = [c.getName() for c in free]
        self.ranges = np.array([[c.getRangeMin(), c.getRangeMax()] for c in free]).reshape(-1, 2)
        self.defaults = np.array([c.getDefaultValue() for c in free])
        self.bodies = [body.getName() for body in self.model.getBodySet()]
        self.muscles = [muscle.getName() for muscle in self.model.getMuscles()]
        self._coordinates = {c.getName(): c for c in coordinates}
        self._places = {name: self._place(c) for name, c in self._coordinates.items()}
        self._by_differences = any(
            joint.getConcreteClassName() == "ConstantCurvatureJoint"
            for joint in self.model.getJointSet()
        )

    def _read_couplers(self) -> list[_Coupler]:
        """Return the couplers, each after those that it follows."""
        waiting = []
        for constraint in self.model.getConstraintSet():
            coupler = self._opensim.CoordinateCouplerConstraint.safeDownCast(constraint)
            if coupler is not None and coupler.get_isEnforced():
                names = coupler.getIndependentCoordinateNames()
                drivers = tuple(names.get(index) for index in range(names.size()))
                dependent = coupler.getDependentCoordinateName()
                waiting.append(_Coupler(dependent, drivers, coupler.getFunction()))
        ordered: list[_Coupler] = []
        while waiting:
            open_ = {coupler.dependent for coupler in waiting}
            ready = [coupler for coupler in waiting if not open_.intersection(coupler.drivers)]
            if not ready:
                raise ValueError(f"coordinates follow each other in a circle: {sorted(open_)}")
            ordered += ready
            waiting = [coupler for coupler in waiting if coupler not in ready]
        return ordered

    def _place(self, coordinate: Any) -> int:
        """Return the place of a coordinate in OpenSim's vector Q."""
        before = self.state.getQ().to_numpy().copy()
        value = coordinate.getValue(self.state)
        coordinate.setValue(self.state, value + 0.125, False)
        place = int(np.argmax(np.abs(self.state.getQ().to_numpy() - before)))
        coordinate.setValue(self.state, value, False)
        return place

    def pose(self, q: np.ndarray, qd: np.ndarray) -> None:
        """Set the independent coordinates and their speeds; coupled ones follow."""
        values = dict(zip(self.names, q, strict=True))
        rows = dict(zip(self.names, np.eye(len(self.names)), strict=True))
        for dependent, drivers, function in self._couplers:
            argument = self._vector([values[driver] for driver in drivers])
            values[dependent] = function.calcValue(argument)
            rows[dependent] = np.zeros(len(self.names))
            for index, driver in enumerate(drivers):
                order = self._opensim.StdVectorInt()
                order.push_back(index)
                rows[dependent] += function.calcDerivative(order, argument) * rows[driver]
        for name, value in values.items():
            self._coordinates[name].setValue(self.state, float(value), False)
        self._slopes = np.zeros((self.state.getNQ(), len(self.names)))
        for name, row in rows.items():
            self._slopes[self._places[name]] = row
        self.model.realizePosition(self.state)
        self.state.setU(self._speeds(self._slopes @ qd))
        self.model.realizeVelocity(self.state)

    def _speeds(self, rates: np.ndarray) -> Any:
        """Return OpenSim's speeds u of the rates dQ/dt."""
        speeds = self._opensim.Vector(self.state.getNU(), 0.0)
        self._matter.multiplyByNInv(self.state, False, self._vector(rates), speeds)
        return speeds

    def _vector(self, values: Any) -> Any:
        return self._opensim.Vector.createFromMat(np.asarray(values, dtype=float))

    def speed_matrix(self) -> np.ndarray:
        """Return B (nu, n) where the model is: OpenSim's speeds are B dq/dt."""
        columns = [self._speeds(column).to_numpy() for column in self._slopes.T]
        return np.stack(columns, axis=1) if columns else np.zeros((self.state.getNU(), 0))

    def inverse_dynamics(self, q: np.ndarray, qd: np.ndarray, qdd: np.ndarray) -> np.ndarray:
        """Return the generalized forces (n,), by Newton and Euler about every body's origin.

        Accelerations are central differences of velocities on the path q + qd t + qdd t^2 / 2:
        those of OpenSim's own solver are not the derivatives of its velocities where several
        rotations follow one coordinate (0.1 % of the moments of the Rajagopal models' knees).
        """
        earlier, later = (
            self._velocities(q + qd * t + qdd * t**2 / 2, qd + qdd * t) for t in (-STEP, STEP)
        )
        acceleration = (later - earlier) / (2 * STEP)
        spin = self._velocities(q, qd)[:, :3]
        jacobian = self.jacobian(q)
        self.pose(q, qd)
        gravity = self.model.getGravity().to_numpy()
        tau = np.zeros(len(q))
        for index, (_, arm, mass, inertia) in enumerate(self._inertias()):
            angular, linear = acceleration[index, :3], acceleration[index, 3:]
            omega = spin[index]
            center = linear + np.cross(angular, arm) + np.cross(omega, np.cross(omega, arm))
            force = mass * (center - gravity)
            torque = inertia @ angular + np.cross(omega, inertia @ omega) + np.cross(arm, force)
            tau += jacobian[index].T @ np.concatenate([torque, force])
        return tau

    def mass_matrix(self, q: np.ndarray) -> np.ndarray:
        """Return the mass matrix (n, n) in the independent coordinates."""
        jacobian = self.jacobian(q)
        self.pose(q, np.zeros(len(q)))
        result = np.zeros((len(q), len(q)))
        for index, (_, arm, mass, inertia) in enumerate(self._inertias()):
            angular, linear = jacobian[index, :3], jacobian[index, 3:]
            center = linear - np.cross(arm, angular, axisb=0).T
            result += angular.T @ inertia @ angular + mass * center.T @ center
        return result

    def _inertias(self) -> Iterator[tuple[str, np.ndarray, float, np.ndarray]]:
        """Yield each body's name, center of mass from its origin, mass and inertia (ground)."""
        for body in self.model.getBodySet():
            turn = frame_of(body.getTransformInGround(self.state)).rotation
            xx, yy, zz, xy, xz, yz = (body.get_inertia().get(index) for index in range(6))
            inertia = turn @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ turn.T
            yield body.getName(), turn @ body.get_mass_center().to_numpy(), body.getMass(), inertia

    def jacobian(self, q: np.ndarray) -> np.ndarray:
        """Return what each coordinate's rate does to the bodies, (bodies, 6, n).

        Angular velocity, then velocity of the origin, in OpenSim's ground.
        """
        columns = [self._velocities(q, unit) for unit in np.eye(len(q))]
        return np.stack(columns, axis=2)

    def _velocities(self, q: np.ndarray, qd: np.ndarray) -> np.ndarray:
        """Return every body's angular velocity and velocity of its origin, (bodies, 6)."""
        if not self._by_differences:
            self.pose(q, qd)
            found = [body.getVelocityInGround(self.state) for body in self.model.getBodySet()]
            return np.array([[*v.get(0).to_numpy(), *v.get(1).to_numpy()] for v in found])
        still = np.zeros(len(q))
        frames = []
        for time in (-2 * STEP, -STEP, STEP, 2 * STEP):
            self.pose(q + qd * time, still)
            frames.append(
                [frame_of(b.getTransformInGround(self.state)) for b in self.model.getBodySet()]
            )
        return np.array([_moving(*body) for body in zip(*frames, strict=True)])

    def reduced(self, force: np.ndarray, q: np.ndarray) -> np.ndarray:
        """Return forces on OpenSim's speeds as generalized forces (n,), where the model is."""
        return self.speed_matrix().T @ force

    def mass_center(self) -> np.ndarray:
        """Return the whole model's center of mass (3,) in the world with Z up."""
        return WORLD_FROM_GROUND @ self.model.calcMassCenterPosition(self.state).to_numpy()

    def places(self) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """Return each body's name, origin (3,) and rotation (3, 3) in the world with Z up."""
        result = []
        for body in self.model.getBodySet():
            place = frame_of(body.getTransformInGround(self.state))
            position = WORLD_FROM_GROUND @ place.position
            result.append((body.getName(), position, WORLD_FROM_GROUND @ place.rotation))
        return result

    def length(self, muscle: str) -> float:
        """Return a muscle-tendon length in m."""
        return self.model.getMuscles().get(muscle).getLength(self.state)


def _moving(*frames: Frame) -> np.ndarray:
    """Return angular velocity and velocity (6,) from places 2 and 1 steps before and after."""
    weights = np.array([1, -8, 8, -1]) / (12 * STEP)
    linear = weights @ np.array([frame.position for frame in frames])
    rate = np.tensordot(weights, [frame.rotation for frame in frames], 1)
    middle = np.sum([frame.rotation for frame in frames[1:3]], axis=0) / 2
    spin = rate @ middle.T
    twice = [spin[2, 1] - spin[1, 2], spin[0, 2] - spin[2, 0], spin[1, 0] - spin[0, 1]]
    return np.concatenate([np.array(twice) / 2, linear])
