"""From a recorded trial to clips: sizes, places and forces against OpenSim and C MuJoCo."""

from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest
import squat_trial as made

from mjx_msk.cli.main import main
from mjx_msk.compile.following import follow
from mjx_msk.data.clip import RATE_HZ
from mjx_msk.data.folder import list_folder
from mjx_msk.data.records import Records
from mjx_msk.errors import MskError
from mjx_msk.fit.derivatives import smooth_motion
from mjx_msk.fit.kinetics import FOOT_BODIES
from mjx_msk.fit.scaling import SEGMENTS
from mjx_msk.fit.subject import generic_spec, scaled_spec
from mjx_msk.osim.markers import Markers
from mjx_msk.osim.tables import read_table
from mjx_msk.train.clips import ClipMaker
from mjx_msk.train.ground import belt_velocity, shifted_over_time

pytest.importorskip("opensim")


@pytest.fixture(scope="module")
def maker():
    return ClipMaker()


@pytest.fixture(scope="module")
def trial(shared_data, tmp_path_factory):
    root = made.write_squat(tmp_path_factory.mktemp("made"), shared_data / made.GENERIC)
    (listed,) = list_folder(root)
    return listed.read()


@pytest.fixture(scope="module")
def clips(maker, trial):
    return maker.clips(trial, 1, np.random.default_rng(3))


def body(clip):
    """Return the clip's model in the C engine."""
    return scaled_spec(generic_spec(), clip.base, clip.log_segments, clip.mass_kg).compile()


def full(mj, maker, q):
    """Return MuJoCo's qpos (T, nq) of coordinates (T, n)."""
    qpos = np.zeros((len(q), mj.nq))
    names = maker.generic.layout.coordinate_names
    qpos[:, [int(mj.joint(name).qposadr[0]) for name in names]] = q
    return follow(mj, qpos)


def test_the_size_of_the_person_is_found(clips):
    clip = clips[0]
    assert clip.mass_kg == pytest.approx(made.MASS_KG, abs=1e-3)
    # which share of a length is the base's and which the segment's, stature decides
    found = np.log(clip.base) + clip.log_segments
    wanted = np.log(made.BASE) + made.LOG_SEGMENTS
    names = list(SEGMENTS)
    for name in ("thigh", "shank", "upper_arm", "forearm", "shoulder_width", "pelvis_width"):
        assert found[names.index(name)] == pytest.approx(wanted[names.index(name)], abs=0.02), name
    assert clip.base == pytest.approx(made.BASE, rel=0.02)
    assert clip.centres_error_m < 0.004


def test_angles_are_the_published_ones_smoothed(maker, trial, clips):
    names = maker.generic.layout.coordinate_names
    time = np.arange(len(clips[0])) / RATE_HZ
    for name in ("knee_angle_r", "hip_flexion_l", "ankle_angle_r", "pelvis_rotation"):
        values = trial.q[:, trial.coordinate_names.index(name)]
        wanted = smooth_motion(trial.time, values[:, None], 6.0)
        i = names.index(name)
        for found, ours in zip(wanted, (clips[0].q, clips[0].qd, clips[0].qdd), strict=True):
            expected = np.interp(time, trial.time, found[:, 0])
            scale = max(1.0, np.abs(expected).max())
            np.testing.assert_allclose(ours[:, i], expected, atol=0.02 * scale)


def test_landmarks_are_where_the_c_engine_puts_them(maker, clips):
    for clip in clips:
        mj = body(clip)
        data = mujoco.MjData(mj)
        sites = [mj.site(f"landmark/{name}").id for name in maker.landmark_names]
        for t in (0, len(clip) // 2):
            data.qpos[:] = full(mj, maker, clip.q[t : t + 1])[0]
            mujoco.mj_kinematics(mj, data)
            np.testing.assert_allclose(clip.landmarks[t], data.site_xpos[sites], atol=1e-4)


def test_the_person_stands_on_the_floor_where_it_stood(maker, trial, clips):
    """Heading and place stay; the floor that was 2 cm off is at z = 0."""
    clip = clips[0]
    hips = [maker.landmark_names.index(f"{side}_hip") for side in ("right", "left")]
    middle = clip.landmarks[:, hips].mean(axis=1)
    names = trial.coordinate_names
    tx, tz = (trial.q[0, names.index(n)] for n in ("pelvis_tx", "pelvis_tz"))
    ahead = middle[0, :2] - [tx, -tz]
    assert np.linalg.norm(ahead) < 0.12  # the hips are some centimetres behind the pelvis's origin
    heading = np.arctan2(-ahead[1], -ahead[0])
    assert heading == pytest.approx(made.TURN, abs=0.1)
    for clip in clips:
        mj = body(clip)
        data = mujoco.MjData(mj)
        spheres = [g for g in range(mj.ngeom) if mj.geom(g).name.startswith("contact/")]
        for row in full(mj, maker, clip.q[::10]):
            data.qpos[:] = row
            mujoco.mj_kinematics(mj, data)
            bottom = data.geom_xpos[spheres, 2] - mj.geom_size[spheres, 0]
            # legs are fitted to millimetres, and what bends them moves the soles by as much
            assert abs(bottom.min()) < 0.010


def test_forces_come_from_plates_where_they_explain_the_motion(maker, clips):
    clip, variant = clips
    last = int((made.SECONDS - 0.3) * RATE_HZ)
    assert clip.force_source == "plates"
    assert clip.measured[2 : last - 6].all()
    assert not clip.measured[last + 1 :].any()
    assert clip.kinetics_known.all()
    half = made.MASS_KG * 9.81 / 2
    inner = slice(8, last - 8)
    np.testing.assert_allclose(clip.foot_force[inner, :, 2], half, rtol=1e-3)
    assert (clip.contact == 1).all()
    # the feet's pressure lies between heel and toe, on the floor
    for foot, side in enumerate(("right", "left")):
        ends = [maker.landmark_names.index(f"{side}_{end}") for end in ("heel", "foot_index")]
        heel, toe = clip.landmarks[last // 2, ends, :2]
        along = (
            (clip.foot_cop[last // 2, foot, :2] - heel) @ (toe - heel) / np.sum((toe - heel) ** 2)
        )
        assert 0.0 < along < 1.0
    assert np.abs(clip.foot_cop[..., 2]).max() < 1e-6
    assert variant.force_source == "consistent"
    assert variant.kinetics_known.all()
    weight = variant.mass_kg * 9.81
    assert variant.foot_force[..., 2].sum(axis=1).mean() == pytest.approx(weight, rel=0.02)


def test_joint_forces_are_the_c_engines(maker, clips):
    """Newton-Euler of the C engine minus the loads' share, in independent coordinates."""
    for clip in clips:
        mj = body(clip)
        data, h = mujoco.MjData(mj), 1e-4
        t = len(clip) // 3
        steps = np.array([-1.0, 0.0, 1.0])[:, None] * h
        along = full(mj, maker, clip.q[t] + steps * clip.qd[t] + 0.5 * steps**2 * clip.qdd[t])
        data.qpos[:] = along[1]
        data.qvel[:] = (along[2] - along[0]) / (2 * h)
        data.qacc[:] = (along[2] - 2 * along[1] + along[0]) / h**2
        mujoco.mj_forward(mj, data)
        data.qacc[:] = (along[2] - 2 * along[1] + along[0]) / h**2
        tau = np.zeros(mj.nv)
        mujoco.mj_rne(mj, data, 1, tau)
        tau += mj.dof_armature * data.qacc
        for foot, name in enumerate(FOOT_BODIES):
            mujoco.mj_applyFT(
                mj, data, -clip.foot_force[t, foot], -clip.foot_moment[t, foot],
                clip.foot_cop[t, foot], mj.body(name).id, tau,
            )  # fmt: skip
        columns = np.array([
            np.subtract(*(full(mj, maker, clip.q[[t]] + s * e)[0] for s in (h, -h))) / (2 * h)
            for e in np.eye(maker.generic.n)
        ])  # fmt: skip
        np.testing.assert_allclose(clip.tau[t], columns @ tau, atol=0.5)


def test_a_variant_is_another_body_in_the_same_motion(maker, trial, clips):
    clip, variant = clips
    assert (variant.name, variant.variant, variant.person) == (f"{clip.name}#1", 1, clip.person)
    assert variant.base != clip.base
    assert variant.mass_kg != clip.mass_kg
    assert variant.height_m == pytest.approx(1.70 * variant.base)
    knee = maker.generic.layout.coordinate_index["knee_angle_r"]
    # times scale with the square root of lengths
    assert len(variant) == pytest.approx(len(clip) * np.sqrt(variant.base / clip.base), abs=3)
    assert variant.q[:, knee].max() == pytest.approx(clip.q[:, knee].max(), abs=0.01)
    (other,) = maker.clips(trial, 1, np.random.default_rng(3))[1:]
    np.testing.assert_array_equal(other.tau, variant.tau)  # the same seed, the same body


def test_a_belt_is_seen_from_standing_feet(maker, clips):
    clip = clips[0]
    time = np.arange(len(clip)) / RATE_HZ
    model = maker.generic
    assert np.linalg.norm(belt_velocity(model, time, clip.q)) < 0.05
    wanted = np.array([-1.2, 0.3, 0.0])
    carried = shifted_over_time(model, clip.q, time[:, None] * wanted)
    np.testing.assert_allclose(belt_velocity(model, time, carried), wanted[:2], atol=0.05)


def test_markers_alone_give_the_motion_and_the_size(maker, trial, clips):
    """Markers that the C engine puts on the person's body, under names of another laboratory."""
    clip = clips[0]
    mj = body(clip)
    data = mujoco.MjData(mj)
    names = {
        "ASI": "ASIS", "PSI": "PSIS", "LFC": "knee", "MFC": "mknee", "LMAL": "ankle",
        "MMAL": "mankle", "CAL": "calc", "TOE": "toe", "MT5": "5meta", "ACR": "Shoulder",
        "LEL": "elbow_lat", "MEL": "elbow_med", "FAradius": "wrist_radius", "FAulna": "wrist_ulna",
    }  # fmt: skip
    sites = {
        f"{s}_{theirs}": mj.site(f"{s}{own}").id for own, theirs in names.items() for s in "RL"
    }
    places = []
    for row in full(mj, maker, clip.q):
        data.qpos[:] = row
        mujoco.mj_kinematics(mj, data)
        places.append(data.site_xpos[list(sites.values())].copy())
    time = np.arange(len(clip)) / RATE_HZ
    markers = Markers(time, (*sites, "unknown"), np.pad(places, ((0, 0), (0, 1), (0, 0))), RATE_HZ)
    bare = replace(trial, q=None, time=None, model=None, markers=markers, forces=(), height_m=None)
    (found,) = maker.clips(bare)
    assert found.force_source == "consistent"
    # nobody measured the stature: it is what the bones add up to, and habit pulls at it
    assert found.height_m == pytest.approx(clip.height_m, rel=0.03)
    length = {n: np.exp(c.log_segments) * c.base for n, c in (("found", found), ("real", clip))}
    np.testing.assert_allclose(length["found"], length["real"], rtol=0.05)
    for name in ("knee_angle_r", "hip_flexion_l", "pelvis_rotation"):
        i = maker.generic.layout.coordinate_index[name]
        np.testing.assert_allclose(found.q[:, i], clip.q[:, i], atol=np.deg2rad(3.0))
    few = replace(bare, markers=replace(markers, names=tuple(f"m{i}" for i in range(29))))
    with pytest.raises(MskError, match="only 0 markers have known places"):
        maker.clips(few)


def test_prepare_keeps_what_is_done_and_skips_what_is_bad(shared_data, tmp_path, capsys, trial):
    root = Path(trial.provenance["files"][0]).parents[3]
    rows = (root / "manifest.csv").read_text(encoding="utf-8")
    bad = "made,someone,maria,train,lost,walk,lost_ik.mot,model.osim,72,\n"
    (root / "manifest.csv").write_text(rows + bad, encoding="utf-8")
    for expected in ("1 trials prepared, 0 kept, 1 left out", "0 trials prepared, 1 kept, 1 left"):
        with pytest.raises(SystemExit) as end:
            main(["data", "prepare", str(root), "-o", str(tmp_path / "out"), "--variants", "1"])
        assert end.value.code == 0
        said = capsys.readouterr()
        assert expected in said.out
        assert "made/someone/lost: " in said.err
        assert "lost_ik.mot: no such file." in said.err
    assert [line.split()[:3] for line in said.out.splitlines()[1:3]] == [
        ["train", "all", "2"], ["train", "squat", "2"],
    ]  # fmt: skip
    records = Records(tmp_path / "out")
    assert [c.name for c in records] == ["made/someone/squat", "made/someone/squat#1"]
    assert set(records.entries[0].sources) == {
        "squat_ik.mot", "model.osim", "squat_grf.mot", "squat_loads.csv",
    }  # fmt: skip


def test_moments_of_a_real_walk_are_opensims(maker, shared_data):
    """Measured frames of a published walk beside OpenSim's inverse dynamics on its own model."""
    folder = shared_data / "motions/opencap/expert1"
    (listed,) = [one for one in list_folder(folder) if one.name == "expert1/walking1"]
    (clip,) = maker.clips(listed.read())
    reference = read_table(folder / "walking1_id_opensim.sto")
    time = read_table(folder / "walking1_ik.mot").time[0] + np.arange(len(clip)) / RATE_HZ
    measured = clip.measured > 0
    assert measured.mean() > 0.8
    for name in ("hip_flexion_r", "hip_adduction_l", "knee_angle_r", "ankle_angle_l"):
        expected = np.interp(time, reference.time, reference.column(f"{name}_moment"))[measured]
        found = clip.tau[measured, maker.generic.layout.coordinate_index[name]]
        # theirs: unfiltered forces, and another distribution of mass in the trunk
        assert np.abs(found - expected).mean() < 0.04 * clip.mass_kg, name
        assert np.corrcoef(found, expected)[0, 1] > 0.97, name
