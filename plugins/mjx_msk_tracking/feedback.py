"""Balance from data: a linear feedback for each moment of the cycle, made from what actions did.

Close to the reference the body is nearly linear from one action to the next. At each moment i of
the cycle, the errors x of its joints (angles and speeds less the reference's) and the action u give

    x' = A_i x + B_i u + c_i

whose matrices are fitted to tried actions, and the actions that follow the reference best are those
of the linear quadratic regulator of this periodic system, u = k_i - K_i x. Tried with these and
some noise, the body stays near the reference for longer, so that the next fit is better where it
matters. This is the local models' part of guided policy search (Levine and Abbeel 2014).
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mjx_msk import MskError

#: Errors that count as one in fits: of angles or places (rad, m), and of speeds (rad/s, m/s).
NEAR = 0.03, 0.3
#: Samples at this mean square distance (in those) weigh a quarter of those on the reference.
_FAR = 4.0
#: How many samples the fit's start weighs: a body that goes on with its speed, whatever the action.
_PRIOR = 3.0
#: What a round of samples weighs once the next is there.
_FORGET = 0.8
#: Of the regulator: cost of squared errors (rad, m and their speeds), those of the root being more,
#: and of squared actions.
_COST, _ROOT_COST, _ACTION_COST = (1.0, 0.01), (3.0, 0.3), 0.1
_CYCLES = 6  # after which the regulator's gains repeat


@dataclass(frozen=True, eq=False)
class Feedback:
    """A policy that answers the errors of a body with actions: ``u = offset - gain error``."""

    gains: np.ndarray  #: (N, nu, 2n), N moments of the cycle
    offsets: np.ndarray  #: (N, nu)

    def __call__(self, phase: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Return actions (..., nu) at phases (...) of 0 to 1 for errors (..., 2n)."""
        i = np.rint(np.asarray(phase) * len(self.gains)).astype(int) % len(self.gains)
        return self.offsets[i] - np.einsum("...ux,...x->...u", self.gains[i], error)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an ``.npz`` of single precision."""
        np.savez_compressed(
            path, gains=self.gains.astype(np.float32), offsets=self.offsets.astype(np.float32)
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Feedback":
        """Read what ``save`` wrote; raises ``MskError`` where that is no such file."""
        try:
            with np.load(path, allow_pickle=False) as file:
                gains, offsets = file["gains"].astype(float), file["offsets"].astype(float)
        except (OSError, KeyError, ValueError) as error:
            raise MskError("no feedback can be read here.", where=str(path)) from error
        if gains.ndim != 3 or offsets.shape != gains.shape[:2]:
            raise MskError("gains and offsets do not fit each other.", where=str(path))
        return cls(gains, offsets)


class LocalModels:
    """Linear models of one action, one for each moment of the cycle, by weighted least squares.

    Rows of errors are ``[n positions, n speeds]``. ``root`` (r,) are the columns of the root's
    positions, ``floor`` those of its slides along the floor: where the body stands does not change
    how it moves, so that these errors only go on themselves.
    """

    def __init__(
        self, phases: int, positions: int, actions: int, step_s: float,
        root: np.ndarray, floor: np.ndarray,
    ) -> None:  # fmt: skip
        n = positions
        self._n, self._floor = n, floor
        self._free = np.setdiff1d(np.arange(2 * n), floor)
        self._scale = np.repeat(NEAR, n)
        size = len(self._free) + actions + 1
        start = np.vstack([np.eye(2 * n), np.zeros((actions + 1, 2 * n))])
        start[n + np.arange(n), np.arange(n)] = step_s
        start[: 2 * n] *= self._scale[:, None]
        start = np.delete(start, floor, axis=0)
        weight = np.append(np.full(size - 1, _PRIOR), 1e-6)
        self._start = np.diag(weight), weight[:, None] * start
        #: sums over the samples at each moment: squares (N, s, s), products with what follows
        self.squares, self.products = (
            np.zeros((phases, size, size)),
            np.zeros((phases, size, 2 * n)),
        )
        self.rounds = 0  #: of samples taken
        cost = np.repeat(_COST, n)
        cost[root], cost[n + root] = _ROOT_COST
        self._cost, self._effort = np.diag(cost), _ACTION_COST * np.eye(actions)

    def add(
        self, phase: np.ndarray, before: np.ndarray, action: np.ndarray, after: np.ndarray
    ) -> None:
        """Take a round of samples: phases (k,) 0 to 1, errors (k, 2n), actions (k, nu), errors."""
        self.rounds += 1
        self.squares *= _FORGET
        self.products *= _FORGET
        phases = len(self.squares)
        moment = np.rint(phase * phases).astype(int) % phases
        state, weight = before[:, self._free] / self._scale[self._free], self.weight(before)
        follows = after.copy()
        follows[:, self._floor] -= before[:, self._floor]
        known = np.column_stack([state, action, np.ones(len(state))])
        for i in range(phases):
            here = (moment == i) & np.isfinite(follows).all(axis=1)
            rows = (known[here] * weight[here, None]).T
            self.squares[i] += rows @ known[here]
            self.products[i] += rows @ follows[here]

    def save(self, path: Path) -> None:
        """Write all that further rounds need to an ``.npz``, which is replaced whole."""
        new = path.with_name(f"new.{path.name}")
        with open(new, "wb") as file:
            np.savez(file, rounds=self.rounds, squares=self.squares, products=self.products)
        new.replace(path)

    def restore(self, path: Path) -> None:
        """Read what ``save`` wrote; raises ``MskError`` where it is another motion's or model's."""
        with np.load(path, allow_pickle=False) as file:
            rounds, squares, products = file["rounds"], file["squares"], file["products"]
        if squares.shape != self.squares.shape or products.shape != self.products.shape:
            raise MskError(
                "these samples are of another motion or model.",
                where=str(path),
                remedy="Learn into another folder.",
            )
        self.rounds, self.squares, self.products = int(rounds), squares, products

    def weight(self, error: np.ndarray) -> np.ndarray:
        """Return how much samples with these errors (k, 2n) count (k,), 0 to 1 on the reference."""
        state = error[:, self._free] / self._scale[self._free]
        return (1 + np.mean(state**2, axis=1) / _FAR) ** -2.0

    def matrices(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return A (2n, 2n), B (2n, nu) and c (2n,) of each moment."""
        found, states = [], len(self._free)
        for squares, products in zip(self.squares, self.products, strict=True):
            fit = np.linalg.solve(squares + self._start[0], products + self._start[1])
            a = np.zeros((2 * self._n, 2 * self._n))
            a[:, self._free] = (fit[:states] / self._scale[self._free, None]).T
            a[self._floor, self._floor] = 1.0
            found.append((a, fit[states:-1].T, fit[-1]))
        return found

    def feedback(self) -> Feedback:
        """Return the regulator of the models."""
        return regulator(self.matrices(), self._cost, self._effort)


def regulator(
    models: list[tuple[np.ndarray, np.ndarray, np.ndarray]], cost: np.ndarray, effort: np.ndarray
) -> Feedback:
    """Return the feedback of least ``x' cost x + u' effort u``, summed over a periodic system.

    ``models`` are A, B and c of each moment; the errors after an action are those that cost. The
    Riccati recursion goes back in time over some cycles, starting from no cost at the end.
    """
    size = len(cost)
    value, slope = np.zeros((size, size)), np.zeros(size)
    gains, offsets = [], []
    for a, b, c in _CYCLES * models[::-1]:
        value = value + cost
        pull = b.T @ value
        gain, offset = np.hsplit(
            np.linalg.solve(
                effort + pull @ b, np.column_stack([pull @ a, -pull @ c - b.T @ slope])
            ),
            [size],
        )
        offset = offset[:, 0]
        gains.append(gain)
        offsets.append(offset)
        left, drift = a - b @ gain, c + b @ offset
        slope = left.T @ (value @ drift + slope) - gain.T @ effort @ offset
        value = left.T @ value @ left + gain.T @ effort @ gain
        value = (value + value.T) / 2
    count = len(models)
    return Feedback(np.array(gains[-count:][::-1]), np.array(offsets[-count:][::-1]))
