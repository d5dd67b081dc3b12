"""Names in an OpenSim model: what OpenSim tells apart by path, we tell apart by name."""

from collections import Counter
from typing import Any

from mjx_msk.compile.frames import components
from mjx_msk.errors import MskError


def check_names(opensim: Any, model: Any) -> None:
    """Raise ``MskError`` where two things of a kind share a name.

    OpenSim keeps names apart only within a set: coordinates of two joints may share theirs.
    The compiled model, and every motion file, finds them by name.
    """
    for kind, plural, base in (
        ("body", "bodies", opensim.Body),
        ("joint", "joints", opensim.Joint),
        ("coordinate", "coordinates", opensim.Coordinate),
        ("force", "forces", opensim.Force),
        ("marker", "markers", opensim.Marker),
        ("contact geometry", "contact geometries", opensim.ContactGeometry),
        ("wrapping surface", "wrapping surfaces", opensim.WrapObject),
    ):
        counts = Counter(component.getName() for component in components(base, model))
        for name, count in counts.items():
            if not name:
                raise MskError(f"a {kind} has no name.", remedy="Give it one in the model.")
            if count > 1:
                raise MskError(
                    f"{count} {plural} are called '{name}'.",
                    remedy="Give each its own name in the model.",
                )
