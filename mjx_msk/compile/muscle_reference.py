"""OpenSim's muscle-tendon lengths and moment arms, in the independent coordinates."""

import numpy as np

from mjx_msk.compile.reference import Reference

STEP = 1e-5  #: rad or m, of the central differences
#: A steeper length (m/rad or m/m) than any muscle's is a path that jumped within the step.
JUMP = 1.5


class MuscleReference:
    """The named muscles of a ``Reference``, where the reference now is."""

    def __init__(self, reference: Reference, names: list[str]) -> None:
        import opensim

        self._opensim, self._reference = opensim, reference
        muscles = reference.model.getMuscles()
        self._paths = [muscles.get(name).getGeometryPath() for name in names]
        self.wraps = np.array([path.getWrapSet().getSize() > 0 for path in self._paths], bool)
        reference.model.realizePosition(reference.state)
        jacobian = opensim.Matrix()
        reference.model.getMatterSubsystem().calcSystemJacobian(reference.state, jacobian)
        zero = opensim.Vec3(0)
        self._no_forces = opensim.VectorOfSpatialVec(
            jacobian.nrow() // 6, opensim.SpatialVec(zero, zero)
        )

    def lengths(self, muscles: np.ndarray | None = None) -> np.ndarray:
        """Return the lengths (m) of all muscles, or of those with the given indices."""
        wanted = range(len(self._paths)) if muscles is None else muscles
        state = self._reference.state
        return np.array([self._paths[index].getLength(state) for index in wanted])

    def moment_arms(self, q: np.ndarray) -> np.ndarray:
        """Return the moment arms (muscles, n): generalized forces per unit of tension, m.

        These are the numbers of ``computeMomentArm``, to the last digit, for all coordinates at
        once: the forces of a path on its bodies and moving points, times Simbody's Jacobian.
        ``q`` must be where the reference is.
        """
        state, matter = self._reference.state, self._reference.model.getMatterSubsystem()
        generalized = np.zeros((state.getNU(), len(self._paths)))
        for column, path in enumerate(self._paths):
            forces = self._opensim.VectorOfSpatialVec(self._no_forces)
            moving = self._opensim.Vector(state.getNU(), 0.0)
            result = self._opensim.Vector()
            path.addInEquivalentForces(state, 1.0, forces, moving)
            matter.multiplyBySystemJacobianTranspose(state, forces, result)
            generalized[:, column] = result.to_numpy() + moving.to_numpy()
        return self._reference.reduced(generalized, q).T

    def length_slopes(self, q: np.ndarray, crossed: np.ndarray) -> np.ndarray:
        """Return -dL/dq (muscles, n) by central differences where ``crossed`` (muscles, n).

        This is what a moment arm is by virtual work. OpenSim's own is the same as long as its
        paths are the shortest ones; round ellipsoids, or two surfaces at once, they are not. NaN
        where the path jumps, and where a muscle does not cross. Leaves the reference at another
        pose.
        """
        slopes = np.full(crossed.shape, np.nan)
        still = np.zeros(len(q))
        for column in np.flatnonzero(crossed.any(axis=0)):
            rows = np.flatnonzero(crossed[:, column])
            lengths = []
            for sign in (-1, 1):
                moved = q.copy()
                moved[column] += sign * STEP
                self._reference.pose(moved, still)
                lengths.append(self.lengths(rows))
            slope = (lengths[0] - lengths[1]) / (2 * STEP)
            slopes[rows, column] = np.where(np.abs(slope) < JUMP, slope, np.nan)
        return slopes
