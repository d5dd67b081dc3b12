"""Read muscles: which surface a path goes round between which of its points.

OpenSim tries every surface on every segment of a path in every pose; MuJoCo wants to know
beforehand. The answer is taken from OpenSim's own paths at sampled poses.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from mjx_msk.compile.frames import components, frame_of, point_in_body
from mjx_msk.compile.source import Coordinate, Coupling, Muscle, Point, Surface

POSES = 300
_AXES = {"x": 0, "y": 1, "z": 2}


def read_surfaces(opensim: Any, model: Any) -> Iterator[Surface]:
    """Yield the wrapping cylinders and spheres of the model; MuJoCo has no others."""
    for body in [model.getGround(), *components(opensim.Body, model)]:
        wraps = body.getWrapObjectSet()
        for wrap in (wraps.get(i) for i in range(wraps.getSize())):
            cylinder = opensim.WrapCylinder.safeDownCast(wrap)
            sphere = opensim.WrapSphere.safeDownCast(wrap)
            if cylinder is None and sphere is None:
                continue
            frame = frame_of(wrap.getTransform())
            quadrant = wrap.getPropertyByName("quadrant").toString().strip()
            side = np.zeros(3)
            if quadrant[-1:] in _AXES:
                axis = frame.rotation[:, _AXES[quadrant[-1]]]
                side = -axis if quadrant.startswith("-") else axis
            yield Surface(
                name=wrap.getName(),
                body=body.getName(),
                frame=frame,
                radius=(cylinder or sphere).get_radius(),
                length=cylinder.get_length() if cylinder else 0.0,
                side=side,
            )


class Muscles(NamedTuple):
    """The muscles of a model, the poses (coordinate -> (P,)) of their lengths, what was skipped."""

    muscles: tuple[Muscle, ...]
    poses: dict[str, np.ndarray]
    skipped: dict[str, str]


def read_muscles(
    opensim: Any,
    model: Any,
    coordinates: dict[str, Coordinate],
    couplings: dict[str, Coupling],
    surfaces: tuple[Surface, ...],
) -> Muscles:
    """Return the muscles that MuJoCo can follow, and why others, or parts of them, are skipped."""
    known = {surface.name: surface for surface in surfaces}
    paths: dict[str, _Path] = {}
    skipped: dict[str, str] = {}
    known_muscles = {m.getName(): m for m in components(opensim.Muscle, model)}
    for muscle in known_muscles.values():
        try:
            paths[muscle.getName()] = _Path(opensim, muscle, known)
        except _UnsupportedError as reason:
            skipped[muscle.getName()] = str(reason)
    poses = _sample_poses(coordinates, couplings) if paths else {}
    state = model.initSystem()
    posed = components(opensim.Coordinate, model)
    for index in range(POSES if paths else 0):
        for coordinate in posed:
            if not coordinate.getLocked(state):
                coordinate.setValue(state, float(poses[coordinate.getName()][index]), False)
        model.realizePosition(state)
        for path in paths.values():
            path.sample(state)
    muscles = []
    for name, path in paths.items():
        muscle = known_muscles[name]
        elements, dropped = path.elements()
        skipped |= {f"{name}/{surface}": "the path never touches it" for surface in dropped}
        muscles.append(
            Muscle(
                name=name,
                path=elements,
                max_force=muscle.getMaxIsometricForce(),
                fiber_length=muscle.getOptimalFiberLength(),
                tendon_length=muscle.getTendonSlackLength(),
                pennation=muscle.getPennationAngleAtOptimalFiberLength(),
                max_velocity=muscle.getMaxContractionVelocity(),
                lengths=np.array(path.lengths),
            )
        )
    return Muscles(tuple(muscles), poses, skipped)


class _UnsupportedError(Exception):
    """A path that MuJoCo cannot follow."""


class _Path:
    """The path of one muscle, and what was seen of it at sampled poses."""

    def __init__(self, opensim: Any, muscle: Any, surfaces: dict[str, Surface]) -> None:
        self._opensim = opensim
        self._geometry = muscle.getGeometryPath()
        self._points = []
        for point in self._geometry.getPathPointSet():
            fixed = opensim.PathPoint.safeDownCast(point)
            if point.getConcreteClassName() != "PathPoint":
                raise _UnsupportedError(f"it has a {point.getConcreteClassName()}")
            body, place = point_in_body(point.getParentFrame(), fixed.get_location())
            self._points.append(Point(point.getName(), body, place))
        wraps = self._geometry.getWrapSet()
        self._wraps = []
        for wrap in (wraps.get(i) for i in range(wraps.getSize())):
            if not wrap.getWrapObject().get_active():
                continue
            if wrap.getWrapObjectName() not in surfaces:
                kind = wrap.getWrapObject().getConcreteClassName()
                raise _UnsupportedError(f"it goes round a {kind}")
            self._wraps.append(surfaces[wrap.getWrapObjectName()])
        self.lengths: list[float] = []  # m, one per sampled pose
        self._segments: dict[str, Counter[int]] = {s.name: Counter() for s in self._wraps}
        self._entries: dict[str, list[np.ndarray]] = {s.name: [] for s in self._wraps}
        self._order: Counter[tuple[str, str]] = Counter()  # (earlier, later) on one segment

    def sample(self, state: Any) -> None:
        """Note the length, and where the path now touches each surface."""
        self.lengths.append(self._geometry.getLength(state))
        if not self._wraps:
            return
        segment, touched = -1, list[str]()
        path = self._geometry.getCurrentPath(state)
        for point in (path.get(i) for i in range(path.getSize())):
            contact = self._opensim.PathWrapPoint.safeDownCast(point)
            if contact is None:
                segment += 1
                touched = []
                continue
            name = contact.getWrapObject().getName()
            if name in touched:
                continue  # the point where it leaves the surface
            self._segments[name][segment] += 1
            self._entries[name].append(contact.getLocation(state).to_numpy())
            self._order.update((earlier, name) for earlier in touched)
            touched.append(name)

    def elements(self) -> tuple[tuple[Point | str, ...], list[str]]:
        """Return points and surfaces in order, and the surfaces that had to be left out.

        Each surface is put on the segment that it serves most. Where several share a segment, a
        point must separate them, and those that the path never touched are left out.
        """
        at: dict[int, list[Surface]] = {}
        for surface in self._wraps:
            served = self._segments[surface.name].most_common(1)
            at.setdefault(served[0][0] if served else 0, []).append(surface)
        elements: list[Point | str] = []
        dropped: list[str] = []
        for index, point in enumerate(self._points):
            elements.append(point)
            shared = sorted(at.get(index, []), key=self._rank)
            surfaces = [s for s in shared if len(shared) == 1 or self._entries[s.name]]
            dropped += [s.name for s in shared if s not in surfaces]
            for place, surface in enumerate(surfaces):
                if place:
                    elements.append(self._between(surface))
                elements.append(surface.name)
        return tuple(elements), dropped

    def _rank(self, surface: Surface) -> int:
        """Return how many of the other surfaces come before this one on its segment."""
        return sum(
            self._order[other.name, surface.name] > self._order[surface.name, other.name]
            for other in self._wraps
        )

    def _between(self, surface: Surface) -> Point:
        """Return the point that must separate two surfaces: where the path reaches the second."""
        middle = np.mean(self._entries[surface.name], axis=0)
        return Point(f"before-{surface.name}", surface.body, middle)


def _sample_poses(
    coordinates: dict[str, Coordinate], couplings: dict[str, Coupling]
) -> dict[str, np.ndarray]:
    """Return random values (P,) of every coordinate in its range; locked ones stay."""
    rng = np.random.default_rng(0)
    poses = {
        c.name: np.full(POSES, c.default) if c.locked else rng.uniform(*c.range, POSES)
        for c in coordinates.values()
    }
    waiting = dict(couplings)
    while waiting:
        ready = [name for name, c in waiting.items() if c.independent not in waiting]
        if not ready:
            break  # a circle, which the skeleton reports
        for name in ready:
            coupling = waiting.pop(name)
            poses[name] = coupling.function.evaluate(poses[coupling.independent])
    return poses
