"""The one place where OpenSim's axes (Y up) and ours (Z up) meet.

Both frames are right-handed and share X; a vector (x, y, z) of OpenSim is (x, -z, y) here.
"""

import numpy as np


def z_up_from_y_up(vectors: np.ndarray) -> np.ndarray:
    """Turn OpenSim vectors ``(..., 3)`` into our axes: x->x, y->z, z->-y."""
    x, y, z = np.moveaxis(np.asarray(vectors, dtype=float), -1, 0)
    return np.stack([x, -z, y], axis=-1)


def y_up_from_z_up(vectors: np.ndarray) -> np.ndarray:
    """Turn our vectors ``(..., 3)`` into OpenSim's axes: x->x, z->y, y->-z."""
    x, y, z = np.moveaxis(np.asarray(vectors, dtype=float), -1, 0)
    return np.stack([x, z, -y], axis=-1)
