"""What OpenSim silently leaves out of a model: elements that it does not know, or knows already."""

from functools import cache
from typing import Any

from mjx_msk.compile.document import FIRST_OF_4, NEWEST, Document

#: Elements of files written by early releases of OpenSim 4, which mean nothing any more.
_OUTDATED = {"defaults", "isDisabled", "motion_type"}


def ignored_elements(opensim: Any, document: Document) -> dict[str, str]:
    """Return a warning (place -> text) for every element of a model that OpenSim ignores.

    Files older than OpenSim 4 are translated by OpenSim, with names that only it knows; they are
    not looked at.
    """
    if document.version < FIRST_OF_4:
        return {}
    warnings = {}
    if document.version > NEWEST:
        warnings["version"] = (
            f"the file was written by a newer OpenSim (format {document.version}); "
            "what that added is not read"
        )

    @cache
    def properties(kind: str) -> list[Any]:
        example = opensim.OpenSimObject.newInstanceOfType(kind)
        return [example.getPropertyByIndex(i) for i in range(example.getNumProperties())]

    def holds(owned: Any, tag: str) -> bool:
        """Whether a property takes an element: by its name, or an only object by its class."""
        if tag == owned.getName():
            return True
        if tag not in registered or not owned.isOneObjectProperty():
            return False
        base, kind = (getattr(opensim, n, None) for n in (owned.getTypeName(), tag))
        return base is None or kind is None or issubclass(kind, base)

    @cache
    def knows(kind: str, tag: str) -> bool:
        return any(holds(owned, tag) for owned in properties(kind))

    registered = _registered(opensim)
    for element in document.model.iter():
        if element.tag not in registered:
            continue
        seen = set[tuple[str, str | None]]()
        for child in element:
            place = f"{element.get('name') or element.tag}/{child.tag}"
            if (child.tag, child.get("name")) in seen:
                warnings[place] = f"<{child.tag}> is given more than once; the first one holds"
            elif child.tag not in _OUTDATED and not knows(element.tag, child.tag):
                warnings[place] = f"{element.tag} has no <{child.tag}>; OpenSim ignores it"
            seen.add((child.tag, child.get("name")))
    return warnings


def _registered(opensim: Any) -> set[str]:
    """Return the names of all classes that OpenSim can read."""
    names = opensim.ArrayStr()
    opensim.OpenSimObject.getRegisteredTypenames(names)
    return {names.get(index) for index in range(names.getSize())}
