"""The tracking task as a MuJoCo Playground environment: many bodies on a GPU.

    import mjx_msk_playground
    env = registry.load("MskTrack", config_overrides={"motion": "walk", "loop": True})

The import registers it, beside the environments of the DeepMind Control Suite: Playground's
locomotion environments fetch a library of robots when one of them is loaded, which this needs not.
"""

from mujoco_playground import dm_control_suite

from mjx_msk_playground.env import TrackEnv as TrackEnv
from mjx_msk_playground.env import default_config as default_config
from mjx_msk_playground.randomize import domain_randomize as domain_randomize
from mjx_msk_playground.training import train_ppo as train_ppo

ENV_NAME = "MskTrack"

dm_control_suite.register_environment(ENV_NAME, TrackEnv, default_config)
