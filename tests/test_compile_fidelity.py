"""The fidelity measure: what was planted is found, and nothing else; its report; --strict."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest
from html_page import Page
from small_osim import CAP_SLOPE, ELBOW, RADIUS, closed_forms, write_arm

import mjx_msk.compile
from mjx_msk import cli
from mjx_msk.compile import compile_osim
from mjx_msk.compile.bars import bars, require
from mjx_msk.compile.fidelity import Fidelity, bounded, compare, sample
from mjx_msk.compile.muscle_reference import MuscleReference
from mjx_msk.compile.notes import Note, alike, read_notes
from mjx_msk.compile.posing import Posing
from mjx_msk.compile.reference import Reference
from mjx_msk.compile.worst import worst_curves
from mjx_msk.errors import MskError
from mjx_msk.report.fidelity import document, write_fidelity

pytest.importorskip("opensim")

#: Rounding, the eight digits of OpenSim's wrapping, and accelerations by differences.
NOTHING = 1e-7
HOSTILE = "</script><script>alert(1)</script><img src=http://evil.example/x>.osim"
STILL = np.zeros(2)
LISTS = ("bars", "bodies", "coordinates", "muscles", "moment_arms", "notes")
PAIRS = [("straight", "shoulder"), ("wrapped", "elbow"), ("across", "elbow")]


@pytest.fixture(scope="module")
def osim(tmp_path_factory) -> Path:
    return write_arm(tmp_path_factory.mktemp("arm") / "arm.osim")


@pytest.fixture(scope="module")
def spec(osim) -> mujoco.MjSpec:
    return compile_osim(osim)


@pytest.fixture
def model(spec) -> mujoco.MjModel:
    return spec.compile()


@pytest.fixture(scope="module")
def faithful(osim, spec) -> Fidelity:
    return compare(osim, spec.compile(), poses=20, seed=1)


def measured(osim: Path, model: mujoco.MjModel) -> Fidelity:
    return compare(osim, model, poses=20, seed=1)


def wrong(errors: dict, limit: float = NOTHING) -> set:
    """Return the names whose error is not zero."""
    return {name for name, error in errors.items() if error > limit}


def wrong_arms(fidelity: Fidelity) -> set:
    assert wrong({pair: arm.rms for pair, arm in fidelity.slopes.items()}) == wrong(
        {pair: arm.rms for pair, arm in fidelity.arms.items()}
    )
    return wrong({pair: arm.rms for pair, arm in fidelity.arms.items()})


# --- the two sides of the comparison, each against closed forms ---------------------------------


@pytest.mark.parametrize("q", [(0.3, 0.4), (-0.9, 0.55)])
def test_lengths_and_moment_arms_are_the_closed_forms(osim, model, q):
    q = np.array(q)
    lengths, arms = closed_forms(*q)
    reference = Reference(osim)
    reference.pose(q, STILL)
    theirs = MuscleReference(reference, reference.muscles)
    posing = Posing(model, reference.names)
    posing.pose(q, STILL, STILL)
    expected = np.array(
        [[arms.get((m, c), 0.0) for c in reference.names] for m in reference.muscles]
    )
    np.testing.assert_allclose(theirs.moment_arms(q), expected, atol=1e-9)
    np.testing.assert_allclose(posing.moment_arms(), expected, atol=1e-9)
    for name, length in lengths.items():
        assert theirs.lengths()[reference.muscles.index(name)] == pytest.approx(length, abs=1e-12)
        assert posing.data.tendon(name).length[0] == pytest.approx(length, abs=1e-12)
    slopes = theirs.length_slopes(q, np.ones(expected.shape, bool))
    np.testing.assert_allclose(slopes, expected, atol=1e-9)


def test_poses_stay_in_their_ranges_and_locked_coordinates_at_rest(osim):
    reference = Reference(osim)
    reference.locked = {"elbow"}
    q, qd, qdd = sample(reference, np.array([True, True]), 50, 0)
    assert np.ptp(q[:, 0]) > 1.5
    assert np.abs(q[:, 0]).max() <= 1.0
    assert (q[:, 1] == 0.4).all()
    assert not qd[:, 1].any()
    assert not qdd[:, 1].any()
    assert qd[:, 0].std() == pytest.approx(2, rel=0.3)
    np.testing.assert_array_equal(
        bounded(np.array([[-99999.9, 2], [-500, 500]])), [[-np.pi, 2], [-500, 500]]
    )


# --- planted errors -----------------------------------------------------------------------------


def test_a_faithful_model_has_no_errors(faithful):
    assert set(faithful.arms) == set(PAIRS)
    assert not wrong(faithful.position)
    assert not wrong(faithful.angle)
    assert not wrong(faithful.length)
    assert not wrong(faithful.moment)
    assert not wrong_arms(faithful)
    assert max(faithful.total_mass, faithful.mass_center, faithful.mass_matrix) < NOTHING
    assert faithful.fitted == frozenset()
    assert faithful.missing == faithful.notes == ()
    assert all(bar.met for bar in bars(faithful) if not bar.key.startswith("force"))


def test_a_shifted_body_is_found(osim, model):
    model.body("cap").pos[:] += [0, 0.003, 0]
    found = measured(osim, model)
    assert found.position["cap"] == pytest.approx(0.003, abs=1e-9)
    assert wrong(found.position) == {"cap"}
    assert not wrong(found.angle)
    assert wrong(found.length) == {"across"}
    assert found.mass_center == pytest.approx(0.003 * 0.1 / 3.6, rel=1e-6)


def test_a_turned_body_is_found(osim, model):
    model.body("cap").quat[:] = [np.cos(0.01), 0, np.sin(0.01), 0]
    found = measured(osim, model)
    assert found.angle["cap"] == pytest.approx(0.02, abs=1e-9)
    assert wrong(found.angle) == {"cap"}


def test_a_heavier_body_is_found(osim, model):
    model.body("upper").mass[0] += 0.036
    mujoco.mj_setConst(model, mujoco.MjData(model))
    found = measured(osim, model)
    assert found.total_mass == pytest.approx(0.01)
    assert found.mass == pytest.approx(0.036)
    assert wrong(found.moment) == wrong(found.inertial) == {"shoulder"}
    assert found.mass_matrix > 1e-4


def test_a_sluggish_joint_is_found(osim, model):
    """An armature of a tenth of the elbow's own inertia."""
    own = Posing(model, ["shoulder", "elbow"])
    own.pose(np.array([0.0, 0.4]), STILL, STILL)
    inertia = own.mass_matrix()[1, 1]
    model.dof_armature[model.joint("elbow").dofadr[0]] = 0.1 * inertia
    found = measured(osim, model)
    assert found.inertial["elbow"] == pytest.approx(0.1, rel=0.02)
    assert wrong(found.inertial) == wrong(found.moment) == {"elbow"}


def test_a_wrong_wrap_radius_is_found(osim, model):
    model.geom("wrap/pulley").size[0] += 0.001
    found = measured(osim, model)
    assert found.arms["wrapped", "elbow"].rms == pytest.approx(0.001, rel=1e-6)
    assert found.arms["wrapped", "elbow"].worst == pytest.approx(0.001, rel=1e-6)
    assert found.arms["wrapped", "elbow"].mean == pytest.approx(0.001, rel=1e-6)
    assert wrong_arms(found) == {("wrapped", "elbow")}
    assert wrong(found.length) == {"wrapped"}


def test_a_path_round_the_far_side_is_found_in_every_pose(osim, model):
    model.site("wrap/pulley/side").pos[0] *= -1
    found = measured(osim, model)
    assert found.arms["wrapped", "elbow"].flips == 20
    assert found.arms["wrapped", "elbow"].rms == pytest.approx(2 * RADIUS, rel=1e-6)
    assert wrong_arms(found) == {("wrapped", "elbow")}
    assert {bar.key for bar in bars(found) if not bar.met} >= {"flips", "arm_worst", "arm_95"}


def test_a_wrong_coupling_is_found(osim, model):
    """The slide goes 1 mm/rad too far: that is the arm's error, and the body's times the angle."""
    model.eq_data[0, 1] *= 1 + 0.001 / CAP_SLOPE
    found = measured(osim, model)
    assert found.arms["across", "elbow"].rms == pytest.approx(0.001, rel=1e-6)
    assert found.position["cap"] == pytest.approx(0.001 * found.poses[:, 1].max(), rel=1e-6)


def test_a_stronger_muscle_is_found(osim, model, faithful):
    model.actuator("straight").gainprm[2] *= 1.5
    found = measured(osim, model)
    assert found.force["straight"] > faithful.force["straight"] + 0.1
    assert found.force["wrapped"] == faithful.force["wrapped"]


def test_a_muscle_that_is_gone_is_missing(osim, spec):
    trial = spec.copy()
    trial.delete(trial.actuator("across"))
    trial.delete(trial.tendon("across"))
    trial.add_text(name="skipped/across", data="for a test")
    found = measured(osim, trial.compile())
    assert found.missing == ("across",)
    assert found.notes == (Note("skipped", "across", "for a test"),)
    assert set(found.length) == {"straight", "wrapped"}


def test_a_free_root_and_what_is_held_stay_at_rest(osim, spec):
    """Errors below them are found all the same."""
    trial = spec.copy()
    trial.delete(trial.key("default"))
    trial.delete(trial.joint("shoulder"))
    trial.body("upper").add_freejoint(name="j1")
    found = measured(osim, trial.compile())
    assert found.missing == ()
    assert set(found.moment) == {"elbow"}
    assert set(found.arms) == {("wrapped", "elbow"), ("across", "elbow")}
    assert not found.poses[:, 0].any()
    assert not wrong(found.position) | wrong(found.moment) | wrong(found.length)


def test_notes_are_ordered_and_other_texts_are_none(spec):
    trial = spec.copy()
    for name in ("fitted/d", "repaired/b", "approximated/a/x", "skipped/c", "default/elbow2"):
        trial.add_text(name=name, data=f"reason of {name}")
    notes = read_notes(trial.compile())
    assert alike([*notes, notes[0]._replace(name="e")])[0] == (
        "skipped", "reason of skipped/c", ["c", "e"],
    )  # fmt: skip
    assert [(note.kind, note.name) for note in notes] == [
        ("skipped", "c"),
        ("approximated", "a/x"),
        ("repaired", "b"),
        ("fitted", "d"),
    ]


def test_a_model_without_mass_has_no_bars_of_mass(shared_data, tmp_path):
    """The wrist, whose bones weigh nothing, against a model that has nothing of it."""
    empty = mujoco.MjModel.from_xml_string("<mujoco/>")
    found = compare(shared_data / "models/wrist.osim", empty, poses=2)
    assert found.total_mass is found.mass_center is found.mass_matrix is None
    assert bars(found) == []
    assert {"ulna", "elbow_flexion", "FCU"} < set(found.missing)
    write_fidelity(found, [], tmp_path / "wrist.json", title="wrist")
    assert json.loads((tmp_path / "wrist.json").read_text())["whole"]["mass_relative"] is None


def test_fitted_bodies_have_their_own_bars(faithful):
    loose = replace(
        faithful,
        fitted=frozenset({"cap"}),
        position={"upper": 1e-5, "fore": 6e-5, "cap": 4e-4},
        angle={"upper": 0.0, "fore": 0.0, "cap": np.radians(0.2)},
    )
    found = {bar.key: bar for bar in bars(loose)}
    assert not found["position_exact"].met
    assert (found["position_exact"].value, found["position_exact"].worst) == (
        pytest.approx(0.06),
        "fore",
    )
    assert found["position_fitted"].met
    assert found["angle_exact"].met
    assert not found["angle_fitted"].met


# --- strict -------------------------------------------------------------------------------------


def test_strict_names_everything(faithful):
    require(replace(faithful, force={}), "arm.osim")
    spoilt = replace(
        faithful,
        moment={"elbow": 0.02, "shoulder": 0.0},
        missing=("across",),
        notes=(Note("skipped", "contact", "why"), Note("repaired", "toes", "why")),
    )
    with pytest.raises(MskError) as caught:
        require(spoilt, "arm.osim")
    assert "skipped across, contact." in caught.value.what
    assert "worst coordinate 2 at elbow (bar 0.1 %)" in caught.value.what
    assert "mass" not in caught.value.what
    assert caught.value.where == "arm.osim"


@pytest.fixture
def compile_command(monkeypatch, capsys, osim, spec):
    """Run ``mjx-msk compile`` on the arm; ``shift`` (m) moves a body of the compiled model."""

    def run(*arguments, shift: float = 0.0) -> tuple[int, str]:
        def shifted(*_) -> mujoco.MjSpec:
            trial = spec.copy()
            trial.body("cap").pos[1] += shift
            return trial

        monkeypatch.setattr(mjx_msk.compile, "compile_osim", shifted)
        with pytest.raises(SystemExit) as ended:
            cli.main(["compile", str(osim), *map(str, arguments)])
        return ended.value.code, capsys.readouterr().err

    return run


def test_strict_writes_nothing_when_a_bar_is_missed(compile_command, tmp_path):
    out = tmp_path / "new"
    arguments = ("-o", out / "arm.xml", "--report", out / "arm.json", "--strict")
    code, said = compile_command(*arguments, shift=0.003)
    assert code == 2
    assert "body origin, exact joints, max 3 at cap (bar 0.05 mm)" in said
    assert sum(line.startswith("mjx-msk: ") for line in said.splitlines()) == 1
    assert not out.exists()


def test_strict_passes_a_faithful_model_and_the_report_is_written(
    compile_command, monkeypatch, tmp_path
):
    # MuJoCo's muscle curves are no muscle's exactly: they are tested with the forces.
    monkeypatch.setattr(mjx_msk.compile.fidelity, "muscle_force_errors", lambda *_, **__: {})
    report = tmp_path / "arm.json"
    code, _ = compile_command("-o", tmp_path / "arm.xml", "--report", report, "--strict")
    assert code == 0
    assert (tmp_path / "arm.xml").exists()
    assert all(bar["met"] for bar in json.loads(report.read_text())["bars"])


def test_a_report_of_another_kind_is_refused_at_once(compile_command, tmp_path):
    code, said = compile_command("-o", tmp_path / "arm.xml", "--report", tmp_path / "arm.pdf")
    assert code == 2
    assert "arm.pdf: a report is a .html or a .json file." in said
    assert not list(tmp_path.iterdir())


# --- the report ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spoilt(osim, spec) -> tuple[mujoco.MjModel, Fidelity]:
    trial = spec.copy()
    trial.add_text(name="skipped/ankle spring", data="no such force")
    model = trial.compile()
    model.geom("wrap/pulley").size[0] += 0.003
    return model, compare(osim, model, poses=20, seed=1)


@pytest.fixture(scope="module")
def page_file(osim, spoilt, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_fidelity(spoilt[1], worst_curves(osim, *spoilt), path, title=HOSTILE)
    return path


def test_curves_show_the_pairs_that_miss(osim, spoilt):
    (curve,) = worst_curves(osim, *spoilt, points=5)
    assert (curve.muscle, curve.coordinate) == ("wrapped", "elbow")
    assert curve.hinge
    np.testing.assert_allclose(curve.values, np.linspace(*ELBOW, 5))
    for sweep in (curve.rest, curve.worst):
        np.testing.assert_allclose(sweep.arm_theirs, -RADIUS, atol=1e-9)
        np.testing.assert_allclose(sweep.arm_ours, -RADIUS - 0.003, atol=1e-9)
        steps = np.diff(sweep.length_theirs) / np.diff(curve.values)
        np.testing.assert_allclose(steps, RADIUS, atol=1e-9)
    assert ELBOW[0] <= curve.at <= ELBOW[1]


def test_json_is_flat_and_every_key_is_documented(spoilt, tmp_path):
    _, fidelity = spoilt
    write_fidelity(fidelity, [], tmp_path / "report.json", title="arm")
    found = json.loads((tmp_path / "report.json").read_text())
    assert found == document(fidelity, "arm")
    assert {b["name"] for b in found["bodies"]} == {"upper", "fore", "cap"}
    assert {c["name"] for c in found["coordinates"]} == {"shoulder", "elbow"}
    assert {m["name"] for m in found["muscles"]} == {"straight", "wrapped", "across"}
    arm = next(arm for arm in found["moment_arms"] if arm["muscle"] == "wrapped")
    assert arm["rms_m"] == pytest.approx(0.003, rel=1e-6)
    assert found["notes"] == [
        {"kind": "skipped", "name": "ankle spring", "reason": "no such force"}
    ]
    page = Path(__file__).parents[1].joinpath("docs", "fidelity.md").read_text()
    records = [found, found["whole"], *(found[k][0] for k in found if found[k] and k in LISTS)]
    keys = {key for record in records for key in record} | {bar["key"] for bar in found["bars"]}
    assert {key for key in keys if f"`{key}`" not in page} == set()


def test_the_page_opens_offline_and_says_what_was_found(page_file):
    page = Page(page_file)
    page.assert_offline()
    assert len(page.scripts) == 3  # plotly, the data, ours
    text = re.sub(r"\s+", " ", page.text)
    assert HOSTILE in text
    for said in (
        "wrapped over elbow",
        "RMS 3.00 mm, worst 3.00 mm",
        "skipped ankle spring no such force",
        "bars missed",
        "moment arm, RMS, 95th percentile 2.7 2 mm missed",
    ):
        assert said in text, said
    (curve,) = json.loads(page.scripts[1])["curves"]
    assert [panel["unit"] for panel in curve["panels"]] == ["mm"] * 3
    np.testing.assert_allclose(curve["panels"][0]["ours"], -33.0, atol=1e-3)


@pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed")
def test_a_browser_draws_the_curves_without_a_complaint(page_file, tmp_path):
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000",
        "--disable-background-networking", "--proxy-server=127.0.0.1:9", "--enable-logging=stderr",
        f"--user-data-dir={tmp_path}", "--dump-dom", page_file.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    assert done.stdout.count('<g class="scatterlayer') == 3
