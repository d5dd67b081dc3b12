"""The Studio plugin without a window: transport, physics, curves, and its two sides together."""

from contextlib import nullcontext
from importlib import import_module

import mujoco
import numpy as np
import pytest
import small_estimate
from mujoco import viewer as mujoco_viewer

from mjx_msk import Motion, MskError, Playback

try:
    from mjx_msk_studio.host import messages, plugin, sim
except MskError as reason:
    pytest.skip(str(reason), allow_module_level=True)

from mjx_msk_studio import plain
from mjx_msk_studio.channel import Status, Steer
from mjx_msk_studio.command import View
from mjx_msk_studio.curves import panels
from mjx_msk_studio.drive import lacking
from mjx_msk_studio.forward import Forward, feet_on_ground
from mjx_msk_studio.pictures import Pictures
from mjx_msk_studio.scene import Scene
from mjx_msk_studio.simulation import MotionSim
from mjx_msk_studio.transport import Transport


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_estimate.write(tmp_path_factory.mktemp("estimate") / "walk")


@pytest.fixture
def playback(folder):
    return Playback.open(folder)


def test_time_goes_on_at_its_speed_and_round_in_circles():
    transport = Transport(2.0, speed=0.5)
    transport.advance(1.0)
    assert transport.time == pytest.approx(0.5)
    transport.advance(4.0)
    assert transport.time == pytest.approx(0.5)  # 2.5 s of a motion of 2 s
    transport.playing = False
    transport.advance(1.0)
    assert transport.time == pytest.approx(0.5)
    transport.seek(9.0)
    assert transport.time == 2.0


def test_without_a_loop_it_stops_at_the_end():
    transport = Transport(2.0, looping=False)
    transport.advance(3.0)
    assert (transport.time, transport.playing) == (2.0, False)


def test_curves_have_the_units_of_their_titles(playback):
    angles, moments, activations = panels(playback)
    knee = angles.curve("knee_angle_r")
    assert (knee[0], knee[-1]) == pytest.approx((0.0, np.rad2deg(1.0)))
    assert "pelvis_tx" not in angles.names  # a length
    assert moments.curve("knee_angle_r")[-1] == pytest.approx(10.0)
    assert activations.names == ("muscle",)
    low, high = activations.limits(["muscle"])
    assert low < 0 < 1 < high


PENDULUMS = """<mujoco><option timestep="0.001"/><worldbody><body pos="0 0 2">
  <joint name="a" axis="0 1 0"/><geom type="capsule" fromto="0 0 0 0 0 -.5" size=".04"/>
  <body pos="0 0 -.5"><joint name="b" axis="0 1 0"/>
    <geom type="capsule" fromto="0 0 0 0 0 -.4" size=".03"/></body>
</body></worldbody>{}</mujoco>"""
MOTOR = '<actuator><motor joint="b" gear="50"/></actuator>'


def swinging(xml: str = PENDULUMS.format("")) -> Playback:
    """Return two pendulums that swing as sines, with the moments of MuJoCo's inverse dynamics."""
    model = mujoco.MjModel.from_xml_string(xml)
    data = mujoco.MjData(model)
    time = np.linspace(0, 1, 201)
    size, rate = np.array([0.5, -0.8]), np.array([5.0, 7.0])
    wave = rate * time[:, None]
    q, qd, qdd = size * np.sin(wave), size * rate * np.cos(wave), -size * rate**2 * np.sin(wave)
    force = np.zeros_like(q)
    for row, data.qpos[:], data.qvel[:], data.qacc[:] in zip(force, q, qd, qdd, strict=True):
        mujoco.mj_inverse(model, data)
        row[:] = data.qfrc_inverse
    names = ("a", "b")
    return Playback(
        Motion(
            time=time, coordinate_names=names, q=q, qd=qd, qdd=qdd, joint_names=names, qpos=q,
            qvel=qd, qacc=qdd, generalized_force=force,
        ),
        model,
    )  # fmt: skip


def test_the_moments_alone_make_the_motion():
    """Inverse dynamics of C MuJoCo and this forward simulation are each other's inverse."""
    playback = swinging()
    model, data = playback.model, mujoco.MjData(playback.model)
    forward = Forward(playback, guide=0.0, hold_pelvis=True)
    forward.start(model, data, 0.0)
    for _ in range(6):
        time = forward.advance(model, data, 0.1)
    assert time == pytest.approx(0.6, abs=0.002)
    np.testing.assert_allclose(data.qpos, playback.between(playback.motion.q, time), atol=0.02)


def test_the_guide_brings_back_what_was_pushed_and_only_if_it_is_on():
    errors = []
    for guide in (0.0, 30.0):
        playback = swinging()
        model, data = playback.model, mujoco.MjData(playback.model)
        forward = Forward(playback, guide=guide, hold_pelvis=True)
        forward.start(model, data, 0.0)
        data.qpos[:] += 0.3
        for _ in range(5):
            time = forward.advance(model, data, 0.1)
        errors.append(np.abs(data.qpos - playback.between(playback.motion.q, time)).max())
    assert errors[1] < 0.02 < errors[0]


def test_actuators_are_off_in_physics_and_on_again_afterwards():
    """The net moments hold the muscles' work already."""
    playback = swinging(PENDULUMS.format(MOTOR))
    model, data = playback.model, mujoco.MjData(playback.model)
    forward = Forward(playback, hold_pelvis=True)
    forward.start(model, data, 0.0)
    data.ctrl[:] = 1.0
    forward.advance(model, data, 0.01)
    assert not data.qfrc_actuator.any()
    forward.stop(model, data)
    data.ctrl[:] = 1.0
    mujoco.mj_forward(model, data)
    assert data.qfrc_actuator.tolist() == [0.0, 50.0]
    assert not data.qfrc_applied.any()


def test_the_pelvis_is_left_to_the_ground_unless_it_is_held(playback):
    model, data = playback.model, mujoco.MjData(playback.model)
    forward = Forward(playback, guide=10.0)
    forward.start(model, data, 0.5)
    data.qpos[:6] += 0.1
    assert not forward.force(model, data)[:6].any()
    forward.hold_pelvis = True
    assert forward.force(model, data)[:6].all()


def test_an_unstable_simulation_is_put_back_on_the_motion():
    playback = swinging()
    model, data = playback.model, mujoco.MjData(playback.model)
    forward = Forward(playback, guide=0.0, hold_pelvis=True)
    forward.start(model, data, 0.2)
    data.qvel[:] = 1e12
    time = forward.advance(model, data, 0.001)
    assert time == pytest.approx(0.2)
    np.testing.assert_allclose(data.qpos, playback.between(playback.motion.q, time))


def test_the_ground_holds_a_resting_ball_by_its_weight():
    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><geom name='floor' type='plane' size='1 1 1'/><body pos='.2 .1 .1'>"
        "<freejoint/><geom name='contact/l/heel' size='.1' mass='2'/></body></worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, nstep=1500)
    ((side, force, center),) = feet_on_ground(model, data)
    assert side == "l"
    np.testing.assert_allclose(force, [0, 0, 2 * 9.81], atol=0.01)
    np.testing.assert_allclose(center, [0.2, 0.1, 0.0], atol=0.01)


class Handle:
    """What a sim plugin needs of Studio's handle, without a viewer."""

    def __init__(self, playback: Playback) -> None:
        self.model, self.data = playback.model, mujoco.MjData(playback.model)
        self.sent: list = []

    def send_to_viewer(self, message) -> None:
        self.sent.append(message)


@pytest.fixture
def hosted(folder, playback):
    """Return the sim's side as Studio's registry of plugins calls it, with the model opened."""
    registries = import_module(".plugin_registry", plugin.__package__)
    motion_sim, handle = MotionSim(), Handle(playback)
    registry = registries.PluginRegistry([motion_sim])
    registry.dispatch(plugin.SimInitEvent(handle=handle))
    registry.dispatch(
        messages.PostModelEvent(
            model=handle.model, data=handle.data, path=str(folder / "model.xml")
        )
    )
    return registry, motion_sim, handle


def step(registry, handle) -> None:
    registry.dispatch(messages.StepEvent(model=handle.model, data=handle.data))


def test_scrubbing_changes_the_pose_and_the_viewer_is_told(hosted):
    registry, _motion_sim, handle = hosted
    registry.dispatch(Steer(playing=False, time=0.5))
    step(registry, handle)
    assert handle.data.joint("knee_angle_r").qpos[0] == pytest.approx(0.5)
    status = [m for m in handle.sent if isinstance(m, Status)][-1]
    assert (status.time, status.playing) == (0.5, False)
    assert any(isinstance(m, messages.RequestPauseEvent) for m in handle.sent)


def test_playing_moves_on_with_wall_time_and_studios_pause_button_stops_it(hosted):
    registry, motion_sim, handle = hosted
    motion_sim.transport.looping = False
    step(registry, handle)
    first = motion_sim.transport.time
    step(registry, handle)
    assert motion_sim.transport.time > first or motion_sim.transport.time == 1.0
    paused = messages.StepControlSnapshot(
        pause_state=sim.PauseState.NORMAL_PAUSED, speed=50.0, noise_scale=0.0, noise_rate=0.0
    )
    registry.dispatch(paused)
    now = motion_sim.transport.time
    step(registry, handle)
    assert motion_sim.transport.time == now
    assert motion_sim.transport.speed == pytest.approx(0.5)


def test_physics_is_switched_on_where_the_motion_is_and_off_again(hosted):
    registry, _motion_sim, handle = hosted
    registry.dispatch(Steer(playing=False, time=0.5))
    registry.dispatch(Steer(physics=True, guide=0.0, hold_pelvis=True))
    assert handle.data.joint("knee_angle_r").qpos[0] == pytest.approx(0.5)
    before = handle.data.qpos.copy()
    step(registry, handle)
    np.testing.assert_array_equal(handle.data.qpos, before)  # paused
    registry.dispatch(Steer(playing=True))
    step(registry, handle)
    assert not np.array_equal(handle.data.qpos, before)
    registry.dispatch(Steer(physics=False, time=0.25, playing=False))
    step(registry, handle)
    assert handle.data.joint("knee_angle_r").qpos[0] == pytest.approx(0.25)
    assert not handle.data.qfrc_applied.any()


def test_muscles_take_over_while_it_runs_and_give_back(hosted):
    registry, _motion_sim, handle = hosted
    pull = int(mujoco.mjtBias.mjBIAS_MUSCLE)
    registry.dispatch(Steer(time=0.5, physics=True))
    for wanted in (False, True, False):
        registry.dispatch(Steer(muscles=wanted))
        handle.data.time = 2.5
        registry.dispatch(messages.StepEvent(model=handle.model, data=handle.data))
        status = [m for m in handle.sent if isinstance(m, Status)][-1]
        assert (status.physics, status.muscles) == (True, wanted)
        assert handle.data.qfrc_actuator.any() == wanted
        assert handle.data.act[0] == pytest.approx(0.55, abs=0.06)  # its colour goes on, too
    registry.dispatch(Steer(muscles=True))
    registry.dispatch(Steer(physics=False))
    assert handle.model.actuator_biastype.tolist() == [pull]


def test_without_activations_moments_go_on(playback):
    motion = playback.motion
    known = Playback(motion.replace(activation=None, muscle_names=()), playback.model)
    assert lacking(playback) == ""
    assert lacking(known) == "the estimate has no activations"
    assert not Forward(known, muscles=True).driven
    named = Playback(motion.replace(muscle_names=("other",)), playback.model)
    assert lacking(named) == "the model has none of them"


def test_models_that_are_no_estimate_are_left_alone(hosted, tmp_path):
    registry, _motion_sim, handle = hosted
    (tmp_path / "model.xml").write_text("<mujoco/>")
    event = messages.PostModelEvent(
        model=handle.model, data=handle.data, path=str(tmp_path / "model.xml")
    )
    registry.dispatch(event)
    before = handle.data.qpos.copy()
    step(registry, handle)
    np.testing.assert_array_equal(handle.data.qpos, before)


def test_studio_loads_the_file_by_its_own_option():
    from mjx_msk_studio import __path__ as where

    loaded = plugin.load_plugins([f"{where[0]}/studio.py"])
    viewers, sims = plugin.split_plugins(loaded)
    assert (len(viewers), len(sims)) == (1, 1)


def test_the_scene_holds_arrow_spot_and_ghost(playback):
    scene, data = Scene(playback, [playback]), mujoco.MjData(playback.model)
    geoms: list[mujoco.MjvGeom] = []

    def new() -> mujoco.MjvGeom:
        geoms.append(mujoco.MjvGeom())
        return geoms[-1]

    playback.pose(data, 0.2)
    scene.draw(new, playback.model, data, physics=False)
    assert len(geoms) == 2 + playback.model.ngeom - 1
    scene.show_forces = scene.show_ghosts = False
    geoms.clear()
    scene.draw(new, playback.model, data, physics=False)
    assert geoms == []


def test_no_video_is_said(playback):
    pictures = Pictures(playback)
    pictures.wait()
    assert pictures.index(0.5) is None
    assert "--video" in pictures.problem


def test_the_picture_of_a_time_is_the_nearest_one(playback):
    pictures = Pictures(playback)
    pictures.wait()
    pictures.times = [0.0, 0.1, 0.2]
    assert [pictures.index(t) for t in (-1.0, 0.04, 0.06, 0.2, 5.0)] == [0, 0, 1, 2, 2]


def test_the_plain_viewer_plays_scrubs_and_draws(playback, folder, monkeypatch):
    """A stand-in for the window, which needs a screen; MuJoCo's own scene is filled."""
    scene = mujoco.MjvScene(playback.model, maxgeom=200)
    shown = []

    class Window:
        opt, user_scn, lock = mujoco.MjvOption(), scene, nullcontext

        def __enter__(self):
            return self

        def __exit__(self, *_) -> None:
            pass

        def is_running(self) -> bool:
            return len(shown) < 3

        def sync(self) -> None:
            shown.append(scene.ngeom)

    keys = []
    keys = []

    def launch(model, data, key_callback):
        keys.append(key_callback)
        return Window()

    monkeypatch.setattr(mujoco_viewer, "launch_passive", launch)
    plain.run([folder, folder])
    assert shown[0] == 2 + playback.model.ngeom - 1  # arrow, spot, ghost
    transport = Transport(1.0)
    for key in (32, 262, 262, 263, 46):
        plain.press(transport, key)
    assert (transport.playing, transport.speed) == (False, 2.0)
    assert transport.time == pytest.approx(1 / 30)


def test_the_command_refuses_what_is_no_estimate(tmp_path):
    for viewer in ("studio", "mujoco"):
        with pytest.raises(MskError, match="no such file"):
            View(folders=(tmp_path,), viewer=viewer).run(None)
    with pytest.raises(MskError, match="no estimate"):
        View(folders=()).run(None)
