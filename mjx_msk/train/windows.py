"""Windows of clips for a training step, drawn by a seed and the step's number."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from mjx_msk.data.clip import RATE_HZ, Clip
from mjx_msk.errors import MskError

_BY_FRAME = (
    "q", "qd", "qdd", "tau", "foot_force", "foot_cop", "foot_moment", "contact", "landmarks",
)  # fmt: skip


class Window(NamedTuple):
    """A batch of B windows of T frames (see ``data.clip.Clip``), float32; numpy's until placed."""

    dt: jax.Array  #: (B,) s
    q: jax.Array  #: (B, T, n)
    qd: jax.Array
    qdd: jax.Array
    tau: jax.Array
    foot_force: jax.Array  #: (B, T, 2, 3)
    foot_cop: jax.Array
    foot_moment: jax.Array
    contact: jax.Array  #: (B, T, 2)
    known: jax.Array  #: (B, T) kinetics
    landmarks: jax.Array  #: (B, T, L, 3)
    base: jax.Array  #: (B,)
    log_segments: jax.Array  #: (B, k)
    mass: jax.Array  #: (B,) kg
    height: jax.Array  #: (B,) m


class Windows:
    """The clips of one split; activities count alike, clips by their length."""

    def __init__(
        self,
        clips: Sequence[Clip],
        frames: int,
        strides: tuple[int, ...],
    ) -> None:
        self.frames = frames
        self.strides = strides
        shortest = (frames - 1) * min(strides) + 1
        self.clips = [clip for clip in clips if len(clip) >= shortest]
        if not self.clips:
            raise MskError(
                f"none of the {len(clips)} clips has {shortest} frames.",
                remedy="Train with fewer frames, or prepare longer recordings.",
            )
        kinds = [kind(clip.activity) for clip in self.clips]
        length = np.array([len(clip) for clip in self.clips], float)
        total = {k: sum(length[i] for i, x in enumerate(kinds) if x == k) for k in set(kinds)}
        # a kind counts by the root of its length: rare ones are seen more often than they occur
        weight = np.array([n / np.sqrt(total[k]) for n, k in zip(length, kinds, strict=True)])
        self.chance = weight / weight.sum()

    def draw(self, seed: int, step: int, count: int) -> Window:
        """Return ``count`` windows; the same for the same seed and step."""
        rng = np.random.default_rng([seed, step])
        chosen = rng.choice(len(self.clips), size=count, p=self.chance)
        return stacked([self._cut(self.clips[i], rng) for i in chosen])

    def _cut(self, clip: Clip, rng: np.random.Generator) -> Window:
        fitting = [s for s in self.strides if (self.frames - 1) * s < len(clip)]
        stride = int(rng.choice(fitting))
        start = int(rng.integers(len(clip) - (self.frames - 1) * stride))
        return cut(clip, start, self.frames, stride)


def kind(activity: str) -> str:
    """Return the first word of an activity: ``walk (toe-in)`` is a walk."""
    return activity.replace(",", " ").split("(")[0].strip() or "other"


def cut(clip: Clip, start: int, frames: int, stride: int) -> Window:
    """Return one window (no batch axis) of a clip."""
    index = start + stride * np.arange(frames)
    values: dict[str, Any] = {name: getattr(clip, name)[index] for name in _BY_FRAME}
    values |= {
        "known": clip.kinetics_known[index], "dt": stride / RATE_HZ,
        "base": clip.base, "log_segments": clip.log_segments,
        "mass": clip.mass_kg, "height": clip.height_m,
    }  # fmt: skip
    single: dict[str, Any] = {name: np.asarray(x, np.float32) for name, x in values.items()}
    return Window(**single)


def stacked(windows: Sequence[Window]) -> Window:
    """Return windows as one batch."""
    return jax.tree.map(lambda *values: np.stack(values), *windows)
