"""The .osim file as XML, checked before OpenSim sees it.

OpenSim's own parser follows no rules for hostile files: it hangs on undefined numbers, and reads
what is not there as a default.
"""

import math
import os
import xml.parsers.expat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn
from xml.etree.ElementTree import Element, TreeBuilder

from mjx_msk.errors import MskError

MAX_BYTES = 100_000_000  #: the largest public models have 2 MB
MAX_DEPTH = 100  #: of elements in elements; models have 20
LARGEST = 1e15  #: in any unit of a model; beyond it OpenSim's iterations do not end
NEWEST = 40600  #: the version that OpenSim 4.6 writes
FIRST_OF_4 = 40000
_NO_LIMIT = ("min_control", "max_control")  #: elements in which an infinite number has a meaning


@dataclass(frozen=True)
class Document:
    """A model file: its format's version (20302 for OpenSim 2.3.2) and its element <Model>."""

    version: int
    model: Element


def read_document(path: str | os.PathLike[str]) -> Document:
    """Return a model file as XML.

    Raises ``MskError`` for a missing, foreign, truncated, huge or unsafe file, for one that is not
    UTF-8, and for numbers that no model can have: undefined, infinite, or above 1e15.
    """
    try:
        root = _parse(_read(Path(path)))
        if root.tag != "OpenSimDocument":
            raise MskError(
                f"an XML file, but of <{root.tag}>, not an OpenSim model.",
                remedy="Give an OpenSim model (.osim).",
            )
        models = root.findall("Model")
        if len(models) != 1:
            kind = f"of <{root[0].tag}>" if len(root) else "an empty one"
            raise MskError(
                f"an OpenSim file, but {kind}, not a model."
                if not models
                else f"the file holds {len(models)} models.",
                remedy="Give a file of one model.",
            )
        _check_numbers(models[0])
        _check_functions(models[0])
        return Document(_version(root), models[0])
    except MskError as error:
        raise MskError(error.what, where=str(path), remedy=error.remedy) from error.__cause__


def _read(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise MskError(
            f"cannot read this file: {error.strerror or error}.",
            remedy="Give an OpenSim model (.osim).",
        ) from error
    if len(content) > MAX_BYTES:
        raise MskError(
            f"the file is larger than {MAX_BYTES // 1_000_000} MB, which no model is.",
            remedy="Give an OpenSim model (.osim).",
        )
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        # OpenSim takes any bytes for a name, which then fit in no other file.
        raise MskError(
            f"not a text file in UTF-8 (byte {error.start}).",
            remedy="Give an OpenSim model (.osim); save it as UTF-8 if it is one.",
        ) from error
    return content


def _parse(content: bytes) -> Element:
    """Return the root element; namespaces stay off, as OpenSim has names with colons."""

    def refuse(*_: Any) -> NoReturn:
        raise MskError(
            "the file declares a document type or entities, which model files never need.",
            remedy="Remove the <!DOCTYPE ...> declaration if you trust the file.",
        )

    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise MskError(
                f"the file nests more than {MAX_DEPTH} elements in each other (<{tag}>).",
                remedy="Give an OpenSim model (.osim).",
            )
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    builder = TreeBuilder()
    parser = xml.parsers.expat.ParserCreate("utf-8")
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(content, True)
    except xml.parsers.expat.ExpatError as error:
        raise MskError(
            f"not a complete XML file ({error}).",
            remedy="Give an OpenSim model (.osim); download it again if it was cut off.",
        ) from error
    return builder.close()


def _version(root: Element) -> int:
    text = root.get("Version", "")
    if not (text.isascii() and text.isdigit()):
        raise MskError(
            f"the file's format version is '{text}', not a number such as {NEWEST}.",
            remedy='Write <OpenSimDocument Version="..."> as OpenSim does.',
        )
    return int(text)


def _check_numbers(model: Element) -> None:
    for owner, element in _leaves(model):
        for word in (element.text or "").split():
            value = _number(word)
            if value is None or abs(value) <= LARGEST:
                continue
            if element.tag in _NO_LIMIT and not math.isnan(value):
                continue
            raise MskError(
                f"<{element.tag}> of {owner} is {word}, which no model can have.",
                remedy="Write a finite number in the model.",
            )


def _check_functions(model: Element) -> None:
    """Refuse functions of which OpenSim would read numbers that are not there."""
    for element in model.iter():
        if element.tag == "LinearFunction" and len(_values(element, "coefficients", "1 0")) < 2:
            raise MskError(
                "a LinearFunction has fewer than two coefficients.",
                remedy="Write its slope and its intercept in the model.",
            )
        if element.find("x") is None or element.find("y") is None:
            continue
        x, y = _values(element, "x"), _values(element, "y")
        if len(x) != len(y) or any(after <= before for before, after in pairwise(x)):
            raise MskError(
                f"a {element.tag} has {len(x)} x, not all of them ascending, for {len(y)} y.",
                remedy="Give its points in ascending x in the model.",
            )


def _values(element: Element, tag: str, default: str = "") -> list[float]:
    numbers = map(_number, element.findtext(tag, default).split())
    return [number for number in numbers if number is not None]


def _leaves(model: Element) -> Iterator[tuple[str, Element]]:
    """Yield every element without children, and whose it is."""
    waiting = [("the model", model)]
    while waiting:
        owner, element = waiting.pop()
        if element.get("name"):
            owner = f"{element.tag} '{element.get('name')}'"
        waiting += [(owner, child) for child in reversed(element)]
        if not len(element):
            yield owner, element


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None
