"""An OpenSim model as the reference: poses, generalized forces and muscles in plain arrays."""

import os
from typing import Any

import numpy as np

from mjx_msk.compile.frames import frame_of
from mjx_msk.compile.skeleton import WORLD_FROM_GROUND


class Reference:
    """An OpenSim model without muscle forces or locks, posed in independent coordinates."""

    def __init__(self, osim: str | os.PathLike[str]) -> None:
        import opensim

        opensim.Logger.setLevelString("Off")
        self._opensim = opensim
        self.model = opensim.Model(str(osim))
        for component in self.model.getComponentsList():
            force = opensim.Force.safeDownCast(component)
            if force is not None:
                force.set_appliesForce(False)
        coordinates = list(self.model.getCoordinateSet())
        self.locked = {c.getName() for c in coordinates if c.getDefaultLocked()}
        for coordinate in coordinates:
            coordinate.setDefaultLocked(False)
            coordinate.setDefaultClamped(False)
        self.state = self.model.initSystem()
        self._solver = opensim.InverseDynamicsSolver(self.model)
        couplers = [
            opensim.CoordinateCouplerConstraint.safeDownCast(c)
            for c in self.model.getConstraintSet()
        ]
        self._couplers = {c.getDependentCoordinateName(): c for c in couplers}
        free = [c for c in coordinates if c.getName() not in self._couplers]
        self.names = [c.getName() for c in free]
        self.ranges = np.array([[c.getRangeMin(), c.getRangeMax()] for c in free])
        self.defaults = np.array([c.getDefaultValue() for c in free])
        self.bodies = [body.getName() for body in self.model.getBodySet()]
        self.muscles = [muscle.getName() for muscle in self.model.getMuscles()]
        self._slots = {c.getName(): self._slot(c) for c in coordinates}

    def _slot(self, coordinate: Any) -> int:
        """Return the place of a coordinate in OpenSim's vector of speeds."""
        self.state.setU(self._opensim.Vector(self.state.getNU(), 0.0))
        coordinate.setSpeedValue(self.state, 1.0)
        return int(np.argmax(self.state.getU().to_numpy()))

    def pose(self, q: np.ndarray, qd: np.ndarray) -> None:
        """Set the independent coordinates and their speeds; coupled ones follow."""
        for name, value, speed in zip(self.names, q, qd, strict=True):
            coordinate = self.model.getCoordinateSet().get(name)
            coordinate.setValue(self.state, float(value), False)
            coordinate.setSpeedValue(self.state, float(speed))
        for name in self._couplers:
            source, value, slope = self._coupled(name, q)
            coordinate = self.model.getCoordinateSet().get(name)
            coordinate.setValue(self.state, value, False)
            coordinate.setSpeedValue(self.state, slope * qd[source])
        self.model.realizeVelocity(self.state)

    def _coupled(self, name: str, q: np.ndarray) -> tuple[int, float, float]:
        """Return the source's index, the value and the slope of a linearly coupled coordinate."""
        coupler = self._couplers[name]
        source = self.names.index(coupler.getIndependentCoordinateNames().get(0))
        at = [
            coupler.getFunction().calcValue(self._opensim.Vector(1, float(x)))
            for x in (q[source], q[source] + 1.0)
        ]
        return source, at[0], at[1] - at[0]

    def inverse_dynamics(self, q: np.ndarray, qd: np.ndarray, qdd: np.ndarray) -> np.ndarray:
        """Return the generalized forces; those of coupled coordinates act through their source."""
        self.pose(q, qd)
        acceleration = self._opensim.Vector(self.state.getNU(), 0.0)
        for name, value in zip(self.names, qdd, strict=True):
            acceleration.set(self._slots[name], float(value))
        for name in self._couplers:
            source, _, slope = self._coupled(name, q)
            acceleration.set(self._slots[name], slope * qdd[source])
        return self.reduced(self._solver.solve(self.state, acceleration).to_numpy(), q)

    def reduced(self, force: np.ndarray, q: np.ndarray) -> np.ndarray:
        """Return forces (nu, ...) on OpenSim's speeds as generalized forces (n, ...)."""
        tau = np.array([force[self._slots[name]] for name in self.names])
        for name in self._couplers:
            source, _, slope = self._coupled(name, q)
            tau[source] += slope * force[self._slots[name]]
        return tau

    def mass_matrix(self, q: np.ndarray) -> np.ndarray:
        """Return the mass matrix (n, n) in the independent coordinates, where the model is."""
        matrix = self._opensim.Matrix()
        self.model.getMatterSubsystem().calcM(self.state, matrix)
        return self.reduced(self.reduced(matrix.to_numpy(), q).T, q)

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
