"""Seeded damage to model files: what a hand, a script, a network or an enemy may do to one."""

import random
import re
import xml.parsers.expat
from collections.abc import Callable
from xml.etree.ElementTree import Element, TreeBuilder, tostring

NUMBERS = (
    "nan", "-NaN", "inf", "-inf", "Infinity", "0", "-1", "1e308", "-1e308", "1e-320", "1e999",
    "", "word", "1 2", "0x10", "1,5", "--1", "1e", "1e10", "-1e5", "99999999999999999999",
    "0.001", "700",
)  # fmt: skip
STRINGS = (
    "", " ", "a b", "ground", "/", "..", "/bodyset/ground", "é", "日本", "a/b", "x" * 5000,
    "&lt;", "<", "%s%n", "nul", "\u202e", "\u00a0", "-", "1", "world", "a\nb", '"', "wrap/x",
    "floor",
)  # fmt: skip
CLASSES = (
    "BallJoint", "FreeJoint", "PinJoint", "WeldJoint", "CustomJoint", "Body",
    "Millard2012EquilibriumMuscle", "Thelen2003Muscle", "SimmSpline", "LinearFunction",
    "Constant", "WrapTorus", "WrapEllipsoid", "MovingPathPoint", "ConditionalPathPoint",
    "PointConstraint", "Marker", "Nonsense", "PhysicalOffsetFrame", "ContactMesh", "Sine",
    "MultiplierFunction", "StepFunction", "PiecewiseConstantFunction", "GCVSpline",
    "Coordinate", "Model",
)  # fmt: skip


def parse(text: str) -> Element:
    """Return a file's root element; without namespaces, as OpenSim has names with colons."""
    builder, parser = TreeBuilder(), xml.parsers.expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler = builder.data
    parser.Parse(text, True)
    return builder.close()


def one_value(text: str, seed: int) -> tuple[str, bytes]:
    """Return a file of which one value is a word, or undefined, or in a misspelt element."""
    root = parse(text)
    values = _values(root)
    element = values[seed % len(values)]
    place = f"{element.tag} {seed % len(values)}"
    if seed < len(values):
        element.text = "word"
        return f"word in {place}", tostring(root, "utf-8")
    if seed < 2 * len(values):
        element.tag += "x"
        return f"misspelt {place}", tostring(root, "utf-8")
    element.text = re.sub(r"-?\d[\d.]*", "nan", element.text or "", count=1)
    return f"undefined {place}", tostring(root, "utf-8")


def number_of_values(text: str) -> int:
    """Return how many seeds ``one_value`` takes; those of numbers come last."""
    values = _values(parse(text))
    return 2 * len(values) + sum(_is_number(element) for element in values)


def _values(root: Element) -> list[Element]:
    """Return the elements that hold values, those with numbers first."""
    values = [e for e in root.iter() if not len(e) and (e.text or "").strip()]
    return sorted(values, key=_is_number, reverse=True)


def _is_number(element: Element) -> bool:
    return re.fullmatch(r"[\d.\s-]+", element.text or "") is not None


def seeded(text: str, seed: int) -> tuple[str, bytes]:
    """Return the name of one kind of damage and the damaged file."""
    rng = random.Random(seed)
    mutation = rng.choice(_MUTATIONS)
    return mutation.__name__, mutation(text, rng)


def bytes_flipped(text: str, rng: random.Random) -> bytes:
    data = bytearray(text.encode())
    for _ in range(rng.choice([1, 1, 2, 5])):
        data[rng.randrange(len(data))] = rng.randrange(128)
    return bytes(data)


def cut_off(text: str, rng: random.Random) -> bytes:
    data = text.encode()
    return data[: rng.randrange(len(data))]


def number_replaced(text: str, rng: random.Random) -> bytes:
    for _ in range(rng.choice([1, 1, 1, 3])):
        spots = list(re.finditer(r"(?<=[> ])-?\d+\.?\d*(?:e[+-]?\d+)?(?=[< ])", text))
        spot = rng.choice(spots)
        text = text[: spot.start()] + rng.choice(NUMBERS) + text[spot.end() :]
    return text.encode()


def value_replaced(text: str, rng: random.Random) -> bytes:
    root = parse(text)
    leaf = rng.choice([e for e in root.iter() if not len(e)])
    leaf.text = rng.choice(NUMBERS + STRINGS)
    return tostring(root, "utf-8")


def reference_redirected(text: str, rng: random.Random) -> bytes:
    root = parse(text)
    words = ("socket_", "frame", "coordinate", "wrap_object")
    leaves = [e for e in root.iter() if not len(e) and any(w in e.tag for w in words)]
    names = [e.get("name") for e in root.iter() if e.get("name")]
    name = rng.choice(names)
    elsewhere = rng.choice(leaves).text or ""
    targets = (elsewhere, elsewhere, f"/bodyset/{name}", f"/jointset/{name}", name, "", "/", "..")
    rng.choice(leaves).text = rng.choice(targets)
    return tostring(root, "utf-8")


def element_deleted(text: str, rng: random.Random) -> bytes:
    root = parse(text)
    parent, child = rng.choice(_family(root))
    parent.remove(child)
    return tostring(root, "utf-8")


def element_emptied(text: str, rng: random.Random) -> bytes:
    root = parse(text)
    _, child = rng.choice(_family(root))
    child[:], child.text = [], None
    return tostring(root, "utf-8")


def element_doubled(text: str, rng: random.Random) -> bytes:
    root = parse(text)
    parent, child = rng.choice(_family(root))
    parent.insert(rng.randrange(len(parent) + 1), child)
    return tostring(root, "utf-8")


def element_renamed(text: str, rng: random.Random) -> bytes:
    root = parse(text)
    family = _family(root)
    _, child = rng.choice(family)
    child.tag = rng.choice([child.tag + "x", "nonsense", rng.choice(family)[1].tag])
    return tostring(root, "utf-8")


def class_changed(text: str, rng: random.Random) -> bytes:
    root = parse(text)
    objects = [child for _, child in _family(root) if child.tag[0].isupper()]
    rng.choice(objects).tag = rng.choice([*CLASSES, *(e.tag for e in rng.sample(objects, 5))])
    return tostring(root, "utf-8")


def elements_swapped(text: str, rng: random.Random) -> bytes:
    root = parse(text)
    (parent_a, a), (parent_b, b) = rng.sample(_family(root), 2)
    if a in b.iter() or b in a.iter():
        a.text, b.text = b.text, a.text
    else:
        at_a, at_b = list(parent_a).index(a), list(parent_b).index(b)
        parent_a[at_a], parent_b[at_b] = b, a
    return tostring(root, "utf-8")


def children_shuffled(text: str, rng: random.Random) -> bytes:
    root = parse(text)
    element = rng.choice([e for e in root.iter() if len(e) > 1])
    children = list(element)
    rng.shuffle(children)
    element[:] = children
    return tostring(root, "utf-8")


def nested(text: str, rng: random.Random) -> bytes:
    root = parse(text)
    _, child = rng.choice(_family(root))
    depth = rng.choice([5, 50, 3000])
    core = (child.text or "").strip()
    child[:], child.text = [], "@@"
    inner = f"<{child.tag}>" * depth + core + f"</{child.tag}>" * depth
    return tostring(root, "unicode").replace("@@", inner).encode()


def name_changed(text: str, rng: random.Random) -> bytes:
    root = parse(text)
    named = [e for e in root.iter() if e.get("name") is not None]
    element, other = rng.choice(named), rng.choice(named)
    element.set("name", rng.choice([*STRINGS, *[other.get("name")] * 20]))
    return tostring(root, "utf-8")


def name_changed_everywhere(text: str, rng: random.Random) -> bytes:
    names = [e.get("name") for e in parse(text).iter() if len(e.get("name") or "") > 3]
    new = rng.choice(STRINGS).replace("<", "&lt;").replace('"', "&quot;")
    return text.replace(rng.choice(names), new).encode()


def attribute_changed(text: str, rng: random.Random) -> bytes:
    root = parse(text)
    element = rng.choice([e for e in root.iter() if e.attrib][:1] * 20 + list(root.iter()))
    key = rng.choice([*element.attrib, "name", "file"])
    if rng.random() < 0.3:
        element.attrib.pop(key, None)
    else:
        element.set(key, rng.choice([*STRINGS, "0", "10000", "20302", "30000", "99999", "-5"]))
    return tostring(root, "utf-8")


def _family(root: Element) -> list[tuple[Element, Element]]:
    """Return every element inside the model with its parent."""
    return [(parent, child) for parent in root[0].iter() for child in parent]


_MUTATIONS: tuple[Callable[[str, random.Random], bytes], ...] = (
    bytes_flipped, cut_off, number_replaced, number_replaced, number_replaced, value_replaced,
    value_replaced, reference_redirected, reference_redirected, element_deleted,
    element_deleted, element_emptied, element_doubled, element_renamed, class_changed,
    class_changed, elements_swapped, children_shuffled, nested, name_changed,
    name_changed_everywhere, attribute_changed,
)  # fmt: skip
