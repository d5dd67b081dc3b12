"""The training loop: steps, metrics, checkpoints, and going on after an interruption."""

import csv
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mjx_msk.data import camera_noise
from mjx_msk.data.clip import Clip
from mjx_msk.data.landmark_tree import LANDMARKS
from mjx_msk.data.records import Records
from mjx_msk.fit.observation import landmark_sites
from mjx_msk.fit.subject import generic_spec
from mjx_msk.model import Model
from mjx_msk.train.config import TrainConfig
from mjx_msk.train.objective import Networks, Scene, objective
from mjx_msk.train.weights import save_weights
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


def scene() -> Scene:
    """Return the default model and the pose network's errors."""
    model = Model.from_spec(generic_spec())
    return Scene(model, camera_noise.load(), tuple(landmark_sites(model, LANDMARKS).values()))


def usual_pose(clips: list[Clip]) -> np.ndarray:
    """Return the mean coordinates (n,) of clips."""
    return np.mean(np.concatenate([clip.q for clip in clips]), axis=0)


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


def rollout_frames(config: TrainConfig, step: int) -> int:
    """Return how long simulated windows are at a step: the curriculum."""
    stages = config.rollout_frames or (0,)
    return stages[min(step * len(stages) // config.steps, len(stages) - 1)]


class Trainer:
    """A run that can be taken up again: everything random follows from the seed and the step."""

    def __init__(self, config: TrainConfig, records: Records) -> None:
        self.config, self.scene = config, scene()
        train, val = ([c for c in records if c.split == split] for split in ("train", "val"))
        columns = [records.contents.landmark_names.index(name) for name in LANDMARKS]
        self.windows = Windows(train, config.frames, config.strides, columns)
        self.val = Windows(val, config.frames, config.strides, columns) if val else None
        networks = Networks(
            config, self.scene.model, usual=usual_pose(train), rngs=nnx.Rngs(config.seed)
        )
        self.graph, params, self.rest = nnx.split(networks, nnx.Param, ...)
        self.optimizer = optimizer(config)
        mesh = Mesh(np.array(jax.devices()), ("data",))
        self.everywhere = NamedSharding(mesh, PartitionSpec())
        self.split = NamedSharding(mesh, PartitionSpec("data"))
        self._check_split(len(mesh.devices))
        state = Progress(params, self.optimizer.init(params), jnp.zeros((), jnp.int32))
        self.state = jax.device_put(state, self.everywhere)
        self._steps: dict[int, Callable] = {}

    def _check_split(self, devices: int) -> None:
        if self.config.batch % devices:
            from mjx_msk.errors import MskError

            raise MskError(
                f"a batch of {self.config.batch} cannot be split over {devices} devices.",
                remedy=f"Make batch a multiple of {devices}.",
            )

    def networks(self, params: Any | None = None) -> Networks:
        """Return the networks as they are now."""
        return nnx.merge(self.graph, self.state.params if params is None else params, self.rest)

    def loss(
        self, frames: int, params: Any, key: jax.Array, batch: Window
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Return the loss and its parts."""
        return objective(self.scene, self.config, frames, self.networks(params), key, batch)

    def _step_of(self, frames: int) -> Callable:
        """Return the jitted step for simulated windows of so many frames."""
        if frames not in self._steps:

            def step(state: Progress, key: jax.Array, batch: Window) -> tuple[Progress, dict]:
                gradient = jax.value_and_grad(partial(self.loss, frames), has_aux=True)
                (loss, parts), slope = gradient(state.params, key, batch)
                change, memory = self.optimizer.update(slope, state.optimizer, state.params)
                params = optax.apply_updates(state.params, change)
                parts |= {"loss": loss, "gradient": optax.global_norm(slope)}
                return Progress(params, memory, state.step + 1), parts

            self._steps[frames] = jax.jit(step, donate_argnums=0)
        return self._steps[frames]

    def step(self) -> dict[str, jax.Array]:
        """Take one step; returns its metrics, still on the device."""
        number = int(self.state.step)
        batch = self._placed(self.windows.draw(self.config.seed, number, self.config.batch))
        key = jax.random.fold_in(jax.random.key(self.config.seed), number)
        self.state, parts = self._step_of(rollout_frames(self.config, number))(
            self.state, key, batch
        )
        return parts

    def _placed(self, batch: Window) -> Window:
        return jax.tree.map(
            lambda x: jax.make_array_from_process_local_data(self.split, x), batch
        )

    def validate(self) -> dict[str, float]:
        """Return the metrics of a fixed set of windows of the validation people."""
        if self.val is None:
            return {}
        if not hasattr(self, "_validating"):
            self._validating = jax.jit(partial(self.loss, 1))
        size = self.config.batch
        sums: dict[str, float] = {}
        count = max(1, _VALIDATION // size)
        for i in range(count):
            batch = self._placed(self.val.draw(_VALIDATION_SEED, i, size))
            key = jax.random.key(_VALIDATION_SEED + i)
            loss, parts = self._validating(self.state.params, key, batch)
            for name, value in (parts | {"loss": loss}).items():
                sums[name] = sums.get(name, 0.0) + float(value) / count
        return sums


def train(
    config: TrainConfig, on_step: OnStep = lambda *_: None
) -> Path:
    """Train (or go on) and return the file with the weights.

    A run that was interrupted goes on from its last checkpoint as if
    nothing had happened. ``on_step(step, steps, metrics)`` hears about every logged step.
    """
    trainer = Trainer(config, Records(config.data))
    config.out.mkdir(parents=True, exist_ok=True)
    (config.out / "config.json").write_text(json.dumps(config.to_dict(), indent=1))
    options = ocp.CheckpointManagerOptions(max_to_keep=2, create=True)
    with ocp.CheckpointManager((config.out / "checkpoints").resolve(), options=options) as kept:
        if (last := kept.latest_step()) is not None:
            trainer.state = kept.restore(last, args=ocp.args.StandardRestore(trainer.state))
        log = Metrics(config.out, int(trainer.state.step))
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
        log.close()
    path = config.out / "weights.safetensors"
    save_weights(path, trainer.networks(), config)
    return path


class Metrics:
    """Metrics as rows of a table and for TensorBoard; rows after the step gone on from are cut."""

    def __init__(self, folder: Path, step: int) -> None:
        from tensorboardX import SummaryWriter

        self.path = folder / METRICS
        rows = []
        if self.path.is_file():
            with self.path.open(newline="") as file:
                rows = [row for row in csv.reader(file) if row[:1] != ["step"]]
            rows = [row for row in rows if int(row[0]) <= step]
        self.file = self.path.open("w", newline="")
        self.table = csv.writer(self.file)
        self.table.writerow(["step", "split", "metric", "value"])
        self.table.writerows(rows)
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write(self, step: int, split: str, values: dict[str, float]) -> None:
        """Add the metrics of one step."""
        for name, value in values.items():
            self.table.writerow([step, split, name, f"{value:.6g}"])
            self.board.add_scalar(f"{name}/{split}", value, step)
        self.file.flush()

    def close(self) -> None:
        """Write out what is left."""
        self.file.close()
        self.board.close()
