"""The networks that come with the package, checked before they are used."""

from pathlib import Path
from typing import NamedTuple

from mjx_msk.cache import file_sha256
from mjx_msk.errors import MskError
from mjx_msk.model import Model
from mjx_msk.nets.idt import IDT
from mjx_msk.nets.ikt import IKT
from mjx_msk.nets.weights import load_weights
from mjx_msk.resources import asset

#: ``sha256sum``'s list of the shipped files.
SUMS = "weights.sha256"
#: Of the inverse kinematics and of the inverse dynamics.
FILES = ("ikt.safetensors", "idt.safetensors")


class Networks(NamedTuple):
    """Both learned estimators of the default model."""

    ikt: IKT
    idt: IDT


def shipped(model: Model) -> Networks:
    """Return the shipped networks for the default ``model``.

    Raises ``MskError`` where a file is not the one that was shipped.
    """
    for line in asset(SUMS).read_text(encoding="ascii").splitlines():
        expected, name = line.split()
        path = asset(name)
        if file_sha256(path) != expected:
            raise MskError(
                "these are not the weights that were shipped.",
                where=str(path),
                remedy="Install mjx-msk again.",
            )
    return networks_in(asset(SUMS).parent, model)


def networks_in(folder: Path, model: Model) -> Networks:
    """Return the networks whose weights ``mjx-msk train`` wrote, both in one folder.

    Raises ``MskError`` as ``load_weights`` does.
    """
    ikt, _ = load_weights(folder / FILES[0], IKT, model)
    idt, _ = load_weights(folder / FILES[1], IDT, model)
    return Networks(ikt, idt)
