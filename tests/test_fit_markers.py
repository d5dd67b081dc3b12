"""Marker fits: motions made into markers by the C engine, and a real walk on force plates."""

from pathlib import Path

import mujoco
import numpy as np
import pytest

from mjx_msk.compile.following import follow
from mjx_msk.errors import MskError
from mjx_msk.fit.derivatives import lowpass, smooth_motion
from mjx_msk.fit.kinetics import joint_forces
from mjx_msk.fit.marker_checks import swapped
from mjx_msk.fit.marker_names import match_markers
from mjx_msk.fit.markers import MarkerFit, fit_markers
from mjx_msk.fit.measured import measured_loads
from mjx_msk.fit.subject import read_model
from mjx_msk.model import Model
from mjx_msk.osim.markers import read_trc
from mjx_msk.osim.tables import read_table
from mjx_msk.resources import asset

ASSET = asset("rajagopal_lai_uhlrich_2023.xml")
FRAMES, DT = 64, 0.02
#: What smoothness, habits and float32 may bend, where markers are exact.
BENT_DEG = 0.5
#: Without regard to what single markers such as the elbow's leave nearly open.
BODY = ("pelvis_tilt", "pelvis_list", "pelvis_rotation", "lumbar_extension", *(
    f"{joint}_{side}" for side in "rl"
    for joint in ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle")
))  # fmt: skip


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load(ASSET)


@pytest.fixture(scope="module")
def names(model) -> tuple[str, ...]:
    """Markers that a laboratory could see: none inside a joint."""
    return tuple(
        name for name in model.layout.site_names
        if not name.startswith("landmark/") and not name.endswith("JC")
    )  # fmt: skip


def swinging(model: Model, *, heading_deg: float = 0.0, tilt_deg: float = 0.0) -> np.ndarray:
    """Return a motion (T, n) in which every coordinate swings at a pace of its own."""
    random = np.random.default_rng(3)
    low, high = np.clip(np.asarray(model.q_range, float), -1.2, 1.6).T
    middle, reach = (low + high) / 2, (high - low) / 2
    reach[:6], middle[:6] = (0.15, 0.1, 0.15, 0.2, 0.2, 0.2), (0, 0, 0, 0, 0.9, 0)
    t = np.arange(FRAMES)[:, None] * DT
    phase, pace = random.uniform(0, 6, model.n), random.uniform(1, 4, model.n)
    q = middle + 0.5 * reach * np.sin(phase + pace * t)
    q[:, model.layout.coordinate_index["pelvis_rotation"]] += np.deg2rad(heading_deg)
    q[:, model.layout.coordinate_index["pelvis_tilt"]] += np.deg2rad(tilt_deg)
    locked = np.array(model.layout.locked)
    q[:, locked] = np.asarray(model.q_default)[locked]
    return q


def markers_of(q: np.ndarray, model: Model, names: tuple[str, ...]) -> np.ndarray:
    """Return where the C engine puts the markers, (T, m, 3)."""
    mj = mujoco.MjModel.from_xml_path(str(ASSET))
    data = mujoco.MjData(mj)
    found = np.zeros((len(q), len(names), 3))
    for t, row in enumerate(q):
        qpos = np.zeros(mj.nq)
        for name, value in zip(model.layout.coordinate_names, row, strict=True):
            qpos[mj.joint(name).qposadr[0]] = value
        data.qpos[:] = follow(mj, qpos)
        mujoco.mj_kinematics(mj, data)
        found[t] = [data.site(name).xpos for name in names]
    return found


def body_error_deg(model: Model, fit: MarkerFit, q: np.ndarray) -> np.ndarray:
    columns = [model.layout.coordinate_index[name] for name in BODY]
    error = np.rad2deg(fit.q - q)[:, columns]
    return np.abs((error + 180) % 360 - 180)


@pytest.mark.parametrize(
    ("heading_deg", "tilt_deg"),
    [(0, 0), (180, 0), (-100, 0), (40, -85)],
    ids=["forward", "back", "aside", "lying"],
)
def test_a_motion_comes_back_from_its_markers(model, names, heading_deg, tilt_deg):
    q = swinging(model, heading_deg=heading_deg, tilt_deg=tilt_deg)
    fit = fit_markers(model, names, markers_of(q, model, names), DT)
    assert body_error_deg(model, fit, q).max() < BENT_DEG
    assert np.nanmax(fit.error_m) < 0.003
    locked = np.array(model.layout.locked)
    np.testing.assert_allclose(fit.q[:, locked], q[:, locked], atol=1e-4)


def test_gaps_are_bridged_and_long_ones_cost_confidence(model, names):
    q = swinging(model)
    positions = markers_of(q, model, names)
    shank = [i for i, name in enumerate(names) if name[1:] in
             ("TB1", "TB2", "TB3", "LMAL", "MMAL", "CAL", "TOE", "MT5")
             and name[0] == "R"]  # fmt: skip
    shank += [names.index("R_tibial_plateau")]
    positions[20:24, shank] = np.nan  # 0.08 s
    positions[40:, shank] = np.nan  # the rest of the trial
    fit = fit_markers(model, names, positions, DT)
    knee = model.layout.coordinate_index["knee_angle_r"]
    error = np.rad2deg(np.abs(fit.q - q))[:, knee]
    assert error[20:24].max() < 1.0
    assert fit.confidence[:20, knee].min() > 0.9
    assert fit.confidence[44:, knee].max() < 0.5
    assert np.isfinite(fit.q).all()
    assert np.isnan(fit.error_m[40:, shank]).all()


def test_swapped_labels_are_put_right_and_named(model, names):
    q = swinging(model)
    positions = markers_of(q, model, names)
    a, b = names.index("RTH1"), names.index("RTH3")
    positions[:, [a, b]] = positions[:, [b, a]]
    fit = fit_markers(model, names, positions, DT)
    assert body_error_deg(model, fit, q).max() < BENT_DEG
    assert any("RTH1 is RTH3" in text and "RTH3 is RTH1" in text for text in fit.warnings)


def test_a_wild_marker_hardly_bends_the_motion_and_is_named(model, names):
    q = swinging(model)
    positions = markers_of(q, model, names)
    positions[:, names.index("LTB2")] += [0.25, 0.1, 0.0]  # throughout
    positions[30:33, names.index("RPSI")] += [0.0, 0.6, 0.2]  # for a moment
    fit = fit_markers(model, names, positions, DT)
    assert body_error_deg(model, fit, q).max() < 3.0
    far = [text for text in fit.warnings if "LTB2 (" in text]
    assert len(far) == 1
    assert "RPSI" not in far[0]


def test_two_markers_far_off_are_not_taken_for_an_exchange():
    expected = np.zeros((5, 3, 3)) + np.arange(3)[:, None]
    observed = expected.copy()
    observed[:, :2, 2] += 0.5
    assert swapped(expected, observed) == {}
    assert swapped(expected, expected[:, [1, 0, 2]]) == {0: 1, 1: 0}


def test_what_no_marker_sees_is_said_to_be_open(model, names):
    q = swinging(model)
    legs = tuple(n for n in names if not n.startswith(("RUA", "RFA")) and n not in ("RLEL", "RMEL"))
    fit = fit_markers(model, legs, markers_of(q, model, legs), DT)
    assert {"elbow_flex_r", "pro_sup_r"} <= set(fit.undetermined)
    assert not set(fit.undetermined) & {*BODY, "elbow_flex_l"}


@pytest.mark.parametrize("frames", [1, 2])
def test_the_shortest_files_are_fitted(model, names, frames):
    q = swinging(model, heading_deg=90)[:frames]
    fit = fit_markers(model, names, markers_of(q, model, names), DT)
    assert body_error_deg(model, fit, q).max() < 1.0


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rename",
    [str.lower, lambda n: f"Anna:{n}", lambda n: f"Anna_{n}", lambda n: f"{n[:1]}.{n[1:]}"],
    ids=["case", "colon", "prefix", "dots"],
)
def test_names_match_but_for_case_and_prefix(model, names, rename):
    seen = np.zeros((1, len(names), 3))
    found = match_markers(model, [rename(n) for n in names], seen, "x.trc")
    assert list(found.values()) == list(names)


def test_too_few_markers_are_refused_with_both_sides_names(model, names):
    with pytest.raises(MskError, match=r"only 2 of its 3 markers.*Nose.*the model has") as caught:
        match_markers(model, ["RASI", "LASI", "Nose"], np.zeros((1, 3, 3)), "x.trc")
    assert "--model" in caught.value.remedy
    gone = np.full((4, len(names), 3), np.nan)
    gone[:, :3] = 0.0
    with pytest.raises(MskError, match="no frame shows more than 3"):
        match_markers(model, names, gone, "x.trc")


# --- derivatives ------------------------------------------------------------------------------


def test_the_filter_passes_slow_waves_without_lag_and_halves_the_power_at_its_cutoff():
    t = np.arange(0, 6, 0.01)
    slow, edge = np.sin(2 * np.pi * 0.7 * t), np.sin(2 * np.pi * 6.0 * t)
    middle = slice(150, -150)
    np.testing.assert_allclose(lowpass(slow, 100, 6.0)[middle], slow[middle], atol=1e-3)
    # forth and back: -3 dB twice
    np.testing.assert_allclose(lowpass(edge, 100, 6.0)[middle], edge[middle] / 2, atol=5e-3)


def test_derivatives_are_those_of_a_smooth_wave():
    """Sampled too slowly for the filter, so that only the spline acts; an end where it is odd."""
    t = np.linspace(0.0, 1.0, 41)
    wave = np.sin(4 * t)[:, None]
    q, qd, qdd = smooth_motion(t, wave, 30.0)
    np.testing.assert_allclose(q, wave, atol=1e-12)
    inner = slice(0, -8)
    np.testing.assert_allclose(qd[inner, 0], 4 * np.cos(4 * t)[inner], atol=1e-4)
    np.testing.assert_allclose(qdd[inner, 0], -16 * np.sin(4 * t)[inner], atol=1e-2)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 6])
def test_few_samples_tell_what_they_can(frames):
    t = np.arange(frames) / 10
    q, qd, qdd = smooth_motion(t, (2 * t)[:, None], 6.0)
    np.testing.assert_allclose(q, (2 * t)[:, None], atol=1e-9)
    np.testing.assert_allclose(qd, np.full((frames, 1), 2.0 if frames > 1 else 0.0), atol=1e-9)
    np.testing.assert_allclose(qdd, np.zeros((frames, 1)), atol=1e-9)


# --- a real walk -------------------------------------------------------------------------------


def test_a_real_walk_has_opensims_angles_and_moments(shared_data):
    """OpenCap's published inverse kinematics (weights unknown), OpenSim 4.6's inverse dynamics."""
    base = shared_data / "motions" / "opencap" / "expert1"
    markers = read_trc(base / "walking1.trc")
    model = Model.from_spec(read_model(base / "model.osim"))
    found = match_markers(model, markers.names, markers.positions, "walking1.trc")
    fit = fit_markers(model, tuple(found.values()), markers.positions[:, list(found)], 0.01)
    assert any("L_thigh1 is L_thigh3" in text for text in fit.warnings)  # as the data's README says
    q, qd, qdd = smooth_motion(markers.time, fit.q, 6.0)
    loads = measured_loads(Path(base / "walking1_grf.mot"), model, markers.time, q)
    moments = joint_forces(model, q, qd, qdd, loads).generalized_force
    angles = read_table(base / "walking1_ik.mot")
    expected = read_table(base / "walking1_id_opensim.sto")
    for name in BODY[6:]:
        i = model.layout.coordinate_index[name]
        assert np.mean(np.abs(np.rad2deg(q[:, i]) - angles.column(name))) < 3.0, name
    for joint in ("hip_flexion", "hip_adduction", "knee_angle", "ankle_angle"):
        columns = [model.layout.coordinate_index[f"{joint}_{side}"] for side in "rl"]
        reference = [expected.column(f"{joint}_{side}_moment") for side in "rl"]
        error = moments[:, columns] - np.stack(reference, axis=1)
        assert np.sqrt(np.mean(error**2)) < 0.03 * np.abs(reference).max(), joint
