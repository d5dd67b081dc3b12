"""TEMPORARY: the branch `forces` brings this module."""

import os

import mujoco


def muscle_force_errors(
    osim: str | os.PathLike[str], model: mujoco.MjModel, *, states: int = 200, seed: int = 0
) -> dict[str, float]:
    """Return nothing yet."""
    return {}
