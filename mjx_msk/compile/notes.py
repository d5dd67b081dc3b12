"""What a compiled model says about itself: what is not as in its source, and why."""

from collections.abc import Iterable
from typing import NamedTuple

import mujoco

#: The first part of a text's name, for everything that is not as the source has it.
KINDS = ("warning", "skipped", "approximated", "repaired", "fitted")


class Note(NamedTuple):
    """One component that is not as in the OpenSim model."""

    kind: str  #: one of ``KINDS``
    name: str
    reason: str


def read_notes(model: mujoco.MjModel) -> list[Note]:
    """Return the notes of a compiled model: its texts ``<kind>/<name>``, by kind and name."""
    notes = []
    for index in range(model.ntext):
        kind, _, name = mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_TEXT, index).partition("/")
        if kind in KINDS:
            start = model.text_adr[index]
            reason = bytes(model.text_data[start : start + model.text_size[index]])
            notes.append(Note(kind, name, reason.rstrip(b"\0").decode(errors="replace")))
    return sorted(notes, key=lambda note: (KINDS.index(note.kind), note.name))


def alike(notes: Iterable[Note]) -> list[tuple[str, str, list[str]]]:
    """Return (kind, reason, names) with the names of all notes of one kind and reason together."""
    found: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        found.setdefault((note.kind, note.reason), []).append(note.name)
    return [(*key, names) for key, names in found.items()]


def add_warnings(spec: mujoco.MjSpec, warnings: dict[str, str]) -> None:
    """Write warnings (place -> what happened) as texts ``warning/<place>``."""
    for place, what in warnings.items():
        spec.add_text(name=f"warning/{place}", data=what)


def notes(spec: mujoco.MjSpec) -> list[str]:
    """Return one line for each thing that is not as the source has it."""
    parts = [(*text.name.partition("/")[::2], text.data) for text in spec.texts]
    return [f"{kind} {name}: {data}" for kind, name, data in parts if kind in KINDS]
