"""How long a MuJoCo tendon is between two points that a sphere or a cylinder separates.

MuJoCo's own rules (`Computation: tendons` of its documentation), for many poses at once: the
compiler tries surfaces by the hundred before it writes one.
"""

import numpy as np

#: Points that lie on one line with the centre have no plane; MuJoCo takes any.
_TINY = 1e-12


def around_cylinder(
    start: np.ndarray, end: np.ndarray, radius: float, side: np.ndarray | None = None
) -> np.ndarray:
    """Return lengths (R,) from ``start`` to ``end`` (R, 3) around an endless cylinder along z.

    Both in the cylinder's frame, m. ``side``, (3,) or (R, 3) and outside the cylinder, is the place
    of the side site: the path touches on its side, also where a straight line would pass on the
    other side.
    """
    flat_side = None if side is None else _unit(np.broadcast_to(side, start.shape)[:, :2])
    legs, arc = _around_circle(start[:, :2], end[:, :2], radius, flat_side)
    wraps = np.isfinite(arc)
    flat = np.where(wraps, legs + arc, 0.0)
    wrapped = np.hypot(flat, end[:, 2] - start[:, 2])
    return np.where(wraps, wrapped, np.linalg.norm(end - start, axis=1))


def around_sphere(
    start: np.ndarray, end: np.ndarray, radius: float, side: np.ndarray | None = None
) -> np.ndarray:
    """Return lengths (R,) from ``start`` to ``end`` (R, 3) around a sphere at the origin.

    The path stays in the plane of both points and the centre; ``side`` as for the cylinder.
    """
    x = _unit(start)
    normal = np.cross(start, end)
    size = np.linalg.norm(normal, axis=1, keepdims=True)
    other = np.cross(x, np.eye(3)[np.argmin(np.abs(x), axis=1)])
    normal = _unit(np.where(size > _TINY, normal, other))
    y = _unit(np.cross(normal, x))

    def flat(points: np.ndarray) -> np.ndarray:
        return np.stack([(points * x).sum(axis=1), (points * y).sum(axis=1)], axis=1)

    flat_side = None if side is None else _unit(flat(np.broadcast_to(side, start.shape)))
    legs, arc = _around_circle(flat(start), flat(end), radius, flat_side)
    straight = np.linalg.norm(end - start, axis=1)
    return np.where(np.isfinite(arc), legs + arc, straight)


def _around_circle(
    d0: np.ndarray, d1: np.ndarray, radius: float, side: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the straight legs and the arc (R,) of the way round a circle; NaN where it is free."""
    square = radius**2
    square0, square1 = (d0**2).sum(axis=1), (d1**2).sum(axis=1)
    free = (square0 < square) | (square1 < square)
    way = d1 - d0
    share = -(way * d0).sum(axis=1) / np.maximum((way**2).sum(axis=1), _TINY)
    nearest = d0 + np.clip(share, 0, 1)[:, None] * way
    passes = (nearest**2).sum(axis=1) > square
    if side is not None:
        passes &= (nearest * side).sum(axis=1) >= 0
    free |= passes
    root0 = np.sqrt(np.maximum(square0 - square, 0))
    root1 = np.sqrt(np.maximum(square1 - square, 0))
    turned0, turned1 = d0[:, ::-1] * [1, -1], d1[:, ::-1] * [1, -1]
    ways = []
    for sign in (1.0, -1.0):
        t0 = (d0 * square + sign * radius * turned0 * root0[:, None]) / square0[:, None]
        t1 = (d1 * square - sign * radius * turned1 * root1[:, None]) / square1[:, None]
        if side is None:
            goodness = -((t0 - t1) ** 2).sum(axis=1)
        else:
            goodness = (_unit(t0 + t1) * side).sum(axis=1)
        crossed = _segments_cross(d0, t0, d1, t1)
        angle = np.arccos(np.clip((_unit(t0) * _unit(t1)).sum(axis=1), -1, 1))
        cross = t0[:, 1] * t1[:, 0] - t0[:, 0] * t1[:, 1]
        far = cross * sign < 0
        angle = np.where(far, 2 * np.pi - angle, angle)
        ways.append((np.where(crossed, -1e4, goodness), crossed, radius * angle))
    first = ways[0][0] > ways[1][0]
    crossed = np.where(first, ways[0][1], ways[1][1])
    arc = np.where(first, ways[0][2], ways[1][2])
    return root0 + root1, np.where(free | crossed, np.nan, arc)


def _segments_cross(a0: np.ndarray, a1: np.ndarray, b0: np.ndarray, b1: np.ndarray) -> np.ndarray:
    """Return whether the plane segments a0-a1 and b0-b1 (R, 2) cross."""
    a, b, gap = a1 - a0, b1 - b0, a0 - b0
    determinant = b[:, 1] * a[:, 0] - b[:, 0] * a[:, 1]
    parallel = np.abs(determinant) < 1e-15
    safe = np.where(parallel, 1.0, determinant)
    s = (b[:, 0] * gap[:, 1] - b[:, 1] * gap[:, 0]) / safe
    t = (a[:, 0] * gap[:, 1] - a[:, 1] * gap[:, 0]) / safe
    return ~parallel & (s >= 0) & (s <= 1) & (t >= 0) & (t <= 1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-15)
