"""One typed file that says what is trained, on what and how (TOML)."""

import dataclasses
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dacite

from mjx_msk.errors import MskError
from mjx_msk.nets.idt import IDTConfig
from mjx_msk.nets.ikt import IKTConfig


@dataclass(frozen=True, kw_only=True)
class Weights:
    """How much each loss of ``nets.losses`` counts; 0 leaves it out, and its cost."""

    coordinates: float = 3.0
    uncertainty: float = 0.05
    velocities: float = 0.02
    markers: float = 3.0
    reprojection: float = 1.0
    segments: float = 1.0
    torques: float = 20.0
    ground_forces: float = 3.0
    pressure_centers: float = 2.0
    contact: float = 0.2
    residual: float = 1.0
    forward_inverse: float = 1.0


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A training run; the same file, data and devices give the same weights."""

    data: Path
    """Folder of records that ``mjx-msk data prepare`` wrote."""
    out: Path
    """Folder for checkpoints, metrics and weights."""
    start: Path | None = None
    """Folder with the weights to begin with (``../assets``: the shipped ones), else random ones."""
    aside: tuple[str, ...] = ()
    """People of the training split who are left out, to choose settings on."""
    seed: int = 0
    steps: int = 20000
    batch: int = 32
    frames: int = 40
    """Frames of a window."""
    strides: tuple[int, ...] = (1, 2)
    """A window takes every so many-th frame of a clip (60 Hz)."""
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    weight_decay: float = 0.01
    gradient_limit: float = 1.0
    """Largest global norm of a gradient."""
    noise: bool = True
    """See clips through the noise of a pose network; off for an ablation."""
    drawn_poses: int = 256
    """People who stand still in drawn poses, for coverage."""
    pose_variation: float = 0.2
    """Largest standard deviation of random changes of joint angles, rad."""
    size_variation: float = 0.05
    """Standard deviation of a person's size (log), beside the recorded one."""
    segment_variation: float = 0.3
    """Random changes of segments' lengths, in the spreads between people."""
    pace_variation: float = 0.22
    """A window runs at most this much (log) faster or slower."""
    placement_m: float = 0.01
    """Landmarks lie this far from where the model has them, in every clip elsewhere."""
    rollout_frames: tuple[int, ...] = (1, 2, 4)
    """Lengths of the simulated windows, frames: a curriculum of equal parts of the run."""
    rollout_share: float = 0.25
    """Share of a batch that is simulated."""
    motion_noise: float = 0.06
    """Largest smooth error of the motions that the inverse dynamics is trained on, rad and m."""
    mixed_precision: bool = False
    """Dense layers in bfloat16; for accelerators."""
    checkpoint_every: int = 500
    log_every: int = 20
    validate_every: int = 500
    weights: Weights = field(default_factory=Weights)
    ikt: IKTConfig = field(default_factory=IKTConfig)
    idt: IDTConfig = field(default_factory=IDTConfig)

    def __post_init__(self) -> None:
        """Raise ``MskError`` for values that no run can have."""
        longest = max(self.rollout_frames, default=0)
        checks = (
            (self.steps < 1 or self.batch < 1, "steps and batch are at least 1"),
            (self.frames < 1, "frames is at least 1"),
            (longest >= self.frames > 1, "rollout_frames must be shorter than frames"),
            (not self.strides or min(self.strides) < 1, "strides are at least 1"),
            (not 0.0 <= self.rollout_share <= 1.0, "rollout_share lies between 0 and 1"),
            (min(dataclasses.astuple(self.weights)) < 0.0, "weights are not negative"),
        )
        for wrong, rule in checks:
            if wrong:
                raise MskError(f"this training cannot run: {rule}.", remedy="Change the config.")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, fit for JSON."""
        values = dataclasses.asdict(self)
        paths = {name: value for name, value in values.items() if isinstance(value, Path)}
        return values | {name: str(path) for name, path in paths.items()}


def read_config(path: str | os.PathLike[str]) -> TrainConfig:
    """Read a ``.toml``; relative folders are relative to it.

    Raises ``MskError`` for a file that is missing or no TOML, and for wrong keys and types.
    """
    path = Path(path)
    if not path.is_file():
        raise MskError("no such file.", where=str(path), remedy="Give a training config (.toml).")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        config = dacite.from_dict(
            TrainConfig, values, dacite.Config(strict=True, cast=[Path, tuple])
        )
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, dacite.DaciteError) as error:
        raise MskError(
            f"this is no training config ({error}).",
            where=str(path),
            remedy="Compare it with examples/train_ikt.toml.",
        ) from error
    except MskError as error:
        raise MskError(error.what, where=str(path), remedy=error.remedy) from error
    place = path.parent
    start = place / config.start if config.start else None
    return dataclasses.replace(
        config, data=place / config.data, out=place / config.out, start=start
    )
