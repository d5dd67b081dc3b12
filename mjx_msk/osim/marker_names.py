"""Which marker of a file is which marker of a model."""

from collections.abc import Sequence


def match_names(own: Sequence[str], names: Sequence[str]) -> dict[int, str]:
    """Return, for the places in ``names`` of markers that a model has, its ``own`` names for them.

    A name matches exactly, or else but for case, punctuation and a prefix (``Anna:RASI`` or
    ``Anna_RASI`` is ``R.ASI``).
    """
    found = {i: name for i, name in enumerate(names) if name in own}
    labels = [_plain(name.rsplit(":", 1)[-1]) for name in names]
    columns = enumerate(zip(*labels, strict=False))
    shared = next((i for i, letters in columns if len(set(letters)) > 1), 0)
    free = [name for name in own if name not in found.values()]
    for cut in (0, shared):
        by_label = {_plain(name): name for name in free}
        for i, label in enumerate(labels):
            if i not in found and labels.count(label) == 1 and label[cut:] in by_label:
                found[i] = by_label.pop(label[cut:])
        free = list(by_label.values())
    return dict(sorted(found.items()))


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
