"""Muscle paths: lengths and moment arms of all muscles at once.

A path goes straight from site to site or round a sphere or an endless cylinder, by MuJoCo's rules
(its documentation, "Computation: tendons"). It is the shortest one that they allow, so that by the
envelope theorem its length changes only with its sites and surfaces, not with where it touches
them: ``dL = u . (v_end - v_start)`` for every straight **leg** with direction ``u``. Moment arms
need no derivative of the wrapping then: legs times the axes of the joints between their bodies
(Sherman, Seth, Delp 2013, ASME DETC2013-13633). Legs within a body do not count, and their lengths
are constants.

As in ``physics.vectors``, everything is computed component by component along all legs.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.model import Layout, Model
from mjx_msk.physics.coordinates import follows, slopes
from mjx_msk.physics.kinematics import Frames, frames_of
from mjx_msk.physics.tree import tree_of
from mjx_msk.physics.vectors import (
    Rotation,
    Vector,
    add,
    cross,
    dot,
    gather,
    gather_all,
    matrix,
    stacked,
    subtract,
    times,
    turn,
    turn_back,
    vector,
)

_TINY = 1e-15  #: MuJoCo's smallest number, mjMINVAL


class Paths(NamedTuple):
    """What a pose makes of the muscles' paths."""

    length: jax.Array  #: (m,) m, muscle and tendon
    jacobian: jax.Array  #: (m, n) d length / d q, m/rad or m/m; moment arms are its negative


class Legs(NamedTuple):
    """Straight pieces between two bodies: a unit of tension pulls ``start`` along ``direction``."""

    direction: Vector  #: (k,) unit vectors, or 0 where the ends are the same point
    point: Vector  #: (k,) m, a point of each


class _Tables(NamedTuple):
    """Constant tables; "moving" are straight segments between bodies, "bent" those with a wrap."""

    still: tuple[np.ndarray, np.ndarray, np.ndarray]  #: sites of segments in one body, their muscle
    ends: np.ndarray  #: sites: starts of moving and bent segments, their ends, bent ones' sides
    moving: int
    bent: int
    wraps: np.ndarray  #: (bent,) surface
    sphere: np.ndarray  #: (bent,)
    sided: np.ndarray  #: (bent,)
    on_body: np.ndarray  #: (nbody, sites of ``ends``) 0/1
    wrap_on_body: np.ndarray  #: (nbody, bent) 0/1
    to_muscle: np.ndarray  #: (moving + bent, m) what counts of a segment's length
    leg_bodies: np.ndarray  #: (k, 2) of moving segments, then first and last legs of bent ones
    leg_muscle: np.ndarray  #: (k,)
    leg_share: np.ndarray  #: (k,)


@functools.lru_cache(maxsize=64)
def _tables(layout: Layout) -> _Tables:
    own = layout.muscles
    body, around = np.array(own.site_bodies, np.int32), np.array(own.wrap_bodies, np.int32)
    bent = [s for s in own.segments if s.wrap >= 0]
    plain = [s for s in own.segments if s.wrap < 0]
    moving = [s for s in plain if body[s.start] != body[s.end]]
    still = [s for s in plain if body[s.start] == body[s.end]]
    free = [*moving, *bent]
    ends = np.array(
        [s.start for s in free]
        + [s.end for s in free]
        + [s.side if s.side >= 0 else s.start for s in bent],
        np.int32,  # JAX keeps one type for an array that it has seen, with x64 on and off
    )
    rows = len(layout.body_names)
    to_muscle = np.zeros((len(free), len(own.names)))
    to_muscle[np.arange(len(free)), [s.muscle for s in free]] = [s.share for s in free]
    return _Tables(
        still=(
            np.array([s.start for s in still], np.int32),
            np.array([s.end for s in still], np.int32),
            _chosen([s.muscle for s in still], len(own.names), [s.share for s in still]),
        ),
        ends=ends,
        moving=len(moving),
        bent=len(bent),
        wraps=np.array([s.wrap for s in bent], np.int32),
        sphere=np.array([own.spheres[s.wrap] for s in bent], bool),
        sided=np.array([s.side >= 0 for s in bent], bool),
        on_body=_chosen(body[ends], rows).T,
        wrap_on_body=_chosen([around[s.wrap] for s in bent], rows).T,
        to_muscle=to_muscle,
        leg_bodies=np.array(
            [(body[s.start], body[s.end]) for s in moving]
            + [(body[s.start], around[s.wrap]) for s in bent]
            + [(around[s.wrap], body[s.end]) for s in bent],
            np.int32,
        ).reshape(-1, 2),
        leg_muscle=np.array([s.muscle for s in (*moving, *bent, *bent)], np.int32),
        leg_share=np.array([s.share for s in (*moving, *bent, *bent)], float),
    )


def _chosen(
    chosen: list[int] | np.ndarray, columns: int, values: list[float] | float = 1.0
) -> np.ndarray:
    table = np.zeros((len(chosen), columns))
    table[np.arange(len(chosen)), np.asarray(chosen, np.int32)] = values
    return table


class _Crossings(NamedTuple):
    """Which legs which joints move, and where that goes in the Jacobian (m, n)."""

    leg: np.ndarray  #: (e,) leg of each entry
    twist: np.ndarray  #: (e,) relative motion of each entry
    weight: np.ndarray  #: (e,) share of the leg
    joints: np.ndarray  #: (nv, p) joints whose motions add up to a relative motion, with signs
    place: np.ndarray  #: (r, m * n) entries of the Jacobian, those of a row padded with e
    cells: np.ndarray  #: (m * n,) row of ``place`` of every entry of the Jacobian, the last is none


@functools.lru_cache(maxsize=64)
def _crossings(layout: Layout, moved: bytes, follows: bytes) -> _Crossings:
    tables, n = _tables(layout), len(layout.coordinate_names)
    moves = np.frombuffer(moved).reshape(-1, len(layout.body_names))
    follow = np.frombuffer(follows).reshape(n, -1)
    twists: dict[tuple[int, int, int], int] = {}
    columns: list[np.ndarray] = []
    legs: list[int] = []
    used: list[int] = []
    weights: list[float] = []
    cells: dict[tuple[int, int], list[int]] = {}
    for leg, (start, end) in enumerate(tables.leg_bodies):
        relative = moves[:, end] - moves[:, start]
        for coordinate in np.flatnonzero(np.abs(follow * relative).sum(axis=1)):
            key = (int(start), int(end), int(coordinate))
            if key not in twists:
                twists[key] = len(columns)
                columns.append(follow[coordinate] * relative)
            cell = (int(tables.leg_muscle[leg]), int(coordinate))
            cells.setdefault(cell, []).append(len(legs))
            legs.append(leg)
            used.append(twists[key])
            weights.append(tables.leg_share[leg])
    width = max(map(len, cells.values()), default=1)
    place = np.full((len(cells), width), len(legs), np.int32)
    where = np.full((len(layout.muscles.names), n), len(cells), np.int32)
    for row, (cell, entries) in enumerate(cells.items()):
        place[row, : len(entries)] = entries
        where[cell] = row
    return _Crossings(
        leg=np.array(legs, np.int32),
        twist=np.array(used, np.int32),
        weight=np.array(weights, float),
        joints=np.array(columns).reshape(-1, moves.shape[0]).T,
        place=place,
        cells=where.ravel(),
    )


def _length(v: Vector) -> jax.Array:
    """Return |v| whose derivative at 0 is 0."""
    squared = dot(v, v)
    zero = squared < _TINY**2
    return jnp.where(zero, 0.0, jnp.sqrt(jnp.where(zero, 1.0, squared)))


def _unit(v: Vector) -> Vector:
    """Return v / |v|, 0 for 0."""
    squared = dot(v, v)
    zero = squared < _TINY**2
    return times(jnp.where(zero, 0.0, 1.0 / jnp.sqrt(jnp.where(zero, 1.0, squared))), v)


def _root(x: jax.Array) -> jax.Array:
    """Return the square root of what should not be negative; its derivative is 0 where it is."""
    positive = x > _TINY
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def _over(a: jax.Array, b: jax.Array) -> jax.Array:
    """Return a / b, 0 where b is."""
    zero = jnp.abs(b) < _TINY
    return jnp.where(zero, 0.0, a / jnp.where(zero, 1.0, b))


_Flat = tuple[jax.Array, jax.Array]


class _Bend(NamedTuple):
    """A path round a surface, in the surface's frame."""

    length: jax.Array
    first: Vector  #: direction of the leg to the surface
    last: Vector  #: direction of the leg from the surface


def _around(start: Vector, end: Vector, side: Vector, radius: jax.Array, t: _Tables) -> _Bend:
    """Return the paths round surfaces from ``start`` to ``end``, in the surfaces' frames.

    Across the normal n of the circle that a path bends round, the legs from p0 and to p1 have the
    directions ``-(r0 p0 + s r n x p0) / p0^2`` and ``(r1 p1 - s r n x p1) / p1^2`` with
    ``r0^2 = p0^2 - r^2``, r1 alike; s = +-1 is the way round. Along a cylinder's axis paths rise
    evenly. Which way, and whether at all, does not change smoothly and has no derivative.
    """
    sphere = jnp.asarray(t.sphere)
    normal = cross(start, end)
    flat = dot(normal, normal) < _TINY**2
    axis = vector(jnp.array([0.0, 0.0, 1.0], start[0].dtype))
    normal = _choose(sphere, _unit(_choose(flat, _across(_unit(start)), normal)), axis)
    fixed = jax.lax.stop_gradient((start, end, side, normal, radius))
    bends, sign, arc = _way_round(*fixed, t)
    p0 = (start[0], start[1], jnp.where(sphere, start[2], 0.0))
    p1 = (end[0], end[1], jnp.where(sphere, end[2], 0.0))
    square0, square1 = (jnp.where(bends, dot(p, p), 1.0) for p in (p0, p1))
    square = jnp.where(bends, radius**2, 0.0)
    root0, root1, turning = _root(square0 - square), _root(square1 - square), sign * radius
    u0 = times(-1.0 / square0, add(times(root0, p0), times(turning, cross(normal, p0))))
    u1 = times(1.0 / square1, subtract(times(root1, p1), times(turning, cross(normal, p1))))
    way = _way(p0, p1, radius, u0, u1, root0 + root1, arc)
    rise = jnp.where(sphere, 0.0, end[2] - start[2])
    whole = _length((way, rise, jnp.zeros_like(way)))
    share, up = _over(way, whole), times(_over(rise, whole), axis)
    straight = subtract(end, start)
    direct = _unit(straight)
    return _Bend(
        length=jnp.where(bends, whole, _length(straight)),
        first=_choose(bends, add(times(share, u0), up), direct),
        last=_choose(bends, add(times(share, u1), up), direct),
    )


@jax.custom_jvp
def _way(
    p0: Vector, p1: Vector, radius: jax.Array, u0: Vector, u1: Vector, legs: jax.Array, arc: Any
) -> jax.Array:
    """Return how long paths round circles are; derivatives by the envelope theorem."""
    return legs + radius * arc


@_way.defjvp
def _way_jvp(primals: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
    _, _, radius, u0, u1, legs, _ = primals
    way = _way(*primals)
    return way, dot(u1, tangents[1]) - dot(u0, tangents[0]) + (way - legs) / radius * tangents[2]


def _choose(condition: jax.Array, a: Vector, b: Vector) -> Vector:
    x, y, z = (jnp.where(condition, p, q) for p, q in zip(a, b, strict=True))
    return x, y, z


def _across(x: Vector) -> Vector:
    """Return a direction across x: MuJoCo's, where a path and the centre are in one line."""
    first = (x[0] >= x[1]) & (x[0] >= x[2])
    second = ~first & (x[1] >= x[2])
    other = (1.0 - first, 1.0 - second, 1.0 * (first | second))
    return _unit(cross(x, other))


def _minus(a: _Flat, b: _Flat) -> _Flat:
    return a[0] - b[0], a[1] - b[1]


def _flat_length(a: _Flat) -> jax.Array:
    return _root(a[0] ** 2 + a[1] ** 2)


def _flat_dot(a: _Flat, b: _Flat) -> jax.Array:
    return a[0] * b[0] + a[1] * b[1]


def _way_round(
    start: Vector, end: Vector, side: Vector, normal: Vector, radius: jax.Array, t: _Tables
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return whether a path bends round a surface, which way (1 or -1), and the arc's angle."""
    sphere, sided = jnp.asarray(t.sphere), jnp.asarray(t.sided)
    one = jnp.eye(2, 3, dtype=radius.dtype)
    x = _choose(sphere, _unit(start), vector(one[0]))
    y = _choose(sphere, _unit(cross(normal, x)), vector(one[1]))
    d0, d1, toward = ((dot(v, x), dot(v, y)) for v in (start, end, side))
    square = radius**2
    square0, square1 = _flat_dot(d0, d0), _flat_dot(d1, d1)
    way = _minus(d1, d0)
    room = _flat_dot(way, way)
    nearest_at = jnp.clip(_over(-_flat_dot(way, d0), room), 0.0, 1.0)
    nearest = (d0[0] + nearest_at * way[0], d0[1] + nearest_at * way[1])
    passes = (_flat_dot(nearest, nearest) > square) & (~sided | (_flat_dot(toward, nearest) >= 0.0))
    free = (square0 < square) | (square1 < square) | (room < _TINY) | passes
    safe0, safe1 = jnp.where(free, 1.0, square0), jnp.where(free, 1.0, square1)
    root0, root1 = _root(square0 - square), _root(square1 - square)

    def touch(sign: float) -> tuple[_Flat, _Flat, jax.Array, jax.Array]:
        s = sign * radius
        t0 = (
            (d0[0] * square + s * d0[1] * root0) / safe0,
            (d0[1] * square - s * d0[0] * root0) / safe0,
        )
        t1 = (
            (d1[0] * square - s * d1[1] * root1) / safe1,
            (d1[1] * square + s * d1[0] * root1) / safe1,
        )
        middle, gap = (t0[0] + t1[0], t0[1] + t1[1]), _minus(t0, t1)
        near = _flat_dot(middle, toward)
        near = _over(near, _flat_length(middle) * _flat_length(toward)) * radius
        crossed = _segments_cross(d0, t0, d1, t1)
        good = jnp.where(sided, near, -_flat_dot(gap, gap))
        return t0, t1, jnp.where(crossed, -1e4, good), crossed

    plus, minus = touch(1.0), touch(-1.0)
    first = plus[2] >= minus[2]
    t0 = (jnp.where(first, plus[0][0], minus[0][0]), jnp.where(first, plus[0][1], minus[0][1]))
    t1 = (jnp.where(first, plus[1][0], minus[1][0]), jnp.where(first, plus[1][1], minus[1][1]))
    bends = ~free & ~jnp.where(first, plus[3], minus[3])
    turning = t0[0] * t1[1] - t0[1] * t1[0]
    sign = jnp.where(first, 1.0, -1.0)
    angle = jnp.arctan2(-sign * turning, _flat_dot(t0, t1))
    return bends, sign, jnp.where(angle < 0.0, angle + 2.0 * jnp.pi, angle)


def _segments_cross(a0: _Flat, a1: _Flat, b0: _Flat, b1: _Flat) -> jax.Array:
    """Return whether the segments a0-a1 and b0-b1 cross."""
    a, b, gap = _minus(a1, a0), _minus(b1, b0), _minus(a0, b0)
    determinant = b[1] * a[0] - b[0] * a[1]
    parallel = jnp.abs(determinant) < _TINY
    safe = jnp.where(parallel, 1.0, determinant)
    s = (b[0] * gap[1] - b[1] * gap[0]) / safe
    t = (a[0] * gap[1] - a[1] * gap[0]) / safe
    return ~parallel & (s >= 0) & (s <= 1) & (t >= 0) & (t <= 1)


def _segments(model: Model, frames: Frames, origin: Vector) -> tuple[jax.Array, Legs]:
    """Return the lengths of moving and bent segments, and all legs, seen from ``origin``."""
    t, own = _tables(model.layout), model.muscles
    rotation = matrix(frames.orientation)
    body = subtract(frames.position, origin)
    turned: Rotation = tuple(gather_all(row, t.on_body) for row in rotation)
    sites = add(gather_all(body, t.on_body), turn(turned, vector(own.site_position[t.ends])))
    count = t.moving + t.bent
    starts, ends = _part(sites, 0, count), _part(sites, count, 2 * count)
    sides = _part(sites, 2 * count)
    straight = subtract(_part(ends, 0, t.moving), _part(starts, 0, t.moving))
    lengths, directions = [_length(straight)], [_unit(straight)]
    if t.bent:
        frame, place = _surfaces(model, rotation, body)
        first, last = _part(starts, t.moving), _part(ends, t.moving)
        seen = [turn_back(frame, subtract(p, place)) for p in (first, last, sides)]
        bend = _around(seen[0], seen[1], seen[2], own.wrap_radius[t.wraps], t)
        lengths.append(bend.length)
        directions += [turn(frame, bend.first), turn(frame, bend.last)]
    points = _part(starts, 0, t.moving), _part(starts, t.moving), _part(ends, t.moving)
    return jnp.concatenate(lengths), Legs(_joined(directions), _joined(points))


def _surfaces(model: Model, rotation: Rotation, body: Vector) -> tuple[Rotation, Vector]:
    """Return the frames and places of the surfaces of bent segments."""
    t, own = _tables(model.layout), model.muscles
    on: Rotation = tuple(gather_all(row, t.wrap_on_body) for row in rotation)
    place = add(gather_all(body, t.wrap_on_body), turn(on, vector(own.wrap_position[t.wraps])))
    axes = own.wrap_axes[t.wraps]
    x, y, z = (turn(on, vector(axes[:, :, k])) for k in range(3))
    return ((x[0], y[0], z[0]), (x[1], y[1], z[1]), (x[2], y[2], z[2])), place


def _part(v: Vector, start: int, end: int | None = None) -> Vector:
    return v[0][start:end], v[1][start:end], v[2][start:end]


def _pick(v: Vector, index: np.ndarray) -> Vector:
    return v[0][index], v[1][index], v[2][index]


def _joined(vectors: list[Vector] | tuple[Vector, ...]) -> Vector:
    x, y, z = (jnp.concatenate(parts) for parts in zip(*vectors, strict=True))
    return x, y, z


def _still(model: Model) -> jax.Array:
    """Return the lengths (m,) of path within bodies."""
    start, end, share = _tables(model.layout).still
    place = vector(model.muscles.site_position)
    return gather(_length(subtract(_pick(place, end), _pick(place, start))), share)


def _whole(model: Model, moving: jax.Array) -> jax.Array:
    return _still(model) + gather(moving, _tables(model.layout).to_muscle)


def _axes(frames: Frames, origin: Vector, turning: np.ndarray) -> tuple[Vector, Vector]:
    """Return the joints' twists: angular, and the linear one of a point at ``origin``."""
    angular = times(jnp.asarray(turning, frames.axis[0].dtype), frames.axis)
    moving = cross(subtract(frames.anchor, origin), angular)
    linear = add(moving, times(jnp.asarray(1.0 - turning, moving[0].dtype), frames.axis))
    return angular, linear


def spanned(model: Model) -> np.ndarray:
    """Return which muscles' lengths depend on which coordinates, (m, n) bool."""
    crossings = _crossed(model)
    return (crossings.cells < len(crossings.place)).reshape(-1, model.n)


def _crossed(model: Model) -> _Crossings:
    moved = tree_of(model).moved.tobytes()
    return _crossings(model.layout, moved, follows(model.layout).tobytes())


@jax.jit  # traced once, whatever it is used in
def muscle_paths(model: Model, q: jax.Array) -> Paths:
    """Return the lengths (m) of the muscles and their derivatives for coordinates ``q``, rad or m.

    Columns of the Jacobian belong to the speeds: ``length' = jacobian @ qd``. A muscle that pulls
    with a tension t (N) makes the generalized force ``-jacobian.T @ t``.
    """
    tree = tree_of(model)
    frames = frames_of(model, tree, q)
    origin = _origin(frames)
    lengths, legs = _segments(model, frames, origin)
    crossings = _crossed(model)
    if not len(crossings.leg):
        return Paths(
            _whole(model, lengths), jnp.zeros((len(model.layout.muscles.names), model.n), q.dtype)
        )
    angular, linear = _axes(frames, origin, tree.turning)
    slope = slopes(model, q)
    angular, linear = (gather_all(times(slope, v), crossings.joints) for v in (angular, linear))
    wrench = cross(legs.point, legs.direction)

    entries = dot(_pick(wrench, crossings.leg), _pick(angular, crossings.twist))
    entries += dot(_pick(legs.direction, crossings.leg), _pick(linear, crossings.twist))
    entries *= jnp.asarray(crossings.weight, q.dtype)
    nothing = jnp.zeros(1, entries.dtype)
    summed = jnp.concatenate([entries, nothing])[crossings.place].sum(axis=1)
    cells = jnp.concatenate([summed, nothing])[crossings.cells]
    return Paths(_whole(model, lengths), cells.reshape(-1, model.n))


@jax.jit
def muscle_lengths(model: Model, q: jax.Array) -> jax.Array:
    """Return the lengths (m,) of the muscles, m, for independent coordinates ``q``, rad or m."""
    frames = frames_of(model, tree_of(model), q)
    return _whole(model, _segments(model, frames, _origin(frames))[0])


def _origin(frames: Frames) -> Vector:
    """Return the place that paths are seen from: the first body's, for the sake of few digits."""
    last = min(1, len(frames.position[0]) - 1)
    x, y, z = (part[last] for part in frames.position)
    return x, y, z


def muscle_wrenches(model: Model, q: jax.Array, tension: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return forces (nbody, 3) N and moments (nbody, 3) N m about the bodies' origins, world axes.

    ``tension`` (m,) is what the muscles pull with, N. Together the muscles' forces add up to none.
    """
    t = _tables(model.layout)
    frames = frames_of(model, tree_of(model), q)
    origin = _origin(frames)
    _, legs = _segments(model, frames, origin)
    pull = tension[t.leg_muscle] * jnp.asarray(t.leg_share, tension.dtype)
    rows = len(model.layout.body_names)
    table = _chosen(t.leg_bodies[:, 0], rows) - _chosen(t.leg_bodies[:, 1], rows)
    force = gather_all(times(pull, legs.direction), table)
    moment = gather_all(times(pull, cross(legs.point, legs.direction)), table)
    moment = subtract(moment, cross(subtract(frames.position, origin), force))
    return stacked(force), stacked(moment)
