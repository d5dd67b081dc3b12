"""A Gymnasium environment that tracks an estimated motion in MuJoCo.

    gymnasium.make("mjx_msk_gym:mjx_msk/Track-v0", motion="out")

The import registers it (Gymnasium 1 loads no entry points); with ``gymnasium.make_vec`` the same
id makes one vector environment that the C engine steps in threads.
"""

import gymnasium

ENV_ID = "mjx_msk/Track-v0"

gymnasium.register(
    ENV_ID,
    entry_point="mjx_msk_gym.env:TrackEnv",
    vector_entry_point="mjx_msk_gym.vector:TrackVectorEnv",
)
