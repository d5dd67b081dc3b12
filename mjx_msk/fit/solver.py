"""Gauss-Newton for whole trajectories: block-banded in time, bordered by a few global unknowns.

The unknowns are ``x`` (T, n), one vector a frame, and ``g`` (k,), shared by all frames. A term is a
set of whitened residuals that each touch a few neighbouring frames and perhaps ``g``; its normal
equations are banded in time, with ``g`` as a border that a Schur complement removes (Boyd and
Vandenberghe, Convex Optimization, 2004, app. C.4). Factorisation is LAPACK's banded Cholesky.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from scipy import linalg
from threadpoolctl import threadpool_limits


class Term(NamedTuple):
    """Whitened residuals r (T, m) and their Jacobians; row t may touch frames t, t+1, ..."""

    residual: np.ndarray  #: (T, m); rows that would reach past the last frame do not count
    #: d r_t / d x_{t+offset}, each (T, m, n), or all (T, n) where r_i is of x_i alone
    by_offset: dict[int, np.ndarray]
    by_global: np.ndarray | None = None  #: d r_t / d g, (T, m, k)
    robust_cost: float | None = None  #: the loss itself where ``residual`` carries robust weights


class Solution(NamedTuple):
    """Where the iterations ended."""

    x: np.ndarray  #: (T, n)
    g: np.ndarray  #: (k,)
    cost: float  #: half the sum of squared whitened residuals
    iterations: int


class _NormalEquations:
    """Accumulates J^T J and J^T r of terms in banded form with a border."""

    def __init__(self, frames: int, n: int, k: int, band: int) -> None:
        self.shape = (frames, n, k)
        self.blocks = [np.zeros((frames, n, n)) for _ in range(band + 1)]
        self.border = np.zeros((frames, n, k))
        self.corner = np.zeros((k, k))
        self.gradient = np.zeros((frames, n))
        self.gradient_global = np.zeros(k)

    def add(self, term: Term) -> None:
        rows = _rows(term)
        for later, J_later in term.by_offset.items():
            there = slice(later, later + rows)
            alone = J_later.ndim == 2
            J = J_later[:rows]
            Jt = J if alone else J.swapaxes(1, 2)
            r = term.residual[:rows]
            self.gradient[there] += Jt * r if alone else (Jt @ r[..., None])[..., 0]
            for earlier, J_earlier in term.by_offset.items():
                if earlier <= later:
                    block = self.blocks[later - earlier][earlier : earlier + rows]
                    if alone:
                        np.einsum("tii->ti", block)[:] += Jt * J_earlier[:rows]
                    else:
                        block += Jt @ J_earlier[:rows]
            if term.by_global is not None:
                K = term.by_global[:rows]
                self.border[there] += Jt[..., None] * K if alone else Jt @ K
        if term.by_global is not None:
            k = self.shape[2]
            flat = term.by_global[:rows].reshape(rows * term.by_global.shape[1], k)
            self.corner += flat.T @ flat
            self.gradient_global += flat.T @ term.residual[:rows].ravel()

    def solve(self, damping: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the step (dx, dg) of ``(J^T J + damping * diag) step = -J^T r``."""
        frames, n, k = self.shape
        band = np.zeros((n * len(self.blocks), frames * n))
        by_frame = band.reshape(-1, frames, n)
        row, column = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
        for offset, block in enumerate(self.blocks):
            keep = row + offset * n >= column
            depth = (offset * n + row - column)[keep]
            here = block[: frames - offset, keep].T
            by_frame[depth[:, None], np.arange(frames - offset), column[keep][:, None]] = here
        band[0] += damping * band[0] + 1e-9
        factor = linalg.cholesky_banded(band, lower=True, overwrite_ab=True, check_finite=False)
        border = self.border.reshape(frames * n, k)
        right = np.column_stack([-self.gradient.ravel(), border])
        solved = linalg.cho_solve_banded((factor, True), right, check_finite=False)
        if k == 0:
            return solved[:, 0].reshape(frames, n), np.zeros(0)
        corner = self.corner + damping * np.diag(np.diag(self.corner)) + 1e-9 * np.eye(k)
        schur = corner - border.T @ solved[:, 1:]
        dg = linalg.solve(schur, -self.gradient_global - border.T @ solved[:, 0], assume_a="sym")
        return (solved[:, 0] - solved[:, 1:] @ dg).reshape(frames, n), dg


def _rows(term: Term) -> int:
    """Return how many rows of a term count: those that stay within the clip."""
    return max(0, len(term.residual) - max(term.by_offset, default=0))


def cost_of(terms: Iterable[Term]) -> float:
    """Return half the sum of squared residuals that count, or of their robust losses."""
    return 0.5 * sum(
        float(np.sum(term.residual[: _rows(term)] ** 2))
        if term.robust_cost is None
        else term.robust_cost
        for term in terms
    )


def gauss_newton(
    terms_at: Callable[[np.ndarray, np.ndarray], list[Term]],
    x: np.ndarray,
    g: np.ndarray,
    *,
    iterations: int,
    tolerance: float = 1e-3,
    on_iteration: Callable[[int], None] | None = None,
) -> Solution:
    """Minimise the terms from (x, g) with Levenberg-Marquardt damping.

    ``terms_at(x, g)`` linearises all terms; robust weights inside it may change between calls.
    Stops after ``iterations`` accepted or refused steps, or when a step lowers the cost by less
    than ``tolerance`` (relative).
    """
    with threadpool_limits(1, "blas"):  # narrow bands: more threads only wait for each other
        return _iterate(terms_at, x, g, iterations, tolerance, on_iteration)


def _iterate(
    terms_at: Callable[[np.ndarray, np.ndarray], list[Term]],
    x: np.ndarray,
    g: np.ndarray,
    iterations: int,
    tolerance: float,
    on_iteration: Callable[[int], None] | None,
) -> Solution:
    terms = terms_at(x, g)
    cost, damping, done = cost_of(terms), 1e-3, 0
    for done in range(1, iterations + 1):
        band = max(max(term.by_offset, default=0) for term in terms)
        equations = _NormalEquations(len(x), x.shape[1], len(g), band)
        for term in terms:
            equations.add(term)
        dx, dg = equations.solve(damping)
        trial = terms_at(x + dx, g + dg)
        trial_cost = cost_of(trial)
        if on_iteration is not None:
            on_iteration(done)
        if not np.isfinite(trial_cost) or trial_cost > cost:
            damping *= 8.0
            if damping > 1e6:
                break
            continue
        improvement = (cost - trial_cost) / max(cost, 1e-12)
        x, g, terms, cost = x + dx, g + dg, trial, trial_cost
        damping = max(damping / 4.0, 1e-6)
        if improvement < tolerance:
            break
    return Solution(x, g, cost, done)
