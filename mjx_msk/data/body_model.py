"""What SMPL, SMPL-H and SMPL-X share and say without their licensed files: joints and rotations.

Where the joints are follows from a person's shape through the model's own files, which are not
free; how each is turned, and which joint is which, does not.
"""

import numpy as np
from scipy.spatial.transform import Rotation

#: The first 22 joints of all three models, the root first.
BODY_JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2",
    "left_ankle", "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar",
    "right_collar", "head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
    "left_wrist", "right_wrist",
)  # fmt: skip
#: Points of the surface that the models' code appends to the joints, in its order.
SURFACE_POINTS = (
    "nose", "right_eye", "left_eye", "right_ear", "left_ear", "left_big_toe", "left_small_toe",
    "left_heel", "right_big_toe", "right_small_toe", "right_heel",
)  # fmt: skip
#: How many points the models' code returns, and the first one of the surface: SMPL, SMPL-X.
FIRST_SURFACE_POINT = {45: 24, 127: 55}


def rotation_matrices(vectors: np.ndarray) -> np.ndarray:
    """Return the rotations (..., 3, 3) of rotation vectors (..., 3) rad."""
    flat = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix()
    return flat.reshape(*vectors.shape, 3)
