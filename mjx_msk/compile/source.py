"""What an OpenSim model says, as plain data: the only type the rest of the compiler reads.

Frames, units and signs are OpenSim's (metres, radians, Y up). ``reader`` makes these objects.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

GROUND = "ground"


@dataclass(frozen=True)
class Frame:
    """A fixed frame: position (3,) and rotation (3, 3) in the frame of the body it is fixed to."""

    position: np.ndarray
    rotation: np.ndarray


@dataclass(frozen=True)
class ScalarFunction:
    """A function of one coordinate, vectorised; ``coefficients`` (lowest first) if polynomial."""

    evaluate: Callable[[np.ndarray], np.ndarray]
    coefficients: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Coordinate:
    """A generalized coordinate; ``range`` and ``default`` in rad or m."""

    name: str
    range: tuple[float, float]
    default: float
    clamped: bool
    locked: bool


@dataclass(frozen=True)
class Axis:
    """One elementary motion of a joint: by ``function(coordinate)`` along or about ``direction``.

    ``direction`` (3,) is a unit vector in the joint's parent frame, after the rotations that
    precede it for hinges. Without a coordinate the function is a constant.
    """

    name: str
    hinge: bool
    direction: np.ndarray
    function: ScalarFunction
    coordinate: str | None = None


@dataclass(frozen=True)
class Joint:
    """A tree joint: ``axes`` in the order in which they move the child, slides first."""

    name: str
    parent: str
    child: str
    parent_frame: Frame
    child_frame: Frame
    axes: tuple[Axis, ...]


@dataclass(frozen=True)
class Coupling:
    """A coordinate that equals a function of another one."""

    dependent: str
    independent: str
    function: ScalarFunction


@dataclass(frozen=True)
class Body:
    """A rigid body: mass (kg), center of mass (m), inertia xx yy zz xy xz yz about it (kg m^2)."""

    name: str
    mass: float
    com: np.ndarray
    inertia: np.ndarray


@dataclass(frozen=True)
class Point:
    """A named point fixed to a body (or to the ground)."""

    name: str
    body: str
    position: np.ndarray


@dataclass(frozen=True)
class Sphere:
    """A contact sphere fixed to a body."""

    name: str
    body: str
    position: np.ndarray
    radius: float


@dataclass(frozen=True)
class WrapObject:
    """A wrapping surface; for a sphere ``length`` is 0, for a cylinder its axis is the frame's z.

    ``quadrant`` is OpenSim's: ``all`` or one of ``x +x -x y +y -y`` ... of the surface's frame.
    """

    name: str
    body: str
    frame: Frame
    kind: str
    radius: float
    length: float
    quadrant: str


@dataclass(frozen=True)
class PathWrap:
    """A use of a wrapping surface by the path segments between points ``first`` and ``last``."""

    surface: str
    first: int
    last: int


@dataclass(frozen=True)
class Muscle:
    """A muscle-tendon path and its architecture (N, m, rad; ``vmax`` in fiber lengths per s)."""

    name: str
    points: tuple[Point, ...]
    wraps: tuple[PathWrap, ...]
    max_force: float
    fiber_length: float
    tendon_length: float
    pennation: float
    vmax: float


@dataclass(frozen=True)
class Source:
    """A whole model. ``bodies`` and ``joints`` keep the file's order."""

    name: str
    gravity: np.ndarray
    bodies: tuple[Body, ...]
    joints: tuple[Joint, ...]
    coordinates: dict[str, Coordinate]
    couplings: dict[str, Coupling]
    markers: tuple[Point, ...] = ()
    spheres: tuple[Sphere, ...] = ()
    surfaces: dict[str, WrapObject] = field(default_factory=dict)
    muscles: tuple[Muscle, ...] = ()
