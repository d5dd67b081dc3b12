"""Moment arms in independent coordinates against OpenSim's own solver, and as slopes of lengths."""

import numpy as np
import pytest

from mjx_msk.compile.muscle_reference import MuscleReference
from mjx_msk.compile.reference import Reference

pytest.importorskip("opensim")


def at_random(path):
    """Yield a reference and its muscles at three poses, and the pose."""
    reference = Reference(path)
    muscles = MuscleReference(reference, reference.muscles)
    rng = np.random.default_rng(8)
    for _ in range(3):
        q = rng.uniform(*reference.ranges.T)
        reference.pose(q, np.zeros(len(q)))
        yield reference, muscles, q


@pytest.mark.parametrize(
    "model",
    [
        "models/gait10dof18musc.osim",  # conditional and moving points
        "models/arm26.osim",  # ellipsoids and cylinders
        "models/RajagopalLaiUhlrich2023.osim",  # a coordinate of a coupler
    ],
)
def test_they_are_those_of_compute_moment_arm(shared_data, model):
    for reference, muscles, q in at_random(shared_data / model):
        coordinates = [reference.model.getCoordinateSet().get(name) for name in reference.names]
        expected = [
            [muscle.computeMomentArm(reference.state, c) for c in coordinates]
            for muscle in reference.model.getMuscles()
        ]
        np.testing.assert_allclose(muscles.moment_arms(q), expected, atol=1e-12)


def test_without_surfaces_they_are_the_slopes_of_lengths(shared_data):
    """Conditional points included: no path gains or loses one within the step."""
    for _, muscles, q in at_random(shared_data / "models/gait10dof18musc.osim"):
        arms = muscles.moment_arms(q)
        slopes = muscles.length_slopes(q, np.ones(arms.shape, bool))
        np.testing.assert_allclose(arms, slopes, atol=1e-9)
