"""The learned feedback: its fits against systems that are known, its regulator against scipy's."""

import json
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import solve_discrete_are

from mjx_msk import MskError

tracking = pytest.importorskip(
    "mjx_msk_tracking", reason="install the project again: pip install -e ."
)
from mjx_msk_tracking import Feedback, LocalModels  # noqa: E402
from mjx_msk_tracking.feedback import regulator  # noqa: E402

STEP_S, N, NU = 0.03, 3, 2


def system(rng: np.random.Generator, count: int) -> list[tuple[np.ndarray, ...]]:
    """Return A, B and c of ``count`` moments; A drifts away, like a body that topples."""
    a = [np.eye(2 * N) + 0.15 * rng.normal(size=(2 * N, 2 * N)) for _ in range(count)]
    b = [rng.normal(size=(2 * N, NU)) for _ in range(count)]
    return [(a[i], b[i], 0.05 * rng.normal(size=2 * N)) for i in range(count)]


def mean_cost(models, gains, offsets, cost, effort) -> float:
    """Return what a cycle costs once the motion repeats."""
    x, total = np.zeros(2 * N), 0.0
    for cycle in range(200):
        for (a, b, c), gain, offset in zip(models, gains, offsets, strict=True):
            u = offset - gain @ x
            x = a @ x + b @ u + c
            total += (x @ cost @ x + u @ effort @ u) * (cycle == 199)
    return total


def test_gains_are_those_of_the_riccati_equation():
    """Against scipy's solution of the algebraic equation, the same system at every moment."""
    rng = np.random.default_rng(0)
    model = system(rng, 1)
    cost, effort = np.diag(rng.uniform(0.5, 2, 2 * N)), np.diag([0.3, 0.7])
    found = regulator(40 * model, cost, effort)
    a, b, _ = model[0]
    value = solve_discrete_are(a, b, cost, effort)
    gain = np.linalg.solve(effort + b.T @ value @ b, b.T @ value @ a)
    np.testing.assert_allclose(found.gains, np.broadcast_to(gain, found.gains.shape), atol=1e-9)


def test_no_other_offsets_are_cheaper():
    """A system that is pushed: the derivative of the cost by every offset is zero."""
    rng = np.random.default_rng(1)
    models, cost, effort = system(rng, 12), np.eye(2 * N), 0.1 * np.eye(NU)
    found = regulator(models, cost, effort)
    best = mean_cost(models, found.gains, found.offsets, cost, effort)
    bare = mean_cost(models, found.gains, 0 * found.offsets, cost, effort)
    assert best < 0.9 * bare
    for moment, action in [(0, 0), (5, 1), (11, 0)]:
        costs = []
        for change in (1e-3, -1e-3):
            offsets = found.offsets.copy()
            offsets[moment, action] += change
            costs.append(mean_cost(models, found.gains, offsets, cost, effort))
        assert min(costs) > best
        assert abs(costs[0] - costs[1]) / 2e-3 < 1e-6


def test_fits_find_the_system():
    """Samples of a known system, whose first position is a place on the floor that nothing feels.

    The start of the fits, as heavy as a few samples, makes them a little smaller.
    """
    rng = np.random.default_rng(2)
    floor = np.array([0])
    models = system(rng, 2)
    for a, _, _ in models:
        a[:, 0] = np.arange(2 * N) == 0
    fits = LocalModels(2, N, NU, STEP_S, root=np.array([0, 1]), floor=floor)
    moment = rng.integers(2, size=6000)
    before = rng.normal(size=(6000, 2 * N)) * np.repeat([0.03, 0.3], N)
    action = 0.2 * rng.normal(size=(6000, NU))
    after = np.stack([
        models[i][0] @ x + models[i][1] @ u + models[i][2]
        for i, x, u in zip(moment, before, action, strict=True)
    ])  # fmt: skip
    after[7] = np.nan  # a simulation that failed
    for _ in range(3):
        fits.add(moment / 2, before, action, after)
    for found, true in zip(fits.matrices(), models, strict=True):
        for x, y in zip(found, true, strict=True):
            np.testing.assert_allclose(x, y, rtol=0.03, atol=0.01)
        np.testing.assert_array_equal(found[0][:, 0], np.arange(2 * N) == 0)


def test_without_samples_bodies_go_on_with_their_speed():
    fits = LocalModels(1, N, NU, STEP_S, root=np.array([0]), floor=np.array([0]))
    ((a, b, c),) = fits.matrices()
    expected = np.eye(2 * N)
    expected[np.arange(N), N + np.arange(N)] = STEP_S
    np.testing.assert_allclose(a, expected, atol=1e-12)
    np.testing.assert_array_equal(b, np.zeros((2 * N, NU)))
    np.testing.assert_array_equal(c, np.zeros(2 * N))


def test_far_samples_count_less():
    fits = LocalModels(1, N, NU, STEP_S, root=np.array([0]), floor=np.array([0]))
    errors = np.zeros((3, 2 * N))
    errors[1, 0] = 1.0  # only elsewhere on the floor
    errors[2, 1] = 1.0
    weight = fits.weight(errors)
    np.testing.assert_array_equal(weight[:2], 1.0)
    assert 0 < weight[2] < 1e-3


def test_a_policy_comes_back_from_its_file(tmp_path):
    rng = np.random.default_rng(3)
    policy = Feedback(rng.normal(size=(5, NU, 2 * N)), rng.normal(size=(5, NU)))
    policy.save(tmp_path / "policy.npz")
    again = Feedback.load(tmp_path / "policy.npz")
    error = rng.normal(size=(4, 2 * N))
    phase = np.array([0.0, 0.19, 0.41, 0.96])  # of the nearest moments 0, 1, 2 and 0 again
    expected = [
        policy.offsets[i] - policy.gains[i] @ x for i, x in zip([0, 1, 2, 0], error, strict=True)
    ]
    np.testing.assert_allclose(again(phase, error), expected, atol=1e-5)


def test_samples_of_another_model_are_refused(tmp_path):
    fits = LocalModels(2, N, NU, STEP_S, root=np.array([0]), floor=np.array([0]))
    errors = np.random.default_rng(4).normal(size=(9, 2 * N))
    fits.add(np.zeros(9), errors, np.zeros((9, NU)), errors)
    fits.save(tmp_path / "models.npz")
    again = LocalModels(2, N, NU, STEP_S, root=np.array([0]), floor=np.array([0]))
    again.restore(tmp_path / "models.npz")
    assert again.rounds == 1
    np.testing.assert_array_equal(again.squares, fits.squares)
    other = LocalModels(3, N, NU, STEP_S, root=np.array([0]), floor=np.array([0]))
    with pytest.raises(MskError, match="another motion or model"):
        other.restore(tmp_path / "models.npz")


def test_files_that_hold_no_policy_are_refused(tmp_path):
    other = tmp_path / "other.npz"
    np.savez(other, gains=np.zeros((5, NU, 2 * N)), offsets=np.zeros((4, NU)))
    with pytest.raises(MskError, match="do not fit"):
        Feedback.load(other)
    for path in (tmp_path / "missing.npz", tmp_path / "text.npz"):
        if path.stem == "text":
            path.write_text("no numbers")
        with pytest.raises(MskError, match="no feedback can be read"):
            Feedback.load(path)


@pytest.mark.skipif(find_spec("gymnasium") is None, reason="pip install 'mjx-msk[rl]'")
def test_the_example_learns_and_goes_on_where_it_stopped(tmp_path):
    """Two rounds at once and one after the other give the same policy."""
    import made_motion
    from mjx_msk_gym.worlds import TrackConfig

    from mjx_msk.compile import write_xml

    example = load_example("track_feedback")
    made_motion.motion().save(tmp_path / "motion.npz")
    write_xml(made_motion.spec(), tmp_path / "model.xml")

    def learn(name: str, rounds: int) -> Feedback:
        example.main(
            example.Options(
                motion=tmp_path, out=tmp_path / name, rounds=rounds, bodies=16, actions=12, starts=2
            )
        )
        return Feedback.load(tmp_path / name / "policy.npz")

    whole, half = learn("whole", 2), learn("parts", 1)
    parts = learn("parts", 2)
    np.testing.assert_array_equal(parts.gains, whole.gains)
    np.testing.assert_array_equal(parts.offsets, whole.offsets)
    assert np.abs(parts.gains - half.gains).max() > 0.01
    log = (tmp_path / "parts" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["round"] for line in log] == [1, 2]
    config, options = TrackConfig(motion=tmp_path, loop=True), example.Options(motion=tmp_path)
    found = example.evaluate(config, whole, options, 0.3)
    assert 0 <= found["joints_deg"] < 90


def load_example(name: str):
    path = Path(__file__).parents[2] / "examples" / f"{name}.py"
    spec = spec_from_file_location(name, path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
