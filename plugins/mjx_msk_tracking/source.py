"""Where a motion and its model come from: a result's folder, a file, or a ``Motion``."""

import os
from pathlib import Path

import mujoco

from mjx_msk import Motion, MskError

MotionSource = Motion | str | os.PathLike[str]
ModelSource = mujoco.MjSpec | str | os.PathLike[str]


def load_estimate(
    motion: MotionSource, model: ModelSource | None = None
) -> tuple[Motion, mujoco.MjSpec]:
    """Return a motion and its model.

    ``motion`` is a folder that ``mjx-msk estimate`` wrote, a ``motion.npz`` or a ``Motion``;
    ``model`` an ``.xml`` or a spec, by default the ``model.xml`` beside the motion. Raises
    ``MskError`` where a file is missing or unreadable, or no model is given for a ``Motion``.
    """
    if not isinstance(motion, Motion):
        path = Path(motion)
        path = path / "motion.npz" if path.is_dir() else path
        model = path.with_name("model.xml") if model is None else model
        motion = Motion.load(path)
    if model is None:
        raise MskError(
            "a Motion was given without its model.", remedy="Give model= with its model.xml."
        )
    return motion, model if isinstance(model, mujoco.MjSpec) else _read(Path(model))


def _read(path: Path) -> mujoco.MjSpec:
    if not path.is_file():
        raise MskError("no such model file.", where=str(path), remedy="Give it with model=.")
    try:
        return mujoco.MjSpec.from_file(str(path))
    except ValueError as error:
        raise MskError(
            f"MuJoCo cannot read this model ({' '.join(str(error).split())}).",
            where=str(path),
            remedy="Give the model.xml of an estimate.",
        ) from error
