"""Sizes that no person has, refused with the reason."""

from collections.abc import Mapping

import numpy as np

from mjx_msk.errors import MskError

#: Of a scale factor. A child of one year is 0.45 times as tall as the models' adult, and the
#: tallest man there ever was 1.6 times.
FACTORS = (0.45, 1.6)
#: Bones that meet differ in size by less than this (geometric means of their three factors).
BETWEEN_NEIGHBOURS = 1.6
#: m; kg; kg/m^2
HEIGHTS, MASSES, BODY_MASS_INDEX = (0.8, 2.75), (8.0, 450.0), (10.0, 60.0)


def check_factors(factors: Mapping[str, np.ndarray], above: Mapping[str, str]) -> None:
    """Raise ``MskError`` for scale factors that no person has.

    ``factors`` maps every body to its three factors and ``above`` to the body from which it hangs
    (absent from ``factors``: the world). Refused are factors that are not three positive numbers,
    that lie outside ``FACTORS``, or that differ by more than ``BETWEEN_NEIGHBOURS`` where two
    bodies meet.
    """
    for name, value in factors.items():
        if value.shape != (3,) or not (np.isfinite(value) & (value > 0)).all():
            raise MskError(
                f"the scale factors of '{name}' are {value.tolist()}.",
                remedy="Give three positive numbers.",
            )
        if not (value >= FACTORS[0]).all() or not (value <= FACTORS[1]).all():
            raise MskError(
                f"the scale factors of '{name}', {_some(value)}, are implausible.",
                remedy=f"A person's bones are {FACTORS[0]:g} to {FACTORS[1]:g} times as large as "
                "the model's; check units and markers.",
            )
    for name, value in factors.items():
        if above[name] in factors:
            ratio = float(np.cbrt(np.prod(value / factors[above[name]])))
            if not 1 / BETWEEN_NEIGHBOURS < ratio < BETWEEN_NEIGHBOURS:
                raise MskError(
                    f"'{name}' would become {ratio:.2f} times as large beside '{above[name]}' as "
                    "it was.",
                    remedy=f"The sizes of neighbours change by less than {BETWEEN_NEIGHBOURS:g} "
                    "against each other; check the factors of both, and the markers they are from.",
                )


def check_mass(mass_kg: float) -> None:
    """Raise ``MskError`` unless the mass is a positive number."""
    if not (np.isfinite(mass_kg) and mass_kg > 0):
        raise MskError(f"the mass is {mass_kg} kg.", remedy="Give a positive mass in kg.")


def check_person(height_m: float, mass_kg: float) -> None:
    """Raise ``MskError`` for a height (m), a mass (kg) or a pair of them that no person has."""
    if not HEIGHTS[0] <= height_m <= HEIGHTS[1]:  # NaN fails too
        raise MskError(
            f"a height of {height_m:g} m is implausible.",
            remedy=f"Give metres between {HEIGHTS[0]:g} and {HEIGHTS[1]:g}.",
        )
    if not MASSES[0] <= mass_kg <= MASSES[1]:
        raise MskError(
            f"a mass of {mass_kg:g} kg is implausible.",
            remedy=f"Give kilograms between {MASSES[0]:g} and {MASSES[1]:g}.",
        )
    index = mass_kg / height_m**2
    if not BODY_MASS_INDEX[0] <= index <= BODY_MASS_INDEX[1]:
        raise MskError(
            f"nobody of {height_m:.2f} m weighs {mass_kg:g} kg (body mass index {index:.0f}).",
            remedy="Check height (m) and mass (kg); the index, kg/m^2, lies between "
            f"{BODY_MASS_INDEX[0]:g} and {BODY_MASS_INDEX[1]:g}.",
        )


def _some(value: np.ndarray) -> str:
    return " ".join(f"{factor:.3g}" for factor in value)
