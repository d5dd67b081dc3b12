"""Reading the shapes that an .osim attaches to its bodies for the eye."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from mjx_msk.compile.frames import frame_in_body
from mjx_msk.compile.source import Drawing, Frame

_HIDDEN = 0  # OpenSim's representations are: hide, points, wireframe, surface
_SIGNS = ("FrameGeometry", "LineGeometry", "Arrow")  # the editor's, no part of the body
_WHITE = (1.0, 1.0, 1.0, 1.0)  # what OpenSim takes where a model says nothing


def read_drawings(opensim: Any, model: Any) -> tuple[tuple[Drawing, ...], dict[str, str]]:
    """Return a model's visible shapes in the file's order, and why others are left out."""
    drawings: list[Drawing] = []
    skipped: dict[str, str] = {}
    for component in model.getComponentsList():
        geometry = opensim.Geometry.safeDownCast(component)
        if geometry is None or geometry.getConcreteClassName() in _SIGNS:
            continue
        if not geometry.get_Appearance().get_visible() or geometry.getRepresentation() == _HIDDEN:
            continue
        try:
            drawings.append(_read_drawing(opensim, geometry))
        except ValueError as error:
            skipped[f"drawing {geometry.getAbsolutePathString()}"] = str(error)
    return tuple(drawings), skipped


class _Shape(NamedTuple):
    """A shape before its scale factors: the place of its own frame, and its size there."""

    name: Any  # one of Drawing.shape
    size: np.ndarray
    position: np.ndarray = np.zeros(3)
    rotation: np.ndarray = np.eye(3)


_SHAPES: dict[str, Callable[[Any], _Shape]] = {
    "Mesh": lambda g: _Shape("mesh", np.ones(3)),
    "Sphere": lambda g: _Shape("ellipsoid", np.full(3, g.get_radius())),
    "Ellipsoid": lambda g: _Shape("ellipsoid", g.get_radii().to_numpy()),
    "Brick": lambda g: _Shape("box", g.get_half_lengths().to_numpy()),
    "Cylinder": lambda g: _Shape("cylinder", _round(g.get_radius(), g.get_half_height())),
    "Cone": lambda g: _Shape(
        "cone",
        _round(g.get_base_radius(), g.get_height()),
        g.get_origin().to_numpy(),
        _with_y_along(g.get_direction().to_numpy()),
    ),
}


def _read_drawing(opensim: Any, geometry: Any) -> Drawing:
    """Return one shape; ``ValueError`` says why it cannot be drawn."""
    kind = geometry.getConcreteClassName()
    if kind not in _SHAPES:
        raise ValueError(f"shapes of type {kind} are not drawn")
    concrete = getattr(opensim, kind).safeDownCast(geometry)
    shape = _SHAPES[kind](concrete)
    factors = geometry.get_scale_factors().to_numpy()
    size = shape.size * _along(factors, shape.rotation)
    body, frame = frame_in_body(geometry.getFrame())
    place = Frame(
        frame.position + frame.rotation @ (factors * shape.position),
        frame.rotation @ shape.rotation,
    )
    if not (np.isfinite(size).all() and size.all() and np.isfinite(place.position).all()):
        raise ValueError("its size or its scale factors are zero or undefined")
    file = concrete.get_mesh_file().strip() if kind == "Mesh" else ""
    return Drawing(body, place, shape.name, size, file, _colour(geometry.get_Appearance()))


def _along(factors: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Return how much lengths along the columns of ``rotation`` grow; mirroring is kept."""
    if np.array_equal(rotation, np.eye(3)):
        return factors
    return np.linalg.norm(factors[:, None] * rotation, axis=0)


def _round(radius: float, length: float) -> np.ndarray:
    return np.array([radius, length, radius])


def _with_y_along(direction: np.ndarray) -> np.ndarray:
    """Return a rotation that turns y into ``direction`` (3,)."""
    if not (np.isfinite(direction).all() and direction.any()):
        raise ValueError("its direction is zero or undefined")
    turn, _ = Rotation.align_vectors([direction / np.linalg.norm(direction)], [[0.0, 1.0, 0.0]])
    return turn.as_matrix()


def _colour(appearance: Any) -> tuple[float, float, float, float] | None:
    """Return the colour that the model asks for; None where it leaves OpenSim's white."""
    red, green, blue = (float(appearance.get_color().get(i)) for i in range(3))
    red, green, blue, opacity = np.nan_to_num(
        np.clip([red, green, blue, float(appearance.get_opacity())], 0, 1), nan=1.0
    ).tolist()
    rgba = (red, green, blue, opacity)
    return None if rgba == _WHITE else rgba
