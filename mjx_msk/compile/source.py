"""What an OpenSim model says, as plain data: the only type the rest of the compiler reads.

Frames, units and signs are OpenSim's (metres, radians, Y up). ``reader`` makes these objects.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from mjx_msk.compile.posed import Rows

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

    def plus(self, offset: float) -> "ScalarFunction":
        """Return the function with a constant added."""
        moved = None
        if self.coefficients is not None:
            moved = (self.coefficients[0] + offset, *self.coefficients[1:])
        return ScalarFunction(lambda x: self.evaluate(x) + offset, moved)


@dataclass(frozen=True)
class Coordinate:
    """A generalized coordinate; ``range`` and ``default`` in rad or m.

    ``default`` is the prescribed value at time 0 where the motion is ``prescribed``.
    """

    name: str
    range: tuple[float, float]
    default: float
    clamped: bool
    locked: bool
    prescribed: bool = False


@dataclass(frozen=True)
class Axis:
    """One elementary motion of a joint: by ``function(coordinate)`` along or about ``direction``.

    ``direction`` (3,) is a unit vector in the frame that the preceding motions have moved. Without
    a coordinate the function is a constant.
    """

    name: str
    hinge: bool
    direction: np.ndarray
    function: ScalarFunction
    coordinate: str | None = None


@dataclass(frozen=True)
class Joint:
    """A joint: ``axes`` in the order in which they move the child away from the parent."""

    name: str
    parent: str
    child: str
    parent_frame: Frame
    child_frame: Frame
    axes: tuple[Axis, ...]
    coordinates: tuple[str, ...] = ()  #: those it owns


@dataclass(frozen=True)
class Coupling:
    """A coordinate that equals a function of another one, plus ``further`` ones of others."""

    dependent: str
    independent: str
    function: ScalarFunction
    further: tuple[tuple[str, ScalarFunction], ...] = ()

    @property
    def terms(self) -> tuple[tuple[str, ScalarFunction], ...]:
        """Every coordinate that it follows, with its function."""
        return ((self.independent, self.function), *self.further)


@dataclass(frozen=True)
class Fastening:
    """Two frames on two bodies that stay together; if not ``turns``, only their origins do."""

    name: str
    first: tuple[str, Frame]
    second: tuple[str, Frame]
    turns: bool


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
class ConditionalPoint(Point):
    """A path point that is there while a coordinate (rad or m) is inside ``range``."""

    coordinate: str
    range: tuple[float, float]


@dataclass(frozen=True)
class MovingPoint:
    """A path point whose x, y and z in its body each follow a coordinate, or none."""

    name: str
    body: str
    functions: tuple[tuple[str | None, ScalarFunction], ...]


@dataclass(frozen=True)
class Sphere:
    """A contact sphere fixed to a body."""

    name: str
    body: str
    position: np.ndarray
    radius: float
    friction: float | None = None  #: coefficient of static friction


@dataclass(frozen=True)
class HalfSpace:
    """A contact half-space that does not move: a point of its plane and the outward normal (3,)."""

    name: str
    position: np.ndarray
    normal: np.ndarray
    friction: float | None = None


@dataclass(frozen=True)
class Motor:
    """An actuator without dynamics: ``gear`` times a control within ``controls``.

    It drives a coordinate; or the length of the straight line through ``points``; or, with six
    numbers, the first point's body there, in the axes of the second point's body, which feels the
    reaction if it is another one.
    """

    name: str
    gear: tuple[float, ...]  #: N or N m; (6,) force and torque for a frame
    controls: tuple[float, float]
    coordinate: str | None = None
    points: tuple[Point, ...] = ()


@dataclass(frozen=True)
class Spring:
    """Pulls a coordinate or the length of the line through ``points`` back into a ``band``.

    Force per length (or angle) outside the band is ``stiffness``; ``damping`` acts everywhere.
    """

    name: str
    band: tuple[float, float]
    stiffness: float
    damping: float = 0.0
    coordinate: str | None = None
    points: tuple[Point, ...] = ()


@dataclass(frozen=True)
class Forces:
    """What acts on a model besides muscles; ``skipped`` and ``approximated``: name -> why, how."""

    motors: tuple[Motor, ...] = ()
    springs: tuple[Spring, ...] = ()
    friction: dict[str, float] = field(default_factory=dict)  #: of contact geometries
    skipped: dict[str, str] = field(default_factory=dict)
    approximated: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Surface:
    """A wrapping surface fixed to a body.

    ``size`` (3,) in m: radius and length along z of a cylinder, radius of a sphere, semi-axes of
    an ellipsoid, hole and tube radius of a torus about z. ``side`` (3,) is the direction, in the
    body, of the half in which paths must touch it, or zeros if any way will do.
    """

    name: str
    kind: Literal["cylinder", "sphere", "ellipsoid", "torus"]
    body: str
    frame: Frame
    size: np.ndarray
    side: np.ndarray


@dataclass(frozen=True)
class Drawing:
    """A shape for the eye, fixed to a body or the ground; ``size`` stretches it along ``frame``.

    ``size`` (3,) holds the semi-axes of an ellipsoid or a box, radius, half height, radius of a
    cylinder along y, radius, height, radius of a cone that stands on the frame's origin along y
    (m), or the factors of the mesh in ``file``. ``rgba`` is None where any bone colour will do.
    """

    body: str
    frame: Frame
    shape: Literal["mesh", "ellipsoid", "box", "cylinder", "cone"]
    size: np.ndarray
    file: str = ""
    rgba: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Contact:
    """Where a path touched a surface in the sampled poses."""

    surface: str
    after: int  #: the point of the path that always comes before
    share: float  #: of the poses
    entry: np.ndarray  #: (3,) m, mean place of the first contact, in the surface's body


@dataclass(frozen=True, eq=False)
class Path:
    """The way of a muscle or another cord, and its length in the sampled poses.

    Rows of ``contacts`` are in the order in which the path meets them.
    """

    name: str
    points: tuple[Point | ConditionalPoint | MovingPoint, ...]
    contacts: tuple[Contact, ...]
    lengths: np.ndarray  #: m, (P,) in the sampled poses (``posed.Rows``)
    stepped: dict[str, np.ndarray]  #: coordinate -> (S,) m, after its steps


@dataclass(frozen=True, eq=False)
class ForceCurves:
    """A muscle's normalised force curves with a rigid tendon, sampled.

    At activation a, fiber length l (optimal fiber lengths) and velocity v (largest velocities) the
    fibers pull with F0 (a active(l) velocity(v) + passive(l) + damping v), never with less than 0.
    """

    source: str  #: class and parameters in the source model, as ``key=value`` words
    lengths: np.ndarray  #: (L,) at which ``active`` and ``passive`` are given
    active: np.ndarray
    passive: np.ndarray
    speeds: np.ndarray  #: (V,) at which ``velocity`` is given, shortening negative
    velocity: np.ndarray
    damping: float
    guessed: bool = False  #: the class is not known, these are other curves


@dataclass(frozen=True, eq=False)
class Muscle:
    """A muscle-tendon path and its architecture."""

    name: str
    path: Path
    max_force: float  #: N
    fiber_length: float  #: m, optimal
    tendon_length: float  #: m, slack
    pennation: float  #: rad, at optimal fiber length
    max_velocity: float  #: optimal fiber lengths per second
    curves: ForceCurves
    time_constants: tuple[float, float]  #: s, of activation and deactivation

    @property
    def lengths(self) -> np.ndarray:
        """Path length (P,) in the sampled poses, m."""
        return self.path.lengths


@dataclass(frozen=True)
class Source:
    """A whole model. ``bodies`` and ``joints`` keep the file's order."""

    name: str
    gravity: np.ndarray
    bodies: tuple[Body, ...]
    joints: tuple[Joint, ...]
    coordinates: dict[str, Coordinate]
    couplings: dict[str, Coupling]
    fastenings: tuple[Fastening, ...] = ()
    markers: tuple[Point, ...] = ()
    fixed_markers: frozenset[str] = frozenset()  #: which scaling to markers does not move
    spheres: tuple[Sphere, ...] = ()
    surfaces: tuple[Surface, ...] = ()
    muscles: tuple[Muscle, ...] = ()
    half_spaces: tuple[HalfSpace, ...] = ()
    forces: Forces = Forces()
    rows: "Rows | None" = None  #: the poses in which the muscles' paths were sampled
    drawings: tuple[Drawing, ...] = ()
    held: dict[str, float] = field(default_factory=dict)  #: coordinates without motion, and where
    simplified: dict[str, str] = field(default_factory=dict)  #: joint -> what it leaves out
    skipped: dict[str, str] = field(default_factory=dict)  #: component -> why it was left out
    approximated: dict[str, str] = field(default_factory=dict)  #: component -> how, and how far off
    warnings: dict[str, str] = field(default_factory=dict)  #: component -> what OpenSim did to it
