"""What the axes of a joint do: polynomials of independent coordinates."""

from dataclasses import dataclass, replace

import numpy as np

from mjx_msk.compile.functions import (
    added,
    compose,
    error,
    identity,
    quartic,
    separated,
    series,
)
from mjx_msk.compile.source import Axis, Coordinate, Joint, ScalarFunction, Source
from mjx_msk.errors import MskError

MAX_JOINTS = 6  #: of one MuJoCo body
#: Up to this error one joint follows a function, and up to ``WORTH`` times as much where more
#: joints would need one more body.
TOLERANCE = {True: np.radians(0.02), False: 1.5e-4}  # hinge: rad, slide: m
WORTH = 2.4

NO_BOUND = 1e3  #: rad or m; OpenSim's way to say that a range has no bound


@dataclass(frozen=True, eq=False)
class Motion:
    """An axis that moves by a function of an independent coordinate.

    ``polynomials`` (5 coefficients each, lowest first) are those of one joint, or of up to three
    in ``series``.
    """

    axis: Axis
    function: ScalarFunction
    interval: tuple[float, float]
    polynomials: tuple[np.ndarray, ...]
    coordinate: str | None

    @property
    def rest(self) -> float:
        """The motion at coordinate zero, which becomes part of the body's place."""
        return float(self.polynomials[0][0])

    @property
    def one_to_one(self) -> bool:
        """Whether the axis can carry the coordinate itself."""
        polynomial = self.polynomials[0]
        return len(self.polynomials) == 1 and abs(polynomial[1]) == 1 and not polynomial[2:].any()

    @property
    def error(self) -> float:
        """The largest error of the polynomials over the coordinate's range, in rad or m."""
        return error(self.function, self.polynomials, self.interval)

    @property
    def excess(self) -> float:
        """The error, in units of what is tolerated."""
        return self.error / TOLERANCE[self.axis.hinge]


def read_motions(source: Source, joint: Joint) -> tuple[list[Motion], dict[str, str]]:
    """Return what a joint's axes do by the independent coordinates behind their own.

    The second result says what is approximate: axis -> how.
    """
    motions: list[Motion] = []
    approximate = {}
    for axis in joint.axes:
        if axis.coordinate is None:
            motions.append(_motion(axis, axis.function, (0.0, 0.0), None))
            continue
        terms = terms_of(source, axis.coordinate)
        names = [name for name, _ in terms]
        intervals = [interval_of(source.coordinates[name]) for name in names]
        if len(terms) == 1:
            function = compose(axis.function, terms[0][1])
            motions.append(_motion(axis, function, intervals[0], names[0]))
            continue

        def mixed(*values: np.ndarray, axis: Axis = axis, terms: tuple = terms) -> np.ndarray:
            each = [f.evaluate(x) for (_, f), x in zip(terms, values, strict=True)]
            return axis.function.evaluate(np.sum(each, axis=0))

        total = separated(mixed, intervals)
        if total.error:
            approximate[axis.name] = total.words()
        for name, interval, function in zip(names, intervals, total.terms, strict=True):
            part = replace(axis, name=f"{axis.name}/{name}", function=function)
            motions.append(_motion(part, function, interval, name))
    return _refined(motions), approximate


def _motion(
    axis: Axis, function: ScalarFunction, interval: tuple[float, float], coordinate: str | None
) -> Motion:
    return Motion(axis, function, interval, (quartic(function, interval),), coordinate)


def _refined(motions: list[Motion]) -> list[Motion]:
    """Return the motions, the worst ones with two or three joints on their axes.

    As many as the body has room for follow functions that they miss; beyond that only those that
    miss by far.
    """
    spare = MAX_JOINTS - sum(motion.coordinate is not None for motion in motions)
    while True:
        least = 1.0 if spare > 0 else WORTH
        wanting = [m for m in motions if m.excess > least and len(m.polynomials) < 3]
        if not wanting:
            return motions
        worst = max(wanting, key=lambda m: m.excess)
        joints = len(worst.polynomials) + 1
        better = replace(worst, polynomials=series(worst.function, worst.interval, joints))
        motions = [better if motion is worst else motion for motion in motions]
        spare -= 1


def terms_of(source: Source, name: str) -> tuple[tuple[str, ScalarFunction], ...]:
    """Return the independent coordinates behind a coordinate, which is the sum of the functions.

    Raises ``MskError`` for couplers in a circle, and for one that follows the sum of several
    coordinates by anything but a straight line.
    """
    return _terms(source, name, ())


def _terms(
    source: Source, name: str, visited: tuple[str, ...]
) -> tuple[tuple[str, ScalarFunction], ...]:
    if name not in source.couplings:
        return ((name, identity()),)
    if name in visited:
        raise MskError(f"coordinate '{name}' is coupled to itself.", remedy="Remove the coupler.")
    found: dict[str, ScalarFunction] = {}
    for driver, function in source.couplings[name].terms:
        inner = _terms(source, driver, (*visited, name))
        if len(inner) > 1 and len(function.coefficients or (0, 0, 0)) > 2:
            raise MskError(
                f"coordinate '{name}' bends with the sum of several coordinates, which is not "
                "supported.",
                remedy="Couple it to those coordinates directly.",
            )
        for index, (independent, chain) in enumerate(inner):
            term = compose(function, chain)
            if index:  # the constant of a straight line counts once
                term = term.plus(-float(function.evaluate(np.zeros(1))[0]))
            known = found.get(independent)
            found[independent] = term if known is None else added(known, term)
    return tuple(found.items())


def independent_of(source: Source, name: str) -> tuple[str, ScalarFunction]:
    """Return the one independent coordinate behind a coordinate, and the function to it."""
    terms = terms_of(source, name)
    if len(terms) > 1:
        raise MskError(
            f"coordinate '{name}' follows several coordinates, which is not supported here.",
            remedy="Couple it to one coordinate.",
        )
    return terms[0]


def interval_of(coordinate: Coordinate) -> tuple[float, float]:
    """Return the range of a coordinate over which functions of it are fitted."""
    low, high = coordinate.range
    if low > -NO_BOUND and high < NO_BOUND and low < high:
        return low, high
    return (
        (max(low, -np.pi), min(high, np.pi)) if low < np.pi and high > -np.pi else (-np.pi, np.pi)
    )
