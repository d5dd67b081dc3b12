"""The landmarks as a tree, from the trunk out along the limbs: the way errors spread."""

import numpy as np

from mjx_msk.vision.landmarks import MIRROR, NAMES

#: The landmarks of the default model, in MediaPipe's order: all but the head's.
LANDMARKS: tuple[str, ...] = NAMES[11:]
#: The tree's nodes: the landmarks, and the middles of hips and shoulders.
NODES: tuple[str, ...] = (*LANDMARKS, "pelvis", "trunk")
#: What each part hangs from; left and right are alike.
PARENTS: dict[str, str] = {
    "trunk": "pelvis", "hip": "pelvis", "shoulder": "trunk", "elbow": "shoulder",
    "wrist": "elbow", "pinky": "wrist", "index": "wrist", "thumb": "wrist",
    "knee": "hip", "ankle": "knee", "heel": "ankle", "foot_index": "ankle",
}  # fmt: skip
PARTS: tuple[str, ...] = ("pelvis", *PARENTS)
_MIDDLES = {"pelvis": "hip", "trunk": "shoulder"}
#: Places of the right and the left hip among the landmarks.
HIPS: tuple[int, int] = (LANDMARKS.index("right_hip"), LANDMARKS.index("left_hip"))
#: The place of each landmark's counterpart on the other side of the body. (int32, in which JAX
#: keeps constants that were first used in float32, also when float64 comes later.)
COUNTERPART: np.ndarray = (MIRROR[-len(LANDMARKS) :] - (len(NAMES) - len(LANDMARKS))).astype("i4")
#: Upper (0) or lower (1) body: what a network mixes up on its own.
HALF: np.ndarray = (np.arange(len(LANDMARKS)) >= LANDMARKS.index("left_hip")).astype(int)


def part_of(node: str) -> str:
    """Return a node's name without its side."""
    return node.removeprefix("left_").removeprefix("right_")


#: The part (index into ``PARTS``) of every node.
PART_OF: np.ndarray = np.array([PARTS.index(part_of(node)) for node in NODES])


def middles() -> np.ndarray:
    """Return the matrix (N, L) that adds the two middles to values of the landmarks."""
    matrix = np.zeros((len(NODES), len(LANDMARKS)))
    matrix[: len(LANDMARKS)] = np.eye(len(LANDMARKS))
    for middle, part in _MIDDLES.items():
        for side in ("left", "right"):
            matrix[NODES.index(middle), LANDMARKS.index(f"{side}_{part}")] = 0.5
    return matrix


def hangs_from() -> np.ndarray:
    """Return the 0/1 matrix (N, N) from every node to the one that it hangs from."""
    matrix = np.zeros((len(NODES), len(NODES)))
    for i, node in enumerate(NODES):
        parent = PARENTS.get(part_of(node))
        if parent is None:
            continue
        side = node.removesuffix(part_of(node))
        name = parent if parent in _MIDDLES else side + parent
        matrix[i, NODES.index(name)] = 1.0
    return matrix


def spread_along(share: np.ndarray) -> np.ndarray:
    """Return the matrix (L, N) from every node's own error to the landmarks' errors.

    A node's error is its own and ``share`` (N,) of that of the node it hangs from. Own errors of
    left and right hips, and shoulders, are centred: what they have in common is their middle's.
    """
    centred = np.eye(len(NODES))
    for part in _MIDDLES.values():
        pair = [NODES.index(f"{side}_{part}") for side in ("left", "right")]
        centred[np.ix_(pair, pair)] = [[0.5, -0.5], [-0.5, 0.5]]
    whole = np.linalg.inv(np.eye(len(NODES)) - share[:, None] * hangs_from())
    return (whole @ centred)[: len(LANDMARKS)]
