"""One muscle of an OpenSim model on a test bench: a straight path whose length and speed we set."""

from typing import Any

import numpy as np


class MuscleRig:
    """A copy of a muscle between the ground and a slider; OpenSim computes its force."""

    def __init__(self, opensim: Any, muscle: Any, *, rigid: bool) -> None:
        """With ``rigid``, the tendon is rigid, which not every kind of muscle supports."""
        copy = muscle.clone()
        path = copy.updGeometryPath()
        path.updPathPointSet().setSize(0)
        path.updWrapSet().setSize(0)
        copy.setName("muscle")
        copy.set_appliesForce(True)
        copy.set_ignore_tendon_compliance(rigid)
        self._model = opensim.Model()
        body = opensim.Body("carriage", 1.0, opensim.Vec3(0), opensim.Inertia(1.0))
        self._model.addBody(body)
        slider = opensim.SliderJoint("slider", self._model.getGround(), body)
        self._model.addJoint(slider)
        path.appendNewPathPoint("fixed", self._model.getGround(), opensim.Vec3(0))
        path.appendNewPathPoint("moving", body, opensim.Vec3(0))
        self._model.addForce(copy)
        self._model.finalizeConnections()
        self._state = self._model.initSystem()
        self._coordinate = self._model.getCoordinateSet().get(0)
        self._muscle = self._model.getMuscles().get(0)
        self.max_force = self._muscle.getMaxIsometricForce()
        self.fiber_length = self._muscle.getOptimalFiberLength()
        self.tendon_length = self._muscle.getTendonSlackLength()
        self.pennation = self._muscle.getPennationAngleAtOptimalFiberLength()
        self.max_velocity = self._muscle.getMaxContractionVelocity()

    def rigid_force(self, length: float, velocity: float) -> float:
        """Return the tension in N at a length (m) and lengthening velocity (m/s), fully active."""
        self._set(length, velocity)
        self._model.realizeDynamics(self._state)
        return float(self._muscle.getActuation(self._state))

    def fiber_velocity(self, fiber_length: float, tendon_strain: float) -> tuple[float, float]:
        """Return tension (N) and fiber velocity (m/s) of a fully active muscle, elastic tendon.

        ``fiber_length`` is in m; the tendon sets the tension, the fibers find their velocity.
        """
        height = self.fiber_length * np.sin(self.pennation)
        along = np.sqrt(fiber_length**2 - height**2)
        name = "/forceset/muscle/fiber_length"
        self._model.setStateVariableValue(self._state, name, fiber_length)
        self._set(along + self.tendon_length * (1 + tendon_strain), 0.0)
        self._model.realizeAcceleration(self._state)
        velocity = self._model.getStateVariableDerivativeValue(self._state, name)
        return float(self._muscle.getActuation(self._state)), float(velocity)

    def isometric_multipliers(self, fiber_length: float) -> tuple[float, float]:
        """Return OpenSim's active and passive force multipliers at a fiber length in m."""
        self.fiber_velocity(fiber_length, 0.01)
        active = self._muscle.getActiveForceLengthMultiplier(self._state)
        return float(active), float(self._muscle.getPassiveForceMultiplier(self._state))

    def working_lengths(self) -> tuple[float, float]:
        """Return the path lengths (m, rigid tendon) between which the fibers do their work.

        They are longer than 0.4 optimal lengths and, passively, pull with less than F0.
        """
        width = self.fiber_length * np.sin(self.pennation)
        shortest = max(0.4 * self.fiber_length, 1.01 * width)
        low, high = self.fiber_length, 2.5 * self.fiber_length
        while high - low > 1e-6 * self.fiber_length:
            middle = (low + high) / 2
            strained = self.isometric_multipliers(middle)[1] > 1
            low, high = (low, middle) if strained else (middle, high)
        along = np.sqrt(np.square([shortest, low]) - width**2)
        return self.tendon_length + float(along[0]), self.tendon_length + float(along[1])

    def _set(self, length: float, velocity: float) -> None:
        self._muscle.setActivation(self._state, 1.0)
        self._coordinate.setValue(self._state, length, False)
        self._coordinate.setSpeedValue(self._state, velocity)
