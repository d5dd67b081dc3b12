"""The model's own shapes: bone meshes and simple bodies, drawn where OpenSim draws them.

A mesh is written into the model itself, in the frame of its body, so that one file holds all of
the model wherever it goes, and so that the mesh's ``scale`` is along the body's axes. Every shape
is for the eye only: it has no mass and touches nothing.
"""

import functools
import itertools
from pathlib import Path

import mujoco
import numpy as np

from mjx_msk.compile.look import add_shape
from mjx_msk.compile.meshes import MeshFolder, bare_name, check_mesh, read_mesh
from mjx_msk.compile.skeleton import WORLD_FROM_GROUND, mujoco_body, quaternion
from mjx_msk.compile.source import GROUND, Drawing, Frame, Source

_DIGITS = 5  # of a vertex in m: a hundredth of a millimetre
_CONE_SIDES = 32

_KINDS = {
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
}
#: Turns MuJoCo's cylinder, along z, into OpenSim's, along y.
_Y_FROM_Z = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def add_bones(spec: mujoco.MjSpec, source: Source, geometry: Path | None) -> set[str]:
    """Draw the shapes of ``source``, its meshes from the folder ``geometry``; none without it.

    Returns the bodies that look right now; the others need the default look. The text
    ``skipped/mesh`` lists the files that the folder lacks, ``skipped/mesh NAME`` says what is wrong
    with one, ``approximated/mesh NAME`` which other file is drawn in its place. Raises
    ``MskError`` when the folder cannot be read.
    """
    meshes = [d for d in source.drawings if d.shape == "mesh"]
    drawn = set()
    if geometry is not None:
        drawn = _add_meshes(spec, meshes, MeshFolder(geometry))
    for drawing in source.drawings:
        if drawing.shape != "mesh":
            _add_simple(spec, drawing)
    if drawn - {GROUND}:  # a model with bones leaves bare what its author left bare
        drawn |= {body.name for body in source.bodies} - {d.body for d in meshes}
    return drawn | {d.body for d in source.drawings} - {d.body for d in meshes}


def _add_meshes(spec: mujoco.MjSpec, drawings: list[Drawing], folder: MeshFolder) -> set[str]:
    """Draw meshes, note what is wrong with them, and return the bodies that have one now."""
    read = functools.cache(read_mesh)
    missing: list[str] = []
    notes: dict[str, str] = {}
    drawn = set()
    for drawing in drawings:
        found = folder.find(drawing.file)
        if found is None:
            missing.append(drawing.file or "(no name)")
            continue
        try:
            mesh = read(found.path)
            _add_mesh(spec, drawing, mesh.vertices * found.stretch, mesh.faces)
        except ValueError as error:
            notes[f"skipped/mesh {drawing.file}"] = str(error)
            continue
        drawn.add(drawing.body)
        if found.substitute:
            notes[f"approximated/mesh {drawing.file}"] = f"drawn as {found.path.name}"
    if missing:
        notes["skipped/mesh"] = "files not found: " + ", ".join(dict.fromkeys(missing))
    for name, text in notes.items():
        spec.add_text(name=name, data=text)
    return drawn


def _add_mesh(
    spec: mujoco.MjSpec, drawing: Drawing, vertices: np.ndarray, faces: np.ndarray
) -> None:
    """Add a mesh of its own for a drawing: vertices (V, 3) m in the file's axes, faces (F, 3)."""
    place = _in_mujoco(drawing)
    placed = (place.position + (vertices * drawing.size) @ place.rotation.T).round(_DIGITS)
    check_mesh(placed, faces)
    if np.prod(drawing.size) < 0:
        faces = faces[:, ::-1]  # a mirrored surface would turn its inside out
    stem = f"{drawing.body}/{bare_name(drawing.file).stem}"
    names = itertools.chain([stem], (f"{stem}/{k}" for k in itertools.count(2)))
    name = next(name for name in names if spec.mesh(name) is None)
    spec.add_mesh(
        name=name,
        uservert=placed.ravel(),
        userface=faces.ravel(),
        inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,  # bones are rarely watertight
    )
    kind = mujoco.mjtGeom.mjGEOM_MESH
    geom = add_shape(mujoco_body(spec, drawing.body), kind, np.zeros(3), np.zeros(3), "bone")
    geom.meshname = name
    _paint(geom, drawing)


def _add_simple(spec: mujoco.MjSpec, drawing: Drawing) -> None:
    place = _in_mujoco(drawing)
    if drawing.shape == "cone":  # MuJoCo has none
        _add_mesh(spec, drawing, *_unit_cone())
        return
    rotation, size = place.rotation, np.abs(drawing.size)
    if drawing.shape == "cylinder":
        rotation, size = rotation @ _Y_FROM_Z, np.array([(size[0] + size[2]) / 2, size[1], 0.0])
    body, turn = mujoco_body(spec, drawing.body), quaternion(rotation)
    _paint(add_shape(body, _KINDS[drawing.shape], place.position, size, "bone", turn), drawing)


def _unit_cone() -> tuple[np.ndarray, np.ndarray]:
    """Return vertices and faces of a cone of radius 1 round the origin with its tip at y = 1."""
    angles = np.linspace(0, 2 * np.pi, _CONE_SIDES, endpoint=False)
    rim = np.stack([np.cos(angles), np.zeros_like(angles), np.sin(angles)], axis=1)
    this = np.arange(_CONE_SIDES) + 2
    after = np.roll(this, -1)
    tip, middle = np.zeros_like(this), np.ones_like(this)
    faces = np.concatenate([np.stack([this, tip, after], 1), np.stack([after, middle, this], 1)])
    return np.concatenate([[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], rim]), faces


def _in_mujoco(drawing: Drawing) -> Frame:
    """Return the place of a drawing in the MuJoCo body: OpenSim's, but for the ground."""
    if drawing.body != GROUND:
        return drawing.frame
    frame = drawing.frame
    return Frame(WORLD_FROM_GROUND @ frame.position, WORLD_FROM_GROUND @ frame.rotation)


def _paint(geom: mujoco.MjsGeom, drawing: Drawing) -> None:
    if drawing.rgba is not None:
        geom.rgba = drawing.rgba
