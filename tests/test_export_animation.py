"""BVH and glTF, posed by small readers that know nothing of ours, against the C engine."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import takes
from scipy.spatial.transform import Rotation

from mjx_msk.errors import MskError
from mjx_msk.export import bvh
from mjx_msk.export.edits import resampled
from mjx_msk.export.formats import FORMATS
from mjx_msk.export.take import Take

#: The files' axes from ours: x forward becomes z, y to the left x, z up y.
FILE_FROM_WORLD = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])


@pytest.fixture(scope="module")
def take() -> Take:
    return resampled(takes.walk(), 50.0)


def bvh_places(path: Path) -> tuple[dict[str, np.ndarray], float]:
    """Return where each joint of a BVH file is (T, 3), in its units, and its frame time.

    Every joint: its place in the one above, then its turns in the order of its channels.
    """
    tree, motion = path.read_text().split("MOTION\n")
    frames, frame_time, *rows = motion.strip().split("\n")
    values = np.array([[float(x) for x in row.split()] for row in rows])
    assert frames == f"Frames: {len(rows)}"
    places, turns, stack, column, offset = {}, {}, [], 0, None
    for words in (line.split() for line in tree.split("\n")):
        match words:
            case ["ROOT" | "JOINT", name]:
                stack.append(name)
            case ["End", "Site"]:
                stack.append(stack[-1] + "/end")
            case ["OFFSET", *numbers]:
                offset = np.array(numbers, float)
                if stack[-1].endswith("/end"):
                    places[stack[-1]] = places[stack[-2]] + turns[stack[-2]].apply(offset)
            case ["CHANNELS", count, *channels]:
                name, above = stack[-1], stack[-2] if len(stack) > 1 else None
                own = values[:, column : column + int(count)]
                column += int(count)
                shift = np.tile(offset, (len(values), 1))
                turn = Rotation.identity(len(values))
                for channel, numbers in zip(channels, own.T, strict=True):
                    if channel.endswith("position"):
                        shift[:, "XYZ".index(channel[0])] += numbers
                    else:
                        turn = turn * Rotation.from_euler(
                            channel[0], numbers[:, None], degrees=True
                        )
                places[name] = shift if above is None else places[above] + turns[above].apply(shift)
                turns[name] = turn if above is None else turns[above] * turn
            case ["}"]:
                stack.pop()
    assert column == values.shape[1]
    return places, float(frame_time.split()[-1])


def test_bvh_puts_the_bones_where_they_are(take, tmp_path):
    assert FORMATS["bvh"].write(take, tmp_path / "walk.bvh") == [tmp_path / "walk.bvh"]
    places, frame_time = bvh_places(tmp_path / "walk.bvh")
    assert frame_time == pytest.approx(0.02)
    assert (tmp_path / "walk.bvh").read_text().count("ROOT") == 1
    error = {}
    for bone in take.bones:
        name = take.mj.body(bone).name
        true = take.places("xpos", [bone])[:, 0] @ FILE_FROM_WORLD.T
        error[name] = np.linalg.norm(places[name] / 100 - true, axis=1).max()
    # knees and patellae glide, which a BVH cannot say: they are off, and what lies below, by that
    still = {n: e for n, e in error.items() if n.startswith(("pelvis", "femur", "torso", "h", "u"))}
    assert max(still.values()) < 1e-6
    patellae = [error.pop("patella_r"), error.pop("patella_l")]
    assert max(error.values()) < 0.008
    assert max(patellae) < 0.03
    end = places["toes_r/end"][0] / 100
    assert 0.03 < np.linalg.norm(end - places["toes_r"][0] / 100) < 0.12


def test_without_rotation_a_bvh_stands_upright(take, tmp_path):
    bvh.write(take, tmp_path / "walk.bvh")
    tree, motion = (tmp_path / "walk.bvh").read_text().split("MOTION\n")
    row = motion.strip().split("\n")[-1].split()
    (tmp_path / "rest.bvh").write_text(
        f"{tree}MOTION\nFrames: 1\nFrame Time: 0.1\n{' '.join('0' for _ in row)}\n"
    )
    places, _ = bvh_places(tmp_path / "rest.bvh")
    at = {name: place[0] for name, place in places.items()}
    assert at["torso"][1] > 0 > at["femur_r"][1] > at["tibia_r"][1] > at["talus_r"][1]
    assert at["femur_l"][0] > 0 > at["femur_r"][0]  # x to the left
    assert at["toes_r"][2] > at["calcn_r"][2]  # z forward


def glb(path: Path) -> tuple[dict, list[np.ndarray]]:
    """Return the JSON of a GLB file and the numbers of its accessors, by the specification."""
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    file = json.loads(data[20 : 20 + size])
    blob = data[20 + size + 8 :]
    numbers = []
    for accessor in file["accessors"]:
        view = file["bufferViews"][accessor["bufferView"]]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor["type"]]
        values = np.frombuffer(
            blob, {5126: "<f4", 5125: "<u4"}[accessor["componentType"]],
            accessor["count"] * width, view.get("byteOffset", 0),
        ).reshape(-1, width)  # fmt: skip
        np.testing.assert_allclose(values.min(axis=0), accessor["min"], rtol=1e-6)
        np.testing.assert_allclose(values.max(axis=0), accessor["max"], rtol=1e-6)
        numbers.append(values)
    return file, numbers


def gltf_frames(file: dict, numbers: list[np.ndarray], frame: int) -> dict[str, np.ndarray]:
    """Return world_from_node (4, 4) of every named node at one key of the animation."""
    nodes = file["nodes"]
    local = [
        {
            "translation": n.get("translation", [0, 0, 0]),
            "rotation": n.get("rotation", [0, 0, 0, 1]),
        }
        for n in nodes
    ]
    (animation,) = file["animations"]
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        values = numbers[sampler["output"]]
        local[channel["target"]["node"]][channel["target"]["path"]] = values[frame]
    found: dict[str, np.ndarray] = {}

    def visit(node: int, above: np.ndarray) -> None:
        own = np.eye(4)
        own[:3, :3] = Rotation.from_quat(local[node]["rotation"]).as_matrix()
        own[:3, 3] = local[node]["translation"]
        found[nodes[node]["name"]] = above @ own
        for child in nodes[node].get("children", []):
            visit(child, above @ own)

    for root in file["scenes"][file["scene"]]["nodes"]:
        visit(root, np.eye(4))
    return found


def test_gltf_puts_the_bones_where_they_are(take, tmp_path):
    pytest.importorskip("pygltflib")
    pytest.importorskip("trimesh")
    (path,) = FORMATS["gltf"].write(take, tmp_path / "walk.glb")
    file, numbers = glb(path)
    clock = numbers[file["animations"][0]["samplers"][0]["input"]].ravel()
    np.testing.assert_allclose(clock, take.motion.time - take.motion.time[0], atol=1e-6)
    bones = take.bones
    places, turns = take.places("xpos", bones), take.places("xmat", bones)
    for frame in (0, 17, len(clock) - 1):
        nodes = gltf_frames(file, numbers, frame)
        for i, bone in enumerate(bones):
            found = nodes[take.mj.body(bone).name]
            np.testing.assert_allclose(found[:3, 3], FILE_FROM_WORLD @ places[frame, i], atol=2e-6)
            true = FILE_FROM_WORLD @ turns[frame, i].reshape(3, 3)
            np.testing.assert_allclose(found[:3, :3], true, atol=2e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of trimesh's own imports
def test_trimesh_reads_the_drawn_bones(take, tmp_path):
    pytest.importorskip("pygltflib")
    trimesh = pytest.importorskip("trimesh")
    (path,) = FORMATS["gltf"].write(take, tmp_path / "walk.glb")
    scene = trimesh.load(path)
    low, high = scene.bounds
    assert 1.5 < high[1] - low[1] < 1.9  # a person stands along Y
    assert -0.1 < low[1] < 0.1
    drawn = np.flatnonzero(take.mj.geom_group == 1)
    assert len(scene.geometry) == len(drawn)
    for geometry in scene.geometry.values():
        assert geometry.is_watertight
        assert geometry.volume > 0  # faces look outwards


def test_quaternions_of_a_gltf_never_flip(take, tmp_path):
    pytest.importorskip("pygltflib")
    pytest.importorskip("trimesh")
    (path,) = FORMATS["gltf"].write(take, tmp_path / "walk.glb")
    file, numbers = glb(path)
    (animation,) = file["animations"]
    for channel in animation["channels"]:
        if channel["target"]["path"] == "rotation":
            q = numbers[animation["samplers"][channel["sampler"]]["output"]]
            assert np.sum(q[1:] * q[:-1], axis=1).min() > 0.9


def test_two_roots_are_no_bvh(take, tmp_path):
    spec = take.spec.copy()
    spec.worldbody.add_body(name="ball", mass=1, inertia=[1, 1, 1], explicitinertial=True)
    with pytest.raises(MskError, match="has 2"):
        bvh.write(Take(take.motion, spec), tmp_path / "two.bvh")
