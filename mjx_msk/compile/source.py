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
class Surface:
    """A wrapping cylinder (along z of ``frame``) or, with length 0, sphere, fixed to a body.

    ``side`` (3,) is the direction of the half in which paths must touch it, an axis of ``frame``,
    or zeros if any way will do.
    """

    name: str
    body: str
    frame: Frame
    radius: float
    length: float
    side: np.ndarray


@dataclass(frozen=True)
class Muscle:
    """A muscle-tendon path and its architecture.

    ``path`` alternates freely between points, which it goes through, and names of surfaces, which
    it goes round; no two surfaces follow each other.
    """

    name: str
    path: tuple[Point | str, ...]
    max_force: float  #: N
    fiber_length: float  #: m, optimal
    tendon_length: float  #: m, slack
    pennation: float  #: rad, at optimal fiber length
    max_velocity: float  #: optimal fiber lengths per second
    lengths: np.ndarray  #: m, (P,) of the whole path in the model's ``poses``


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
    surfaces: tuple[Surface, ...] = ()
    muscles: tuple[Muscle, ...] = ()
    poses: dict[str, np.ndarray] = field(default_factory=dict)  #: coordinate -> (P,) samples
    skipped: dict[str, str] = field(default_factory=dict)  #: component -> why it was left out
    warnings: dict[str, str] = field(default_factory=dict)  #: component -> what OpenSim did to it
