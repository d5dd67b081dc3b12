"""The banded Gauss-Newton solver against dense least squares."""

import numpy as np
import pytest
from scipy import optimize

from mjx_msk.fit.solver import Term, gauss_newton

FRAMES, N = 9, 3
OFFSETS = ((0,), (0, 1), (0, 1, 2), (0, 1, 2, 3), (1, 3))


class Problem:
    """Random residuals ``r_t = sum_o J_o[t] x[t + o] + K[t] g + c sin(x[t + o_0]) - b[t]``."""

    def __init__(self, k: int, bend: float, seed: int = 0, frames: int = FRAMES) -> None:
        rng = np.random.default_rng(seed)
        self.k, self.bend, self.frames = k, bend, frames
        self.parts = [
            (
                {offset: rng.normal(size=(frames, 4, N)) for offset in offsets},
                rng.normal(size=(frames, 4, k)) if k else None,
                rng.normal(size=(frames, 4)),
                rng.normal(size=(frames, 4, N)),
            )
            for offsets in OFFSETS
        ]

    def terms(self, x: np.ndarray, g: np.ndarray, beyond: float = 0.0) -> list[Term]:
        """Linearise; rows that reach past the end hold ``beyond`` everywhere."""
        return [self._term(part, x, g, beyond) for part in self.parts]

    def _term(self, part, x, g, beyond):
        J, K, b, C = part
        first, rows = min(J), max(0, self.frames - max(J))
        r = np.full((self.frames, 4), beyond)
        by_offset = {o: np.full(values.shape, beyond) for o, values in J.items()}
        r[:rows] = -b[:rows]
        for offset, values in J.items():
            r[:rows] += np.einsum("tmn,tn->tm", values[:rows], x[offset : offset + rows])
            by_offset[offset][:rows] = values[:rows]
        here = x[first : first + rows]
        r[:rows] += self.bend * np.einsum("tmn,tn->tm", C[:rows], np.sin(here))
        by_offset[first][:rows] += self.bend * C[:rows] * np.cos(here)[:, None]
        if K is not None:
            r[:rows] += K[:rows] @ g
        return Term(r, by_offset, K)

    def dense(self, unknowns: np.ndarray) -> np.ndarray:
        """Return all residuals that count, for unknowns (frames * N + k,)."""
        x, g = np.split(unknowns, [self.frames * N])
        terms = self.terms(x.reshape(self.frames, N), g)
        counts = [max(0, self.frames - max(term.by_offset)) for term in terms]
        return np.concatenate(
            [t.residual[:rows].ravel() for t, rows in zip(terms, counts, strict=True)]
        )


def solve(problem: Problem, beyond: float = 0.0):
    x, g = np.zeros((problem.frames, N)), np.zeros(problem.k)
    solution = gauss_newton(
        lambda x, g: problem.terms(x, g, beyond), x, g, iterations=60, tolerance=0.0
    )
    return np.concatenate([solution.x.ravel(), solution.g]), solution


@pytest.mark.parametrize("k", [0, 2])
def test_linear_problem_has_the_dense_solution(k):
    problem = Problem(k, bend=0.0)
    zero = np.zeros(FRAMES * N + k)
    J = np.stack([problem.dense(column) - problem.dense(zero) for column in np.eye(len(zero))], 1)
    expected = np.linalg.lstsq(J, -problem.dense(zero))[0]
    found, solution = solve(problem)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert solution.cost == pytest.approx(0.5 * np.sum(problem.dense(expected) ** 2), rel=1e-9)


def test_curved_problem_has_scipys_minimum():
    """From the same start; the bend is weak enough for one minimum."""
    problem = Problem(2, bend=0.3, seed=1)
    expected = optimize.least_squares(
        problem.dense, np.zeros(FRAMES * N + 2), ftol=1e-14, xtol=1e-14, gtol=1e-12
    )
    found, solution = solve(problem)
    np.testing.assert_allclose(found, expected.x, atol=1e-5)
    assert solution.cost == pytest.approx(expected.cost, rel=1e-8)


def test_steps_that_raise_the_cost_are_refused():
    """atan's Gauss-Newton step from 3 overshoots ever further; damping brings it back."""

    def terms(x, g):
        return [Term(np.arctan(x), {0: (1 / (1 + x**2))[..., None]})]

    solution = gauss_newton(terms, np.full((2, 1), 3.0), np.zeros(0), iterations=40, tolerance=0.0)
    np.testing.assert_allclose(solution.x, 0.0, atol=1e-3)


def test_rows_of_one_unknown_alone_may_be_diagonals():
    rng = np.random.default_rng(2)
    target, slope = rng.normal(size=(2, FRAMES, N))
    K = rng.normal(size=(FRAMES, N, 2))

    def terms(x, g, diagonal: bool) -> list[Term]:
        step = np.zeros((FRAMES, N))
        step[:-2] = slope[:-2] * (x[2:] - 3.0 * x[:-2])
        by = {0: -3.0 * slope, 2: slope}
        near, one = x - target + K @ g, np.ones((FRAMES, N))
        if diagonal:
            return [Term(step, by), Term(near, {0: one}, K)]
        full = {o: J[..., None] * np.eye(N) for o, J in by.items()}
        return [Term(step, full), Term(near, {0: one[..., None] * np.eye(N)}, K)]

    found, expected = (
        gauss_newton(lambda x, g, d=d: terms(x, g, d), np.zeros((FRAMES, N)), np.zeros(2),
                     iterations=20, tolerance=0.0)
        for d in (True, False)
    )  # fmt: skip
    np.testing.assert_allclose(found.x, expected.x, atol=1e-10)
    np.testing.assert_allclose(found.g, expected.g, atol=1e-10)


def test_rows_past_the_end_do_not_count():
    quiet, loud = (solve(Problem(2, bend=0.0), beyond=beyond) for beyond in (0.0, 100.0))
    np.testing.assert_allclose(loud[0], quiet[0], atol=1e-6)
    assert loud[1].cost == pytest.approx(quiet[1].cost, rel=1e-9)


def test_clip_shorter_than_the_offsets():
    problem = Problem(0, bend=0.0, frames=2)
    found, _ = solve(problem)
    gradient = optimize.approx_fprime(found, lambda u: 0.5 * np.sum(problem.dense(u) ** 2), 1e-7)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-5)
