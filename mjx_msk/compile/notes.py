"""What a compiled model says about itself: what is not as in its source, and why."""

from collections.abc import Iterable
from typing import NamedTuple

import mujoco

KINDS = ("skipped", "approximated", "repaired", "fitted")


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
