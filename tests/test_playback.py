"""An estimate at any time: poses, forces, muscles, ghosts; and as a film."""

import av
import mujoco
import numpy as np
import pytest
import small_estimate
from small_estimate import MASS_KG

from mjx_msk.errors import MskError
from mjx_msk.report.film import FilmOptions, film_times, render_film
from mjx_msk.report.playback import ARROW_M, Playback, sampled
from mjx_msk.report.view import parse_size


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_estimate.write(tmp_path_factory.mktemp("estimate") / "walk")


@pytest.fixture
def playback(folder):
    return Playback.open(folder)


def test_a_pose_lies_on_the_line_between_two_frames(playback):
    data = mujoco.MjData(playback.model)
    playback.pose(data, 0.55)
    assert data.time == pytest.approx(2.55)
    assert data.joint("pelvis_tx").qpos[0] == pytest.approx(0.55)
    assert data.joint("knee_angle_r").qpos[0] == pytest.approx(0.55)
    assert data.joint("knee_angle_r").qvel[0] == pytest.approx(1.0)
    assert data.act[0] == pytest.approx(0.55)  # the muscle
    for time, knee in ((-1.0, 0.0), (9.0, 1.0)):  # it stands before its start and after its end
        playback.pose(data, time)
        assert data.joint("knee_angle_r").qpos[0] == pytest.approx(knee)


def test_muscles_that_are_not_known_rest(playback):
    activation = playback.motion.activation.copy()
    activation[:10] = np.nan
    playback.motion = playback.motion.replace(activation=activation)
    data = mujoco.MjData(playback.model)
    for time, expected in ((0.1, 0.0), (0.9, 0.9)):
        playback.activate(data, time)
        assert (data.act[0], data.ctrl[0]) == pytest.approx((expected, expected))


def test_generalized_forces_go_to_the_degrees_of_freedom_of_their_coordinates(playback):
    force = playback.generalized_force(0.5)
    model = playback.model
    assert force[model.joint("knee_angle_r").dofadr[0]] == pytest.approx(5.0)
    assert force[model.joint("pelvis_ty").dofadr[0]] == pytest.approx(5.0)
    assert np.count_nonzero(force) == 2


def test_a_body_weight_is_an_arrow_of_its_length_from_the_center_of_pressure(playback):
    (arrow,) = playback.arrows(0.2)
    assert arrow.side == "r"
    np.testing.assert_allclose(arrow.start, [0.1, -0.1, 0.0])
    np.testing.assert_allclose(arrow.end, [0.1, -0.1, ARROW_M])
    assert playback.weight_n == pytest.approx(MASS_KG * 9.81)
    geom = mujoco.MjvGeom()
    arrow.draw(geom)
    assert geom.type == mujoco.mjtGeom.mjGEOM_ARROW
    np.testing.assert_allclose(geom.pos, arrow.start)
    np.testing.assert_allclose(geom.mat[:, 2], [0, 0, 1], atol=1e-6)
    assert playback.arrows(0.9) == []  # the foot is in the air


def test_a_ghost_has_the_bodies_of_the_model_where_they_are(playback):
    geoms: list[mujoco.MjvGeom] = []

    def new() -> mujoco.MjvGeom:
        geoms.append(mujoco.MjvGeom())
        return geoms[-1]

    playback.draw_ghost(1.0, 0, new)
    data = mujoco.MjData(playback.model)
    playback.pose(data, 1.0)
    mujoco.mj_kinematics(playback.model, data)
    shin = data.geom("shin").xpos
    assert min(np.linalg.norm(geom.pos - shin) for geom in geoms) < 1e-6
    assert len(geoms) == playback.model.ngeom - 1  # all but the floor
    assert all(0 < geom.rgba[3] < 1 for geom in geoms)


def test_sampling_keeps_the_frames_and_holds_the_ends(playback):
    motion = playback.motion
    same = sampled(motion, motion.time)
    np.testing.assert_allclose(same.qpos, motion.qpos, atol=1e-12)
    np.testing.assert_array_equal(same.foot_cop, motion.foot_cop)
    longer = sampled(motion, np.array([0.0, 2.5, 99.0]))
    np.testing.assert_allclose(longer.qpos[[0, 2]], motion.qpos[[0, -1]])


def test_a_folder_without_an_estimate_is_refused(tmp_path, folder):
    with pytest.raises(MskError, match="no such file"):
        Playback.open(tmp_path)
    (tmp_path / "motion.npz").write_bytes((folder / "motion.npz").read_bytes())
    with pytest.raises(MskError, match=r"model\.xml"):
        Playback.open(tmp_path)
    (tmp_path / "model.xml").write_text("<mujoco/>")
    with pytest.raises(MskError, match="joints"):
        Playback.open(tmp_path)
    with pytest.raises(MskError, match="source video"):
        Playback.open(folder, video=tmp_path / "none.mp4")


@pytest.mark.parametrize("text", ["1280", "axb", "8x8", "99999x720"])
def test_a_size_that_is_none_is_refused(text):
    with pytest.raises(MskError, match="picture size"):
        parse_size(text)


def test_a_film_lasts_as_long_as_its_speed_says():
    np.testing.assert_allclose(film_times([1.0], 0.5, 10), np.arange(21) * 0.05)
    assert len(film_times([1.0, 2.0], 1.0, 30)) == 61


def test_a_film_shows_the_motion_and_the_ghost(tmp_path, folder):
    other = small_estimate.write(tmp_path / "fast", speed=1.3)
    alone, both = tmp_path / "alone.mp4", tmp_path / "both.mp4"
    options = FilmOptions(size=(160, 120), rate_hz=2.0, speed=0.5)
    calls: list[tuple[int, int]] = []
    render_film([folder], alone, options, on_frame=lambda *a: calls.append(a))
    render_film([folder, other], both, options)
    assert calls == [(i + 1, 5) for i in range(5)]
    films = []
    for path in (alone, both):
        with av.open(str(path)) as container:
            images = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
            films.append(np.stack(images).astype(int))
    assert films[0].shape == films[1].shape == (5, 120, 160, 3)
    assert np.abs(films[0][0] - films[0][-1]).max() > 40  # it moves
    difference = np.abs(films[0] - films[1]).max(axis=(1, 2, 3))
    assert difference[-1] > 25  # the ghost, which is ahead at the end
