"""The default estimate's way: networks propose a made, filmed motion; fit and physics judge it.

``walking`` says what the landmarks are off by; ``test_fit_video`` tests the fit's parts.
"""

import numpy as np
import pytest
from walking import MASS_KG, RATE_HZ, Body, filming, seen_by, squat, walk

from mjx_msk.fit.loop import Followed, follow
from mjx_msk.fit.seat import carried
from mjx_msk.fit.sighting import sight
from mjx_msk.fit.subject import generic_spec
from mjx_msk.model import Model
from mjx_msk.nets.shipped import shipped

LEGS = tuple(
    f"{joint}_{side}" for side in "rl"
    for joint in ("hip_flexion", "hip_adduction", "knee_angle", "ankle_angle")
)  # fmt: skip
WEIGHT_N = MASS_KG * 9.80665


def followed(generic: Model, body: Body, q: np.ndarray, *, learned: bool) -> Followed:
    """Film a motion (T, n) and estimate it, with the shipped networks or without."""
    landmarks = body.landmarks_at(q)
    middle = (landmarks["right_hip"] + landmarks["left_hip"]).mean(axis=0) / 2
    film = filming(np.array([middle[0], middle[1], 0.9]))
    sighting = sight(generic, seen_by(film, landmarks), film.camera)
    return follow(
        generic_spec(), generic, sighting.observation, height_m=body.stature(), mass_kg=MASS_KG,
        networks=shipped(generic) if learned else None,
    )  # fmt: skip


def legs_off_deg(body: Body, found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return the mean error of each angle of the legs."""
    columns = [body.names.index(name) for name in LEGS]
    return np.rad2deg(np.abs(found - true)[:, columns].mean(axis=0))


def unexplained(found: Followed) -> tuple[float, float]:
    """Return the RMS of force (body weights) and moment (body weight x 1 m) at the pelvis.

    It is what the equations of motion lack when the feet push as well as they can.
    """
    fit = found.fit
    _, kinetics = carried(found.model, fit.q, found.qd, found.qdd, fit.pushing, 1 / RATE_HZ)
    force, moment = (
        float(np.sqrt(np.mean(np.sum(x[1:-1] ** 2, axis=1)))) / WEIGHT_N  # ends: one-sided slopes
        for x in (kinetics.residual_force, kinetics.residual_moment)
    )
    return force, moment


@pytest.mark.parametrize("learned", [False, True], ids=["no networks", "networks"])
@pytest.mark.parametrize(("make", "bar_deg"), [(walk, 2.5), (squat, 3.5)], ids=["walk", "squat"])
def test_a_motion_comes_back_and_its_feet_explain_it(generic, body, make, bar_deg, learned):
    """Bars on the mean as for the fit of the walk alone, and 7 deg for any one angle.

    In the squat, the pelvis's tilt and so the hips' flexion rests more on habits.
    """
    q = make(body, 45)
    found = followed(generic, body, q, learned=learned)
    fit = found.fit
    for values in (
        fit.q, found.qd, found.qdd, fit.landmarks, fit.confidence, fit.pushing, fit.camera_position,
    ):  # fmt: skip
        assert np.isfinite(values).all()
    assert np.sum(found.model.mjx.body_mass) == pytest.approx(MASS_KG, rel=1e-4)
    errors = legs_off_deg(body, fit.q, q)
    assert errors.mean() < bar_deg
    assert errors.max() < 7.0
    force, moment = unexplained(found)
    assert force < 0.05  # body weights; as in the tests of the fit
    assert moment < 0.05
    assert (found.proposal is not None) == learned
    if found.proposal is not None:
        assert np.isfinite(found.proposal.q).all()
        assert (found.proposal.std >= 0.0).all()
        assert errors.mean() < legs_off_deg(body, found.proposal.q, q).mean()


def test_speeds_are_those_of_the_motion(generic, body):
    """In the frame of the travel, which the walk has from the start: X ahead, from the origin."""
    q = walk(body, 45)
    found = followed(generic, body, q, learned=True)
    travel = found.fit.q[:, [body.names.index(f"pelvis_t{axis}") for axis in "xz"]]
    np.testing.assert_allclose(travel[0], 0.0, atol=1e-6)
    assert travel[-1, 1] == pytest.approx(0.0, abs=1e-6)
    expected = np.gradient(found.fit.q, 1 / RATE_HZ, axis=0)
    np.testing.assert_allclose(found.qd[1:-1], expected[1:-1], atol=1e-6)
