"""The reference, the actuated model and the reward, against the C engine and closed forms."""

import made_motion
import mujoco
import numpy as np
import pytest
import small_model

from mjx_msk import Motion, MskError

pytest.importorskip("mjx_msk_tracking", reason="install the project again: pip install -e .")

from mjx_msk_tracking import (
    WEIGHTS,
    Joints,
    Reference,
    Tracker,
    load_estimate,
    strength_of,
    tracking_spec,
)
from mjx_msk_tracking.ground import TOES

ACTUATIONS = ("torque", "position", "muscle")


@pytest.fixture(scope="module", params=ACTUATIONS)
def model(request) -> mujoco.MjModel:
    return tracking_spec(made_motion.spec(), request.param).compile()


@pytest.fixture(scope="module")
def torque() -> mujoco.MjModel:
    return tracking_spec(made_motion.spec(), "torque").compile()


@pytest.fixture(scope="module")
def looped(torque) -> Reference:
    return Reference.from_motion(made_motion.motion(), torque, loop=True)


def test_the_reference_passes_through_the_frames(model):
    motion = made_motion.motion()
    reference = Reference.from_motion(motion, model)
    qpos, qvel = reference.sample(motion.time - motion.time[0])
    joints = reference.joints
    kept = [j for j, n in enumerate(joints.names) if not n.startswith(TOES)]
    columns = [motion.joint_names.index(joints.names[j]) for j in kept]
    shift = qpos[:, kept] - motion.qpos[:, columns]
    up = kept.index(int(joints.vertical[0]))
    assert np.ptp(shift[:, up]) < 1e-12  # set on the floor
    np.testing.assert_allclose(np.delete(shift, up, 1), 0, atol=1e-12)
    np.testing.assert_allclose(qvel[:, kept], motion.qvel[:, columns], atol=1e-8)


def test_velocities_are_the_derivatives_of_positions(looped):
    time, h = np.linspace(0.0134, 2.8834, 97), 1e-6  # between frames
    moved = (looped.sample(time + h)[0] - looped.sample(time - h)[0]) / (2 * h)
    np.testing.assert_allclose(looped.sample(time)[1], moved, atol=1e-5)


def test_tied_joints_satisfy_the_engines_equalities(model):
    """The C engine's own violation of them, of positions and of speeds."""
    reference = Reference.from_motion(made_motion.motion(), model)
    data = mujoco.MjData(model)
    for time in (0.1, 0.777, 1.5):
        data.qpos[:], data.qvel[:] = reference.sample(time)
        mujoco.mj_forward(model, data)
        assert data.ne >= 10
        np.testing.assert_allclose(data.efc_pos[: data.ne], 0, atol=1e-12)
        np.testing.assert_allclose(data.efc_vel[: data.ne], 0, atol=1e-12)


def test_joints_follow_through_others_and_hold_what_is_locked():
    """The small model: a tied joint that follows a tied one, a joint locked away from zero."""
    spec = small_model.spec()
    spec.add_text(name="locked/hip_adduction_r", data="0.25")
    model = tracking_spec(spec, "torque").compile()
    joints = Joints(model)
    held = model.joint("hip_adduction_r").id
    assert held not in joints.independent
    qpos, qvel = np.zeros(model.nq), np.zeros(model.nv)
    qpos[joints.independent], qvel[joints.independent] = 0.3, 0.7
    qpos, qvel = joints.follow(qpos, qvel)
    assert (qpos[held], qvel[held]) == (0.25, 0.0)
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = qpos, qvel
    mujoco.mj_forward(model, data)
    assert data.ne > 2
    np.testing.assert_allclose(data.efc_pos[: data.ne], 0, atol=1e-12)
    np.testing.assert_allclose(data.efc_vel[: data.ne], 0, atol=1e-12)


def test_a_cycle_is_found_and_goes_on_along_the_floor(looped):
    assert looped.duration == pytest.approx(made_motion.PERIOD_S, abs=1e-9)
    stride = np.zeros(len(looped.stride))
    stride[0] = made_motion.SPEED_M_S * made_motion.PERIOD_S
    np.testing.assert_allclose(looped.stride, stride, atol=1e-9)
    time = np.linspace(0, 0.99, 7)
    for k in (1, 5):
        later = looped.sample(time + k * looped.duration)
        np.testing.assert_allclose(later[0], looped.sample(time)[0] + k * stride, atol=1e-9)
        np.testing.assert_allclose(later[1], looped.sample(time)[1], atol=1e-9)
    before, after = looped.sample(looped.duration - 1e-9), looped.sample(looped.duration + 1e-9)
    np.testing.assert_allclose(before[0], after[0], atol=1e-6)
    np.testing.assert_allclose(looped.forces(1.3), looped.forces(0.3), atol=1e-9)


def test_soles_are_set_on_the_floor(torque):
    """The lowest sphere behind the toes, from the engine; toes bend instead of sinking."""
    reference = Reference.from_motion(made_motion.motion(), torque)
    data, behind, toes = mujoco.MjData(torque), [], []
    spheres = [g for g in range(torque.ngeom) if torque.geom(g).name.startswith("contact/")]
    on_toes = np.array(["/toe" in torque.geom(g).name for g in spheres])
    for qpos in reference.qpos:
        data.qpos[:] = qpos
        mujoco.mj_kinematics(torque, data)
        low = data.geom_xpos[spheres, 2] - torque.geom_size[spheres, 0]
        behind.append(low[~on_toes].min())
        toes.append(low[on_toes].min())
    assert abs(np.median(behind)) < 1e-3
    assert min(toes) > min(behind) - 0.03
    angle = reference.qpos[:, torque.joint(f"{TOES}_r").id]
    assert angle.min() < -0.05
    assert angle.max() < 1e-9


def test_nothing_pushes_the_pelvis(model):
    """Whatever the actuators do, the generalized forces on the root's joints are zero."""
    joints, data = Joints(model), mujoco.MjData(model)
    assert len(joints.root) == 6
    rng = np.random.default_rng(0)
    reference = Reference.from_motion(made_motion.motion(), model)
    data.qpos[:], data.qvel[:] = reference.sample(0.3)
    data.ctrl[:] = rng.uniform(-1, 1, model.nu)
    data.act[:] = rng.uniform(0, 1, model.na)
    mujoco.mj_forward(model, data)
    scale = np.abs(data.qfrc_actuator).max()
    assert scale > 10
    assert np.abs(data.qfrc_actuator[joints.root]).max() < 1e-10 * scale
    assert np.all(data.xfrc_applied == 0)


def test_every_coordinate_is_driven(model):
    """Each joint but toes and root by itself or by a muscle: no actuator without effect."""
    joints, data = Joints(model), mujoco.MjData(model)
    qpos, qvel = np.zeros(model.nq), np.zeros(model.nv)
    qpos[joints.inner] = 0.1
    qpos, qvel = joints.follow(qpos, qvel)
    data.qpos[:] = qpos
    mujoco.mj_forward(model, data)
    moments = np.zeros((model.nu, model.nv))
    mujoco.mju_sparse2dense(
        moments, data.actuator_moment, data.moment_rownnz, data.moment_rowadr, data.moment_colind
    )
    driven = [j for j in joints.inner if not joints.names[j].startswith(TOES)]
    assert np.all(np.abs(moments[:, driven]).max(axis=0) > 1e-4)
    assert np.all(np.abs(moments).max(axis=1) > 1e-4)


def test_bodies_stay_where_the_whole_model_has_them(model):
    """Welding patellae and locked joints moves no bone that matters, and loses no mass."""
    whole = made_motion.spec().compile()
    assert model.body_mass.sum() == pytest.approx(whole.body_mass.sum(), abs=1e-9)
    motion = made_motion.motion()
    ours, theirs = mujoco.MjData(model), mujoco.MjData(whole)
    names = [model.joint(j).name for j in range(model.njnt)]
    columns = [motion.joint_names.index(n) for n in names]
    for row in motion.qpos[::40]:
        ours.qpos[:], theirs.qpos[:] = row[columns], row
        mujoco.mj_kinematics(model, ours)
        mujoco.mj_kinematics(whole, theirs)
        for bone in ("calcn_r", "calcn_l", "hand_l", "torso"):
            np.testing.assert_allclose(ours.body(bone).xpos, theirs.body(bone).xpos, atol=1e-12)


def test_servos_are_pd_controllers_within_their_limits():
    gain = 0.5
    model = tracking_spec(made_motion.spec(), "position", gain=gain).compile()
    data, mass = mujoco.MjData(model), model.body_mass.sum()
    data.qpos[6:], data.qvel[6:] = 0.2, -0.4
    rng = np.random.default_rng(1)
    data.ctrl[:] = rng.uniform(*model.actuator_ctrlrange.T)
    mujoco.mj_forward(model, data)
    for a in range(model.nu):
        strength = strength_of(model.actuator(a).name, mass)
        wanted = gain * (strength.stiffness * (data.ctrl[a] - 0.2) + strength.damping * 0.4)
        wanted = np.clip(wanted, -strength.limit, strength.limit)
        assert data.actuator_force[a] == pytest.approx(wanted, rel=1e-9)
    assert strength_of("hip_flexion_r", 45.0).limit == 200.0
    assert strength_of("hip_flexion_r", 90.0).limit == 400.0


def test_reward_terms_are_one_on_the_reference_and_fall_as_they_say(torque, looped):
    tracker = Tracker(torque, looped)
    time = np.array([0.05, 0.31, 2.4])
    target = tracker.target(time)
    terms = tracker.terms(*target, target)
    assert set(terms) == set(WEIGHTS)
    np.testing.assert_allclose(tracker.reward(terms), 1.0, atol=1e-12)
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)
    qpos, qvel = target.qpos.copy(), target.qvel.copy()
    qpos[:, looped.joints.inner[0]] += 0.3
    qvel[:, looped.joints.inner[1]] -= 2.0
    qpos[:, looped.joints.vertical[0]] -= 0.1
    ends = target.ends + np.array([0.0, 0.1, 0.0])
    terms = tracker.terms(qpos, qvel, ends, target)
    np.testing.assert_allclose(terms["pose"], np.exp(-2 * 0.3**2))
    np.testing.assert_allclose(terms["velocity"], np.exp(-0.1 * 2.0**2))
    np.testing.assert_allclose(terms["root"], np.exp(-10 * 0.1**2))
    np.testing.assert_allclose(terms["ends"], np.exp(-40 * len(tracker.end_names) * 0.1**2))


def test_end_bodies_of_the_target_are_where_the_engine_has_them(torque, looped):
    tracker, data = Tracker(torque, looped), mujoco.MjData(torque)
    for time in (0.123, 1.7771):
        target = tracker.target(time)
        data.qpos[:] = target.qpos
        mujoco.mj_kinematics(torque, data)
        places = [data.body(n).xpos - data.body("pelvis").xpos for n in tracker.end_names]
        np.testing.assert_allclose(target.ends, places, atol=3e-4)


def test_what_is_lost(torque, looped):
    tracker = Tracker(torque, looped)
    target, joints = tracker.target(0.4), looped.joints
    changes = {
        (joints.horizontal[0], 0.4): False, (joints.horizontal[0], 0.6): True,
        (joints.vertical[0], -0.3): True, (joints.turning[1], 1.1): True,
        (joints.inner[0], 3.0): False, (joints.inner[0], np.nan): True,
    }  # fmt: skip
    for (joint, change), lost in changes.items():
        qpos = target.qpos.copy()
        qpos[joint] += change
        assert bool(tracker.lost(qpos, target)) is lost


def test_what_is_seen_does_not_depend_on_the_place(torque, looped):
    tracker = Tracker(torque, looped)
    qpos, qvel = looped.sample(0.4)
    there = qpos + 3 * looped.stride
    here = tracker.observe(0.4, qpos, qvel)
    later = tracker.observe(0.4 + 3 * looped.duration, there, qvel)
    for name, seen in here.items():
        np.testing.assert_allclose(later[name], seen, atol=1e-9)
    assert here["ahead"].shape == (4 * len(looped.joints.independent),)


def test_errors_say_what_to_do(torque, tmp_path):
    motion = made_motion.motion()
    with pytest.raises(MskError, match="without its model"):
        load_estimate(motion)
    with pytest.raises(MskError, match="no such file"):
        load_estimate(tmp_path)
    motion.save(tmp_path / "motion.npz")
    with pytest.raises(MskError, match="no such model file"):
        load_estimate(tmp_path)
    (tmp_path / "model.xml").write_text("<mujoco><worldbody></mujoco>")
    with pytest.raises(MskError, match="cannot read this model"):
        load_estimate(tmp_path / "motion.npz")
    with pytest.raises(MskError, match="ends where it began"):
        Reference.from_motion(motion.slice_time(3.0, 3.6), torque, loop=True)
    with pytest.raises(MskError, match="one frame"):
        Reference.from_motion(motion.slice_time(3.0, 3.0), torque)
    with pytest.raises(MskError, match="unknown actuation"):
        tracking_spec(made_motion.spec(), "magic")
    with pytest.raises(MskError, match="no muscles"):
        tracking_spec(tracking_spec(made_motion.spec(), "torque"), "muscle")
    with pytest.raises(MskError, match="lacks the model's joints"):
        Reference.from_motion(_without("knee_angle_r"), torque)


def _without(joint: str) -> Motion:
    motion = made_motion.motion()
    k = motion.joint_names.index(joint)
    names = (*motion.joint_names[:k], "other", *motion.joint_names[k + 1 :])
    return motion.replace(joint_names=names)


def test_a_free_root_is_refused():
    xml = "<mujoco><worldbody><body><freejoint/><geom size='1'/></body></worldbody></mujoco>"
    with pytest.raises(MskError, match="neither a hinge nor a slide"):
        Joints(mujoco.MjModel.from_xml_string(xml))
