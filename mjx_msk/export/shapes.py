"""What is drawn of each bone, as triangles."""

from typing import Any, NamedTuple

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from mjx_msk.compile.look import GROUP
from mjx_msk.errors import missing_extra

#: The colour that MuJoCo gives to a geom without one; its material's shows then.
_DEFAULT_RGBA = (0.5, 0.5, 0.5, 1.0)
#: Segments around a rod.
_AROUND = 16


class Shape(NamedTuple):
    """One drawn part of a bone, in the bone's axes."""

    vertices: np.ndarray  #: (V, 3) m
    normals: np.ndarray  #: (V, 3)
    faces: np.ndarray  #: (F, 3) unsigned
    rgba: tuple[float, float, float, float]


def shapes(mj: mujoco.MjModel, bones: list[int]) -> dict[int, list[Shape]]:
    """Return what is drawn of each bone; raises ``MskError`` where trimesh is not installed."""
    try:
        import trimesh
    except ImportError as error:
        raise missing_extra("trimesh", "export", "Writing glTF") from error
    found: dict[int, list[Shape]] = {bone: [] for bone in bones}
    for geom in np.flatnonzero(mj.geom_group == GROUP):
        bone = int(mj.geom_bodyid[geom])
        if bone in found and (mesh := _mesh(trimesh, mj, int(geom))) is not None:
            turn = Rotation.from_quat(mj.geom_quat[geom], scalar_first=True)
            found[bone].append(
                Shape(
                    turn.apply(np.array(mesh.vertices)) + mj.geom_pos[geom],
                    turn.apply(np.array(mesh.vertex_normals)),
                    np.asarray(mesh.faces, dtype=np.uint32),
                    _colour(mj, int(geom)),
                )
            )
    return found


def _mesh(trimesh: Any, mj: mujoco.MjModel, geom: int) -> Any:
    """Return a geom as a mesh in its own axes; None for a kind that no bone is drawn with."""
    kind, size = mujoco.mjtGeom(mj.geom_type[geom]), mj.geom_size[geom]
    make = trimesh.creation
    match kind:
        case mujoco.mjtGeom.mjGEOM_SPHERE:
            return make.icosphere(subdivisions=2, radius=size[0])
        case mujoco.mjtGeom.mjGEOM_ELLIPSOID:
            return make.icosphere(subdivisions=2).apply_transform(np.diag([*size, 1.0]))
        case mujoco.mjtGeom.mjGEOM_CAPSULE:
            return make.capsule(radius=size[0], height=2.0 * size[1], count=(_AROUND, _AROUND))
        case mujoco.mjtGeom.mjGEOM_CYLINDER:
            return make.cylinder(radius=size[0], height=2.0 * size[1], sections=_AROUND)
        case mujoco.mjtGeom.mjGEOM_BOX:
            return make.box(extents=2.0 * size)
        case mujoco.mjtGeom.mjGEOM_MESH:
            return _stored(trimesh, mj, int(mj.geom_dataid[geom]))
    return None


def _stored(trimesh: Any, mj: mujoco.MjModel, mesh: int) -> Any:
    first, count = mj.mesh_vertadr[mesh], mj.mesh_vertnum[mesh]
    start, faces = mj.mesh_faceadr[mesh], mj.mesh_facenum[mesh]
    return trimesh.Trimesh(
        mj.mesh_vert[first : first + count], mj.mesh_face[start : start + faces], process=False
    )


def _colour(mj: mujoco.MjModel, geom: int) -> tuple[float, float, float, float]:
    rgba, material = mj.geom_rgba[geom], mj.geom_matid[geom]
    if material >= 0 and np.allclose(rgba, _DEFAULT_RGBA):
        rgba = mj.mat_rgba[material]
    r, g, b, a = (round(float(x), 4) for x in rgba)
    return r, g, b, a
