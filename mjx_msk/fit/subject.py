"""The model of one subject: the generic one, scaled, or one that the user gives."""

from pathlib import Path

import mujoco
import numpy as np

from mjx_msk.compile import compile_osim, scale_spec
from mjx_msk.errors import MskError
from mjx_msk.fit.scaling import segment_matrix
from mjx_msk.model import FOOT_BODIES, ROOT_COORDINATES, Model
from mjx_msk.resources import DEFAULT_MODEL, asset


def generic_spec() -> mujoco.MjSpec:
    """Return the model that is scaled to a person where none is given."""
    return mujoco.MjSpec.from_file(str(asset(DEFAULT_MODEL)))


def read_model(path: Path) -> mujoco.MjSpec:
    """Read a scaled model, ``.osim`` or compiled ``.xml``; raises ``MskError``."""
    if path.suffix.lower() == ".osim":
        spec = compile_osim(path)
        check_whole_person(Model.from_spec(spec), path)
        return spec
    check_whole_person(Model.load(path), path)
    return mujoco.MjSpec.from_file(str(path))


def check_whole_person(model: Model, path: Path) -> None:
    """Raise ``MskError`` unless the model has a free pelvis and two feet."""
    layout = model.layout
    missing = [name for name in FOOT_BODIES if name not in layout.body_names]
    three = layout.rotational[:ROOT_COORDINATES].count(True) == 3
    if layout.free or not three or model.n < ROOT_COORDINATES:
        missing.append("a pelvis with three rotations and three translations")
    if missing:
        raise MskError(
            f"this is no whole person: it lacks {', '.join(missing)}.",
            where=str(path),
            remedy="Give a full-body or two-legged model.",
        )


def scaled_spec(
    spec: mujoco.MjSpec, base: float, log_segments: np.ndarray, mass_kg: float | None
) -> mujoco.MjSpec:
    """Return a model stretched as a fit found: ``base`` over all, ``log_segments`` (k,) beside it.

    Empty ``log_segments`` keep the model's size, ``mass_kg`` None its mass.
    """
    if not len(log_segments):
        return spec if mass_kg is None else scale_spec(spec, {}, mass_kg)
    names = [body.name for body in spec.bodies if body.name != "world"]
    factors = base * np.exp(segment_matrix(names) @ log_segments)
    return scale_spec(spec, dict(zip(names, factors.tolist(), strict=True)), mass_kg)
