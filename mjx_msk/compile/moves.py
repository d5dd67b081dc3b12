"""The motions of a joint as MuJoCo will have them: one joint each, at most six in a body."""

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from mjx_msk.compile.motions import MAX_JOINTS, Motion
from mjx_msk.compile.source import Joint


@dataclass(frozen=True, eq=False)
class Move:
    """A slide or hinge: what it does at rest (m or rad), and the MuJoCo joint that it is, if any.

    With a ``driver`` the joint follows another one by ``polynomial``; without, it is the
    coordinate, turned round by ``sign``.
    """

    hinge: bool
    direction: np.ndarray  #: (3,) unit vector in the frame that the preceding moves have moved
    rest: float = 0.0
    joint: str | None = None
    sign: float = 1.0
    driver: str | None = None
    polynomial: np.ndarray = field(default_factory=lambda: np.zeros(5))
    shares: bool = False  #: another joint has the same axis

    @property
    def turn(self) -> np.ndarray:
        """The rotation (3, 3) at rest."""
        return Rotation.from_rotvec(self.direction * self.rest * self.hinge).as_matrix()


def moves_of(joint: Joint, motions: list[Motion], carried: dict[str, Motion]) -> list[Move]:
    """Return the moves of a joint in order; ``carried`` are those that its coordinates name.

    A motion with several polynomials becomes several moves, named ``<joint>/<axis>``,
    ``<joint>/<axis>/2`` and so on.
    """
    moves = []
    for motion in motions:
        axis, name = motion.axis, motion.coordinate
        if name is None:
            moves.append(Move(axis.hinge, axis.direction, motion.rest))
        elif carried.get(name) is motion:
            sign = float(motion.polynomials[0][1])
            moves.append(Move(axis.hinge, axis.direction, motion.rest, name, sign))
        else:
            shares = len(motion.polynomials) > 1 or any(_parallel(motion, m) for m in motions)
            moves += _following(f"{joint.name}/{axis.name}", motion, name, shares)
    return moves


def _parallel(motion: Motion, other: Motion) -> bool:
    """Return whether two motions that follow coordinates move along, or about, one direction."""
    if other is motion or other.coordinate is None or other.axis.hinge != motion.axis.hinge:
        return False
    return bool(abs(other.axis.direction @ motion.axis.direction) > 1 - 1e-9)


def _following(first: str, motion: Motion, coordinate: str, shares: bool) -> list[Move]:
    """Return the moves that follow a coordinate; the second in a series follows the first."""
    drivers = (coordinate, first, coordinate)
    return [
        Move(
            motion.axis.hinge,
            motion.axis.direction,
            0.0 if index else motion.rest,
            f"{first}/{index + 1}" if index else first,
            driver=drivers[index],
            polynomial=polynomial,
            shares=shares,
        )
        for index, polynomial in enumerate(motion.polynomials)
    ]


def chunks(moves: list[Move]) -> list[list[Move]]:
    """Return the moves in as few groups as MuJoCo's bodies need, in order; at least one."""
    groups: list[list[Move]] = [[]]
    for move in moves:
        if move.joint and sum(m.joint is not None for m in groups[-1]) == MAX_JOINTS:
            groups.append([])
        groups[-1].append(move)
    return groups
