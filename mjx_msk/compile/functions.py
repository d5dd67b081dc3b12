"""Functions of one coordinate: OpenSim's kinds, and polynomials that MuJoCo can tie joints with."""

from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial

from mjx_msk.compile.source import ScalarFunction

QUARTIC = 4  #: the highest degree of a MuJoCo joint equality


def read_function(opensim: Any, function: Any) -> ScalarFunction:
    """Return an OpenSim function; polynomial ones keep their exact coefficients."""
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


def constant(value: float) -> ScalarFunction:
    """Return f(x) = value."""
    return ScalarFunction(lambda x: np.full(np.shape(x), value), (value,))


def compose(outer: ScalarFunction, inner: ScalarFunction) -> ScalarFunction:
    """Return ``outer(inner(x))``."""
    coefficients = None
    if outer.coefficients is not None and inner.coefficients is not None:
        composed = Polynomial(outer.coefficients)(Polynomial(inner.coefficients))
        coefficients = tuple(np.atleast_1d(composed.coef))
    return ScalarFunction(lambda x: outer.evaluate(inner.evaluate(x)), coefficients)


def quartic(function: ScalarFunction, interval: tuple[float, float]) -> np.ndarray:
    """Return the five coefficients of the polynomial that MuJoCo will use, lowest first.

    Exact for a polynomial of degree <= 4; otherwise the least-squares fit at Chebyshev points of
    ``interval``, which keeps the largest error close to the smallest one possible.
    """
    if function.coefficients is not None and len(function.coefficients) <= QUARTIC + 1:
        coefficients = np.array(function.coefficients)
    else:
        low, high = interval
        x = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(200) + 0.5) / 200)
        fitted = Chebyshev.fit(x, function.evaluate(x), QUARTIC, domain=interval)
        coefficients = fitted.convert(kind=Polynomial).coef
    return np.pad(coefficients, (0, QUARTIC + 1 - len(coefficients)))
