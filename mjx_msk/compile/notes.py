"""What a compiled model says about itself: its texts ``warning/...``, ``skipped/...`` and so on."""

import mujoco

#: The first part of a text's name, for everything that is not as the source has it.
KINDS = ("warning", "skipped", "approximated", "repaired")


def add_warnings(spec: mujoco.MjSpec, warnings: dict[str, str]) -> None:
    """Write warnings (place -> what happened) as texts ``warning/<place>``."""
    for place, what in warnings.items():
        spec.add_text(name=f"warning/{place}", data=what)


def notes(spec: mujoco.MjSpec) -> list[str]:
    """Return one line for each thing that is not as the source has it."""
    parts = [(*text.name.partition("/")[::2], text.data) for text in spec.texts]
    return [f"{kind} {name}: {data}" for kind, name, data in parts if kind in KINDS]
