"""Mesh files of bones: found in a folder by name, read, checked and made light."""

import io
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from mjx_msk.errors import MskError, missing_extra

if TYPE_CHECKING:
    import trimesh

FACES = 6000  #: triangles a mesh keeps: enough for a rib cage, which is a single one
_LARGEST_FILE = 64e6  # bytes
_LARGEST_EXTENT = 100.0  # m; what is larger was drawn in millimetres
_SMALLEST_AREA = 1e-10  # m^2

# The same bone under another name, and how much it must be stretched along y to become it. Models
# after Rajagopal have a femur of 0.4096 m where those after Delp have 0.3958 m, and a tibia of
# 0.400 m for 0.430 m; old ones name the right side without a letter.
_FEMUR, _TIBIA = 0.4096 / 0.3958, 0.400 / 0.430
_SUBSTITUTES: dict[str, tuple[str, float]] = {
    "r_femur": ("femur_r", _FEMUR),
    "l_femur": ("femur_l", _FEMUR),
    "r_tibia": ("tibia_r", _TIBIA),
    "l_tibia": ("tibia_l", _TIBIA),
    "r_fibula": ("fibula_r", _TIBIA),
    "l_fibula": ("fibula_l", _TIBIA),
    "fibula": ("fibula_r", 1.0),
    "pelvis": ("r_pelvis", 1.0),
    "talus": ("talus_rv", 1.0),
    "r_talus": ("talus_rv", 1.0),
    "l_talus": ("talus_lv", 1.0),
    "r_foot": ("foot", 1.0),
    "r_bofoot": ("bofoot", 1.0),
    "hat_ribs": ("hat_ribs_scap", 1.0),
}


@dataclass(frozen=True)
class MeshFile:
    """A file that holds a mesh, and the stretch (3,) that turns it into the one asked for."""

    path: Path
    stretch: np.ndarray
    substitute: bool  #: it is the same bone of another skeleton


class MeshFolder:
    """The mesh files directly inside one folder, found by the names that models give them."""

    def __init__(self, folder: Path) -> None:
        """List the folder; raises ``MskError`` when it cannot be read."""
        try:
            inside = folder.resolve()
            files = sorted(p for p in folder.iterdir() if p.suffix.lower() in _READERS)
            # A link may not lead out of the folder, whoever packed it.
            self._files = {
                p.name.lower(): p
                for p in files
                if p.is_file() and p.resolve().is_relative_to(inside)
            }
        except OSError as error:
            raise MskError(
                f"cannot read the folder of bone meshes {folder}: {error.strerror or error}.",
                remedy="Give the folder that holds the model's .vtp, .stl or .obj files.",
            ) from error

    def find(self, name: str) -> MeshFile | None:
        """Return the file of a mesh, or None: its own, its bone's in another format, a substitute.

        Only the last part of ``name`` counts, and its case does not.
        """
        wanted = bare_name(name.lower())
        own = (wanted.stem, 1.0)
        for stem, stretch in (own, _SUBSTITUTES.get(wanted.stem, own)):
            for suffix in dict.fromkeys((wanted.suffix, *_READERS)):
                if path := self._files.get(stem + suffix):
                    return MeshFile(path, np.array([1.0, stretch, 1.0]), stem != wanted.stem)
        return None


def bare_name(name: str) -> PurePosixPath:
    """Return the last part of a file name of any system."""
    return PurePosixPath(PurePosixPath(name.replace("\\", "/")).name)


def read_mesh(path: Path) -> "trimesh.Trimesh":
    """Return the mesh of a .vtp (ASCII), .stl or .obj file with at most about ``FACES`` triangles.

    Raises ``ValueError`` for a file that cannot be read, holds no surface, or points nowhere, and
    ``MskError`` where the mesh library is not installed.
    """
    try:
        import trimesh
    except ImportError as error:
        raise missing_extra("trimesh", "opensim", "Reading bone meshes") from error
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError(f"larger than {_LARGEST_FILE / 1e6:.0f} MB")
        vertices, faces = _READERS[path.suffix.lower()](path.read_bytes())
    except Exception as error:  # whatever a parser says of a file that somebody else wrote
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ValueError(f"not a mesh that can be read: {reason}") from error
    _check(vertices, faces)
    mesh = trimesh.Trimesh(vertices, faces, process=True)  # joins vertices at the same place
    return _simplified(mesh)


def _check(vertices: np.ndarray, faces: np.ndarray) -> None:
    if not len(faces):
        raise ValueError("it holds no faces")
    if not np.isfinite(vertices).all():
        raise ValueError("its vertices are not all finite")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError("its faces point to vertices that it does not have")


def check_mesh(vertices: np.ndarray, faces: np.ndarray) -> None:
    """Raise ``ValueError`` for a placed mesh (m) that is too large or too small to be a bone."""
    extent = float(np.ptp(vertices, axis=0).max())
    if not extent <= _LARGEST_EXTENT:
        raise ValueError(f"it would be {extent:.0f} m large; are its numbers millimetres?")
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    if len(vertices) < 4 or area < _SMALLEST_AREA:
        raise ValueError("it has next to no surface")


def _simplified(mesh: "trimesh.Trimesh") -> "trimesh.Trimesh":
    if len(mesh.faces) <= FACES:
        return mesh
    try:
        return mesh.simplify_quadric_decimation(face_count=FACES)
    except ImportError as error:
        raise missing_extra("fast-simplification", "opensim", "Simplifying meshes") from error


def _read_vtp(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return the vertices and triangles of VTK's XML PolyData in ASCII, which OpenSim reads."""
    vertices, triangles, before = [np.empty((0, 3))], [np.empty((0, 3), dtype=np.int64)], 0
    for piece in ElementTree.fromstring(content).iter("Piece"):
        points = _numbers(piece, "Points/DataArray", float).reshape(-1, 3)
        corners = _numbers(piece, "Polys/DataArray[@Name='connectivity']", np.int64)
        ends = _numbers(piece, "Polys/DataArray[@Name='offsets']", np.int64)
        starts = np.concatenate([[0], ends])[:-1]
        if (ends < starts).any() or (len(ends) and ends[-1] != len(corners)):
            raise ValueError("its polygons do not add up")
        if len(corners) and (corners.min() < 0 or corners.max() >= len(points)):
            raise ValueError("its faces point to vertices that it does not have")
        vertices.append(points)
        triangles.append(_fans(corners, starts, ends - starts) + before)
        before += len(points)
    return np.concatenate(vertices), np.concatenate(triangles)


def _numbers(piece: ElementTree.Element, path: str, kind: type) -> np.ndarray:
    array = piece.find(path)
    if array is None:
        raise ValueError(f"it has no {path.split('[')[0]}")
    if array.get("format", "ascii") != "ascii":
        raise ValueError("it is stored in binary; save it as ASCII, as OpenSim needs it")
    return np.array((array.text or "").split(), dtype=kind)


def _fans(corners: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the triangles (T, 3) of polygons: each a fan from its first corner."""
    fans = [np.empty((0, 3), dtype=np.int64)]
    for size in np.unique(sizes[sizes >= 3]):
        polygons = corners[starts[sizes == size, None] + np.arange(size)]
        second, third = polygons[:, 1:-1], polygons[:, 2:]
        first = np.broadcast_to(polygons[:, :1], second.shape)
        fans.append(np.stack([first, second, third], axis=2).reshape(-1, 3))
    return np.concatenate(fans)


def _reader(kind: str) -> Callable[[bytes], tuple[np.ndarray, np.ndarray]]:
    def read(content: bytes) -> tuple[np.ndarray, np.ndarray]:
        import trimesh

        # From memory and without materials, so that no other file is ever opened.
        options = {"skip_materials": True} if kind == "obj" else {}
        mesh = trimesh.load_mesh(io.BytesIO(content), file_type=kind, process=False, **options)
        return np.asarray(mesh.vertices, dtype=float), np.asarray(mesh.faces)

    return read


_READERS = {".vtp": _read_vtp, ".stl": _reader("stl"), ".obj": _reader("obj")}
