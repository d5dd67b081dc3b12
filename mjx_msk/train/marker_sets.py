"""Names that laboratories give to the bony points which the default model carries markers for."""

from collections.abc import Sequence

#: Marker of the default model, without its side -> other names of the same point, without theirs:
#: those of OpenCap, Plug-in Gait and its relatives at CMU, and of a few laboratories. The inner and
#: the outer wrist (IWR, OWR) are missing: which is the thumb's, laboratories do not agree on.
_POINTS = {
    "ASI": ("asis", "fwt"),
    "PSI": ("psis", "bwt"),
    "LFC": ("knee", "kne", "kneelat", "lek", "latcon"),
    "MFC": ("mknee", "kni", "kneemed"),
    "LMAL": ("ankle", "ank", "anklelat", "lm", "latmal"),
    "MMAL": ("mankle", "anklemed"),
    "CAL": ("calc", "heel", "hel", "hee"),
    "TOE": ("toe",),
    "MT5": ("5meta", "mt5", "meta5", "toelat"),
    "ACR": ("shoulder", "sho", "acromium", "should"),
    "ASH": ("fsh",),
    "PSH": ("bsh",),
    "LEL": ("elbowlat", "elbow", "elb", "lee"),
    "MEL": ("elbowmed", "melbow", "iel", "elbin", "mee"),
    "FAradius": ("wristradius", "wra", "wristlat", "lw"),
    "FAulna": ("wristulna", "wrb", "wristmed", "mw"),
}
_MIDDLE = {"C7": ("c7",), "CLAV": ("clav",)}


def known_points(names: Sequence[str]) -> dict[int, str]:
    """Return, for the places in ``names`` of points that are known, the default model's markers.

    A side is an R or L in front (``R.Knee``, ``r_knee``, ``RKNE``, ``RxLatCon``). The first name
    in a file that means a point is taken.
    """
    meaning = {other: point for point, others in _MIDDLE.items() for other in others}
    for side in "RL":
        for point, others in _POINTS.items():
            for other in (point.casefold(), *others):
                for joint in ("", "x"):
                    meaning.setdefault(f"{side.casefold()}{joint}{other}", side + point)
    found: dict[int, str] = {}
    for i, name in enumerate(names):
        plain = "".join(c for c in name.rsplit(":", 1)[-1].casefold() if c.isalnum())
        own = meaning.get(plain)
        if own is not None and own not in found.values():
            found[i] = own
    return found
