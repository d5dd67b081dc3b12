"""The whole way from recordings to results: synthetic markers, and cuts of the demo video."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import av
import mujoco
import numpy as np
import pytest
from fetching import fetched
from make_videos import write_video

import mjx_msk
from mjx_msk import cache, outputs, recordings
from mjx_msk.errors import MskError
from mjx_msk.fit.clock import evenly
from mjx_msk.fit.subject import generic_spec
from mjx_msk.importing import import_motion
from mjx_msk.model import Model
from mjx_msk.motion import Motion
from mjx_msk.options import Options
from mjx_msk.osim.markers import Markers, read_trc, write_trc
from mjx_msk.pipeline import Run, analyse, estimate, watch
from mjx_msk.vision.bundle import pose_model
from mjx_msk.vision.landmarks import FEET, NAMES

DATA = Path(__file__).parent / "data"
SQUAT = DATA / "squat.trc"
LEGS = [NAMES.index(f"{side}_{part}") for side in ("left", "right") for part in ("hip", "knee")]
PERSON = Options(height_m=1.7, mass_kg=75.0)

# --- markers ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def squat(tmp_path_factory) -> Path:
    """The folder with everything that comes out of a squat's markers."""
    out = tmp_path_factory.mktemp("squat") / "deeper" / "result"
    result = estimate(SQUAT, out, PERSON)
    assert result.note is None
    assert list(result.timings) == ["fit", "kinetics", "muscles", "files", "replay", "report"]
    return out


def test_every_file_comes_out(squat):
    assert sorted(p.name for p in squat.iterdir()) == sorted(outputs.FILES)
    with av.open(str(squat / "replay.mp4")) as film:
        assert film.streams.video[0].frames >= 15
    assert b"squat.trc" in (squat / "report.html").read_bytes()


def test_the_angles_are_those_the_markers_were_made_with(squat):
    sys.path.insert(0, str(DATA))
    from make_squat import angles_deg

    motion = Motion.load(squat / "motion.npz")
    for joint, share in (("hip_flexion", 1), ("knee_angle", 2), ("ankle_angle", 1)):
        for side in "rl":
            found = np.rad2deg(motion.q[:, motion.index(f"{joint}_{side}")])
            # the low-pass filter at 6 Hz and the generic bones' fit leave this much
            np.testing.assert_allclose(found, share * angles_deg(), atol=1.5, err_msg=joint)
    weight = 75.0 * 9.81
    carried = motion.foot_force[:, :, 2].sum(axis=1)
    assert np.mean(carried) == pytest.approx(weight, rel=0.15)
    assert motion.quality["marker_error_mm"] < 1.0


def test_the_muscles_make_the_moments_on_the_paths_of_plain_mujoco(squat):
    motion = Motion.load(squat / "motion.npz")
    model = mujoco.MjModel.from_xml_path(str(squat / "model.xml"))
    data = mujoco.MjData(model)
    hips = ("hip_flexion_r", "hip_adduction_r", "hip_rotation_r", "hip_flexion_l")
    coordinate = [motion.index(name) for name in hips]
    made = np.empty((len(motion), len(hips)))
    arms = np.zeros((model.ntendon, model.nv))
    for t, qpos in enumerate(motion.qpos):
        data.qpos = qpos
        mujoco.mj_forward(model, data)
        pull = np.zeros(model.ntendon)
        for name, force in zip(motion.muscle_names, motion.muscle_force[t], strict=True):
            pull[model.actuator(name).trnid[0]] = force
        dof = [model.joint(name).dofadr[0] for name in hips]
        mujoco.mju_sparse2dense(
            arms, data.ten_J, model.ten_J_rownnz, model.ten_J_rowadr, model.ten_J_colind
        )
        made[t] = -(pull @ arms)[dof]
    wanted = motion.generalized_force[:, coordinate]
    np.testing.assert_allclose(made + motion.reserve[:, coordinate], wanted, atol=0.02)  # N m
    assert np.all((motion.activation >= 0) & (motion.activation <= 1))
    assert np.isnan(motion.reserve[:, motion.index("lumbar_bending")]).all()  # no muscle there


def test_knees_bear_more_the_deeper_one_squats(squat):
    motion = Motion.load(squat / "motion.npz")
    knee = motion.joint_force[:, motion.loaded_joint_names.index("knee_r")]
    weight = 75.0 * 9.81
    deep = np.argmax(motion.q[:, motion.index("knee_angle_r")])
    assert np.all(knee[:, 1] < 0)  # on the tibia: down along the bone
    assert 0.3 * weight < -knee[0, 1] < 2 * weight  # half the body and what balances it
    assert -knee[deep, 1] > 2 * weight


def test_the_motion_plays_on_the_model_in_plain_mujoco(squat):
    """In a process that cannot import us; the dependent joints obey their equalities."""
    code = (
        "import sys, json, mujoco, numpy as np\n"
        "model = mujoco.MjModel.from_xml_path(sys.argv[1])\n"
        "motion = np.load(sys.argv[2], allow_pickle=False)\n"
        "assert [model.joint(j).name for j in range(model.njnt)] == list(motion['joint_names'])\n"
        "data, worst, knees = mujoco.MjData(model), 0.0, []\n"
        "for qpos in motion['qpos']:\n"
        "    data.qpos = qpos\n"
        "    mujoco.mj_forward(model, data)\n"
        "    rows = data.efc_type[:data.nefc] == mujoco.mjtConstraint.mjCNSTR_EQUALITY\n"
        "    worst = max(worst, np.abs(data.efc_pos[:data.nefc][rows]).max())\n"
        "assert not any(m.startswith('mjx_msk') for m in sys.modules)\n"
        "print(json.dumps([worst, int(rows.sum()), float(model.body_mass.sum())]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(squat / "model.xml"), str(squat / "motion.npz")],
        capture_output=True, text=True, check=True, cwd=squat,
    )  # fmt: skip
    worst, rows, mass = json.loads(done.stdout)
    assert rows > 10
    assert worst < 1e-5  # m or rad; the fit works in single precision
    assert mass == pytest.approx(75.0, abs=1e-3)


def test_a_complete_result_is_kept_and_another_one_is_not(squat, monkeypatch):
    before = (squat / "motion.npz").stat().st_mtime_ns
    assert estimate(SQUAT, squat, PERSON).reused
    assert (squat / "motion.npz").stat().st_mtime_ns == before
    run = Run(SQUAT, dataclasses.replace(PERSON, mass_kg=76.0))
    assert outputs.finished(run, squat) is None
    monkeypatch.setattr(mjx_msk, "__version__", "99")
    assert outputs.finished(Run(SQUAT, PERSON), squat) is None
    monkeypatch.undo()
    (squat / "report.html").rename(squat / "away.html")
    assert outputs.finished(Run(SQUAT, PERSON), squat) is None
    (squat / "away.html").rename(squat / "report.html")


def test_an_input_is_never_overwritten(squat):
    content = (squat / "markers.trc").read_bytes()
    with pytest.raises(MskError, match="overwrite this input"):
        estimate(squat / "markers.trc", squat, PERSON)
    model = dataclasses.replace(PERSON, model=squat / "model.xml")
    with pytest.raises(MskError, match="overwrite this input"):
        estimate(SQUAT, squat, model)
    assert (squat / "markers.trc").read_bytes() == content


def test_another_recordings_result_is_not_replaced(squat, tmp_path):
    other = tmp_path / "other.trc"
    other.write_text(SQUAT.read_text() + "\n")
    files = {p: p.read_bytes() for p in squat.iterdir()}
    with pytest.raises(MskError, match=r"result of another recording \(squat\.trc\)"):
        estimate(other, squat, PERSON)
    table = squat / "kinematics.mot"
    with pytest.raises(MskError, match="another recording"):
        import_motion(
            Path(shutil.copy(table, tmp_path)), squat,
            Options(model=Path(shutil.copy(squat / "model.xml", tmp_path))),
        )  # fmt: skip
    assert {p: p.read_bytes() for p in squat.iterdir()} == files


def test_our_own_files_go_in_again(squat):
    """The markers and the model that came out give the same motion, and keep the model's size."""
    run = Run(squat / "markers.trc", Options(model=squat / "model.xml"))
    _, again = analyse(run)
    first = Motion.load(squat / "motion.npz")
    knee = first.index("knee_angle_r")
    np.testing.assert_allclose(again.q[:, knee], first.q[:, knee], atol=np.deg2rad(1.5))
    assert again.subject == {"mass_kg": pytest.approx(75.0, abs=1e-3)}


@pytest.fixture
def markers() -> Markers:
    return read_trc(SQUAT)


def knee(motion: Motion) -> np.ndarray:
    return np.rad2deg(motion.q[:, motion.index("knee_angle_r")])


def test_markers_in_metres_with_gaps_and_strangers(squat, markers, tmp_path):
    """Metres, NaN gaps, a whole lost marker and an unknown one: the same knee, and it is said."""
    positions = markers.positions.copy()
    positions[3:9, ::5] = np.nan
    positions[:, markers.names.index("RTH1")] = np.nan
    names = tuple("stranger" if n == "LTH1" else n for n in markers.names)
    path = tmp_path / "metres.trc"
    write_trc(path, dataclasses.replace(markers, names=names, positions=positions / 1e3))
    path.write_text(path.read_text().replace("\tmm\t", "\tm\t"))
    _, motion = analyse(Run(path, PERSON))
    np.testing.assert_allclose(knee(motion), knee(Motion.load(squat / "motion.npz")), atol=2.0)
    assert any("stranger" in w for w in motion.quality["warnings"])


def test_too_few_markers_and_no_known_marker(markers, tmp_path):
    few = slice(0, 4)
    write_trc(
        tmp_path / "few.trc",
        dataclasses.replace(markers, names=markers.names[few], positions=markers.positions[:, few]),
    )
    with pytest.raises(MskError, match=r"few\.trc: only 4 of its 4 markers"):
        analyse(Run(tmp_path / "few.trc", PERSON))
    names = tuple(f"m{i}" for i in range(len(markers.names)))
    write_trc(tmp_path / "all.trc", dataclasses.replace(markers, names=names))
    with pytest.raises(MskError, match="only 0 of its 66 markers"):
        analyse(Run(tmp_path / "all.trc", PERSON))


def test_markers_of_one_arm_do_not_hold_the_body(markers, tmp_path):
    arm = [
        i for i, name in enumerate(markers.names) if name.startswith(("RLEL", "RMEL", "RFA", "REJ"))
    ]
    names = tuple(markers.names[i] for i in arm)
    write_trc(
        tmp_path / "arm.trc",
        dataclasses.replace(markers, names=names, positions=markers.positions[:, arm]),
    )
    with pytest.raises(MskError, match=r"arm\.trc: the 6 markers .* do not hold its pelvis"):
        analyse(Run(tmp_path / "arm.trc", PERSON))


def test_options_that_markers_have_no_use_for_are_said(tmp_path, markers):
    short = dataclasses.replace(markers, time=markers.time[:4], positions=markers.positions[:4])
    write_trc(tmp_path / "a.trc", short)
    options = dataclasses.replace(PERSON, person=2, slow_motion=4.0)
    _, motion = analyse(Run(tmp_path / "a.trc", options))
    assert "markers have no use for --person, --slow-motion" in motion.quality["warnings"]
    assert len(motion) == 4


def test_a_seat_is_said_and_not_forced_into_the_feet(shared_data, tmp_path):
    """Sitting down and up without force plates; sitting leaves less than half to the feet."""
    folder = shared_data / "motions" / "opencap" / "expert1"
    whole = read_trc(folder / "STS1.trc")
    part = slice(480, 680, 2)
    write_trc(
        tmp_path / "sit.trc",
        dataclasses.replace(whole, time=whole.time[part], positions=whole.positions[part]),
    )
    _, motion = analyse(Run(tmp_path / "sit.trc", Options(model=folder / "model.osim")))
    assert any("a seat" in w for w in motion.quality["warnings"])
    bent = knee(motion)
    share = motion.foot_force[:, :, 2].sum(axis=1) / (motion.subject["mass_kg"] * 9.81)
    assert np.median(share[bent < 60]) == pytest.approx(0.9, abs=0.2)
    still = slice(55, 70)  # in the chair
    assert bent[still].min() > 95
    assert share[still].mean() < 0.5
    assert motion.quality["pelvis_residual_moment_nm_per_kg"] < 0.3


# --- videos ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    """36 small frames of the demo, 30 a second: a man walks on a beam."""
    fetched(pose_model)
    film = fetched(cache.demo_video)
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        size = {"width": stream.width // 3 // 2 * 2, "height": stream.height // 3 // 2 * 2}
        images = [f.to_ndarray(format="rgb24", **size) for f in container.decode(stream)]
    return [np.ascontiguousarray(image) for image in images[:72:2]]


def seen(path: Path, **options) -> tuple:
    """Return the chosen person's landmarks and the warnings about the video."""
    run = Run(path, Options(height_m=1.73, mass_kg=70.0, **options))
    person, _ = watch(run, Model.from_spec(generic_spec()), None)
    return person, " | ".join(run.warnings)


@pytest.fixture(scope="module")
def upright(frames, tmp_path_factory):
    path = write_video(tmp_path_factory.mktemp("upright") / "a.mp4", frames)
    return seen(path)


def test_a_steady_camera_and_one_person_are_as_they_should(upright):
    person, warnings = upright
    assert person.seen.mean() > 0.95
    assert "camera moves" not in warnings
    assert "other people" not in warnings


def test_a_rotated_phone_video_gives_the_same_landmarks(frames, upright, tmp_path):
    turned = [np.ascontiguousarray(np.rot90(image)) for image in frames]
    person, _ = seen(write_video(tmp_path / "phone.mp4", turned, rotation_deg=-90))
    assert person.image_size == upright[0].image_size
    distance = np.linalg.norm(person.pixels - upright[0].pixels, axis=-1)
    assert np.nanmedian(distance) < 3.0  # px; two encodings of the same pictures


def test_a_variable_frame_rate_keeps_the_true_clock(frames, upright, tmp_path):
    keep = [i for i in range(len(frames)) if i % 5 not in (2, 3)]
    times = [round(i * 1000 / 30) for i in keep]
    path = write_video(tmp_path / "vfr.mp4", [frames[i] for i in keep], times_ms=times)
    person, _ = seen(path)
    np.testing.assert_allclose(person.time, np.array(times) / 1e3, atol=1e-3)
    even, place = evenly(person.time, person.pixels[:, 24])  # the right hip
    expected = np.stack(
        [np.interp(even, upright[0].time, column) for column in upright[0].pixels[:, 24].T], -1
    )
    assert np.median(np.linalg.norm(place - expected, axis=1)) < 4.0  # px


def test_slow_motion_is_played_at_true_speed(frames, tmp_path):
    person, _ = seen(write_video(tmp_path / "slow.mp4", frames), slow_motion=4.0)
    assert person.time[-1] == pytest.approx(35 / 30 / 4, abs=1e-3)


def test_feet_out_of_view_are_said(frames, upright, tmp_path):
    highest = np.nanmin(upright[0].pixels[:, FEET, 1])
    cut = [np.ascontiguousarray(f[: int(highest - 3) // 2 * 2]) for f in frames]
    _, warnings = seen(write_video(tmp_path / "cut.mp4", cut))
    assert "the feet are never in view" in warnings


def test_half_a_person_is_said(frames, upright, tmp_path):
    """From the thighs up: half of the body's landmarks lie below the picture in every frame."""
    thighs = np.nanmean(upright[0].pixels[:, LEGS, 1])
    cut = [np.ascontiguousarray(f[: int(thighs) // 2 * 2]) for f in frames]
    _, warnings = seen(write_video(tmp_path / "bust.mp4", cut))
    assert "of the body is out of view" in warnings


def test_a_moving_camera_is_said(frames, tmp_path):
    height, width = (int(0.8 * n) // 2 * 2 for n in frames[0].shape[:2])
    panned = [
        np.ascontiguousarray(f[i // 2 : i // 2 + height, i : i + width])
        for i, f in enumerate(frames)
    ]
    _, warnings = seen(write_video(tmp_path / "pan.mp4", panned))
    assert "the camera moves" in warnings


def test_nobody_in_view_is_an_error_that_names_the_file(frames, tmp_path):
    rng = np.random.default_rng(0)
    noise = [rng.integers(90, 160, (240, 320, 3), dtype=np.uint8) for _ in range(8)]
    path = write_video(tmp_path / "empty room.mp4", noise)
    with pytest.raises(MskError, match="no person was found") as caught:
        seen(path)
    assert str(path) in str(caught.value)


def test_a_person_who_is_not_there_is_an_error(frames, tmp_path):
    path = write_video(tmp_path / "a.mp4", frames[:12])
    with pytest.raises(MskError, match="there is no person 3"):
        seen(path, person=3)


def test_a_scaled_model_with_a_video_is_refused(tmp_path, frames, squat):
    path = write_video(tmp_path / "a.mp4", frames[:6])
    with pytest.raises(MskError, match="--model"):
        analyse(Run(path, dataclasses.replace(PERSON, model=squat / "model.xml")))


# --- rooms beside the way --------------------------------------------------------------------


def test_the_even_clock_keeps_gaps_and_thins_fast_footage():
    times = np.array([0.0, 0.1, 0.3, 0.4])
    even, values = evenly(times, np.array([0.0, 1.0, np.nan, 4.0]))
    np.testing.assert_allclose(even, [0, 0.4 / 3, 0.8 / 3, 0.4])
    np.testing.assert_array_equal(values, [0.0, np.nan, np.nan, 4.0])
    times = np.arange(241) / 240.0
    even, values = evenly(times, np.stack([times, -times], axis=-1))
    assert np.diff(even) == pytest.approx(np.full(100, 0.01))
    np.testing.assert_allclose(values, np.stack([even, -even], axis=-1), atol=1e-12)
    assert evenly(np.zeros(1), np.ones((1, 2)))[1].shape == (1, 2)


def test_recordings_of_one_name_do_not_share_a_folder(tmp_path):
    for name in ("a.mp4", "A.mov", "b.trc", "notes.txt", "._b.trc", "day/b.trc", "day/c.avi"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    out = tmp_path / "out"
    found = recordings.recordings([tmp_path, tmp_path / "day", tmp_path / "b.trc"], out)
    names = {source.name: folder.name for source, folder in found}
    assert len(found) == 5
    folders = [folder.name.casefold() for _, folder in found]
    assert len(set(folders)) == 5
    assert names["c.avi"] == "c"
    assert names["a.mp4"] == "a.mp4"
    assert recordings.recordings([tmp_path / "b.trc"], out) == [(tmp_path / "b.trc", out)]
    (tmp_path / "none").mkdir()
    with pytest.raises(MskError, match="holds no video"):
        recordings.recordings([tmp_path / "none"], out)


def test_a_model_that_is_none_is_refused(tmp_path):
    (tmp_path / "m.xml").write_text("<mujoco><worldbody>")
    with pytest.raises(MskError, match=r"m\.xml"):
        analyse(Run(SQUAT, Options(model=tmp_path / "m.xml")))
    (tmp_path / "pendulum.xml").write_text(
        "<mujoco><worldbody><body name='b'><joint name='j' type='hinge'/>"
        "<geom size='.1'/></body></worldbody></mujoco>"
    )
    assert mujoco.MjModel.from_xml_path(str(tmp_path / "pendulum.xml")).nq == 1
    with pytest.raises(MskError, match=r"pendulum\.xml|markers are on the model"):
        analyse(Run(SQUAT, Options(model=tmp_path / "pendulum.xml")))
