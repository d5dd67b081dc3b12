"""Scores of estimates whose errors are known, and evaluations that are stopped."""

import time
from dataclasses import replace as changed
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from made_records import write_records
from scipy.spatial.transform import Rotation
from walking import Body, filming, seen_by, subject, walk

from mjx_msk.data.clip import RATE_HZ, Clip
from mjx_msk.data.listing import Listed
from mjx_msk.data.records import Records
from mjx_msk.data.trial import Trial
from mjx_msk.errors import MskError
from mjx_msk.evaluation import run as running
from mjx_msk.evaluation.methods import METHODS, Kit, Outcome
from mjx_msk.evaluation.run import Plan, evaluate, filmed, middle_frames, timed
from mjx_msk.evaluation.scores import procrustes, scores
from mjx_msk.evaluation.stance import event_errors
from mjx_msk.evaluation.table import lines, means, write_table
from mjx_msk.evaluation.truth import Truth, truth_of
from mjx_msk.fit.drift import drift
from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.root import turned
from mjx_msk.nets.idt import IDT, IDTConfig
from mjx_msk.nets.ikt import IKT, IKTConfig, movable
from mjx_msk.nets.weights import save_weights
from mjx_msk.physics.integration import Drive, State, rollout, with_locks

#: Scores (first words) that compare with the truth.
COMPARED = ("rotation", "pelvis", "mpjpe", "pa", "force", "cop", "moment")


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Small untrained networks in a folder."""
    folder = tmp_path_factory.mktemp("weights")
    model = running.ClipMaker().generic
    small = IKTConfig(landmark_width=8, landmark_blocks=1, landmark_heads=2, width=16, blocks=1,
                      heads=2)  # fmt: skip
    save_weights(folder / "ikt.safetensors", IKT(small, model, rngs=nnx.Rngs(0)))
    tiny = IDTConfig(width=16, blocks=1, heads=2)
    save_weights(folder / "idt.safetensors", IDT(tiny, model, rngs=nnx.Rngs(0)))
    return folder


@pytest.fixture(scope="module")
def kit(weights) -> Kit:
    return Kit(weights)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Clip:
    return Records(write_records(tmp_path_factory.mktemp("records") / "r"))[0]


@pytest.fixture(scope="module")
def truth(kit, clip) -> Truth:
    model = kit.person(clip.base, clip.log_segments, clip.mass_kg)
    return truth_of(clip, model, np.arange(0, len(clip), 2) / RATE_HZ)


@pytest.fixture(scope="module")
def right(truth, clip) -> Outcome:
    """The truth, as an answer."""
    speeds = [np.asarray(x[::2], float) for x in (clip.qd, clip.qdd)]
    return Outcome(
        model=truth.model, q=truth.q, qd=speeds[0], qdd=speeds[1], tau=truth.tau, loads=truth.loads
    )


def elsewhere(truth: Truth, right: Outcome, angle: float, shift: np.ndarray) -> Outcome:
    """Return the answer in a world that is turned about the vertical and moved."""
    turn = Rotation.from_rotvec([0, 0, angle]).as_matrix()
    loads = FootLoads(
        right.loads.force @ turn.T, right.loads.cop @ turn.T + shift, right.loads.moment @ turn.T
    )
    return changed(right, q=turned(truth.model, right.q, turn, shift), loads=loads)


def test_the_truth_in_another_world_has_no_error(truth, right):
    found = scores(
        truth, elsewhere(truth, right, 2.0, np.array([3.0, -1.0, 0.0])), movable(truth.model)
    )
    for name, value in found.items():
        if name.startswith(
            ("rotation", "pelvis", "coordinate", "mpjpe", "pa_", "force", "cop", "mom")
        ):
            best = 1.0 if name == "moment_correlation" else 0.0
            assert value == pytest.approx(best, abs=2e-3), name


def test_errors_of_known_size_are_found(truth, right):
    names = truth.model.layout.coordinate_index
    q, tau = right.q.copy(), right.tau.copy()
    q[:, names["knee_angle_r"]] += np.deg2rad(10.0)
    q[:, names["pelvis_ty"]] += 0.03
    tau[:, names["ankle_angle_l"]] += 7.0
    weight = float(np.sum(truth.model.mjx.body_mass)) * 9.81
    loads = right.loads._replace(force=np.add(right.loads.force, [0.0, 0.0, 0.1 * weight]))
    wrong = changed(right, q=q, tau=tau, loads=loads, std=np.full_like(q, 0.2))
    found = scores(truth, wrong, movable(truth.model))
    assert found["coordinate/knee_angle_r_deg"] == pytest.approx(10.0, abs=0.01)
    turns = 3 + len(movable(truth.model))
    assert found["rotation_mae_deg"] == pytest.approx(10.0 / turns, abs=0.01)
    assert found["coordinate/pelvis_ty_cm"] == pytest.approx(3.0, abs=0.01)
    assert found["pelvis_mae_cm"] == pytest.approx(1.0, abs=0.01)
    assert found["force_vertical_pct_bw"] == pytest.approx(10.0, rel=0.01)
    assert found["force_fore_aft_pct_bw"] == pytest.approx(0.0, abs=0.01)
    assert found["moment_legs_pct_bwh"] == pytest.approx(100 * 0.7 / weight / 1.70, rel=0.01)
    # 10 deg are within one standard deviation of 0.2 rad, as is everything else
    assert found["covered_68_pct"] == found["covered_95_pct"] == 100.0


def test_a_similar_body_is_the_same_after_procrustes():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(5, 9, 3))
    turn = Rotation.random(5, random_state=1).as_matrix()
    b = 1.3 * np.einsum("tij,tkj->tki", turn, a) + rng.normal(size=(5, 1, 3))
    assert procrustes(a, b) == pytest.approx(0.0, abs=1e-9)
    mirrored = a * [-1.0, 1.0, 1.0]
    assert procrustes(a, mirrored) > 0.3


@pytest.fixture
def stances(truth):
    """Return scores by the frames of 60 (at 50 Hz) in which the right foot stands."""

    def loads(spans: list[tuple[int, int]]) -> FootLoads:
        force = np.zeros((60, 2, 3))
        for start, stop in spans:
            force[start:stop, 0, 2] = 10.0 * float(np.sum(truth.model.mjx.body_mass))
        return FootLoads(force, force, force)

    def score(real: list, found: list, known: slice = slice(None)) -> dict[str, float]:
        flags = np.zeros(60, bool)
        flags[known] = True
        real_one = truth._replace(loads=loads(real), known=flags, dt=0.02)
        return event_errors(real_one, truth.model, loads(found))

    return score


def test_stance_that_is_late_and_stance_that_is_missed(stances):
    found = stances([(5, 25), (44, 54)], [(7, 25)])
    assert found == {
        "stance_timing_ms": pytest.approx(20.0),  # 40 and 0
        "stance_missed_pct": pytest.approx(50.0),
        "stance_false_pct": 0.0,
    }
    assert stances([], []) == {}
    assert stances([(5, 25)], [(25, 58)])["stance_missed_pct"] == 100.0


def test_stance_that_never_was(stances):
    found = stances([(5, 25)], [(5, 25), (40, 44)])
    assert found["stance_timing_ms"] == found["stance_missed_pct"] == 0.0
    assert found["stance_false_pct"] == pytest.approx(50.0)
    # one step seen as two: the gap begins and ends wrongly
    assert stances([(5, 35)], [(5, 20), (22, 35)])["stance_false_pct"] == pytest.approx(50.0)
    # somebody who stands: what is estimated beside no true event at all
    assert stances([(0, 60)], [(0, 20), (40, 60)]) == {"stance_false_pct": 100.0}
    # its true one may be before the clip, or where nothing is known
    assert stances([(0, 60)], [(5, 60)]) == {}
    assert stances([(0, 60)], [(0, 20), (40, 60)], slice(30, None)) == {}


def test_compiling_is_not_timed(clip, weights, monkeypatch):
    calls: list[int] = []

    def slow_at_first(*_):
        calls.append(1)
        time.sleep(0.3 if len(calls) == 1 else 0.0)

    monkeypatch.setitem(METHODS, "slow", slow_at_first)
    kit = Kit(weights)
    for count in (2, 3):
        _, took = timed(kit, "slow", None, clip)
        assert len(calls) == count
        assert took < 0.3


def test_a_fall_drifts_less_under_its_own_torques(truth):
    """Simulated in finer steps; what would act on the pelvis is left out."""
    model, dt, frames, fine = with_locks(truth.model), 1 / 60, 13, 16
    still = jnp.zeros(model.n)
    fall = rollout(
        model, lambda t, state: Drive(still), State(jnp.asarray(truth.q[0], jnp.float32), still),
        step=dt / fine, steps=(frames - 1) * fine,
    )  # fmt: skip
    q, qd = (np.asarray(x[::fine], float) for x in (fall.q, fall.qd))
    none = np.zeros((frames, 2, 3))

    def after(extra: float, residual: float = 0.0) -> float:
        tau = np.zeros(q.shape)
        tau[:, :6] = residual
        tau[:, model.layout.coordinate_index["knee_angle_r"]] = extra
        loads = FootLoads(none, none, none)
        found = drift(truth.model, q, qd, tau, loads, dt, spans_s=(0.1,))
        return found["drift_0.1s_deg"]

    assert after(0.0) < 0.5
    assert after(50.0) > 2.0 * after(0.0)
    assert after(0.0, residual=500.0) == after(0.0)


def test_a_camera_is_the_same_for_the_same_seed(kit, clip):
    frames = middle_frames(len(clip), 1.0)
    np.testing.assert_array_equal(frames, np.arange(0, len(clip), 2))
    names = tuple(running.LANDMARKS)
    a, b, c = (filmed(kit, clip, names, 1.0, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(a.rays, b.rays)
    assert np.abs(a.rays - c.rays).max() > 0.01
    assert a.rays.shape == (len(frames), len(names), 2)
    assert a.dt == pytest.approx(2 / RATE_HZ)


class Trials:
    """Listed trials: every third one cannot be read."""

    def __init__(self, folder: Path, count: int) -> None:
        self.listed = []
        for i in range(count):
            path = folder / f"{i}.mot"
            path.write_text(str(i))
            reader = {1: self.bad, 4: self.broken}.get(i, self.good)
            self.listed.append(Listed(dataset="made", name=str(i), files=(path,), read=reader))

    def good(self):
        return self

    def bad(self):
        raise MskError("damaged.", where="here")

    def broken(self):
        raise ValueError("what no reader foresaw")

    split, person = "val", "somebody"


def test_evaluation_survives_bad_trials_and_goes_on(kit, clip, tmp_path, monkeypatch):
    trials = Trials(tmp_path, 7)
    made: list[Trials] = []
    monkeypatch.setattr(
        running.ClipMaker, "clips", lambda self, trial: [made.append(trial), clip][1:]
    )
    monkeypatch.setattr(
        running.ClipMaker, "landmark_names", property(lambda self: tuple(running.LANDMARKS))
    )
    plan = Plan(methods=("networks",), seeds=(0,), longest_s=1.0)
    heard: list[str] = []

    def stop(label: str, done: int, total: int) -> None:
        assert total == 7
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(trials.listed, tmp_path / "out", kit, plan, on_stage=stop)
    assert len(made) == 3
    found = evaluate(
        trials.listed, tmp_path / "out", kit, plan, on_skip=lambda name, why: heard.append(name)
    )
    assert (found.made, found.kept, heard) == (2, 3, ["made/1", "made/4"])
    assert len(made) == 5
    (tmp_path / "0.mot").write_text("changed")
    again = evaluate(trials.listed, tmp_path / "out", kit, plan)
    assert (again.made, again.kept) == (1, 4)
    both = evaluate(trials.listed, tmp_path / "out", kit, changed(plan, seeds=(0, 1)))
    assert (both.made, both.kept, len(both.rows)) == (5, 0, 10)
    write_table(again.rows, tmp_path / "scores.csv")
    text = (tmp_path / "scores.csv").read_text()
    mean = means(again.rows)["rotation_mae_deg", "networks"][0]
    assert f"all,rotation_mae_deg,networks,{mean:.6g}," in text
    assert any("rotation_mae_deg" in line for line in lines(again.rows))


def test_a_video_is_compared_where_the_motion_is_known(kit, clip, monkeypatch, tmp_path):
    """The video begins before the motion, and ends after it; the clip is 0.67 s."""
    body = Body(subject(), tuple(kit.generic.layout.coordinate_names))
    q = walk(body, 60)
    film = filming(np.array([0.0, 0.0, 0.9]))
    person = seen_by(film, body.landmarks_at(q))
    monkeypatch.setattr(running, "watch", lambda *_: (person, film.camera))
    video = tmp_path / "v.mp4"
    video.write_bytes(b"")
    trial = Trial(
        dataset="made", name="t", person="p", activity="walk", video=video,
        time=np.array([0.5, 1.2]),
    )  # fmt: skip
    seen = running.watched(kit, trial, clip, 6.0)
    assert seen.time[0] >= 0.0
    assert seen.time[-1] <= (len(clip) - 1) / RATE_HZ
    assert len(seen.rays) == len(seen.time) > 15
    with pytest.raises(MskError, match="do not overlap"):
        running.watched(kit, changed(trial, time=np.array([5.0, 6.0])), clip, 6.0)
    with pytest.raises(MskError, match="no video"):
        running.watched(kit, changed(trial, video=None), clip, 6.0)
