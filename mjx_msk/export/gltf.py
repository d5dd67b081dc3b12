"""glTF 2.0 (GLB): the bones as they are drawn, and their motion, for Blender and the web.

Every bone is a node in the bone above it, with the time's translation and rotation: also what
glides. One node above them turns our axes into glTF's.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from mjx_msk.errors import missing_extra
from mjx_msk.export.axes import ANIMATION_FROM_WORLD
from mjx_msk.export.shapes import Shape, shapes
from mjx_msk.export.take import Take
from mjx_msk.files import replacing

#: A translation that stays within this needs no animation, m.
_STILL_M = 1e-6


def write(take: Take, path: Path) -> list[Path]:
    """Write the animated skeleton; raises ``MskError``, also where pygltflib is not installed."""
    try:
        import pygltflib as gltf
    except ImportError as error:
        raise missing_extra("pygltflib", "export", "Writing glTF") from error
    scene = _Scene(gltf)
    node_of = {bone: i + 1 for i, bone in enumerate(take.bones)}
    paths = _paths(take)
    drawn = shapes(take.mj, take.bones)
    axes = Rotation.from_matrix(ANIMATION_FROM_WORLD).as_quat().tolist()
    roots = [node_of[bone] for bone in take.bones if take.parents[bone] == 0]
    scene.file.nodes.append(gltf.Node(name=path.stem, rotation=axes, children=roots))
    for bone in take.bones:
        name, (place, turn) = take.mj.body(bone).name, paths[bone]
        scene.file.nodes.append(
            gltf.Node(
                name=name, mesh=scene.mesh(name, drawn[bone]),
                translation=place[0].tolist(), rotation=turn[0].tolist(),
                children=[node_of[b] for b in take.bones if take.parents[b] == bone],
            )
        )  # fmt: skip
    scene.animate(path.stem, take.motion.time, {node_of[b]: paths[b] for b in take.bones})
    with replacing(path) as temporary:
        scene.save(temporary)
    return [path]


def _paths(take: Take) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Return place (T, 3) m and turn (T, 4) x y z w of each bone in the one above it."""
    bodies = range(take.mj.nbody)
    place, turn = take.places("xpos", bodies), take.places("xmat", bodies)
    turn = turn.reshape(len(turn), -1, 3, 3)
    found = {}
    for bone, above in take.parents.items():
        back = turn[:, above].swapaxes(1, 2)
        local = np.einsum("tij,tj->ti", back, place[:, bone] - place[:, above])
        quaternion = Rotation.from_matrix(back @ turn[:, bone]).as_quat()
        flips = np.sum(quaternion[1:] * quaternion[:-1], axis=1) < 0
        sign = np.where(np.concatenate([[0], np.cumsum(flips)]) % 2, -1.0, 1.0)
        found[bone] = local, quaternion * sign[:, None]
    return found


@dataclass
class _Scene:
    """A glTF file that grows: one scene, one buffer."""

    gltf: Any  #: the package
    parts: list[bytes] = field(default_factory=list)
    materials: dict[tuple[float, ...], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        gltf = self.gltf
        self.file = gltf.GLTF2(
            asset=gltf.Asset(version="2.0", generator="mjx-msk"),
            scene=0, scenes=[gltf.Scene(nodes=[0])],
        )  # fmt: skip

    def accessor(self, values: np.ndarray, target: int | None = None) -> int:
        """Store numbers, (N,) or (N, k) in float32, or (N,) indices, and return their place."""
        gltf, file = self.gltf, self.file
        kind = gltf.UNSIGNED_INT if values.dtype.kind == "u" else gltf.FLOAT
        values = values.astype("<u4" if values.dtype.kind == "u" else "<f4")
        start = sum(map(len, self.parts))
        self.parts.append(values.tobytes())  # always a multiple of four bytes
        view = gltf.BufferView(
            buffer=0, byteOffset=start, byteLength=len(self.parts[-1]), target=target
        )
        file.bufferViews.append(view)
        flat = values.reshape(len(values), -1)
        kinds = {1: gltf.SCALAR, 3: gltf.VEC3, 4: gltf.VEC4}
        file.accessors.append(
            gltf.Accessor(
                bufferView=len(file.bufferViews) - 1, componentType=kind, count=len(values),
                type=kinds[flat.shape[1]], min=flat.min(axis=0).tolist(),
                max=flat.max(axis=0).tolist(),
            )
        )  # fmt: skip
        return len(file.accessors) - 1

    def mesh(self, name: str, drawn: list[Shape]) -> int | None:
        """Store what is drawn of a bone and return its mesh, None where nothing is."""
        if not drawn:
            return None
        gltf = self.gltf
        primitives = [
            gltf.Primitive(
                attributes=gltf.Attributes(
                    POSITION=self.accessor(shape.vertices, gltf.ARRAY_BUFFER),
                    NORMAL=self.accessor(shape.normals, gltf.ARRAY_BUFFER),
                ),
                indices=self.accessor(shape.faces.ravel(), gltf.ELEMENT_ARRAY_BUFFER),
                material=self.material(shape.rgba),
            )
            for shape in drawn
        ]
        self.file.meshes.append(gltf.Mesh(name=name, primitives=primitives))
        return len(self.file.meshes) - 1

    def material(self, rgba: tuple[float, ...]) -> int:
        """Return the material of a colour."""
        gltf = self.gltf
        if rgba not in self.materials:
            colour = gltf.PbrMetallicRoughness(
                baseColorFactor=list(rgba), metallicFactor=0.0, roughnessFactor=0.7
            )
            blend = gltf.BLEND if rgba[3] < 1.0 else gltf.OPAQUE
            self.file.materials.append(
                gltf.Material(pbrMetallicRoughness=colour, alphaMode=blend, alphaCutoff=None)
            )
            self.materials[rgba] = len(self.file.materials) - 1
        return self.materials[rgba]

    def animate(
        self, name: str, time: np.ndarray, paths: dict[int, tuple[np.ndarray, np.ndarray]]
    ) -> None:
        """Store one animation from time 0: node -> its places and turns."""
        gltf = self.gltf
        animation = gltf.Animation(name=name)
        clock = self.accessor(time - time[0])
        for node, (place, turn) in paths.items():
            moving = {"rotation": turn}
            if np.abs(place - place[0]).max() > _STILL_M:
                moving["translation"] = place
            for what, values in moving.items():
                animation.channels.append(
                    gltf.AnimationChannel(
                        sampler=len(animation.samplers),
                        target=gltf.AnimationChannelTarget(node=node, path=what),
                    )
                )
                animation.samplers.append(
                    gltf.AnimationSampler(
                        input=clock, output=self.accessor(values), interpolation=gltf.ANIM_LINEAR
                    )
                )
        self.file.animations.append(animation)

    def save(self, path: Path) -> None:
        """Write the file as GLB."""
        blob = b"".join(self.parts)
        self.file.buffers.append(self.gltf.Buffer(byteLength=len(blob)))
        self.file.set_binary_blob(blob)
        self.file.save_binary(str(path))
