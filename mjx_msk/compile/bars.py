"""The bars of docs/fidelity.md, and the refusal of a compiled model that misses one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mjx_msk.compile.fidelity import Fidelity
from mjx_msk.errors import MskError

MM, DEG, PERCENT = 1e-3, math.pi / 180, 1e-2
_NAMED = 20  #: how many names a message lists


@dataclass(frozen=True)
class Bar:
    """One quantity with its limit, in ``unit``; ``worst`` names where it is largest."""

    key: str
    quantity: str
    value: float
    limit: float
    unit: str
    worst: str = ""

    @property
    def met(self) -> bool:
        """Whether the quantity is within its limit."""
        return self.value <= self.limit

    def __str__(self) -> str:
        where = f" at {self.worst}" if self.worst else ""
        return f"{self.quantity} {self.value:.3g}{where} (bar {self.limit:g} {self.unit})"


def bars(fidelity: Fidelity) -> list[Bar]:
    """Return the bars that apply to a model: one without muscles, or mass, has none of theirs."""
    fitted = fidelity.fitted
    exact = {name: name not in fitted for name in fidelity.position}
    found: list[Bar] = []
    for key, words, wanted, limits in (
        ("exact", "exact joints", True, (0.05, 0.01)),
        ("fitted", "below fitted joints", False, (0.5, 0.1)),
    ):
        position = {k: v / MM for k, v in fidelity.position.items() if exact[k] == wanted}
        angle = {k: v / DEG for k, v in fidelity.angle.items() if exact[k] == wanted}
        found += _largest(
            f"position_{key}", f"body origin, {words}, max", position, limits[0], "mm"
        )
        found += _largest(f"angle_{key}", f"orientation, {words}, max", angle, limits[1], "deg")
    for key, words, value, limit, unit in (
        ("mass", "total mass", fidelity.total_mass, 1e-6, "relative"),
        ("mass_center", "center of mass, max", fidelity.mass_center, 1e-6, "m"),
        ("mass_matrix", "mass matrix, max", fidelity.mass_matrix, 1e-4, "relative"),
    ):
        if value is not None:
            worst = _worst(fidelity.inertial) if key == "mass_matrix" else ""
            found.append(Bar(key, words, value, limit, unit, worst))
    moment = {name: error / PERCENT for name, error in fidelity.moment.items()}
    found += _largest("moment", "inverse dynamics, RMS, worst coordinate", moment, 0.1, "%")
    length = {name: error / MM for name, error in fidelity.length.items()}
    found += _spread("length", "muscle length, RMS", length, 0.2, 2.0, "mm")
    arms = {pair_name(pair): arm.rms / MM for pair, arm in fidelity.arms.items()}
    found += _spread("arm", "moment arm, RMS", arms, 0.2, 2.0, "mm")
    found += _largest("arm_worst", "moment arm, RMS, worst pair", arms, 8.0, "mm")
    flips = {pair_name(pair): float(arm.flips) for pair, arm in fidelity.arms.items()}
    if flips:
        worst = _worst(flips) if any(flips.values()) else ""
        found.append(Bar("flips", "moment arm, sign flips", sum(flips.values()), 0, "poses", worst))
    force = {name: error / PERCENT for name, error in fidelity.force.items()}
    if force:
        median = float(np.median(list(force.values())))
        found.append(Bar("force_median", "force, RMS, median muscle", median, 1.5, "% F0"))
    found += _largest("force_worst", "force, RMS, worst muscle", force, 3.0, "% F0")
    return found


def pair_name(pair: tuple[str, str]) -> str:
    """Return the name of a muscle-coordinate pair."""
    return f"{pair[0]} over {pair[1]}"


def require(fidelity: Fidelity, where: str) -> None:
    """Raise one ``MskError`` that says all that was skipped and every bar that is missed."""
    faults = []
    skipped = {note.name for note in fidelity.notes if note.kind == "skipped"}
    skipped |= set(fidelity.missing)
    if skipped:
        faults.append(f"skipped {_list(sorted(skipped))}")
    missed = [str(bar) for bar in bars(fidelity) if not bar.met]
    if missed:
        faults.append(f"missed bars: {'; '.join(missed)}")
    if faults:
        raise MskError(
            f"the compiled model is not what --strict asks for: {'. '.join(faults)}.",
            where=where,
            remedy="Compile without --strict; --report shows every error.",
        )


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _worst(errors: Mapping[str, float]) -> str:
    return max(errors, key=errors.__getitem__, default="")


def _largest(
    key: str, quantity: str, errors: Mapping[str, float], limit: float, unit: str
) -> list[Bar]:
    if not errors:
        return []
    worst = _worst(errors)
    return [Bar(key, quantity, errors[worst], limit, unit, worst)]


def _spread(
    key: str, quantity: str, errors: Mapping[str, float], median: float, high: float, unit: str
) -> list[Bar]:
    """Return the bars of the median and of the 95th percentile, each with its limit."""
    if not errors:
        return []
    middle, top = np.percentile(list(errors.values()), [50, 95]).tolist()
    return [
        Bar(f"{key}_median", f"{quantity}, median", middle, median, unit),
        Bar(f"{key}_95", f"{quantity}, 95th percentile", top, high, unit, _worst(errors)),
    ]
