"""What the axes of a joint do: polynomials of independent coordinates."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from mjx_msk.compile.functions import compose, error, identity, quartic, series
from mjx_msk.compile.source import Axis, Coordinate, ScalarFunction, Source
from mjx_msk.errors import MskError

MAX_JOINTS = 6  #: of one MuJoCo body
#: Up to this error one joint follows a function; 1 mm and 0.05 degrees for three axes together.
TOLERANCE = {True: np.radians(0.05) / np.sqrt(3), False: 1e-3 / np.sqrt(3)}  # hinge: rad, slide: m


@dataclass(frozen=True, eq=False)
class Motion:
    """An axis that moves by a function of an independent coordinate.

    ``polynomials`` (5 coefficients each, lowest first) are those of one joint, or of up to three
    in ``series``.
    """

    axis: Axis
    function: ScalarFunction
    interval: tuple[float, float]
    polynomials: tuple[np.ndarray, ...]
    coordinate: str | None

    @property
    def rest(self) -> float:
        """The motion at coordinate zero, which becomes part of the body's place."""
        return float(self.polynomials[0][0])

    @property
    def turn(self) -> np.ndarray:
        """The rotation (3, 3) at coordinate zero."""
        return Rotation.from_rotvec(self.axis.direction * self.rest * self.axis.hinge).as_matrix()

    @property
    def one_to_one(self) -> bool:
        """Whether the axis can carry the coordinate itself."""
        polynomial = self.polynomials[0]
        return abs(polynomial[1]) == 1 and not polynomial[2:].any()

    @property
    def excess(self) -> float:
        """The error of the polynomials, in units of what is tolerated."""
        return error(self.function, self.polynomials, self.interval) / TOLERANCE[self.axis.hinge]


def read_motion(source: Source, axis: Axis) -> Motion:
    """Return what an axis does, by the independent coordinate behind its own."""
    if axis.coordinate is None:
        here = (0.0, 0.0)
        return Motion(axis, axis.function, here, (quartic(axis.function, here),), None)
    independent, chain = independent_of(source, axis.coordinate)
    function = compose(axis.function, chain)
    interval = interval_of(source.coordinates[independent])
    return Motion(axis, function, interval, (quartic(function, interval),), independent)


def refined(motions: list[Motion]) -> list[Motion]:
    """Return the motions, the worst ones with more joints, as far as a body can have them.

    Up to three joints on one axis follow a function that a single quartic misses.
    """
    spare = MAX_JOINTS - sum(motion.coordinate is not None for motion in motions)
    for _ in range(spare):
        wanting = [m for m in motions if m.excess > 1.0 and len(m.polynomials) < 3]
        if not wanting:
            break
        worst = max(wanting, key=lambda m: m.excess)
        better = series(worst.function, worst.interval, len(worst.polynomials) + 1)
        motions = [replace(m, polynomials=better) if m is worst else m for m in motions]
    return motions


def independent_of(source: Source, name: str) -> tuple[str, ScalarFunction]:
    """Return the independent coordinate behind a coordinate, and the function that leads to it."""
    function = identity()
    visited = {name}
    while name in source.couplings:
        coupling = source.couplings[name]
        function = compose(function, coupling.function)
        name = coupling.independent
        if name in visited:
            raise MskError(
                f"coordinate '{name}' is coupled to itself.", remedy="Remove the coupler."
            )
        visited.add(name)
    return name, function


def interval_of(coordinate: Coordinate) -> tuple[float, float]:
    """Return the range of a coordinate over which functions of it are fitted."""
    low, high = coordinate.range
    return (max(low, -np.pi), min(high, np.pi))
