"""What drives the model in Studio's physics: net moments, or muscles and reserves beside them."""

import mujoco
import numpy as np
import pytest
import takes
from mjx_msk_studio.drive import Drive, own_forces
from mjx_msk_studio.forward import Forward
from mjx_msk_studio.ties import Ties

from mjx_msk.compile.following import follow
from mjx_msk.report.playback import Playback

FRAMES = 25


@pytest.fixture(scope="module")
def walk() -> Playback:
    """Return a walk on the default model: random activations, and the moments that it takes.

    The moments are those of C MuJoCo's inverse dynamics in the air, so that the pelvis holds the
    body's weight: forward dynamics without a floor must make the motion again.
    """
    take = takes.walk(FRAMES)
    model, motion = take.spec.copy().compile(), take.motion
    model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_CONTACT)
    muscles = [n for n in motion.muscle_names if model.actuator(n).dyntype[0] != 0]
    playback = Playback(motion, model)
    force = np.zeros_like(motion.q)
    data = mujoco.MjData(model)
    for frame, row in enumerate(force):
        playback.pose(data, motion.time[frame] - motion.time[0])
        data.act[:] = 0
        data.ctrl[:] = 0
        data.qacc[:] = motion.qacc[frame]
        mujoco.mj_inverse(model, data)
        row[:] = slopes(playback, frame).T @ data.qfrc_inverse
    share = np.random.default_rng(0).uniform(0.02, 0.3, len(muscles))
    activation = np.outer(1 + 0.3 * np.sin(4 * motion.time), share)
    return Playback(
        motion.replace(
            generalized_force=force, muscle_names=tuple(muscles), activation=activation,
            muscle_force=None,
        ),
        model,
    )  # fmt: skip


def slopes(playback: Playback, frame: int, step: float = 1e-6) -> np.ndarray:
    """Return how all joints move with each coordinate, (nv, n), by central differences."""
    model, motion = playback.model, playback.motion
    places = [model.joint(name).qposadr[0] for name in motion.coordinate_names]
    columns = []
    for place in places:
        ends = np.repeat(motion.qpos[frame][None], 2, axis=0)
        ends[:, place] += [-step, step]
        low, high = follow(model, ends)
        columns.append((high - low) / (2 * step))
    return np.stack(columns, axis=1)


def pulled(playback: Playback, frame: int, step: float = 1e-5) -> np.ndarray:
    """Return the moments (n,) of the active muscles: -F dL/dq, with C MuJoCo's lengths and gains.

    Moment arms are central differences of the tendons' lengths.
    """
    model, motion = playback.model, playback.motion
    data = mujoco.MjData(model)

    def lengths(qpos: np.ndarray) -> np.ndarray:
        data.qpos[:] = follow(model, qpos)
        mujoco.mj_fwdPosition(model, data)
        return np.array([data.actuator(name).length[0] for name in motion.muscle_names])

    arms = []
    for name in motion.coordinate_names:
        away = np.zeros(model.nq)
        away[model.joint(name).qposadr[0]] = step
        low, high = (lengths(motion.qpos[frame] + sign * away) for sign in (-1, 1))
        arms.append((high - low) / (2 * step))
    arms = np.array(arms)  # (n, m)
    length, speed = lengths(motion.qpos[frame]), motion.qd[frame] @ arms
    tension = [
        -activation
        * mujoco.mju_muscleGain(
            length[i], speed[i], actuator.lengthrange, actuator.acc0[0], actuator.gainprm[:9]
        )
        for i, (actuator, activation) in enumerate(
            zip(map(model.actuator, motion.muscle_names), motion.activation[frame], strict=True)
        )
    ]
    return -arms @ np.array(tension)


@pytest.mark.parametrize("frame", [0, 13, FRAMES - 1])
def test_muscles_and_reserves_make_the_net_moments(walk, frame):
    model, motion = walk.model, walk.motion
    data = mujoco.MjData(model)
    forward = Forward(walk, guide=0.0, hold_pelvis=True, muscles=True)
    time = float(motion.time[frame] - motion.time[0])
    forward.start(model, data, time)
    dofs = [model.joint(name).dofadr[0] for name in motion.coordinate_names]
    reserves = forward.force(model, data)[dofs]
    made = pulled(walk, frame)
    assert np.abs(made).max() > 20
    np.testing.assert_allclose(made + reserves, motion.generalized_force[frame], atol=2e-3)
    # what the C engine pulls with at this moment is that, too
    mujoco.mj_forward(model, data)
    engine = slopes(walk, frame).T @ data.qfrc_actuator
    np.testing.assert_allclose(engine, made, atol=2e-3)
    forward.stop(model, data)


@pytest.mark.parametrize("muscles", [False, True])
@pytest.mark.parametrize(("guide", "duration", "near"), [(80.0, 0.3, 0.01), (0.0, 0.1, 0.04)])
def test_both_drives_make_the_motion(walk, muscles, guide, duration, near):
    model, motion = walk.model, walk.motion
    data = mujoco.MjData(model)
    forward = Forward(walk, guide=guide, hold_pelvis=True, muscles=muscles)
    forward.start(model, data, 0.1)
    for _ in range(round(duration / 0.05)):
        time = forward.advance(model, data, 0.05)
    assert time == pytest.approx(0.1 + duration, abs=1e-6)
    places = [model.joint(name).qposadr[0] for name in motion.coordinate_names]
    error = data.qpos[places] - walk.between(motion.q, time)
    assert np.abs(error).max() < near
    assert data.qfrc_actuator.any() == muscles
    tied = np.abs(data.qpos - follow(model, data.qpos))
    assert tied.max() < 0.03  # a kneecap, where 1 kN turns it
    forward.stop(model, data)


def test_the_model_is_afterwards_what_it_was(walk):
    model, data = walk.model, mujoco.MjData(walk.model)
    fields = ("actuator_biastype", "eq_solimp", "eq_solref")
    before = {name: getattr(model, name).copy() for name in fields}
    flags = model.opt.disableflags
    for muscles in (True, False):
        forward = Forward(walk, muscles=muscles)
        forward.start(model, data, 0.0)
        assert not np.array_equal(model.eq_solref, before["eq_solref"])
        forward.stop(model, data)
        assert model.opt.disableflags == flags
        for name, value in before.items():
            np.testing.assert_array_equal(getattr(model, name), value)


def test_ties_hand_rates_and_forces_on(walk):
    """Against differences of the polynomials, for a model whose tied joints follow tied ones."""
    model, motion = walk.model, walk.motion
    dofs = [model.joint(name).dofadr[0] for name in motion.coordinate_names]
    rates = Ties(model).matrix(motion.qpos[7])
    np.testing.assert_allclose(rates[:, dofs], slopes(walk, 7), atol=1e-6)
    assert np.count_nonzero(rates.any(axis=0)) == len(dofs)


def test_springs_are_not_counted_twice():
    """Net moments hold a spring's work: beside it the applied force is what remains."""
    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><body><joint name='a' axis='0 1 0' stiffness='7' damping='2'/>"
        "<geom size='.1' pos='0 0 -.5'/></body></worldbody></mujoco>"
    )
    time = np.linspace(0, 1, 11)
    q = np.sin(time)[:, None]
    motion = takes.Motion(
        time=time, coordinate_names=("a",), q=q, qd=np.cos(time)[:, None], qdd=-q,
        joint_names=("a",), qpos=q, qvel=np.cos(time)[:, None], qacc=-q,
        generalized_force=np.full_like(q, 3.0),
    )  # fmt: skip
    playback = Playback(motion, model)
    drive = Drive(model)
    drive.set(model, muscles=False)
    own = own_forces(playback, model)
    drive.restore(model)
    np.testing.assert_allclose(own, -7 * q - 2 * motion.qd, atol=1e-12)
    forward, data = Forward(playback, guide=0.0, hold_pelvis=True), mujoco.MjData(model)
    forward.start(model, data, 0.5)
    applied = forward.force(model, data)
    np.testing.assert_allclose(applied + data.qfrc_passive, 3.0, atol=1e-9)
