"""The world's last turn, and quality figures of motions whose flaws are known."""

import numpy as np
import pytest
from walking import RATE_HZ, Body, filming, squat, walk

from mjx_msk.fit.assemble import Evidence, assemble, in_travel_frame
from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.kinetics import Kinetics, estimated_loads, joint_forces
from mjx_msk.fit.root import turned
from mjx_msk.fit.seat import loads_beside_seat, seated
from mjx_msk.fit.soles import sole_touch
from mjx_msk.fit.subject import generic_spec
from mjx_msk.fit.video import VideoFit
from mjx_msk.model import Model
from mjx_msk.vision.camera import project

FRAMES = 45


@pytest.fixture(scope="module")
def model(generic) -> Model:
    return generic


@pytest.fixture(scope="module")
def body(model) -> Body:
    return Body(generic_spec(), model.layout.coordinate_names)


@pytest.fixture(scope="module")
def weight(body) -> float:
    return float(body.mj.body_mass.sum()) * 9.80665


def column(model: Model, name: str) -> int:
    return model.layout.coordinate_index[name]


def standing(body: Body, frames: int = FRAMES) -> np.ndarray:
    return np.tile(squat(body, 3)[0], (frames, 1))


# --- the world's frame ------------------------------------------------------------------------


def fit_of(body: Body, q: np.ndarray) -> VideoFit:
    """Return a perfect fit of a motion before a camera."""
    landmarks = np.stack(list(body.landmarks_at(q).values()), axis=1)
    film = filming(landmarks.mean(axis=(0, 1)))
    touch = np.ones((len(q), len(body.soles)))
    return VideoFit(
        q=q, base=1.0, log_segments=np.zeros(0), touching=touch, pushing=touch,
        camera_from_world=film.rotation, camera_position=film.position, landmarks=landmarks,
        confidence=np.ones_like(q), iterations=0,
    )  # fmt: skip


def pixels(fit: VideoFit) -> np.ndarray:
    points = (fit.landmarks - fit.camera_position) @ fit.camera_from_world.T
    return np.asarray(project(points, np.diag([1400.0, 1400.0, 1.0]), np.zeros(5)))


@pytest.mark.parametrize("heading_deg", [0, 75, 180, -130])
def test_travel_is_along_x_and_the_camera_sees_the_same(model, body, heading_deg):
    start = np.array([2.0, -3.0, 0.0])
    q = turned(model, walk(body, FRAMES, heading_deg=heading_deg), np.eye(3), start)
    fit = fit_of(body, q)
    moved = in_travel_frame(model, fit)
    np.testing.assert_allclose(pixels(moved), pixels(fit), atol=0.05)
    path = np.array([body.pose(row).body("pelvis").xpos.copy() for row in moved.q])
    np.testing.assert_allclose(path[0, :2], 0.0, atol=1e-5)
    assert path[-1, 0] > 0.8
    assert abs(path[-1, 1]) < 1e-5
    # the coordinates moved with the landmarks, and the floor stayed
    posed = np.stack(list(body.landmarks_at(moved.q).values()), axis=1)
    np.testing.assert_allclose(posed, moved.landmarks, atol=1e-5)
    np.testing.assert_allclose(moved.landmarks[..., 2], fit.landmarks[..., 2], atol=1e-9)


def test_who_stays_faces_along_x(model, body):
    q = standing(body)
    q[:, column(model, "pelvis_rotation")] = np.deg2rad(110)
    moved = in_travel_frame(model, fit_of(body, q))
    np.testing.assert_allclose(moved.q[:, column(model, "pelvis_rotation")], 0.0, atol=1e-5)


# --- quality ----------------------------------------------------------------------------------


def unloaded(frames: int) -> FootLoads:
    nothing = np.zeros((frames, 2, 3))
    return FootLoads(nothing, np.full((frames, 2, 3), np.nan), nothing)


def evidence(q: np.ndarray, touching: np.ndarray) -> Evidence:
    rest = np.zeros_like(q)
    return Evidence(
        time=np.arange(len(q)) / RATE_HZ, q=q, qd=rest, qdd=rest, touching=touching, confidence=rest
    )


def judged(
    model: Model, q: np.ndarray, force: np.ndarray, *, touch: float = 1.0, moment: float = 0.0
) -> dict:
    """Return the quality of a motion with a pelvis residual of ``force`` (3,) N all along."""
    frames = len(q)
    kinetics = Kinetics(
        np.zeros_like(q), np.tile(force, (frames, 1)), np.tile([0.0, moment, 0.0], (frames, 1))
    )
    touching = np.full((frames, len(model.contact_radius)), touch)
    return assemble(model, evidence(q, touching), unloaded(frames), kinetics).quality


def test_a_foot_that_slides_is_said_to(model, body):
    """Both feet slide by 20 mm at an even pace."""
    q = standing(body)
    q[:, column(model, "pelvis_tx")] += np.linspace(0, 0.020, FRAMES)
    assert judged(model, q, np.zeros(3))["foot_slip_mm"] == pytest.approx(20.0, abs=0.05)
    assert judged(model, standing(body), np.zeros(3))["foot_slip_mm"] == pytest.approx(0, abs=1e-3)
    # in the air nothing slips
    assert judged(model, q, np.zeros(3), touch=0.1)["foot_slip_mm"] == 0.0


def test_each_stance_is_its_own(model, body):
    """A foot that is put down elsewhere has not slid."""
    q = standing(body)
    q[20:, column(model, "pelvis_tx")] += 0.3
    touching = np.ones((FRAMES, len(model.contact_radius)))
    touching[18:22] = 0.0
    nothing = Kinetics(np.zeros_like(q), np.zeros((FRAMES, 3)), np.zeros((FRAMES, 3)))
    motion = assemble(model, evidence(q, touching), unloaded(FRAMES), nothing)
    assert motion.quality["foot_slip_mm"] == pytest.approx(0, abs=1e-3)


def test_a_foot_in_the_floor_is_said_to_be(model, body):
    q = standing(body)
    assert judged(model, q, np.zeros(3))["foot_penetration_mm"] == pytest.approx(0, abs=1e-3)
    q[10, column(model, "pelvis_ty")] -= 0.015
    assert judged(model, q, np.zeros(3))["foot_penetration_mm"] == pytest.approx(15, abs=0.01)


def test_residuals_are_shares_of_the_body(model, body, weight):
    force = np.array([0.03, 0.0, 0.04]) * weight
    quality = judged(model, standing(body), force, moment=0.5 * weight / 9.80665)
    assert quality["pelvis_residual_force_pct_bw"] == pytest.approx(5.0, rel=1e-3)
    assert quality["pelvis_residual_moment_nm_per_kg"] == pytest.approx(0.5, rel=1e-3)
    assert "walking_speed_m_s" not in quality


def test_walking_has_a_speed(model, body):
    q = standing(body)
    q[:, column(model, "pelvis_tx")] += 1.3 * np.arange(FRAMES) / RATE_HZ
    speed = judged(model, q, np.zeros(3), touch=0.0)["walking_speed_m_s"]
    assert speed == pytest.approx(1.3, rel=1e-3)


def test_half_the_weight_unexplained_is_a_seat_unless_in_the_air(model, body, weight):
    half = np.array([0.0, 0.0, 0.5 * weight])
    (warning,) = judged(model, standing(body), half)["warnings"]
    assert "100% of the frames" in warning
    assert "a seat" in warning
    assert "warnings" not in judged(model, standing(body), 0.1 * half)
    assert "warnings" not in judged(model, standing(body), half, touch=0.0)


# --- sitting, from the coordinates on ---------------------------------------------------------


def sitting(body: Body) -> np.ndarray:
    """Return someone (T, n) who sits upright, thighs level, feet flat under the knees."""
    q = standing(body)
    for name, degrees in {"hip_flexion": 90, "knee_angle": 90, "ankle_angle": 0}.items():
        for side in "rl":
            q[:, body.names.index(f"{name}_{side}")] = np.deg2rad(degrees)
    q[:, body.names.index("pelvis_tilt")] = 0.0
    q[:, body.names.index("pelvis_ty")] -= body.sole_points(q)[..., 2].min()
    return q


def loaded(model: Model, q: np.ndarray) -> tuple[FootLoads, Kinetics, dict]:
    """Return loads, kinetics and quality of someone who holds still, as the pipeline does."""
    dt = 1 / RATE_HZ
    touching, pushing = sole_touch(model, q, dt, 0.0)
    still = np.zeros_like(q)
    loads = estimated_loads(model, q, pushing, dt)
    kinetics = joint_forces(model, q, still, still, loads)
    if (seat := seated(model, q, kinetics, dt)).any():
        loads = loads_beside_seat(model, q, pushing, seat, dt)
        kinetics = joint_forces(model, q, still, still, loads)
    return loads, kinetics, assemble(model, evidence(q, touching), loads, kinetics).quality


def test_who_sits_is_carried_by_a_seat(model, body, weight):
    loads, kinetics, quality = loaded(model, sitting(body))
    (warning,) = quality["warnings"]
    assert "a seat" in warning
    # the legs weigh a third of the body; most of the rest is on the seat
    feet = loads.force[..., 2].sum(axis=1).mean() / weight
    assert 0.1 < feet < 0.5
    seat = kinetics.residual_force[:, 2].mean() / weight
    assert feet + seat == pytest.approx(1.0, abs=1e-3)


def test_who_stands_is_carried_by_the_feet(model, body, weight):
    loads, _, quality = loaded(model, standing(body))
    assert "warnings" not in quality
    np.testing.assert_allclose(loads.force[..., 2].sum(axis=1), weight, rtol=0.02)
    assert quality["pelvis_residual_force_pct_bw"] < 2.0
    pressure = np.nansum(loads.cop[..., 0] * loads.force[..., 2], axis=1) / weight
    centre = body.centre_of_mass(standing(body))[:, 0]
    np.testing.assert_allclose(pressure, centre, atol=0.01)
