"""The residuals of the trajectory fit, each whitened by its stated standard deviation.

``P`` are the points of ``fit.points`` with Jacobians; ``n`` coordinates, ``k`` global unknowns.
"""

import numpy as np

from mjx_msk.fit.solver import Term

Jacobians = tuple[np.ndarray, np.ndarray]  #: d/dq (T, m, n) and d/dg (T, m, k)


Rows = tuple[np.ndarray, np.ndarray, np.ndarray]  #: residual (T, m) and both Jacobians


def robust(
    residual: np.ndarray, J: np.ndarray, J_g: np.ndarray | None, *, group: int, scale: float
) -> Term:
    """Apply Cauchy's loss to groups of ``group`` consecutive residuals.

    The loss of a group is ``c^2 log(1 + |r|^2 / c^2)`` with ``c = scale`` standard deviations
    (Barron 2019, CVPR, alpha = 0); rows are weighted by the square root of its slope.
    """
    frames, m = residual.shape
    squared = np.sum(residual.reshape(frames, m // group, group) ** 2, axis=2) / scale**2
    weight = np.repeat(1.0 / np.sqrt(1.0 + squared), group, axis=1)
    cost = scale**2 * float(np.sum(np.log1p(squared)))
    by_x = J * (weight if J.ndim == 2 else weight[..., None])
    by_g = None if J_g is None else J_g * weight[..., None]
    return Term(residual * weight, {0: by_x}, by_g, robust_cost=cost)


def reprojection(
    x_camera: np.ndarray, by_x: Jacobians, observed: np.ndarray, weight: np.ndarray
) -> Rows:
    """Return pinhole residuals of points (T, L, 3) in camera axes against (T, L, 2) = x/z, y/z.

    ``weight`` (T, L) is 1 / standard deviation in the same normalised units, 0 where unseen.
    """
    frames, count, _ = x_camera.shape
    x, y, z = np.moveaxis(x_camera, -1, 0)
    z = np.maximum(z, 0.2)
    r = (np.stack([x / z, y / z], -1) - observed) * weight[..., None]
    zero = np.zeros_like(z)
    slope = np.stack(
        [np.stack([1 / z, zero, -x / z**2], -1), np.stack([zero, 1 / z, -y / z**2], -1)], -2
    )
    slope = slope * weight[..., None, None]
    J, J_g = ((slope @ j).reshape(frames, 2 * count, j.shape[-1]) for j in by_x)
    return r.reshape(frames, -1), J, J_g


def metric_depth(
    depth: np.ndarray, by_x: Jacobians, metric: np.ndarray, anchors: list[int], weight: np.ndarray
) -> Rows:
    """Return residuals of points' depths (T, L) behind the mean of ``anchors`` among them.

    ``metric`` (T, L) is the network's guess, relative in the same way; ``weight`` (T, L) is
    1 / standard deviation, 0 where unseen.
    """
    J, J_g = ((j - j[:, anchors].mean(axis=1, keepdims=True)) * weight[..., None] for j in by_x)
    r = (depth - depth[:, anchors].mean(axis=1, keepdims=True) - metric) * weight
    return r, J, J_g


def prior(q: np.ndarray, mean: np.ndarray, spread: np.ndarray, weight: float) -> Term:
    """Pull coordinates (T, n) toward what is believed of them: ``(q - mean) / spread``.

    ``mean`` and ``spread`` are (n,), or (T, n) where the belief changes.
    """
    scale = np.broadcast_to(weight / spread, q.shape)
    return Term((q - mean) * scale, {0: scale})


def limits(q: np.ndarray, bounds: np.ndarray, spread: np.ndarray) -> Term:
    """Keep coordinates inside ``bounds`` (n, 2): what lies outside counts, by ``spread``."""
    outside = np.minimum(q - bounds[:, 0], 0.0) + np.maximum(q - bounds[:, 1], 0.0)
    active = (outside != 0.0) / spread
    return Term(outside / spread, {0: active})


def smoothness(q: np.ndarray, dt: float, spread: np.ndarray, weight: float) -> Term:
    """Third difference of coordinates over ``spread`` (n,) in rad/s^3 or m/s^3."""
    frames, n = q.shape
    scale = weight / (spread * dt**3)
    residual = np.zeros((frames, n))
    if frames > 3:
        residual[:-3] = (q[3:] - 3 * q[2:-1] + 3 * q[1:-2] - q[:-3]) * scale
    J = np.broadcast_to(scale, (frames, n))
    return Term(residual, {0: -J, 1: 3 * J, 2: -3 * J, 3: J})


def floor_height(
    height: np.ndarray, by: Jacobians, touching: np.ndarray, *, spread_m: float, clearance_m: float
) -> Term:
    """Hold touching points (T, c) on the floor and keep the others above it.

    ``height`` is that of the spheres' lowest points; one that does not touch counts only below
    ``-clearance_m``.
    """
    below = np.minimum(height + clearance_m, 0.0) * (1.0 - touching)
    residual = (touching * height + below) / spread_m
    slope = (touching + (1.0 - touching) * (below < 0)) / spread_m
    return Term(residual, {0: by[0] * slope[..., None]}, by[1] * slope[..., None])


def no_slip(
    position: np.ndarray, by: Jacobians, touching: np.ndarray, travel: np.ndarray, spread_m: float
) -> Term:
    """Touching points (T, c, 2) move with the ground, which travels ``travel`` (2,) m a frame."""
    frames, count, _ = position.shape
    both = np.zeros((frames, count))
    both[:-1] = np.minimum(touching[:-1], touching[1:])
    weight = np.repeat(both / spread_m, 2, axis=1)[..., None]
    step = (_next(position) - position - travel).reshape(frames, -1)
    J, J_g = by
    return Term(
        step * weight[..., 0],
        {0: -J * weight, 1: _next(J) * weight},
        (_next(J_g) - J_g) * weight,
    )


def _next(values: np.ndarray) -> np.ndarray:
    """Return the values one frame later (the last frame repeats)."""
    return np.concatenate([values[1:], values[-1:]])


def shared(residual: np.ndarray, by_global: np.ndarray, frames: int) -> Term:
    """Return residuals (m,) of the global unknowns alone, Jacobian (m, k), counted once."""
    rows = np.zeros((frames, len(residual)))
    rows[0] = residual
    J_g = np.zeros((frames, *by_global.shape))
    J_g[0] = by_global
    return Term(rows, {}, J_g)
