"""From OpenSim's muscle paths to what a MuJoCo tendon can be made of.

A tendon runs through sites, and between two of them goes round at most one sphere or cylinder.
Points that are always there, fixed or moving, become sites. What lies between two of them, a *gap*,
is filled in the simplest way that keeps OpenSim's lengths and moment arms in the sampled poses:
with nothing, with the source's surface and the best side of it, or with a via point, a sphere of
no size that the path only feels when it would pass on the wrong side, which is what conditional
points are for. What none of these can follow (ellipsoids, tori, chains of conditional points,
two surfaces in one gap) is fitted: a sphere, a cylinder, or a site that parts the gap.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.polynomial import Polynomial
from scipy.optimize import least_squares, linprog
from scipy.spatial.transform import Rotation

from mjx_msk.compile.posed import CLIP, Rows
from mjx_msk.compile.source import (
    ConditionalPoint,
    Contact,
    Frame,
    MovingPoint,
    Path,
    Point,
    Surface,
)
from mjx_msk.compile.wrapping import around_cylinder, around_sphere

VIA_RADIUS = 1e-5  #: m, a sphere that is a point
GOOD = 6e-4  #: m, an error after which nothing better is sought
FAIR = 1.2e-3  #: m, the same before what costs more joints or looks less like the source
SAME = 1e-5  #: m, no difference
EXACT = 1e-4  #: m, the same where nearly all lengths are this close: the rest is OpenSim's
RARE = 0.02  #: of the poses: a surface that is touched less often is left out
WORTH = 0.7  #: what a fit must bring an error down to, to replace what the source has
_FIT_POSES, _FIT_STEPS = 100, 30  #: of the sampled ones, for fits
_BENDS = 2  #: places where fits begin
_ROUGH, _FINE = 8, 3  #: steps of every fit, and how many go on
_RADII = (0.005, 0.02)  #: m, at which fits begin
_DIGITS = 4  #: of fitted places in m: coarse, so that every machine writes the same model


@dataclass(frozen=True, eq=False)
class Wrap:
    """A sphere or cylinder that a tendon goes round, and the direction of its side site if any.

    With a ``gate`` the side site is where ``side`` points while the gate's polynomial of its
    coordinate is positive, and opposite while it is negative.
    """

    surface: Surface
    side: np.ndarray | None = None  #: (3,) in the surface's body
    gate: tuple[str, Polynomial] | None = None

    @property
    def side_place(self) -> np.ndarray:
        """Place of the side site (3,) in the body, m, well off the surface."""
        assert self.side is not None
        distance = 2 * self.surface.size[0] + 0.001
        return self.surface.frame.position + distance * self.side


Stop = Point | MovingPoint
Element = Point | MovingPoint | Wrap
Filling = tuple[Element, ...]


@dataclass(frozen=True, eq=False)
class Route:
    """What a tendon is made of, in order, and how what is not exact was approximated."""

    elements: Filling
    approximated: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Gap:
    """Two points that are always there, and what lies between them."""

    start: Stop
    end: Stop
    conditional: tuple[ConditionalPoint, ...]
    contacts: tuple[Contact, ...]  #: one a surface, in the order in which they are met

    @property
    def busy(self) -> bool:
        return bool(self.conditional or self.contacts)

    def length(self, filling: Filling, rows: Rows) -> np.ndarray:
        return length((self.start, *filling, self.end), rows)


def route(path: Path, surfaces: dict[str, Surface], rows: Rows) -> Route:
    """Return the elements of a path's tendon; ``surfaces`` are keyed by their names."""
    rows = rows.of(path)
    wanted = np.concatenate([path.lengths, *path.stepped.values()])
    gaps = list(_gaps(path, rows))
    fillings: list[Filling] = [() for _ in gaps]
    lengths = [gap.length((), rows) for gap in gaps]
    busy = [index for index, gap in enumerate(gaps) if gap.busy]
    approximated = {}
    for _ in busy[:2]:  # each gap twice where there are others whose lengths it must trust
        for index in busy:
            rest = wanted - sum(found for other, found in enumerate(lengths) if other != index)
            fillings[index] = _filling(gaps[index], surfaces, rows, rest)
            lengths[index] = gaps[index].length(fillings[index], rows)
    for index in busy:
        error = (sum(lengths) - wanted)[: rows.poses]
        if text := _described(gaps[index], fillings[index], surfaces, error):
            approximated[f"{path.name}/{gaps[index].start.name}"] = text
    elements: list[Element] = []
    for gap, filling in zip(gaps, fillings, strict=True):
        elements += [gap.start, *filling]
    return Route((*elements, gaps[-1].end), approximated)


def length(elements: Filling, rows: Rows) -> np.ndarray:
    """Return the length (R,) in m of a tendon of these elements, by MuJoCo's rules."""
    total = np.zeros(len(next(iter(rows.position.values()))))
    start, wrap = elements[0], None
    assert not isinstance(start, Wrap)
    for element in elements[1:]:
        if isinstance(element, Wrap):
            wrap = element
            continue
        places = rows.place(start), rows.place(element)
        if wrap is None:
            total = total + np.linalg.norm(places[1] - places[0], axis=1)
        else:
            surface = wrap.surface
            ends = [rows.local(surface.body, surface.frame, place) for place in places]
            side = wrap.side
            if wrap.gate is not None:
                name, polynomial = wrap.gate
                side = np.sign(polynomial(rows.values[name]))[:, None] * side
            total = total + _around(surface, ends, side)
        start, wrap = element, None
    return total


def _gaps(path: Path, rows: Rows) -> Iterator[_Gap]:
    last = len(path.points) - 1
    always = [
        index
        for index, point in enumerate(path.points)
        if index in (0, last) or not isinstance(point, ConditionalPoint) or rows.active(point).all()
    ]
    for after, before in itertools.pairwise(always):
        between = [p for p in path.points[after + 1 : before] if isinstance(p, ConditionalPoint)]
        inside = [c for c in path.contacts if after <= c.after < before and c.share >= RARE]
        yield _Gap(
            path.points[after],
            path.points[before],
            tuple(point for point in between if rows.active(point).any()),
            tuple({contact.surface: contact for contact in inside}.values()),
        )


def _filling(gap: _Gap, surfaces: dict[str, Surface], rows: Rows, wanted: np.ndarray) -> Filling:
    """Return the filling that brings the gap's length closest to ``wanted`` (R,)."""
    best: Filling = ()
    lowest = rows.cost(gap.length((), rows) - wanted)
    for candidates in (_simple, _gated, _through, _fitted, _parted):
        bar = lowest * (WORTH if best else 1 - 1e-6)
        for candidate in candidates(gap, surfaces, rows, wanted):
            cost = rows.cost(gap.length(candidate, rows) - wanted)
            if cost < min(bar, lowest * (1 - 1e-4)):
                best, lowest = candidate, cost
        good = GOOD if candidates is _simple else FAIR
        if lowest < good or rows.mostly(gap.length(best, rows) - wanted, EXACT):
            break
    return best


def _described(gap: _Gap, filling: Filling, surfaces: dict[str, Surface], error: np.ndarray) -> str:
    """Say what became of what is not exact, or nothing if all of it is."""
    names = sorted([c.surface for c in gap.contacts] + [p.name for p in gap.conditional])
    wraps = [element.surface for element in filling if isinstance(element, Wrap)]
    if names == sorted(w.name for w in wraps if surfaces.get(w.name) is w):
        return ""
    kinds = [w.kind if w.size[0] > VIA_RADIUS else "via point" for w in wraps]
    kinds += ["fixed point"] * (len(filling) - len(wraps))
    rms = 1e3 * float(np.sqrt(np.mean(error**2)))
    made = " and ".join(kinds) or "a straight line"
    return f"{', '.join(names)} made into {made}; path length error {rms:.2f} mm RMS"


# --- fillings ------------------------------------------------------------------------------------


def _simple(
    gap: _Gap, surfaces: dict[str, Surface], rows: Rows, wanted: np.ndarray
) -> Iterator[Filling]:
    """Yield each of the source's own surfaces with its best side, and each point as a via point."""
    for surface in _own(gap, surfaces):
        yield (_sided(gap, surface, rows, wanted),)
    for point in gap.conditional:
        yield (_via(gap, point, rows, wanted),)


def _own(gap: _Gap, surfaces: dict[str, Surface]) -> list[Surface]:
    """Return the surfaces of a gap that MuJoCo has as they are."""
    found = [surfaces[contact.surface] for contact in gap.contacts]
    return [surface for surface in found if surface.kind in ("cylinder", "sphere")]


def _sided(gap: _Gap, surface: Surface, rows: Rows, wanted: np.ndarray) -> Wrap:
    """Return a surface with the side, or none, that brings lengths closest to OpenSim's.

    Both engines know two ways round. OpenSim takes the one inside the given half; MuJoCo the one
    whose contact lies more towards the side site, or, without one, simply the shorter one.
    """
    if surface.kind == "cylinder":
        angles = np.radians(np.arange(0, 360, 10))
        directions = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    else:
        directions = _globe(100)
    sides = [None, *(surface.frame.rotation @ direction for direction in directions)]
    if surface.side.any():
        sides.insert(0, surface.side)
    ends = [rows.local(surface.body, surface.frame, rows.place(p)) for p in (gap.start, gap.end)]
    costs: list[float] = []
    for side in sides:
        costs.append(rows.cost(_around(surface, ends, side) - wanted))
        if costs[-1] < SAME:
            break
    lowest = min(costs) * (1 + 1e-6)  # of equals, the first: the source's own side, or none
    return Wrap(surface, next(s for s, c in zip(sides, costs, strict=False) if c <= lowest))


def _around(surface: Surface, ends: list[np.ndarray], side: np.ndarray | None) -> np.ndarray:
    """Return lengths (R,) between ends in the frame of a surface; ``side`` is in its body."""
    if side is not None:
        side = 2 * surface.size[0] * (side @ surface.frame.rotation)
    around = around_cylinder if surface.kind == "cylinder" else around_sphere
    return around(ends[0], ends[1], surface.size[0], side)


def _via(gap: _Gap, point: Point, rows: Rows, wanted: np.ndarray) -> Wrap:
    """Return a via point with the side that makes it count when it should."""
    surface = _sphere(point.name, point.body, point.position, VIA_RADIUS)
    (start, end), nearest = _passing(gap, point, rows)
    detour = np.linalg.norm(start, axis=1) + np.linalg.norm(end, axis=1)
    straight = np.linalg.norm(end - start, axis=1)

    short = [wanted[: rows.poses], straight[: rows.poses], detour[: rows.poses]]
    errors = np.minimum(np.abs([short[1] - short[0], short[2] - short[0]]), CLIP)

    def costs(directions: np.ndarray) -> np.ndarray:
        free = nearest[: rows.poses] @ directions.T >= 0
        return (np.where(free, errors[0][:, None], errors[1][:, None]) ** 2).mean(axis=0)

    best = _globe(1000)
    for spread in (0.1, 0.05):  # the middle of those that do equally well, closer and closer
        found = costs(best)
        middle = best[found <= found.min() * 1.02 + 1e-12]
        middle = _unit(middle[np.argmin(costs(middle))] if spread > 0.05 else middle.mean(axis=0))
        best = _unit(np.concatenate([middle[None], middle + spread * _globe(400)]))
    found = costs(best)
    near = best[found <= found.min() * 1.02 + 1e-12]
    sides = [near.mean(axis=0), *near[:: max(1, len(near) // 30)]]
    wraps = [Wrap(surface, _unit(np.round(_unit(side), 3))) for side in sides]
    exact = [rows.cost(gap.length((wrap,), rows) - wanted) for wrap in wraps]
    return wraps[0] if exact[0] < 1.2 * min(exact) else wraps[int(np.argmin(exact))]


def _gated(
    gap: _Gap, surfaces: dict[str, Surface], rows: Rows, wanted: np.ndarray
) -> Iterator[Filling]:
    """Yield via points that a coordinate switches on and off, as OpenSim does.

    The straight path passes the point at ``v`` (its nearest place, seen from the point). With a
    direction ``n`` for which ``v n > 0`` in every pose, a side site towards ``n`` keeps the
    path free, and one on the other side always bends it. There is one at least where a
    neighbour, at ``w``, is on the same body: there ``v = w - (w d) d`` (``d`` the direction of the
    straight path), and ``v w >= 0``. A linear program finds the ``n`` of the largest margin.
    """
    for point in gap.conditional:
        _, nearest = _passing(gap, point, rows)
        directions = _unit(nearest)
        margin = np.ones((len(directions), 1))
        found = linprog(
            c=[0, 0, 0, -1],
            A_ub=np.hstack([-directions, margin]),
            b_ub=np.zeros(len(directions)),
            bounds=[(-1, 1)] * 3 + [(None, 1)],
        )
        if found.status == 0 and found.x[3] > -0.1:
            surface = _sphere(point.name, point.body, point.position, VIA_RADIUS)
            side = _unit(np.round(found.x[:3], 3))
            yield (Wrap(surface, side, (point.coordinate, _outside(point, rows))),)


def _passing(gap: _Gap, point: Point, rows: Rows) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the ends of a gap, and the place of the straight path nearest to a point (R, 3).

    All seen from the point, along the axes of its body.
    """
    frame = Frame(point.position, np.eye(3))
    ends = [rows.local(point.body, frame, rows.place(p)) for p in (gap.start, gap.end)]
    way = ends[1] - ends[0]
    share = -(way * ends[0]).sum(axis=1) / np.maximum((way**2).sum(axis=1), 1e-12)
    return ends, ends[0] + np.clip(share, 0, 1)[:, None] * way


def _outside(point: ConditionalPoint, rows: Rows) -> Polynomial:
    """Return a polynomial of the coordinate that is negative where the point is active."""
    values = rows.values[point.coordinate]
    low, high = point.range
    if low <= values.min():
        return Polynomial([-high, 1.0])
    if high >= values.max():
        return Polynomial([low, -1.0])
    return Polynomial([low * high, -low - high, 1.0])


def _through(
    gap: _Gap, surfaces: dict[str, Surface], rows: Rows, wanted: np.ndarray
) -> Iterator[Filling]:
    """Yield one of several conditional points as a site, others as via points beside it."""
    for index, point in enumerate(gap.conditional if len(gap.conditional) > 1 else ()):
        site = Point(point.name, point.body, point.position)
        first = replace(gap, end=site, conditional=gap.conditional[:index])
        second = replace(gap, start=site, conditional=gap.conditional[index + 1 :])
        before: Filling = ()
        after: Filling = ()
        for _ in range(2):
            rest = wanted - second.length(after, rows)
            before = _best(first, [(), *_simple(first, {}, rows, rest)], rows, rest)
            rest = wanted - first.length(before, rows)
            after = _best(second, [(), *_simple(second, {}, rows, rest)], rows, rest)
        yield (*before, site, *after)


def _parted(
    gap: _Gap, surfaces: dict[str, Surface], rows: Rows, wanted: np.ndarray
) -> Iterator[Filling]:
    """Yield two surfaces of the source with a site between them."""
    own = _own(gap, surfaces)
    if len(own) != 2 or len(gap.contacts) != 2 or gap.conditional:
        return
    part, chosen = rows.fewer(_FIT_POSES, _FIT_STEPS)
    for contact in gap.contacts:
        name = f"between-{own[0].name}-{own[1].name}"
        site = Point(name, surfaces[contact.surface].body, contact.entry)
        yield _around_a_site(gap, own, site, part, wanted[chosen])


def _best(gap: _Gap, fillings: list[Filling], rows: Rows, wanted: np.ndarray) -> Filling:
    return min(fillings, key=lambda filling: rows.cost(gap.length(filling, rows) - wanted))


def _around_a_site(
    gap: _Gap, own: Sequence[Surface], site: Point, rows: Rows, wanted: np.ndarray
) -> Filling:
    """Return two surfaces with a fitted site between them."""
    for _ in range(2):
        first, second = replace(gap, end=site), replace(gap, start=site)
        before = _sided(first, own[0], rows, wanted - second.length((), rows))
        after = _sided(second, own[1], rows, wanted - first.length((before,), rows))

        def built(p: np.ndarray, site=site, before=before, after=after) -> Filling:
            return (before, replace(site, position=site.position + 0.01 * p), after)

        p = _least(gap, built, np.zeros(3), rows, wanted)
        site = replace(site, position=np.round(site.position + 0.01 * p, _DIGITS))
    return (before, site, after)


def _fitted(
    gap: _Gap, surfaces: dict[str, Surface], rows: Rows, wanted: np.ndarray
) -> Iterator[Filling]:
    """Yield spheres and cylinders fitted from where the path was seen to bend.

    Every start is followed a little way, and the most promising ones to their ends.
    """
    part, chosen = rows.fewer(_FIT_POSES, _FIT_STEPS)
    target = wanted[chosen]
    fits: list[tuple[float, int, partial[Wrap], np.ndarray]] = []
    for body, place, inwards, normal in _bends(gap, surfaces, rows, wanted):
        across = np.cross(normal, inwards)
        frame = Frame(place, np.stack([inwards, across / np.linalg.norm(across), normal], axis=1))
        name = f"fit-{gap.start.name}"
        for move, count in ((_moved_cylinder, 6), (_moved_sphere, 4)):
            for radius in _RADII:
                begin = partial(move, name, body, frame, radius)
                p = _least(gap, partial(_alone, begin), np.zeros(count), part, target, _ROUGH)
                cost = part.cost(gap.length((begin(p),), part) - target)
                fits.append((cost, len(fits), begin, p))
    for _, _, begin, p in sorted(fits)[:_FINE]:
        p = _least(gap, partial(_alone, begin), p, part, target)
        yield (begin(p, _DIGITS),)


def _alone(begin: Callable[[np.ndarray], Wrap], p: np.ndarray) -> Filling:
    return (begin(p),)


def _bends(
    gap: _Gap, surfaces: dict[str, Surface], rows: Rows, wanted: np.ndarray
) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield bodies, places where the path bends, where to it presses there, and its normal."""
    longer = np.maximum(wanted - gap.length((), rows), 0)[: rows.poses]
    if not longer.any():
        return
    places = [(surfaces[c.surface].body, c.entry) for c in gap.contacts]
    places += [(p.body, p.position) for p in gap.conditional]
    for body, place in places[:_BENDS]:
        frame = Frame(place, np.eye(3))
        start, end = (
            _unit(rows.local(body, frame, rows.place(p))[: rows.poses])
            for p in (gap.start, gap.end)
        )
        inwards, normal = longer @ (start + end), longer @ np.cross(start, end)
        if min(np.linalg.norm(inwards), np.linalg.norm(normal)) > 1e-9:
            inwards = _unit(inwards)
            normal = _unit(normal - (normal @ inwards) * inwards)
            yield body, place, inwards, normal


def _moved_cylinder(
    name: str, body: str, frame: Frame, radius: float, p: np.ndarray, digits: int | None = None
) -> Wrap:
    """Return a cylinder whose top is at the frame: moved in x, y (cm), tilted, grown, turned."""
    turn = Rotation.from_rotvec([*_rounded(p[2:4], digits), 0.0]).as_matrix()
    rotation = frame.rotation @ turn
    radius = max(float(_rounded(radius * np.exp(np.clip(p[4], -3, 3)), digits)), VIA_RADIUS)
    center = frame.position + rotation @ np.array([radius + 0.01 * p[0], 0.01 * p[1], 0.0])
    angle = _rounded(p[5], digits)
    side = -rotation @ np.array([np.cos(angle), np.sin(angle), 0.0])
    placed = Frame(_rounded(center, digits), rotation)
    return Wrap(Surface(name, "cylinder", body, placed, np.array([radius, 0.1, 0.0]), side), side)


def _moved_sphere(
    name: str, body: str, frame: Frame, radius: float, p: np.ndarray, digits: int | None = None
) -> Wrap:
    """Return a sphere whose top is at the frame: moved in x, y, z (cm), grown."""
    radius = max(float(_rounded(radius * np.exp(np.clip(p[3], -3, 3)), digits)), VIA_RADIUS)
    center = frame.position + frame.rotation @ (np.array([radius, 0.0, 0.0]) + 0.01 * p[:3])
    surface = _sphere(name, body, _rounded(center, digits), radius)
    return Wrap(surface, -frame.rotation[:, 0])


def _rounded(value: np.ndarray, digits: int | None) -> np.ndarray:
    return value if digits is None else np.round(value, digits)


def _least(
    gap: _Gap,
    built: Callable[[np.ndarray], Filling],
    start: np.ndarray,
    rows: Rows,
    wanted: np.ndarray,
    steps: int = 20,
) -> np.ndarray:
    """Return the parameters of the filling that is closest to ``wanted``, outliers apart.

    They lie around zero; SciPy's steps are relative, so it sees them around one.
    """
    fit = least_squares(
        lambda p: rows.errors(gap.length(built(p - 1), rows) - wanted),
        start + 1,
        loss="soft_l1",
        f_scale=2e-3 / np.sqrt(rows.poses),
        diff_step=1e-6,
        max_nfev=steps,
    )
    return fit.x - 1


def _sphere(name: str, body: str, center: np.ndarray, radius: float) -> Surface:
    size = np.array([radius, 0.0, 0.0])
    return Surface(name, "sphere", body, Frame(center, np.eye(3)), size, np.zeros(3))


def _globe(count: int) -> np.ndarray:
    """Return directions (count, 3) spread evenly (Fibonacci's spiral), with mirror images in z.

    OpenSim's bodies are mirror images of each other in z, and so come out what is chosen.
    """
    index = np.arange(count // 2) + 0.5
    height = 1 - 4 * index / count  # -1..1
    angle = np.pi * (1 + 5**0.5) * index
    radius = np.sqrt(1 - height**2)
    half = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
    return np.concatenate([half, half * [1, 1, -1]])


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-15)
