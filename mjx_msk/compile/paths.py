"""Read muscle paths: their points, and what OpenSim makes of them in sampled poses.

OpenSim tries every surface on every segment of a path in every pose; MuJoCo wants to know
beforehand. ``routes`` decides from lengths and contacts sampled here.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from mjx_msk.compile.curves import read_curves, read_time_constants
from mjx_msk.compile.frames import components, frame_of, point_in_body
from mjx_msk.compile.functions import constant, read_function
from mjx_msk.compile.posed import Rows
from mjx_msk.compile.source import (
    ConditionalPoint,
    Contact,
    Coordinate,
    Coupling,
    ForceCurves,
    Frame,
    Joint,
    MovingPoint,
    Muscle,
    Path,
    Point,
    Surface,
)

POSES, STEPPED = 300, 80
STEP = 0.02  #: rad or m: short beside ranges, long beside rounding
_ENDS = 0.02  #: share of the poses that lie at either end of a range
_FAR = 4.0  #: rad or m: nobody goes farther, whatever a range says
_AXES = {"x": 0, "y": 1, "z": 2}


def read_surfaces(opensim: Any, model: Any) -> Iterator[tuple[str, Surface]]:
    """Yield the wrapping surfaces of the model with their absolute paths, which are unique."""
    taken: set[str] = set()
    for body in [model.getGround(), *components(opensim.Body, model)]:
        wraps = body.getWrapObjectSet()
        for wrap in (wraps.get(i) for i in range(wraps.getSize())):
            kind, size = _shape(opensim, wrap)
            if kind is None:
                continue
            frame = frame_of(wrap.getTransform())
            quadrant = wrap.getPropertyByName("quadrant").toString().strip()
            side = np.zeros(3)
            if quadrant[-1:] in _AXES:
                axis = frame.rotation[:, _AXES[quadrant[-1]]]
                side = -axis if quadrant.startswith("-") else axis
            name = wrap.getName()
            if name in taken:
                name = f"{body.getName()}/{name}"
            taken.add(name)
            path = wrap.getAbsolutePathString()
            yield path, Surface(name, kind, body.getName(), frame, np.array(size), side)


def _shape(opensim: Any, wrap: Any) -> tuple[Any, list[float]]:
    """Return the kind and the size of a wrapping surface; None for a kind never seen."""
    if cylinder := opensim.WrapCylinder.safeDownCast(wrap):
        return "cylinder", [cylinder.get_radius(), cylinder.get_length(), 0.0]
    if sphere := opensim.WrapSphere.safeDownCast(wrap):
        return "sphere", [sphere.get_radius(), 0.0, 0.0]
    if ellipsoid := opensim.WrapEllipsoid.safeDownCast(wrap):
        return "ellipsoid", list(ellipsoid.getRadii().to_numpy())
    if torus := opensim.WrapTorus.safeDownCast(wrap):
        hole, tube = (
            float(torus.getPropertyByName(f"{which}_radius").toString())
            for which in ("inner", "outer")
        )
        return "torus", [hole, tube, 0.0]
    return None, []


class Muscles(NamedTuple):
    """The muscles of a model, the poses in which they were seen, and what was skipped."""

    muscles: tuple[Muscle, ...]
    rows: Rows | None
    skipped: dict[str, str]


def read_muscles(
    opensim: Any,
    model: Any,
    coordinates: dict[str, Coordinate],
    couplings: dict[str, Coupling],
    joints: tuple[Joint, ...],
    surfaces: dict[str, Surface],
    poses: int,
) -> Muscles:
    """Return the muscles and why others are skipped. ``surfaces`` are keyed by absolute path."""
    readers: dict[str, _Path] = {}
    skipped: dict[str, str] = {}
    known_muscles = {m.getName(): m for m in components(opensim.Muscle, model)}
    for muscle in known_muscles.values():
        try:
            readers[muscle.getName()] = _Path(opensim, muscle, surfaces)
        except _UnsupportedError as reason:
            skipped[muscle.getName()] = str(reason)
    rows = None
    if readers:
        rows = _sample(
            opensim, model, coordinates, couplings, joints, list(readers.values()), poses
        )
    muscles = []
    curves: dict[str, ForceCurves] = {}
    for name, reader in readers.items():
        muscle = known_muscles[name]
        path = reader.path(name)
        touched = {contact.surface for contact in path.contacts}
        for surface in reader.surfaces:
            if surface.name not in touched:
                skipped[f"{name}/{surface.name}"] = "the path never touches it"
        muscles.append(
            Muscle(
                name=name,
                path=path,
                max_force=muscle.getMaxIsometricForce(),
                fiber_length=muscle.getOptimalFiberLength(),
                tendon_length=muscle.getTendonSlackLength(),
                pennation=muscle.getPennationAngleAtOptimalFiberLength(),
                max_velocity=muscle.getMaxContractionVelocity(),
                curves=read_curves(opensim, muscle, curves),
                time_constants=read_time_constants(muscle),
            )
        )
    return Muscles(tuple(muscles), rows, skipped)


class _UnsupportedError(Exception):
    """A path that MuJoCo cannot follow."""


class _Path:
    """The path of one muscle, and what was seen of it at sampled poses."""

    def __init__(self, opensim: Any, muscle: Any, surfaces: Mapping[str, Surface]) -> None:
        self._opensim = opensim
        self._geometry = muscle.getGeometryPath()
        self.points = [_read_point(opensim, p) for p in self._geometry.getPathPointSet()]
        if len(self.points) < 2:
            raise _UnsupportedError("its path has fewer than two points")
        self.surfaces: list[Surface] = []
        self._by_path: dict[str, Surface] = {}
        wraps = self._geometry.getWrapSet()
        for wrap in (wraps.get(i).getWrapObject() for i in range(wraps.getSize())):
            path = wrap.getAbsolutePathString()
            if not wrap.get_active():
                continue
            if path not in surfaces:
                raise _UnsupportedError(f"it goes round a {wrap.getConcreteClassName()}")
            self._by_path[path] = surfaces[path]
            self.surfaces.append(surfaces[path])
        #: places in ``points`` of those that are always part of the path, by name
        self._fixed = {
            point.name: index
            for index, point in enumerate(self.points)
            if not isinstance(point, ConditionalPoint)
        }
        self.bodies = {p.body for p in self.points} | {s.body for s in self.surfaces}
        self.drivers = {c for point in self.points for c in _drivers(point)}
        self.lengths: list[float] = []
        self.stepped: dict[str, list[float]] = defaultdict(list)
        self._entries: dict[tuple[int, str], list[np.ndarray]] = defaultdict(list)
        self._order: dict[tuple[int, str], list[int]] = defaultdict(list)

    def sample(self, state: Any) -> None:
        """Note the length, and where the path now touches each surface."""
        self.lengths.append(self._geometry.getLength(state))
        if not self.surfaces:
            return
        after, touched = 0, list[str]()
        path = self._geometry.getCurrentPath(state)
        for point in (path.get(i) for i in range(path.getSize())):
            contact = self._opensim.PathWrapPoint.safeDownCast(point)
            if contact is None:
                if point.getName() in self._fixed:
                    after, touched = self._fixed[point.getName()], []
                continue
            surface = self._by_path[contact.getWrapObject().getAbsolutePathString()].name
            if surface in touched:
                continue  # the point where it leaves the surface
            self._entries[after, surface].append(contact.getLocation(state).to_numpy())
            self._order[after, surface].append(len(touched))
            touched.append(surface)

    def step(self, state: Any, coordinate: str) -> None:
        """Note the length after a step of a coordinate."""
        self.stepped[coordinate].append(self._geometry.getLength(state))

    def path(self, name: str) -> Path:
        """Return everything that was seen."""
        seen = sorted(self._entries, key=lambda key: (key[0], np.mean(self._order[key])))
        contacts = tuple(
            Contact(
                surface=surface,
                after=after,
                share=len(self._entries[after, surface]) / len(self.lengths),
                entry=np.mean(self._entries[after, surface], axis=0),
            )
            for after, surface in seen
        )
        stepped = {c: np.array(values) for c, values in self.stepped.items()}
        return Path(name, tuple(self.points), contacts, np.array(self.lengths), stepped)


def _read_point(opensim: Any, point: Any) -> Point | ConditionalPoint | MovingPoint:
    name, kind = point.getName(), point.getConcreteClassName()
    frame = point.getParentFrame()
    if fixed := opensim.PathPoint.safeDownCast(point):
        body, place = point_in_body(frame, fixed.get_location())
        conditional = opensim.ConditionalPathPoint.safeDownCast(point)
        if conditional is None:
            return Point(name, body, place)
        low, high = sorted(conditional.get_range(i) for i in range(2))
        coordinate = _coordinate_of(conditional, "coordinate")
        if coordinate is None:
            return Point(name, body, place)
        return ConditionalPoint(name, body, place, coordinate, (low, high))
    moving = opensim.MovingPathPoint.safeDownCast(point)
    if moving is None:
        raise _UnsupportedError(f"it has a {kind}")
    body, origin = point_in_body(frame, opensim.Vec3(0.0))
    _, corner = point_in_body(frame, opensim.Vec3(1.0))
    if not np.allclose(corner - origin, 1.0):
        raise _UnsupportedError(f"its {kind} moves in a turned frame")
    functions = []
    for index, axis in enumerate("xyz"):
        function = read_function(opensim, getattr(moving, f"get_{axis}_location")())
        coordinate = _coordinate_of(moving, f"{axis}_coordinate")
        if coordinate is None:  # OpenSim evaluates such a function at 0
            function = constant(float(function.evaluate(np.zeros(1))[0]))
        functions.append((coordinate, function.plus(origin[index])))
    return MovingPoint(name, body, tuple(functions))


def _coordinate_of(point: Any, socket: str) -> str | None:
    connected = point.getSocket(socket)
    return connected.getConnecteeAsObject().getName() if connected.isConnected() else None


def _drivers(point: Point | ConditionalPoint | MovingPoint) -> Iterator[str]:
    """Yield the coordinates that a point depends on."""
    if isinstance(point, ConditionalPoint):
        yield point.coordinate
    elif isinstance(point, MovingPoint):
        yield from (name for name, _ in point.functions if name is not None)


def _poses(
    coordinates: Mapping[str, Coordinate], couplings: Mapping[str, Coupling], count: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return random values (P,) of every coordinate, and steps (S,) of the independent ones.

    Values are uniform in the range, a few at its ends; locked coordinates stay. A coordinate of
    the left side takes the same random numbers as that of the right one, so that what is fitted
    to them comes out as mirror images.
    """
    values, steps = {}, {}
    for c in coordinates.values():
        low, high = np.clip(c.range, -_FAR, _FAR)
        if c.locked or high - low < 1e-6:
            values[c.name] = np.full(count, c.default)
            continue
        base = c.name.removesuffix("_r").removesuffix("_l")
        rng = np.random.default_rng(zlib.crc32(base.encode()))
        share = np.clip(rng.uniform(-_ENDS, 1 + _ENDS, count), 0, 1)
        values[c.name] = low + (high - low) * share
        if c.name not in couplings:
            inwards = np.where(share[:STEPPED] > 0.5, -1.0, 1.0)
            steps[c.name] = inwards * min(STEP, (high - low) / 20)
    return _with_coupled(values, couplings), steps


def _with_coupled(
    values: Mapping[str, np.ndarray], couplings: Mapping[str, Coupling]
) -> dict[str, np.ndarray]:
    """Return the values with every coupled coordinate where its coupler puts it."""
    values, waiting = dict(values), dict(couplings)
    while waiting:
        ready = [name for name, c in waiting.items() if not any(d in waiting for d, _ in c.terms)]
        if not ready:
            break  # a circle, which the skeleton reports
        for name in ready:
            terms = [function.evaluate(values[driver]) for driver, function in waiting[name].terms]
            values[name] = np.sum(terms, axis=0)
        waiting = {name: c for name, c in waiting.items() if name not in ready}
    return values


def _sample(
    opensim: Any,
    model: Any,
    coordinates: Mapping[str, Coordinate],
    couplings: Mapping[str, Coupling],
    joints: tuple[Joint, ...],
    paths: list[_Path],
    count: int,
) -> Rows:
    """Pose OpenSim's model, let every path note what it does, and return the poses."""
    state = model.initSystem()
    coordinate_set = components(opensim.Coordinate, model)
    movable = {c.getName(): c for c in coordinate_set if not c.getLocked(state)}
    bodies = {
        body.getName(): body for body in [model.getGround(), *components(opensim.Body, model)]
    }
    bodies = {name: bodies[name] for name in sorted(set().union(*(p.bodies for p in paths)))}
    frames: dict[str, list[Frame]] = {name: [] for name in bodies}

    def pose(values: Mapping[str, np.ndarray], index: int) -> None:
        for name, coordinate in movable.items():
            coordinate.setValue(state, float(values[name][index]), False)
        model.realizePosition(state)
        for name, body in bodies.items():
            frames[name].append(frame_of(body.getTransformInGround(state)))

    values, steps = _poses(coordinates, couplings, count)
    for index in range(count):
        pose(values, index)
        for path in paths:
            path.sample(state)
    blocks, step, start = [values], {}, count
    for name, size in steps.items():
        crossing = [p for p in paths if crosses(p.bodies, p.drivers, name, joints, couplings)]
        if not crossing:
            continue
        moved = {key: value[: len(size)] for key, value in values.items()}
        moved = _with_coupled(moved | {name: moved[name] + size}, couplings)
        for index in range(len(size)):
            pose(moved, index)
            for path in crossing:
                path.step(state, name)
        blocks.append(moved)
        step[name] = (slice(start, start + len(size)), size)
        start += len(size)
    return Rows(
        {name: np.array([f.position for f in found]) for name, found in frames.items()},
        {name: np.array([f.rotation for f in found]) for name, found in frames.items()},
        {key: np.concatenate([block[key] for block in blocks]) for key in values},
        count,
        step,
    )


def crosses(
    bodies: set[str],
    drivers: set[str],
    coordinate: str,
    joints: tuple[Joint, ...],
    couplings: Mapping[str, Coupling],
) -> bool:
    """Return whether a path on ``bodies`` with points driven by ``drivers`` feels a coordinate."""
    follows = {coordinate}
    while (
        grown := {
            name for name, c in couplings.items() if follows & {driver for driver, _ in c.terms}
        }
        - follows
    ):
        follows |= grown
    if drivers & follows:
        return True
    moving = [j for j in joints if any(axis.coordinate in follows for axis in j.axes)]
    for joint in moving:
        below = {joint.child}
        while grown := {j.child for j in joints if j.parent in below} - below:
            below |= grown
        if bodies & below and bodies - below:
            return True
    return False
