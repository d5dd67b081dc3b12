"""What OpenSim says about a model it goes on with, as our warnings and errors.

OpenSim replaces what it cannot read by a default, or leaves it out, and says so in its log.
"""

import re

from mjx_msk.errors import MskError

_DISPLAY_ONLY = {"color", "opacity", "scale_factors", "texture", "visible"}

_UNREADABLE = re.compile(r"^(?:Failed to read|Truncated) '.*': property '(.*?)' with input '(.*?)'")
_UNKNOWN = re.compile(r"unrecognized Object typename (\S+) while reading property (\S+)\.")
_MISPLACED = re.compile(r"Object type (\S+) wrong for \S+ property (\S+)\.")
_UNREGISTERED = re.compile(r"object type '\{?(\w+)\}?' is not a registered Object")
_ABSENT = re.compile(r"Got 0 object values for Property (\S+) but the minimum")
_RENAMED = re.compile(r"duplicate name '(.*?)'.* renamed to '(.*?)'")
_NOISE = (
    r"^std::exception in '.*?': (?=\S)",
    r"SimTK Exception thrown at \S+:\s*",
    r"Error detected by Simbody method (\S|: )+?:\s+",
    r"\(Required condition [^)]*(\([^)]*\)[^)]*)* was not met\.\)",
)
_DISPLAY = re.compile(r"Couldn't find file|ModelVisualizer|[Vv]isualiz")


def warnings_in(said: str) -> dict[str, str]:
    """Return OpenSim's log as warnings (place -> text).

    Raises ``MskError`` where it used a default in place of a value or function that it could not
    read.
    """
    warnings: dict[str, str] = {}
    for line in dict.fromkeys(said.splitlines()):
        if _DISPLAY.search(line):
            continue  # meshes are looked for, and missed, by the compiler itself
        if found := _UNREADABLE.search(line):
            name, text = found.groups()
            if name in _DISPLAY_ONLY:
                continue
            raise MskError(
                f"<{name}> is '{_short(text)}', which OpenSim cannot read.",
                remedy="Correct it in the model.",
            )
        if found := _ABSENT.search(line):
            raise MskError(
                f"a <{found.group(1)}> holds nothing that OpenSim knows"
                + "".join(f" ({kind})" for kind in list(warnings)[-1:])
                + ".",
                remedy="Replace it in the model by a kind that OpenSim brings.",
            )
        if found := _UNKNOWN.search(line) or _MISPLACED.search(line):
            kind, place = found.groups()
            warnings[kind] = (
                f"OpenSim leaves the {kind} in <{place}> out: it has no such thing there"
            )
        elif found := _RENAMED.search(line):
            old, new = found.groups()
            warnings[new] = f"was '{old}', which another one is called too"
        elif line.strip():
            warnings[f"opensim/{len(warnings) + 1}"] = _short(line.strip())
    return warnings


def reason(error: Exception) -> str:
    """Return in one sentence why OpenSim threw."""
    text = str(error)
    if found := _UNREGISTERED.search(text):
        return f"it knows no {found.group(1)}, which may be a plugin's."
    for noise in _NOISE:
        text = re.sub(noise, "", text)
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith(("Thrown at", "In Object"))]
    return _short(" ".join(lines)) if lines else "it does not say why."


def _short(text: str, length: int = 300) -> str:
    return text if len(text) <= length else f"{text[:length]}..."
