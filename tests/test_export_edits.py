"""Cutting, mirroring, grounding, resampling and looping of motions."""

import mujoco
import numpy as np
import pytest
import small_model
import takes

from mjx_msk.compile.following import follow_motion
from mjx_msk.errors import MskError
from mjx_msk.export.cycles import best_cycle, looped
from mjx_msk.export.edits import cut, grounded, mirrored, resampled
from mjx_msk.export.take import Take
from mjx_msk.fit.subject import generic_spec

MIRROR = np.array([1.0, -1.0, 1.0])


@pytest.fixture(scope="module")
def walk() -> Take:
    return takes.walk()


def sines(time: np.ndarray, n: int) -> list[np.ndarray]:
    """Return slow sines (T, n) with their first two derivatives."""
    speed, phase = np.linspace(3.0, 9.0, n), np.linspace(0.0, 5.0, n)
    angle = speed * time[:, None] + phase
    return [0.2 * np.sin(angle), 0.2 * speed * np.cos(angle), -0.2 * speed**2 * np.sin(angle)]


def test_dependent_joints_move_as_their_polynomials_say():
    mj = small_model.spec().compile()
    rng = np.random.default_rng(1)
    q0, v, a = rng.uniform(0.1, 0.5, mj.nq), rng.normal(size=mj.nq), rng.normal(size=mj.nq)
    h = 1e-4
    at = [follow_motion(mj, q0 + t * v + 0.5 * t**2 * a, v, a)[0] for t in (-h, 0.0, h)]
    qpos, qvel, qacc = follow_motion(mj, q0, v, a)
    np.testing.assert_array_equal(at[1], qpos)
    np.testing.assert_allclose((at[2] - at[0]) / (2 * h), qvel, atol=1e-6)
    np.testing.assert_allclose((at[2] - 2 * at[1] + at[0]) / h**2, qacc, atol=1e-5)
    x = qpos[mj.joint("knee_angle_r").qposadr[0]]
    tied = qpos[mj.joint("knee/translation1").qposadr[0]]
    np.testing.assert_allclose(tied, small_model.CHAIN[0][2](x))


def test_what_follows_from_coordinates_is_where_the_c_engine_puts_it(walk):
    mj = mujoco.MjModel.from_xml_string(walk.spec.to_xml())  # as a file would hold it
    data, motion = mujoco.MjData(mj), walk.motion
    for t in (0, 20):
        data.qpos[:] = motion.qpos[t]
        mujoco.mj_kinematics(mj, data)
        for i, name in enumerate(motion.marker_names):
            np.testing.assert_allclose(motion.markers[t, i], data.site(name).xpos, atol=1e-5)
    for i, name in enumerate(motion.coordinate_names):
        np.testing.assert_array_equal(
            motion.qpos[:, motion.joint_names.index(name)], motion.q[:, i]
        )


def test_cut(walk):
    motion = cut(walk, 0.7, 1.0).motion
    np.testing.assert_allclose(motion.time[[0, -1]], [0.7, 1.0])
    assert len(motion) == 10
    assert motion.provenance["edits"] == ["cut to 0.7 ... 1 s"]
    assert len(cut(walk, None, 0.6).motion) == 4
    with pytest.raises(MskError, match=r"reaches from 0\.5 to"):
        cut(walk, 5.0, None)


def test_resampling_keeps_the_frames_and_finds_what_lies_between():
    spec = generic_spec()
    time = np.arange(31) / 30.0
    n = len(takes.coordinates(spec.copy().compile()))
    take = takes.take_of(spec, time, *sines(time, n))
    fine = resampled(take, 120.0)
    assert len(fine.motion) == 121
    assert fine.even
    for name, true in zip(("q", "qd", "qdd"), sines(fine.motion.time, n), strict=True):
        found = getattr(fine.motion, name)
        np.testing.assert_allclose(found[::4], getattr(take.motion, name), atol=1e-9)
        # a quintic errs by h^6 / 46080 times the sixth derivative, 0.2 * 9^6, and so on
        np.testing.assert_allclose(found, true, atol={"q": 1e-8, "qd": 1e-5, "qdd": 1e-3}[name])
    tau, force = take.motion.generalized_force, fine.motion.generalized_force
    np.testing.assert_allclose(force[2], (tau[0] + tau[1]) / 2)
    knee = fine.motion.joint_names.index("walker_knee_r/translation1")
    again = follow_motion(fine.mj, fine.motion.qpos, fine.motion.qvel, fine.motion.qacc)
    np.testing.assert_array_equal(fine.motion.qpos[:, knee], again[0][:, knee])


def test_resampled_centers_of_pressure_are_those_of_the_nearer_frame_at_the_edges_of_contact(walk):
    fine = resampled(walk, 90.0).motion
    cop, known = walk.motion.foot_cop, np.isfinite(fine.foot_cop).all(axis=2)
    np.testing.assert_array_equal(known, fine.contact)
    edge = int(np.flatnonzero(walk.motion.contact[1:, 0] & ~walk.motion.contact[:-1, 0])[0])
    np.testing.assert_array_equal(fine.foot_cop[3 * edge + 2, 0], cop[edge + 1, 0])


@pytest.mark.parametrize("rate", [0.0, -30.0, float("nan"), 1e6])
def test_rates_that_cannot_be(walk, rate):
    with pytest.raises(MskError, match="implausible"):
        resampled(walk, rate)


def test_a_mirrored_body_is_the_mirror_image(walk):
    before, moved = walk.motion, mirrored(walk)
    motion = moved.motion
    marker = {name: i for i, name in enumerate(before.marker_names)}
    for right, left in (("RASI", "LASI"), ("RTOE", "LTOE"), ("RFAulna", "LFAulna"), ("C7", "C7")):
        expected = before.markers[:, marker[right]] * MIRROR
        np.testing.assert_allclose(motion.markers[:, marker[left]], expected, atol=5e-3)
    np.testing.assert_array_equal(motion.foot_force[:, 0], before.foot_force[:, 1] * MIRROR)
    np.testing.assert_array_equal(motion.foot_moment[:, 1], -before.foot_moment[:, 0] * MIRROR)
    np.testing.assert_array_equal(motion.contact, before.contact[:, ::-1])
    soleus = [before.muscle_names.index(f"soleus_{side}") for side in "rl"]
    np.testing.assert_array_equal(motion.activation[:, soleus[0]], before.activation[:, soleus[1]])
    assert motion.landmark_pixels is None
    assert motion.camera == {}


def test_power_is_the_same_in_the_mirror(walk):
    """Moments belong to coordinates, so their signs change together."""
    motion, before = mirrored(walk).motion, walk.motion
    power = [np.sum(m.generalized_force * m.qd, axis=1) for m in (before, motion)]
    np.testing.assert_allclose(power[1], power[0])


def test_twice_mirrored_is_as_it_was(walk):
    again = mirrored(mirrored(walk)).motion
    for name, values in walk.motion.arrays().items():
        if not name.startswith("landmark_"):
            np.testing.assert_array_equal(getattr(again, name), values, err_msg=name)


def test_one_sided_models_have_no_mirror_image():
    spec, time = small_model.spec(), np.arange(5) / 30.0
    n = len(takes.coordinates(spec.compile()))
    with pytest.raises(MskError, match="one side only"):
        mirrored(takes.take_of(spec, time, *sines(time, n)))


def test_models_that_are_not_symmetric_have_no_mirror_image():
    spec = generic_spec()
    spec.body("tibia_l").pos[1] *= 1.2
    time = np.arange(5) / 30.0
    n = len(takes.coordinates(spec.copy().compile()))
    with pytest.raises(MskError, match=r"not symmetric: mirrored, '(tibia|talus|calcn|toes)_"):
        mirrored(takes.take_of(spec, time, *sines(time, n)))


def test_grounding_puts_the_lowest_sole_on_the_floor(walk):
    columns = [walk.motion.index("pelvis_ty")]
    q = walk.motion.q.copy()
    q[:, columns] += 0.37
    high = walk.moving(q, walk.motion.qd, walk.motion.qdd)
    low = grounded(high).motion
    body = takes.walking.Body(walk.spec, walk.motion.coordinate_names)
    assert abs(body.sole_points(low.q)[..., 2].min()) < 1e-9
    sideways = [i for i in range(q.shape[1]) if i not in columns]
    np.testing.assert_allclose(low.q[:, sideways], q[:, sideways], atol=1e-12)
    np.testing.assert_array_equal(low.foot_cop, walk.motion.foot_cop)
    # the camera sees the same
    R, t = (np.array(low.camera[k]) for k in ("rotation_camera_from_world", "translation_m"))
    seen = low.markers @ R.T + t
    np.testing.assert_allclose(seen, high.motion.markers + np.array([1.0, 2.0, 3.0]), atol=1e-9)


def test_a_loop_closes_and_walks_on():
    take = takes.walk(75)  # a bit more than two strides
    start, end = best_cycle(take)
    assert end - start == takes.STRIDE
    motion = looped(take, 3).motion
    assert len(motion) == 3 * takes.STRIDE
    np.testing.assert_allclose(np.diff(motion.time), 1 / takes.RATE_HZ, rtol=1e-6)
    one, two = motion.q[: takes.STRIDE], motion.q[takes.STRIDE : 2 * takes.STRIDE]
    moved = two - one
    places = [motion.index(f"pelvis_t{axis}") for axis in "xyz"]
    np.testing.assert_allclose(moved, np.broadcast_to(moved[0], moved.shape), atol=1e-9)
    angles = np.delete(moved, places, axis=1)
    np.testing.assert_allclose(angles, 0.0, atol=1e-12)
    stride = takes.walking.SPEED_M_S * takes.walking.STRIDE_S
    x, up, right = moved[0, places]
    np.testing.assert_allclose([np.hypot(x, right), up], [stride, 0.0], atol=0.02)
    # no step is larger at the seam than elsewhere: what follows fits what was before
    jump = np.linalg.norm(np.diff(motion.q, n=2, axis=0), axis=1)
    seam = jump[takes.STRIDE - 2 : takes.STRIDE + 1].max()
    assert seam <= 1.2 * np.median(jump) + np.quantile(jump, 0.95)
    np.testing.assert_array_equal(
        motion.foot_force[: takes.STRIDE], motion.foot_force[takes.STRIDE : 2 * takes.STRIDE]
    )
    assert "3 times the cycle" in motion.provenance["edits"][0]


def test_a_motion_that_does_not_return_has_no_loop():
    spec, time = generic_spec(), np.arange(40) / 30.0
    n = len(takes.coordinates(spec.copy().compile()))
    ramp = np.tile(time[:, None], (1, n))
    take = takes.take_of(spec, time, ramp, np.ones_like(ramp), np.zeros_like(ramp))
    with pytest.raises(MskError, match="ends where it began"):
        looped(take, 1)
    with pytest.raises(MskError, match="too short"):
        looped(cut(take, 0.0, 0.2), 1)
    with pytest.raises(MskError, match="-1 cycles"):
        looped(take, -1)
