"""The axes of animation: Y up, Z forward, X to the left (glTF 2.0 sec. 3.4; BVH by custom)."""

import numpy as np

#: A vector of ours (x forward, y left, z up) in these axes; a rotation.
ANIMATION_FROM_WORLD = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
