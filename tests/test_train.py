"""Training: its config, its windows, what it does to the loss, and going on after a stop."""

import csv
import dataclasses
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from made_records import write_records
from walking import Body

from mjx_msk.data import camera_noise
from mjx_msk.data.landmark_tree import HIPS, LANDMARKS
from mjx_msk.data.records import Records
from mjx_msk.data.virtual_camera import view
from mjx_msk.errors import MskError
from mjx_msk.fit.subject import generic_spec, scaled_spec
from mjx_msk.nets import losses
from mjx_msk.nets.idt import IDT, IDTConfig, Kinetics
from mjx_msk.nets.ikt import IKT, IKTConfig
from mjx_msk.nets.shipped import FILES, networks_in
from mjx_msk.nets.weights import load_weights, save_weights
from mjx_msk.train import loop
from mjx_msk.train.config import TrainConfig, Weights, read_config
from mjx_msk.train.loop import METRICS, Trainer, ordered, rollout_frames, scene, train
from mjx_msk.train.objective import silent, varied
from mjx_msk.train.windows import Windows

EXAMPLES = Path(__file__).parents[1] / "examples"
SMALL = {
    "ikt": IKTConfig(
        landmark_width=8, landmark_blocks=1, landmark_heads=2, width=16, blocks=1, heads=2
    ),
    "idt": IDTConfig(width=16, blocks=1, heads=2),
    "batch": 2, "frames": 6, "rollout_frames": (1,), "warmup_steps": 2, "drawn_poses": 4,
}  # fmt: skip
#: Kinematics alone: what is not about physics is tested without its programs.
NO_PHYSICS = Weights(
    torques=0.0, ground_forces=0.0, pressure_centers=0.0, contact=0.0, residual=0.0,
    forward_inverse=0.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> Path:
    return write_records(tmp_path_factory.mktemp("records") / "r")


def rows(folder: Path) -> list[tuple[int, str, str, str]]:
    with (folder / METRICS).open(newline="") as file:
        return [(int(r["step"]), r["split"], r["metric"], r["value"]) for r in csv.DictReader(file)]


# --- config ----------------------------------------------------------------------------------


def test_a_config_is_read_beside_its_folders(tmp_path):
    (tmp_path / "c.toml").write_text(
        'data = "records"\nout = "/elsewhere"\nsteps = 3\n'
        "[weights]\ntorques = 0\n[idt]\nwidth = 32\n"
    )
    config = read_config(tmp_path / "c.toml")
    assert (config.data, config.out) == (tmp_path / "records", Path("/elsewhere"))
    assert (config.steps, config.weights.torques, config.idt.width) == (3, 0, 32)
    json.dumps(config.to_dict())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('data = "r"\n', "out"),
        ('data = "r"\nout = "o"\nstepz = 3\n', "stepz"),
        ('data = "r"\nout = "o"\nsteps = "many"\n', "steps"),
        ('data = "r"\nout = "o"\n[weights]\ntorque = 1\n', "torque"),
        ('data = "r"\nout = "o"\nsteps = 0\n', "at least 1"),
        ('data = "r"\nout = "o"\nframes = 4\n', "rollout_frames"),
        ("data = [", "config"),
        ("\x00\xff", "config"),
    ],
)
def test_a_wrong_config_is_said_so(tmp_path, text, said):
    (tmp_path / "c.toml").write_text(text, encoding="latin-1")
    with pytest.raises(MskError, match=said) as error:
        read_config(tmp_path / "c.toml")
    assert error.value.where == str(tmp_path / "c.toml")


@pytest.mark.parametrize("name", ["train_ikt.toml", "train_ikt_end.toml", "train_idt.toml"])
def test_the_examples_are_configs(name):
    read_config(EXAMPLES / name)


def test_the_curriculum_has_equal_parts():
    config = TrainConfig(data=Path(), out=Path(), steps=9, rollout_frames=(1, 3, 5))
    assert [rollout_frames(config, step) for step in range(9)] == [1] * 3 + [3] * 3 + [5] * 3


# --- windows ---------------------------------------------------------------------------------


def test_windows_are_drawn_by_seed_and_step(records):
    clips = [c for c in Records(records) if c.split == "train"]
    windows = Windows(clips, 6, (1, 2))
    a, b, c = (windows.draw(0, step, 8) for step in (5, 5, 6))
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)
    assert np.any(np.asarray(a.q) != np.asarray(c.q))
    knee = Records(records).contents.coordinate_names.index("knee_angle_r")
    slope = np.gradient(np.asarray(a.q)[..., knee], axis=1) / np.asarray(a.dt)[:, None]
    np.testing.assert_allclose(slope[:, 1:-1], np.asarray(a.qd)[:, 1:-1, knee], atol=0.3)
    assert set(np.round(60 * np.asarray(a.dt))) == {1.0, 2.0}


def test_a_silent_pose_network_says_what_is_there(records):
    """The ablation's camera: rays are exact, metric points those about the hips."""
    clip = next(c for c in Records(records) if c.split == "train")
    noise = silent(camera_noise.load())
    seen = view(jax.random.key(0), noise, jnp.asarray(clip.landmarks), dt=1 / 60)
    x = (clip.landmarks - np.asarray(seen.position)) @ np.asarray(seen.camera_from_world).T
    ratio = np.asarray(seen.rays) / (x[..., :2] / x[..., 2:])  # the focal length may be off
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-3)
    size = np.linalg.norm(np.asarray(seen.metric), axis=-1)
    np.testing.assert_allclose(
        size, np.linalg.norm(x - x[:, HIPS].mean(axis=1, keepdims=True), axis=-1), atol=1e-3
    )


def test_varied_people_stand_as_their_new_bodies_do(records):
    """Against the scaled model in C MuJoCo: landmarks, soles' height, stature."""
    clip = next(c for c in Records(records) if c.split == "train")
    columns = [Records(records).contents.landmark_names.index(name) for name in LANDMARKS]
    batch = Windows([ordered(clip, columns)], 6, (1,)).draw(0, 0, 2)
    config = TrainConfig(
        data=records, out=records, pose_variation=0.3, segment_variation=0.7, pace_variation=0.2
    )
    keys = jax.random.split(jax.random.key(2), 2)
    new = jax.jit(jax.vmap(partial(varied, scene(), config)))(keys, batch)
    assert np.all(np.abs(np.log(new.dt / batch.dt)) <= 0.2 + 1e-6)
    assert not np.allclose(new.dt, batch.dt)
    assert np.abs(new.q[0, :, 6:] - batch.q[0, :, 6:]).max() > np.deg2rad(3)
    names = Records(records).contents.coordinate_names

    def body(w, i: int) -> Body:
        return Body(scaled_spec(generic_spec(), float(w.base[i]), w.log_segments[i], None), names)

    for i in range(2):
        before, after = body(batch, i), body(new, i)
        at = after.landmarks_at(np.asarray(new.q[i]))
        expected = np.stack([at[name] for name in LANDMARKS], axis=1)
        np.testing.assert_allclose(new.landmarks[i], expected, atol=2e-3)
        lowest = [b.sole_points(np.asarray(w.q[i]))[..., 2].reshape(6, -1).min(axis=1)
                  for b, w in ((before, batch), (after, new))]  # fmt: skip
        np.testing.assert_allclose(*lowest, atol=4e-3)  # spheres' radii are left as they are
        ratio = after.stature() / before.stature()
        assert ratio == pytest.approx(float(new.height[i] / batch.height[i]), abs=5e-3)


# --- the simulation in the loss --------------------------------------------------------------


def test_the_simulation_reproduces_a_motion_from_its_own_forces(records):
    """And by how much it does not, grows with an error of one torque, where that is known."""
    model = scene().model
    clip = next(c for c in Records(records) if c.split == "val")
    q, qd, tau, force, cop = (
        jnp.asarray(x[:9]) for x in (clip.q, clip.qd, clip.tau, clip.foot_force, clip.foot_cop)
    )
    knee = model.layout.coordinate_index["knee_angle_r"]
    always, early = jnp.ones(9), jnp.asarray(np.arange(9) < 5, float)  # two of four windows

    @jax.jit
    def far(extra, where, known):
        found = Kinetics(
            tau.at[:, knee].add(extra * where), force, cop, jnp.zeros_like(force), jnp.zeros((9, 2))
        )
        return losses.forward_inverse(model, found, q, qd, jnp.array(1 / 60), 2, known)

    own, off, further = (float(far(x, always, always)) for x in (0.0, 20.0, 40.0))
    assert own < 0.02
    assert own < off < further
    step = 2.0  # N m; single precision
    more, less = (far(20.0 + change, always, always) for change in (step, -step))
    slope = jax.grad(far)(20.0, always, always)
    np.testing.assert_allclose(slope, (more - less) / (2 * step), rtol=0.02)
    hidden = float(far(20.0, 1.0 - early, early))
    assert hidden == pytest.approx(float(far(0.0, always, early)), rel=1e-5)
    assert hidden < 0.5 * float(far(20.0, 1.0 - early, always))
    assert float(far(20.0, always, 0.0 * early)) == 0.0


# --- the loop --------------------------------------------------------------------------------


class Sharing(Trainer):
    """A trainer that runs the programs of the first one with its config: they compile slowly."""

    first: ClassVar[dict[TrainConfig, Trainer]] = {}

    def __init__(self, config: TrainConfig, records: Records) -> None:
        super().__init__(config, records)
        first = self.first.setdefault(dataclasses.replace(config, out=Path()), self)
        for name in (
            "_mirror", "_people", "_observe", "_demand", "_predict", "_simulate", "_update",
            "_validate",
        ):  # fmt: skip
            setattr(self, name, getattr(first, name))


@pytest.fixture(scope="module")
def smoke(records, tmp_path_factory) -> Iterator[tuple[TrainConfig, list[Path], list[int]]]:
    """Train as the example does, with windows that become longer for the last four steps.

    Yields the config, the files with the weights and the steps that were heard of.
    """
    config = dataclasses.replace(
        read_config(EXAMPLES / "train_smoke.toml"), data=records, rollout_frames=(*[1] * 9, 2),
        checkpoint_every=33, out=tmp_path_factory.mktemp("smoke"),
    )  # fmt: skip
    heard: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "Trainer", Sharing)
        yield config, train(config, lambda step, steps, found: heard.append(step)), heard


def test_a_short_training_lowers_the_loss(smoke, generic):
    config, weights, heard = smoke
    assert heard == list(range(1, 41))
    found = rows(config.out)
    names = {metric for _, split, metric, _ in found if split == "train"}
    assert names >= {f.name for f in dataclasses.fields(Weights)}
    assert {split for _, split, _, _ in found} == {"train", "val"}

    def total(step: int) -> float:
        values = {m: float(v) for s, split, m, v in found if s == step and split == "train"}
        return sum(getattr(config.weights, m) * values[m] for m in vars(config.weights))

    assert np.isfinite([float(v) for *_, v in found]).all()
    first, last = (np.mean([total(s) for s in span]) for span in (range(1, 9), range(29, 37)))
    assert last < 0.8 * first
    assert [path.name for path in weights] == list(FILES)
    networks_in(config.out, generic)
    assert list((config.out / "tensorboard").iterdir())


def test_a_training_begins_with_given_weights(records, tmp_path):
    config = TrainConfig(data=records, out=tmp_path, steps=1, weights=NO_PHYSICS, **SMALL)
    other = Trainer(dataclasses.replace(config, seed=1), Records(records)).networks().ikt
    save_weights(tmp_path / "ikt.safetensors", other)
    config = dataclasses.replace(config, start=tmp_path)
    begun = Trainer(config, Records(records)).networks().ikt
    for found, expected in zip(
        *(jax.tree.leaves(nnx.state(n)) for n in (begun, other)), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    config = dataclasses.replace(config, ikt=dataclasses.replace(config.ikt, width=24))
    with pytest.raises(MskError, match="another size"):
        Trainer(config, Records(records))


def test_an_interrupted_training_ends_as_if_it_had_not_been(smoke, generic, tmp_path):
    """Both networks; the simulated windows become longer after the checkpoint gone on from."""
    config, whole, _ = smoke
    assert [rollout_frames(config, step) for step in (33, 35, 36, 39)] == [1, 1, 2, 2]

    def stop(step: int, steps: int, found: dict) -> None:
        if step == 38:
            raise KeyboardInterrupt

    parted = dataclasses.replace(config, out=tmp_path / "parted")
    with pytest.raises(KeyboardInterrupt):
        train(parted, stop)
    assert not list((tmp_path / "parted").glob("*.safetensors"))
    heard: list[int] = []
    again = train(parted, lambda step, steps, found: heard.append(step))
    assert heard == list(range(34, 41))
    assert rows_but_time(parted.out) == rows_but_time(config.out)
    for kind, pair in zip((IKT, IDT), zip(whole, again, strict=True), strict=True):
        a, b = (nnx.state(load_weights(path, kind, generic)[0]) for path in pair)
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
            np.testing.assert_array_equal(x, y)
    with pytest.raises(MskError, match=r"started with other settings \(steps\)"):
        train(dataclasses.replace(parted, steps=50))


def test_mixed_precision_calculates_in_half_and_keeps_parameters_in_single(records, tmp_path):
    """With the one loss whose program compiles fast; both networks are made the same way."""
    none = dict.fromkeys((f.name for f in dataclasses.fields(Weights)), 0.0)
    config = TrainConfig(
        data=records, out=tmp_path, steps=4, weights=Weights(**none | {"contact": 1.0}),
        mixed_precision=True, **SMALL | {"rollout_frames": (), "drawn_poses": 0},
    )  # fmt: skip
    trainer = Trainer(config, Records(records))
    before = [np.asarray(x) for x in jax.tree.leaves(trainer.state.params)]
    for _ in range(2):  # the first one's learning rate is 0
        parts = {name: float(x) for name, x in trainer.step().items()}
        assert np.isfinite(parts["contact"])
    after = jax.tree.leaves(trainer.state.params)
    assert {x.dtype for x in after} == {np.dtype(np.float32)}
    assert any(np.any(x != y) for x, y in zip(before, after, strict=True))
    networks = trainer.networks()
    for network in (networks.ikt, networks.idt):
        halves = [x for _, x in nnx.iter_modules(network) if isinstance(x, nnx.Linear)]
        assert halves
        assert jnp.bfloat16 in {x.dtype for x in halves}


def rows_but_time(folder: Path) -> list[tuple[int, str, str, str]]:
    return sorted(row for row in rows(folder) if row[2] != "s_per_step")


def test_eight_devices_in_two_processes_do_what_one_does(records, tmp_path):
    """Four simulated ones in each; the processes meet at a free port."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    code = (
        "import sys, json, jax\n"
        "from pathlib import Path\n"
        "from mjx_msk.train.loop import join\n"
        "join(sys.argv[4], 2, int(sys.argv[5]))\n"
        "sys.path.insert(0, sys.argv[3])\n"
        "from test_train import first_steps\n"
        "found = first_steps(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print(json.dumps([len(jax.devices()), found]))\n"
    )
    given = [str(records), str(tmp_path), str(Path(__file__).parent), f"localhost:{port}"]
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, *given, str(i)], stdout=subprocess.PIPE, text=True,
            env=environment,
        )
        for i in range(2)
    ]  # fmt: skip
    said = [json.loads(process.communicate(timeout=600)[0].splitlines()[-1]) for process in both]
    alone = first_steps(records, tmp_path)
    assert len(jax.devices()) == 1
    for count, found in said:
        assert count == 8
        for ours, theirs in zip(alone, found, strict=True):
            for name, value in ours.items():
                np.testing.assert_allclose(theirs[name], value, rtol=2e-3, err_msg=name)


def first_steps(records: Path, out: Path) -> list[dict[str, float]]:
    """Return the metrics of two steps with one window a device, if there are eight.

    Of both networks; without the simulation, whose program would compile for minutes in each.
    """
    config = TrainConfig(
        data=records, out=out, steps=2, weights=Weights(forward_inverse=0.0),
        **SMALL | {"batch": 8, "rollout_frames": ()},
    )  # fmt: skip
    trainer = Trainer(config, Records(records))
    return [{k: float(v) for k, v in trainer.step().items()} for _ in range(2)]
