"""BVH, the file of character animation: a tree of bones that only turn.

Where a joint also glides, as OpenSim's knees do by millimetres, a BVH cannot say so: each bone
stays at its mean place in the bone above it. Rotations are exact.
"""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from mjx_msk.compile.following import follow
from mjx_msk.errors import MskError
from mjx_msk.export.axes import ANIMATION_FROM_WORLD
from mjx_msk.export.take import Take
from mjx_msk.files import replacing

#: Unit of length: animation programs take centimetres.
_CM = 100.0
#: Order of the three turns of a bone, each about the turned axis.
_ORDER = "ZXY"
_TURNS = " ".join(f"{axis}rotation" for axis in _ORDER)


def write(take: Take, path: Path) -> list[Path]:
    """Write the skeleton and its motion: cm and degrees, Y up, facing Z.

    Without rotation the model stands upright, its coordinates at zero, and all bones have the
    world's axes. Raises ``MskError`` for a model with more than one root.
    """
    roots = [bone for bone in take.bones if take.parents[bone] == 0]
    if len(roots) != 1:
        names = ", ".join(take.mj.body(bone).name for bone in roots)
        raise MskError(
            f"a BVH file has one root, but the model has {len(roots)} ({names}).",
            remedy="Write another format, such as gltf.",
        )
    offsets = _offsets(take)
    lines, order = ["HIERARCHY"], list[int]()
    _add_bone(take, roots[0], offsets, 0, lines, order)
    rows = np.hstack([_root_path(take, roots[0]), *(_angles(take)[bone] for bone in order)])
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1.0 / take.motion.rate_hz:.8f}"]
    with replacing(path) as temporary, open(temporary, "w", encoding="ascii", newline="\n") as file:
        file.write("\n".join(lines) + "\n")
        np.savetxt(file, rows, fmt="%.6f")
    return [path]


def _rest(take: Take) -> np.ndarray:
    """Return world_from_bone (nbody, 3, 3) with all coordinates at zero."""
    zero = follow(take.mj, np.zeros((1, take.mj.nq)))
    return take.places("xmat", range(take.mj.nbody), zero)[0].reshape(-1, 3, 3)


def _offsets(take: Take) -> dict[int, np.ndarray]:
    """Return where each bone begins in the bone above it without rotation (3,), and where it ends.

    The end is told under the negative number of a bone that carries no other: on the far side of
    its center of mass.
    """
    mj, rest = take.mj, _rest(take)
    place = take.places("xpos", range(mj.nbody))
    turn = take.places("xmat", range(mj.nbody)).reshape(len(place), -1, 3, 3)
    found = {}
    for bone, above in take.parents.items():
        own = np.einsum("tji,tj->ti", turn[:, above], place[:, bone] - place[:, above])
        found[bone] = ANIMATION_FROM_WORLD @ rest[above] @ own.mean(axis=0)
        if bone not in take.parents.values():
            found[-bone] = ANIMATION_FROM_WORLD @ rest[bone] @ (2.0 * mj.body_ipos[bone])
    return found


def _add_bone(
    take: Take, bone: int, offsets: dict[int, np.ndarray], depth: int, lines: list[str],
    order: list[int],
) -> None:  # fmt: skip
    """Append the lines of a bone and of those that it carries; ``order`` is that of their turns."""
    tab, root = "  " * depth, take.parents[bone] == 0
    order.append(bone)
    lines.append(f"{tab}{'ROOT' if root else 'JOINT'} {take.mj.body(bone).name}")
    lines.append(f"{tab}{{")
    lines.append(_offset(tab, np.zeros(3) if root else offsets[bone]))
    places = "Xposition Yposition Zposition "
    lines.append(f"{tab}  CHANNELS {f'6 {places}' if root else '3 '}{_TURNS}")
    for carried, above in take.parents.items():
        if above == bone:
            _add_bone(take, carried, offsets, depth + 1, lines, order)
    if -bone in offsets:
        lines += [f"{tab}  End Site", f"{tab}  {{", _offset(f"{tab}  ", offsets[-bone])]
        lines.append(f"{tab}  }}")
    lines.append(f"{tab}}}")


def _offset(tab: str, place: np.ndarray) -> str:
    return f"{tab}  OFFSET " + " ".join(f"{_CM * x:.6f}" for x in place)


def _root_path(take: Take, root: int) -> np.ndarray:
    """Return where the root is (T, 3), cm."""
    return _CM * take.places("xpos", [root])[:, 0] @ ANIMATION_FROM_WORLD.T


def _angles(take: Take) -> dict[int, np.ndarray]:
    """Return the turns (T, 3) of each bone in the one above, degrees."""
    rest = _rest(take)
    turn = take.places("xmat", range(take.mj.nbody))
    turn = turn.reshape(len(turn), -1, 3, 3) @ rest.swapaxes(1, 2)
    turn = ANIMATION_FROM_WORLD @ turn @ ANIMATION_FROM_WORLD.T
    found = {}
    for bone, above in take.parents.items():
        local = turn[:, above].swapaxes(1, 2) @ turn[:, bone]
        angles = Rotation.from_matrix(local).as_euler(_ORDER, degrees=True)
        found[bone] = np.unwrap(angles, axis=0, period=360.0)
    return found
