"""Functions of one coordinate: OpenSim's kinds, and polynomials that MuJoCo can tie joints with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from scipy.optimize import least_squares

from mjx_msk.compile.source import ScalarFunction
from mjx_msk.errors import MskError

POINTS = 120  #: samples of a function that is fitted
SEPARATED_POINTS, SEPARATED_DEGREE = 12, 4  #: the same for each of several coordinates
QUARTIC = 4  #: the highest degree of a MuJoCo joint equality
SLOPE_WEIGHT, CURVATURE_WEIGHT = 0.1, 0.02  #: on [-1, 1]: speeds and forces count beside places
RIDGE = 1e-3  #: of a fit's own coefficients


def read_function(opensim: Any, function: Any) -> ScalarFunction:
    """Return an OpenSim function of one coordinate; polynomial ones keep their exact coefficients.

    Raises ``MskError`` for a linear function of another number of coordinates.
    """
    coefficients = _coefficients(opensim, function)
    function = function.clone()  # the model that owns the original may be gone when it is called

    def evaluate(x: np.ndarray) -> np.ndarray:
        values = [function.calcValue(opensim.Vector(1, float(v))) for v in np.ravel(x)]
        return np.reshape(values, np.shape(x))

    return ScalarFunction(evaluate, coefficients)


def _coefficients(opensim: Any, function: Any) -> tuple[float, ...] | None:
    """Return the coefficients of a polynomial, lowest first, or None for any other function."""
    kind = function.getConcreteClassName()
    if kind == "Constant":
        return (opensim.Constant.safeDownCast(function).getValue(),)
    if kind == "LinearFunction":
        values = opensim.LinearFunction.safeDownCast(function).getCoefficients()
        if values.size() != 2:  # OpenSim would read coordinates that are not there
            raise MskError(
                f"a LinearFunction of one coordinate has {values.size()} coefficients.",
                remedy="Write its slope and its intercept in the model.",
            )
        return (values.get(1), values.get(0))
    if kind == "PolynomialFunction":
        values = opensim.PolynomialFunction.safeDownCast(function).getCoefficients().to_numpy()
        return tuple(values[::-1])
    if kind == "MultiplierFunction":
        multiplier = opensim.MultiplierFunction.safeDownCast(function)
        inner = _coefficients(opensim, multiplier.getFunction())
        return None if inner is None else tuple(multiplier.getScale() * c for c in inner)
    return None


def identity() -> ScalarFunction:
    """Return f(x) = x."""
    return ScalarFunction(np.asarray, (0.0, 1.0))


def negated(function: ScalarFunction) -> ScalarFunction:
    """Return -f(x)."""
    return compose(linear(-1.0), function)


def linear(slope: float, offset: float = 0.0) -> ScalarFunction:
    """Return f(x) = offset + slope x."""
    return ScalarFunction(lambda x: offset + slope * np.asarray(x), (offset, slope))


def constant(value: float) -> ScalarFunction:
    """Return f(x) = value."""
    return ScalarFunction(lambda x: np.full(np.shape(x), value), (value,))


def added(first: ScalarFunction, second: ScalarFunction) -> ScalarFunction:
    """Return ``first(x) + second(x)``."""
    coefficients = None
    if first.coefficients is not None and second.coefficients is not None:
        both = Polynomial(first.coefficients) + Polynomial(second.coefficients)
        coefficients = tuple(float(c) for c in both.coef)
    return ScalarFunction(lambda x: first.evaluate(x) + second.evaluate(x), coefficients)


def compose(outer: ScalarFunction, inner: ScalarFunction) -> ScalarFunction:
    """Return ``outer(inner(x))``."""
    coefficients = None
    if outer.coefficients is not None and inner.coefficients is not None:
        composed = Polynomial(outer.coefficients)(Polynomial(inner.coefficients))
        coefficients = tuple(np.atleast_1d(composed.coef))
    return ScalarFunction(lambda x: outer.evaluate(inner.evaluate(x)), coefficients)


@dataclass(frozen=True)
class Sum:
    """A function of several coordinates as a sum of functions of one each."""

    terms: tuple[ScalarFunction, ...]
    error: float  #: the largest difference over the ranges of the coordinates
    extent: float  #: the largest value less the smallest, over the same ranges

    def words(self) -> str:
        """Say what the sum is worth."""
        return (
            "a function of several coordinates is approximated by a sum of functions of one each; "
            f"of its extent of {self.extent:.2g}, {self.error:.2g} is lost at worst"
        )


def separated(
    function: Callable[..., np.ndarray],
    intervals: Sequence[tuple[float, float]],
    factor: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Sum:
    """Return the sum of functions of one coordinate each that is closest to a function of several.

    Least squares at Chebyshev points, with polynomials of degree ``SEPARATED_DEGREE``.
    ``function`` takes an array per coordinate, all of one shape. Exact for sums of such
    polynomials. With a ``factor`` the sum has one more term: ``factor`` of the first coordinate
    times a function of the second.
    """
    axes = [_chebyshev_points(interval, SEPARATED_POINTS) for interval in intervals]
    points = [grid.ravel() for grid in np.meshgrid(*axes, indexing="ij")]
    values = function(*points)
    places = list(zip(points, intervals, strict=True))
    scales = [np.ones(len(values))] * len(places)
    if factor is not None:
        places.append(places[1])
        scales.append(factor(points[0]))
    degrees = range(SEPARATED_DEGREE + 1)
    columns = [
        scale * Chebyshev.basis(degree, domain=interval)(x)
        for (x, interval), scale in zip(places, scales, strict=True)
        for degree in degrees
    ]
    matrix = np.stack(columns, axis=1)
    weights = np.linalg.lstsq(matrix, values, rcond=1e-12)[0]  # the smallest: constants are shared
    terms = []
    for coefficients, (_, interval) in zip(weights.reshape(-1, len(degrees)), places, strict=True):
        polynomial = Chebyshev(coefficients, domain=interval).convert(kind=Polynomial)
        terms.append(ScalarFunction(polynomial, tuple(polynomial.coef)))
    error, extent = float(np.abs(matrix @ weights - values).max()), float(np.ptp(values))
    return Sum(tuple(terms), error if error > 1e-9 * extent else 0.0, extent)


def read_separated(opensim: Any, function: Any, intervals: Sequence[tuple[float, float]]) -> Sum:
    """Return an OpenSim function of several coordinates as a sum of functions of one each."""
    argument = opensim.Vector(len(intervals), 0.0)

    def evaluate(*coordinates: np.ndarray) -> np.ndarray:
        values = np.empty(len(coordinates[0]))
        for row, point in enumerate(zip(*coordinates, strict=True)):
            for index, value in enumerate(point):
                argument.set(index, float(value))
            values[row] = function.calcValue(argument)
        return values

    return separated(evaluate, intervals)


def quartic(function: ScalarFunction, interval: tuple[float, float]) -> np.ndarray:
    """Return the five coefficients of the polynomial that MuJoCo will use, lowest first.

    Exact for a polynomial of degree <= 4; otherwise the least-squares fit at Chebyshev points of
    ``interval``, which keeps the largest error close to the smallest one possible.
    """
    if function.coefficients is not None and len(function.coefficients) <= QUARTIC + 1:
        coefficients = np.array(function.coefficients)
    else:
        x = _chebyshev_points(interval)
        fitted = Chebyshev.fit(x, function.evaluate(x), QUARTIC, domain=interval)
        coefficients = fitted.convert(kind=Polynomial).coef
    return np.pad(coefficients, (0, QUARTIC + 1 - len(coefficients)))


def error(
    function: ScalarFunction, polynomials: Sequence[np.ndarray], interval: tuple[float, float]
) -> float:
    """Return the largest error over an interval of one quartic, or of a ``series`` of them."""
    if function.coefficients is not None and len(function.coefficients) <= QUARTIC + 1:
        return 0.0
    x = _chebyshev_points(interval)
    first, *further = [Polynomial(coefficients) for coefficients in polynomials]
    moved = first(x)
    if further:
        moved = moved + further[0](moved - first(0.0))
    if len(further) > 1:
        moved = moved + further[1](x)
    return float(np.abs(function.evaluate(x) - moved).max())


def series(
    function: ScalarFunction, interval: tuple[float, float], joints: int
) -> tuple[np.ndarray, ...]:
    """Return 2 or 3 quartics whose joints, moving one after the other, come close to a function.

    The joints move by a = A(x) - A(0), b = B(a) and c = C(x), and f(x) = A(0) + a + b + c. The
    composition B(A(x)) has degree 16 and bends where a single quartic cannot. Least squares of
    values, slopes and curvatures on x scaled to [-1, 1]: B and C follow linearly from A, whose
    three numbers are sought from a few seeded starts (variable projection, Golub and Pereyra
    1973). A little of the weights themselves is added to the squares, so that no joint runs far
    only for the others to run back.
    """
    middle, half = (interval[0] + interval[1]) / 2, (interval[1] - interval[0]) / 2
    values, slopes, bends = _derivatives(lambda v: function.evaluate(middle + half * v), _NODES)
    scale = np.ptp(values) / 2
    wanted = np.concatenate([values, SLOPE_WEIGHT * slopes, CURVATURE_WEIGHT * bends]) / scale
    # Right and left joints often follow the same function: it is fitted once.
    shape, *weights = _fitted(tuple(np.round(wanted, 9)), joints)
    from_x = Polynomial([-middle / half, 1 / half])
    inner = Chebyshev(_inner(np.array(shape))).convert(kind=Polynomial)(from_x)
    outer = Chebyshev(weights[: QUARTIC + 1]).convert(kind=Polynomial)
    rest = Chebyshev([0.0, 0.0, *weights[QUARTIC + 1 :]]).convert(kind=Polynomial)
    rest = scale * rest(from_x)
    at_zero = inner(0.0)  # joint a is scale * (inner - at_zero)
    outer = scale * outer(Polynomial([at_zero, 1 / scale]))
    a = scale * (inner - at_zero) + outer(0.0) + rest(0.0)
    b = outer - outer(0.0) - Polynomial([0, 1])
    c = rest - rest(0.0)
    padded = [np.pad(p.coef, (0, QUARTIC + 1 - len(p.coef))) for p in (a, b, c)]
    return tuple(padded[:joints])


@lru_cache(maxsize=64)
def _fitted(wanted: tuple[float, ...], joints: int) -> tuple[tuple[float, ...], float]:
    """Return the three numbers of A, then the Chebyshev coefficients of B and of C from degree 2.

    ``wanted`` are weighted values, slopes and curvatures at ``_NODES``.
    """
    target = np.array(wanted)
    identity = np.array([_NODES, np.ones_like(_NODES), np.zeros_like(_NODES)])
    own = _weighted(identity)[2:]

    def solved(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = _weighted(np.tensordot(_inner(p), _T, 1))
        if joints == 3:
            rows = np.concatenate([rows, own])
        linear = np.linalg.solve(rows @ rows.T + RIDGE**2 * np.eye(len(rows)), rows @ target)
        return linear, np.concatenate([linear @ rows - target, RIDGE * linear])

    tight = {"jac": "3-point", "ftol": 1e-10, "xtol": 1e-10, "gtol": 1e-10, "max_nfev": 40}
    starts = np.random.default_rng(0).normal(0, 0.4, (5, 3))
    fits = [least_squares(lambda p: solved(p)[1], start, **tight) for start in starts]
    # Rounded, so that every machine finds the same digits; the linear ones make up for it.
    best = np.round(min(fits, key=lambda fit: fit.cost).x, 3)
    return tuple(best), *solved(best)[0]


def _inner(p: np.ndarray) -> np.ndarray:
    """Return the Chebyshev coefficients (5,) of A, scaled to stay within [-1, 1]."""
    return np.array([0.0, 1.0, *p]) / (1.0 + np.abs(p).sum())


def _chebyshev(w: np.ndarray) -> np.ndarray:
    """Return Chebyshev polynomials 0 to 4 and two derivatives, (5, 3, ...)."""
    one, zero = np.ones_like(w), np.zeros_like(w)
    square = w * w
    return np.array(
        [
            [one, zero, zero],
            [w, one, zero],
            [2 * square - 1, 4 * w, 4 * one],
            [(4 * square - 3) * w, 12 * square - 3, 24 * w],
            [8 * square * (square - 1) + 1, (32 * square - 16) * w, 96 * square - 16],
        ]
    )


def _weighted(inner: np.ndarray) -> np.ndarray:
    """Return Chebyshev polynomials of an inner function, values and weighted derivatives (5, 3 n).

    ``inner`` (3, n) has its values, slopes and curvatures.
    """
    outer = _chebyshev(inner[0])
    slopes = outer[:, 1] * inner[1]
    bends = outer[:, 2] * inner[1] ** 2 + outer[:, 1] * inner[2]
    return np.concatenate([outer[:, 0], SLOPE_WEIGHT * slopes, CURVATURE_WEIGHT * bends], axis=1)


def _derivatives(
    function: Callable[[np.ndarray], np.ndarray], u: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values, slopes and curvatures on [-1, 1], by differences that soften kinks."""
    step = 0.02
    middle = np.clip(u, step - 1, 1 - step)  # no steps beyond the range
    low, mid, high = (function(middle + d) for d in (-step, 0.0, step))
    bend = (high - 2 * mid + low) / step**2
    return function(u), (high - low) / (2 * step) + bend * (u - middle), bend


def _chebyshev_points(interval: tuple[float, float], points: int = POINTS) -> np.ndarray:
    low, high = interval
    return (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(points) + 0.5) / points)


_NODES = _chebyshev_points((-1.0, 1.0), 60)  #: of the fits on [-1, 1]
_T = _chebyshev(_NODES)
