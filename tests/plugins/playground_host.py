"""Playground and Brax, imported where they are there: what they warn of is not ours."""

import importlib.util
import warnings

import pytest

if importlib.util.find_spec("mujoco_playground") is None:
    pytest.skip("pip install 'mjx-msk[playground]'", allow_module_level=True)

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "JAXopt is no longer", DeprecationWarning)  # Brax needs it
    import mjx_msk_playground
    import mujoco_playground
    from brax.training.agents.ppo import networks

__all__ = ["mjx_msk_playground", "mujoco_playground", "networks"]
