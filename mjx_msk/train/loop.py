"""The training loop: steps, metrics, checkpoints, and going on after an interruption."""

import csv
import dataclasses
import json
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
from flax import nnx
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mjx_msk.data import camera_noise
from mjx_msk.data.clip import Clip
from mjx_msk.data.landmark_tree import LANDMARKS
from mjx_msk.data.records import Records
from mjx_msk.errors import MskError
from mjx_msk.fit.observation import landmark_sites
from mjx_msk.fit.subject import generic_spec
from mjx_msk.model import Model
from mjx_msk.nets.idt import IDT, Kinetics
from mjx_msk.nets.ikt import IKT
from mjx_msk.nets.weights import Network, load_weights, save_weights
from mjx_msk.train.config import TrainConfig
from mjx_msk.train.objective import (
    DYNAMIC,
    KINEMATIC,
    Scene,
    Setting,
    asked_for,
    kinematic_losses,
    kinetic_losses,
    kinetics,
    limited,
    mirrored_half,
    observed,
    simulated_loss,
    total,
    wanted,
)
from mjx_msk.train.poses import drawn_clips
from mjx_msk.train.windows import Window, Windows

#: Windows that validation looks at, and their seed.
_VALIDATION, _VALIDATION_SEED = 64, 1_000_003
METRICS = "metrics.csv"

OnStep = Callable[[int, int, dict[str, float]], None]


class Progress(NamedTuple):
    """All that a step changes."""

    params: Any
    optimizer: Any
    step: jax.Array


def join(coordinator: str, processes: int | None = None, process: int | None = None) -> None:
    """Let this process train together with others: ``jax.distributed.initialize``.

    ``coordinator`` is HOST:PORT of the first; a cluster's scheduler may know the other arguments.
    """
    jax.distributed.initialize(coordinator, processes, process)
    # collectives find each other while nobody is busy: they do not wait long
    multihost_utils.sync_global_devices("start")


class Pair(nnx.Module):
    """Both networks, as one tree of parameters."""

    def __init__(self, config: TrainConfig, model: Model, usual: np.ndarray) -> None:
        kinds: dict[str, Any] = {
            "dtype": jnp.bfloat16 if config.mixed_precision else jnp.float32,
            "rngs": nnx.Rngs(config.seed),
        }
        self.ikt = IKT(config.ikt, model, usual=usual, **kinds)
        self.idt = IDT(config.idt, model, **kinds)


def scene() -> Scene:
    """Return the default model and the pose network's errors."""
    spec = generic_spec()
    for muscle in list(spec.actuators):  # nothing here needs them, and they take long to compile
        spec.delete(muscle)
    model = Model.from_spec(spec)
    return Scene(model, camera_noise.load(), tuple(landmark_sites(model, LANDMARKS).values()))


def usual_pose(clips: list[Clip]) -> np.ndarray:
    """Return the mean coordinates (n,) of clips."""
    return np.mean(np.concatenate([clip.q for clip in clips]), axis=0)


def ordered(clip: Clip, columns: list[int]) -> Clip:
    """Return a clip with the landmarks of ``columns`` alone."""
    return dataclasses.replace(clip, landmarks=clip.landmarks[:, columns])


def optimizer(config: TrainConfig) -> optax.GradientTransformation:
    """Return Adam with decaying weights and a learning rate that warms up and falls to zero."""
    rate = optax.warmup_cosine_decay_schedule(
        0.0, config.learning_rate, min(config.warmup_steps, config.steps // 2), config.steps
    )
    steps = optax.chain(
        optax.clip_by_global_norm(config.gradient_limit),
        optax.adamw(rate, weight_decay=config.weight_decay),
    )
    return optax.apply_if_finite(steps, max_consecutive_errors=20)


def trained(config: TrainConfig) -> list[str]:
    """Return the names of the networks that the weights of the losses train."""
    losses = {"ikt": KINEMATIC, "idt": DYNAMIC}
    return [name for name in losses if wanted(config, *losses[name])]


def _begin(network: Network, file: Path, model: Model) -> None:
    """Give a network the weights of a file; ``MskError`` where they are of another size."""
    before, _ = load_weights(file, type(network), model)
    if before.config != network.config:
        raise MskError(
            f"these weights are of a network of another size ({before.config}).",
            where=str(file),
            remedy="Give the config the same sizes.",
        )
    nnx.update(network, nnx.state(before, nnx.Param))


def rollout_frames(config: TrainConfig, step: int) -> int:
    """Return how long simulated windows are at a step: the curriculum."""
    stages = config.rollout_frames or (0,)
    return stages[min(step * len(stages) // config.steps, len(stages) - 1)]


class Trainer:
    """A run that can be taken up again: everything random follows from the seed and the step.

    A step is several compiled programs, because one takes minutes to compile: the windows' people,
    their motions as the networks see them and what these ask for; what the networks say of some of
    them; how far a simulation of that leaves the motions, with its gradient; the networks' own
    gradient and update.
    """

    def __init__(self, config: TrainConfig, records: Records) -> None:
        self.config, self.scene = config, scene()
        train, val = (
            [c for c in records if c.split == split and c.person not in config.aside]
            for split in ("train", "val")
        )
        columns = [records.contents.landmark_names.index(name) for name in LANDMARKS]
        train = [ordered(clip, columns) for clip in train]
        length = (config.frames - 1) * max(config.strides) + 1
        drawn = drawn_clips(self.scene, train, config.drawn_poses, length, config.seed)
        self.windows = Windows([*train, *drawn], config.frames, config.strides)
        val = [ordered(clip, columns) for clip in val]
        self.val = Windows(val, config.frames, config.strides) if val else None
        networks = Pair(config, self.scene.model, usual_pose(train))
        if config.start:
            for name in trained(config):
                file = config.start / f"{name}.safetensors"
                _begin(getattr(networks, name), file, self.scene.model)
        self.graph, params = nnx.split(networks, nnx.Param)
        self.optimizer = optimizer(config)
        mesh = Mesh(np.array(jax.devices()), ("data",))
        self.split = NamedSharding(mesh, PartitionSpec("data"))
        if config.batch % len(mesh.devices):
            raise MskError(
                f"a batch of {config.batch} cannot be split over {len(mesh.devices)} devices.",
                remedy=f"Make batch a multiple of {len(mesh.devices)}.",
            )
        state = Progress(params, self.optimizer.init(params), jnp.zeros((), jnp.int32))
        self.state = jax.device_put(state, NamedSharding(mesh, PartitionSpec()))
        #: every so many-th window is simulated
        self.every = round(1.0 / config.rollout_share) if config.rollout_share else 0
        self._mirror = jax.jit(jax.vmap(partial(mirrored_half, self.scene)))
        self._people = jax.jit(jax.vmap(self.scene.person))
        self._observe = jax.jit(jax.vmap(partial(observed, config)))
        self._demand = jax.jit(jax.vmap(asked_for))
        self._predict = jax.jit(self._predicted)
        self._simulate = jax.jit(jax.value_and_grad(simulated_loss, 1), static_argnums=0)
        self._update = jax.jit(self._updated, donate_argnums=0)
        self._validate = jax.jit(self._losses)

    def networks(self, params: Any | None = None) -> Pair:
        """Return the networks as they are now, or with other parameters."""
        return nnx.merge(self.graph, self.state.params if params is None else params)

    def step(self) -> dict[str, jax.Array]:
        """Take one step; returns its metrics, still on the device."""
        number = int(self.state.step)
        batch = self._placed(self.windows.draw(self.config.seed, number, self.config.batch))
        key = jax.random.fold_in(jax.random.key(self.config.seed), number)
        batch = self._mirror(jax.random.split(jax.random.fold_in(key, 0), len(batch.dt)), batch)
        settings = self._settings(key, batch)
        pull, simulated = self._pull(rollout_frames(self.config, number), settings, batch)
        self.state, parts = self._update(self.state, key, batch, settings, pull)
        return parts | simulated

    def validate(self) -> dict[str, float]:
        """Return the metrics of a fixed set of windows of the validation people."""
        if self.val is None:
            return {}
        sums: dict[str, float] = {}
        count = max(1, _VALIDATION // self.config.batch)
        for i in range(count):
            batch = self._placed(self.val.draw(_VALIDATION_SEED, i, self.config.batch))
            key = jax.random.key(_VALIDATION_SEED + i)
            settings = self._settings(key, batch)
            _, simulated = self._pull(max(self.config.rollout_frames, default=0), settings, batch)
            _, parts = self._validate(self.state.params, key, batch, settings, None)
            for name, value in (parts | simulated).items():
                sums[name] = sums.get(name, 0.0) + float(value) / count
        return sums

    def _placed(self, batch: Window) -> Window:
        """Split a batch over the devices: every process has drawn all of it, and gives its own."""

        def put(x: Any) -> jax.Array:
            x = np.asarray(x)
            return jax.make_array_from_callback(x.shape, self.split, lambda index: x[index])

        return jax.tree.map(put, batch)

    def _settings(self, key: jax.Array, batch: Window) -> Setting | None:
        """Return what the inverse dynamics works on, None where it is not trained."""
        if not wanted(self.config, *DYNAMIC):
            return None
        people = self._people(batch)
        moving = self._observe(jax.random.split(key, len(batch.dt)), people, batch)
        return Setting(people, moving, self._demand(people, batch))

    def _predicted(
        self, params: Any, settings: Setting, batch: Window
    ) -> tuple[Kinetics, Model, Window]:
        """Return the windows that are simulated: what the network says of them, and the people."""
        some, w = jax.tree.map(lambda x: x[:: self.every], (settings, batch))
        return self._kinetics(params, some, w), some.person, w

    def _kinetics(self, params: Any, settings: Setting, batch: Window) -> Kinetics:
        return jax.vmap(kinetics, (None, 0, 0))(self.networks(params).idt, settings, batch)

    def _pull(
        self, frames: int, settings: Setting | None, batch: Window
    ) -> tuple[Kinetics | None, dict[str, jax.Array]]:
        """Return the gradient of the forward-inverse loss by the kinetics, and the loss."""
        if settings is None or not frames or not self.every:
            return None, {}
        value, pull = self._simulate(frames, *self._predict(self.state.params, settings, batch))
        used = self.config.weights.forward_inverse > 0.0
        return (pull if used else None), {"forward_inverse": value}

    def _losses(
        self, params: Any, key: jax.Array, batch: Window, settings: Setting | None,
        pull: Kinetics | None,
    ) -> tuple[jax.Array, dict[str, jax.Array]]:  # fmt: skip
        """Return the loss, with ``pull`` in the place of the simulation, and its parts."""
        networks = self.networks(params)
        keys = jax.random.split(key, len(batch.dt))
        parts: dict[str, jax.Array] = {}
        if wanted(self.config, *KINEMATIC):
            parts |= jax.vmap(partial(kinematic_losses, self.scene, self.config, networks.ikt))(
                keys, batch
            )
        work = jnp.zeros(())
        if settings is not None:
            found = self._kinetics(params, settings, batch)
            parts |= jax.vmap(partial(kinetic_losses, self.config))(found, settings, batch)
            if pull is not None:
                some = jax.tree.map(lambda x: x[:: self.every], settings.moving)
                pull = limited(pull, some)
                along = jax.tree.map(lambda g, x: jnp.sum(g * x[:: self.every]), pull, found)
                work += self.config.weights.forward_inverse * sum(jax.tree.leaves(along))
        means = {name: jnp.mean(x) for name, x in parts.items()}
        return total(self.config, means) + work, means

    def _updated(
        self, state: Progress, key: jax.Array, batch: Window, settings: Setting | None,
        pull: Kinetics | None,
    ) -> tuple[Progress, dict[str, jax.Array]]:  # fmt: skip
        gradient = jax.grad(self._losses, has_aux=True)
        slope, parts = gradient(state.params, key, batch, settings, pull)
        change, memory = self.optimizer.update(slope, state.optimizer, state.params)
        params = optax.apply_updates(state.params, change)
        parts |= {"gradient": optax.tree.norm(slope)}
        return Progress(params, memory, state.step + 1), parts


def train(config: TrainConfig, on_step: OnStep = lambda *_: None) -> list[Path]:
    """Train (or go on) and return the files with the weights of what was trained.

    A run that was interrupted goes on from its last checkpoint as if
    nothing had happened; raises ``MskError`` where that had another config. ``on_step(step, steps,
    metrics)`` hears about every logged step. Where ``jax.distributed`` joins several processes, all
    call this with one folder that they share, and the first one writes.
    """
    _check_config(config)
    trainer = Trainer(config, Records(config.data))
    config.out.mkdir(parents=True, exist_ok=True)
    if first := jax.process_index() == 0:
        (config.out / "config.json").write_text(json.dumps(config.to_dict(), indent=1))
    options = ocp.CheckpointManagerOptions(max_to_keep=2, create=True)
    with ocp.CheckpointManager((config.out / "checkpoints").resolve(), options=options) as kept:
        if (last := kept.latest_step()) is not None:
            trainer.state = kept.restore(last, args=ocp.args.StandardRestore(trainer.state))
        with closing(Metrics(config.out if first else None, int(trainer.state.step))) as log:
            _run(trainer, kept, log, on_step)
    networks, written = trainer.networks(), []
    for name in trained(config):
        written.append(config.out / f"{name}.safetensors")
        if first:
            save_weights(written[-1], getattr(networks, name), {"config": config.to_dict()})
    return written


def _check_config(config: TrainConfig) -> None:
    """Raise ``MskError`` where the run to go on from was configured otherwise."""
    file = config.out / "config.json"
    if not file.is_file() or not (config.out / "checkpoints").is_dir():
        return
    paths = {"data", "out", "start"}
    before, now = json.loads(file.read_text()), json.loads(json.dumps(config.to_dict()))
    changed = [k for k in now if k not in paths and before.get(k) != now[k]]
    if changed:
        raise MskError(
            f"the training in this folder was started with other settings ({', '.join(changed)}).",
            where=str(config.out),
            remedy="Put the settings back, give another out, or delete the folder.",
        )


def _run(trainer: Trainer, kept: ocp.CheckpointManager, log: "Metrics", on_step: OnStep) -> None:
    """Take the steps that are left."""
    config = trainer.config
    start, first = time.perf_counter(), int(trainer.state.step)
    for number in range(first + 1, config.steps + 1):
        parts = trainer.step()
        last_one = number == config.steps
        if number % config.log_every == 0 or last_one or number == first + 1:
            found = {name: float(value) for name, value in parts.items()}
            found["s_per_step"] = (time.perf_counter() - start) / (number - first)
            log.write(number, "train", found)
            on_step(number, config.steps, found)
        if number % config.validate_every == 0 or last_one:
            log.write(number, "val", trainer.validate())
        if number % config.checkpoint_every == 0 or last_one:
            kept.save(number, args=ocp.args.StandardSave(trainer.state))
    kept.wait_until_finished()


class Metrics:
    """Metrics as rows of a table and for TensorBoard; rows after the step gone on from are cut.

    Without a folder they go nowhere.
    """

    def __init__(self, folder: Path | None, step: int) -> None:
        from tensorboardX import SummaryWriter

        self.file = None
        if folder is None:
            return
        path = folder / METRICS
        rows = []
        if path.is_file():
            with path.open(newline="") as file:
                rows = [row for row in csv.reader(file) if row[:1] != ["step"]]
            rows = [row for row in rows if int(row[0]) <= step]
        self.file = path.open("w", newline="")
        self.table = csv.writer(self.file)
        self.table.writerow(["step", "split", "metric", "value"])
        self.table.writerows(rows)
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write(self, step: int, split: str, values: dict[str, float]) -> None:
        """Add the metrics of one step."""
        if self.file is None:
            return
        for name, value in values.items():
            self.table.writerow([step, split, name, f"{value:.6g}"])
            self.board.add_scalar(f"{name}/{split}", value, step)
        self.file.flush()

    def close(self) -> None:
        """Write out what is left."""
        if self.file is not None:
            self.file.close()
            self.board.close()
