"""The landmarks of one person over time, as a pose network sees them."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

_SIDED = ("shoulder", "elbow", "wrist", "pinky", "index", "thumb")
_SIDED_LEGS = ("hip", "knee", "ankle", "heel", "foot_index")


def _both(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{side}_{part}" for part in parts for side in ("left", "right"))


#: MediaPipe's 33 landmarks, in its order
NAMES: tuple[str, ...] = (
    "nose",
    *(f"left_eye{part}" for part in ("_inner", "", "_outer")),
    *(f"right_eye{part}" for part in ("_inner", "", "_outer")),
    *("left_ear", "right_ear", "mouth_left", "mouth_right"),
    *_both(_SIDED),
    *_both(_SIDED_LEGS),
)

#: the 16 landmarks that carry the body's pose: trunk corners, elbows, wrists, knees, feet
BODY: tuple[int, ...] = tuple(
    NAMES.index(name) for name in _both(("shoulder", "elbow", "wrist", *_SIDED_LEGS))
)
TRUNK: tuple[int, ...] = tuple(NAMES.index(name) for name in _both(("shoulder", "hip")))
FEET: tuple[int, ...] = tuple(NAMES.index(name) for name in _both(("ankle", "heel", "foot_index")))


def _mirrored(name: str) -> str:
    swap = {"left": "right", "right": "left"}
    return "_".join(swap.get(word, word) for word in name.split("_"))


#: the index of each landmark's counterpart on the other side of the body
MIRROR: np.ndarray = np.array([NAMES.index(_mirrored(name)) for name in NAMES])


@dataclass(frozen=True, kw_only=True, eq=False)
class Landmarks:
    """One person's landmarks at T times; NaN where the person was not seen.

    Pixels are those of the upright image with the origin at the centre of the top-left pixel.
    ``world`` is the network's metric guess: camera axes x right, y down, z away, origin between
    the hips.
    """

    time: np.ndarray  #: (T,) s, real time since the first frame
    pixels: np.ndarray  #: (T, 33, 2) px
    world: np.ndarray  #: (T, 33, 3) m
    visibility: np.ndarray  #: (T, 33) 0..1, 0 where not seen
    confidence: np.ndarray  #: (T,) 0..1, mean visibility of the body's 16 landmarks
    names: tuple[str, ...]  #: the 33 names
    image_size: tuple[int, int]  #: (width, height) px
    person_id: int  #: from 1, in the order of completeness

    @property
    def seen(self) -> np.ndarray:
        """(T,) bool, where the person was seen (or bridged)."""
        return np.isfinite(self.pixels[:, 0, 0])

    def __len__(self) -> int:
        return len(self.time)

    def trimmed(self) -> "Landmarks":
        """Return the frames from the first to the last one the person was seen in."""
        index = np.flatnonzero(self.seen)
        return self.sliced(slice(index[0], index[-1] + 1))

    def sliced(self, span: slice) -> "Landmarks":
        """Return some of the frames."""
        arrays = ("time", "pixels", "world", "visibility", "confidence")
        return self.replace(**{name: getattr(self, name)[span] for name in arrays})

    def replace(self, **changes: Any) -> "Landmarks":
        """Return a copy with some fields replaced."""
        return dataclasses.replace(self, **changes)


def from_arrays(
    time: np.ndarray,
    pixels: np.ndarray,
    world: np.ndarray,
    visibility: np.ndarray,
    image_size: tuple[int, int],
    person_id: int = 1,
) -> Landmarks:
    """Return ``Landmarks``; a point outside the image is a guess and keeps visibility <= 0.1."""
    inside = np.all((pixels >= -0.5) & (pixels <= np.array(image_size) - 0.5), axis=-1)
    visibility = np.where(inside, visibility, np.minimum(visibility, 0.1))
    visibility = np.where(np.isfinite(pixels[..., 0]), visibility, 0.0)
    return Landmarks(
        time=time,
        pixels=pixels,
        world=world,
        visibility=visibility,
        confidence=visibility[:, BODY].mean(axis=1),
        names=NAMES,
        image_size=image_size,
        person_id=person_id,
    )
