"""How strong and how stiff joints are driven."""

from typing import NamedTuple


class Strength(NamedTuple):
    """The drive of one coordinate."""

    stiffness: float  #: N m/rad
    damping: float  #: N m s/rad
    limit: float  #: N m


#: The drives of DeepMimic's humanoid (Peng et al. 2018, ACM Trans Graph 37:143), a body of 45 kg,
#: by the beginnings of coordinates' names. What that humanoid lacks or joins in one is ours: the
#: small joints of the feet, the arm's turning about its own axis, forearms.
_HUMANOID_KG = 45.0
_HUMANOID = {
    "hip": Strength(500, 50, 200),
    "knee": Strength(500, 50, 150),
    "ankle": Strength(400, 40, 90),
    "subtalar": Strength(400, 40, 90),
    "mtp": Strength(40, 4, 20),
    "lumbar": Strength(1000, 100, 200),
    "arm_rot": Strength(100, 10, 30),
    "arm": Strength(400, 40, 100),
    "elbow": Strength(300, 30, 60),
    "pro_sup": Strength(30, 3, 10),
    "wrist": Strength(30, 3, 10),
}
_ELSE = Strength(300, 30, 60)


def strength_of(coordinate: str, mass_kg: float) -> Strength:
    """Return the drive of a coordinate for a person of this mass."""
    drives = (d for name, d in _HUMANOID.items() if coordinate.startswith(name))
    return Strength(*(x * mass_kg / _HUMANOID_KG for x in next(drives, _ELSE)))
