"""A spec in the form that PyMJCF reads."""

import xml.etree.ElementTree as ElementTree

import mujoco

#: What belongs to the world that a walker is put into, or means nothing there.
_WORLD = ("visual", "statistic", "custom", "size", "keyframe", "sensor")
_SCENERY = ("light", "camera")


def pymjcf_xml(spec: mujoco.MjSpec) -> str:
    """Return a walker's MJCF: no floor, lights or sky; names with ``.`` for PyMJCF's own ``/``."""
    root = ElementTree.fromstring(spec.to_xml())
    for tag in _WORLD:
        for child in root.findall(tag):
            root.remove(child)
    world = root.find("worldbody")
    for child in list(world):
        if child.tag in _SCENERY or child.get("type") == "plane":
            world.remove(child)
    for assets in root.findall("asset"):
        for texture in [t for t in assets if t.get("type") == "skybox"]:
            assets.remove(texture)
    names = {e.get("name") for e in root.iter() if "/" in e.get("name", "")}
    for element in root.iter():
        for key, value in element.attrib.items():
            if value in names:
                element.set(key, value.replace("/", "."))
    return ElementTree.tostring(root, encoding="unicode")
