"""Bone meshes and shapes on a turned and shifted body, against OpenSim's own transforms."""

import struct
import sys
from pathlib import Path

import mujoco
import numpy as np
import pytest
from fetching import fetched
from scipy.spatial import KDTree

from mjx_msk import cache
from mjx_msk.cli import main
from mjx_msk.compile import CompileOptions, compile_file, compile_osim, scale_spec, to_xml
from mjx_msk.compile.look import GROUP
from mjx_msk.compile.skeleton import WORLD_FROM_GROUND
from mjx_msk.errors import MskError

opensim = pytest.importorskip("opensim")

# A wedge without any symmetry: right-handed, faces to the outside.
VERTICES = np.array([[0, 0, 0], [0.3, 0, 0], [0.1, 0.2, 0], [0.05, 0.02, 0.4], [0.2, 0.1, 0.3]])
FACES = ((0, 2, 1), (0, 3, 2), (0, 1, 3), (1, 4, 3), (1, 2, 4), (2, 3, 4))
VTP = """<?xml version="1.0"?>
<VTKFile type="PolyData" version="0.1" byte_order="LittleEndian">
  <PolyData>
    <Piece NumberOfPoints="{n}" NumberOfPolys="{m}">
      <PointData><DataArray type="Float32" Name="Normals">1 0 0</DataArray></PointData>
      <Points><DataArray NumberOfComponents="3" format="ascii">{points}</DataArray></Points>
      <Polys>
        <DataArray type="Int32" Name="connectivity" format="{format}">{corners}</DataArray>
        <DataArray type="Int32" Name="offsets" format="ascii">{ends}</DataArray>
      </Polys>
    </Piece>
  </PolyData>
</VTKFile>
"""


def words(values) -> str:
    return " ".join(str(value) for value in np.ravel(values))


def vtp(vertices=VERTICES, faces=FACES, **changes) -> str:
    fields = {
        "n": len(vertices), "m": len(faces), "format": "ascii", "points": words(vertices),
        "corners": " ".join(words(face) for face in faces),
        "ends": words(np.cumsum([len(face) for face in faces])),
    }  # fmt: skip
    return VTP.format(**fields | changes)


def write_mesh(path: Path, vertices=VERTICES, faces=FACES) -> None:
    """Write a mesh in the format of the suffix."""
    if path.suffix.lower() == ".vtp":
        path.write_text(vtp(vertices, faces))
    elif path.suffix == ".obj":
        lines = [f"v {words(vertex)}" for vertex in vertices]
        lines += [f"f {words(np.array(face) + 1)}" for face in faces]
        path.write_text("mtllib ../secret.mtl\n" + "\n".join(lines) + "\n")
    else:
        triangles = np.asarray(vertices, dtype="<f4")[np.array(faces)]
        records = b"".join(b"\0" * 12 + corners.tobytes() + b"\0\0" for corners in triangles)
        path.write_bytes(b"\0" * 80 + struct.pack("<I", len(faces)) + records)


def write_model(path: Path, *geometries, bodies=("rod",)) -> Path:
    """Write bodies on turned and shifted pins; ``geometries`` are (frame's name, geometry).

    A frame is a body, ``ground``, or ``BODY/offset``: turned and shifted on that body.
    """
    opensim.Logger.setLevelString("Off")
    model = opensim.Model()
    model.setName("small")
    frames = {"ground": model.getGround()}
    for name in bodies:
        frames[name] = opensim.Body(name, 2.0, opensim.Vec3(0.1, 0, 0), opensim.Inertia(1, 1, 1))
        model.addBody(frames[name])
        pin = opensim.PinJoint(
            f"pin_{name}", model.getGround(), opensim.Vec3(1, 2, 3), opensim.Vec3(0.3, -0.2, 0.5),
            frames[name], opensim.Vec3(0.1, 0.2, 0.3), opensim.Vec3(0.4, 0.1, -0.6),
        )  # fmt: skip
        pin.updCoordinate().setName(f"angle_{name}")
        pin.updCoordinate().setDefaultValue(0.2)
        model.addJoint(pin)
    for frame, geometry in geometries:
        if frame not in frames:
            place = opensim.Transform(
                opensim.Rotation(0.7, opensim.CoordinateAxis(1)), opensim.Vec3(0.2, 0.1, -0.3)
            )
            frames[frame] = opensim.PhysicalOffsetFrame(
                "offset", frames[frame.split("/")[0]], place
            )
            frames[frame.split("/")[0]].addComponent(frames[frame])
        frames[frame].attachGeometry(geometry)
    model.finalizeConnections()
    model.printToXML(str(path))
    return path


def bone(file: str, scale=(1.0, 1.0, 1.0)):
    mesh = opensim.Mesh(file)
    mesh.set_scale_factors(opensim.Vec3(*scale))
    return mesh


def posed(spec: mujoco.MjSpec, angle: float) -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = spec.compile()
    data = mujoco.MjData(model)
    data.qpos[:] = angle
    mujoco.mj_forward(model, data)
    return model, data


def surface(model: mujoco.MjModel, data: mujoco.MjData, mesh: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the vertices (V, 3) of a mesh in the world, m, and its faces (F, 3)."""
    index = model.mesh(mesh).id
    (geom,) = np.flatnonzero(
        (model.geom_type == mujoco.mjtGeom.mjGEOM_MESH) & (model.geom_dataid == index)
    )
    start, count = model.mesh_vertadr[index], model.mesh_vertnum[index]
    vertices = model.mesh_vert[start : start + count].astype(float)
    start, count = model.mesh_faceadr[index], model.mesh_facenum[index]
    rotation = data.geom_xmat[geom].reshape(3, 3)
    return data.geom_xpos[geom] + vertices @ rotation.T, model.mesh_face[start : start + count]


def volume(vertices: np.ndarray, faces) -> float:
    a, b, c = (vertices[np.array(faces)[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def in_world(path: Path, frame: str, points: np.ndarray, angle: float) -> np.ndarray:
    """Return where OpenSim has points of a frame at a joint angle, in MuJoCo's world."""
    model = opensim.Model(str(path))
    state = model.initSystem()
    coordinate = model.getCoordinateSet().get(0)
    coordinate.setValue(state, angle)
    place = opensim.Frame.safeDownCast(model.getComponent(frame)).getTransformInGround(state)
    there = [place.shiftFrameStationToBase(opensim.Vec3(*point)).to_numpy() for point in points]
    return np.array(there) @ WORLD_FROM_GROUND.T


def assert_same_points(seen: np.ndarray, expected: np.ndarray) -> None:
    assert len(seen) == len(expected)
    distance, nearest = KDTree(expected).query(seen)
    assert sorted(nearest) == list(range(len(expected)))
    assert distance.max() < 2e-5  # vertices are kept to a hundredth of a millimetre


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder of meshes where OpenSim, which crashes over some of them, does not look."""
    (tmp_path / "meshes").mkdir()
    return tmp_path / "meshes"


def notes(spec: mujoco.MjSpec) -> dict[str, str]:
    return {t.name: t.data for t in spec.texts if "mesh" in t.name or "drawing" in t.name}


@pytest.mark.parametrize("suffix", [".vtp", ".stl", ".obj"])
@pytest.mark.parametrize(
    ("frame", "path", "scale"),
    [
        ("rod", "/bodyset/rod", (1.0, 1.5, 0.5)),
        ("rod/offset", "/bodyset/rod/offset", (1.0, 1.5, -0.5)),
        ("ground", "/ground", (2.0, 1.0, 1.0)),
    ],
)
def test_meshes_lie_where_opensim_has_them(tmp_path, suffix, frame, path, scale):
    osim = write_model(tmp_path / "a.osim", (frame, bone("Wedge" + suffix.upper(), scale)))
    (tmp_path / "bones").mkdir()
    write_mesh(tmp_path / "bones" / f"wedge{suffix}")
    compile_file(osim, tmp_path / "a.xml", CompileOptions(geometry=tmp_path / "bones"))
    spec = mujoco.MjSpec.from_file(str(tmp_path / "a.xml"))
    vertices, faces = surface(*posed(spec, 0.8), f"{frame.split('/')[0]}/Wedge")
    assert_same_points(vertices, in_world(osim, path, VERTICES * scale, 0.8))
    assert volume(vertices, faces) == pytest.approx(
        volume(VERTICES, FACES) * abs(np.prod(scale)), rel=1e-3
    )
    assert notes(spec) == {}


def test_one_file_may_be_drawn_on_many_bodies_and_twice_on_one(tmp_path):
    osim = write_model(
        tmp_path / "a.osim",
        ("rod", bone("wedge.vtp")),
        ("rod", bone("wedge.vtp", (2, 2, 2))),
        ("arm", bone("wedge.vtp", (3, 3, 3))),
        bodies=("rod", "arm"),
    )
    write_mesh(tmp_path / "wedge.vtp")
    model = compile_osim(osim, CompileOptions(geometry=tmp_path)).compile()
    sizes = [np.ptp(model.mesh_vert[a : a + 5], axis=0).max() for a in model.mesh_vertadr]
    assert len(sizes) == 3
    np.testing.assert_allclose(np.array(sizes) / sizes[0], [1, 2, 3], rtol=1e-3)


def test_polygons_become_triangles(tmp_path):
    """A box of six quadrilaterals, two pentagons glued on: its volume is that of the box."""
    corners = np.array([[x, y, z] for x in (0, 0.1) for y in (0, 0.2) for z in (0, 0.3)])
    corners = np.vstack([corners, [[0.05, 0, 0], [0.05, 0.2, 0]]])
    faces = (
        (0, 1, 3, 2), (4, 6, 7, 5), (1, 5, 7, 3), (0, 8, 4, 5, 1), (2, 3, 7, 6, 9),
        (0, 2, 9, 8), (8, 9, 6, 4),
    )  # fmt: skip
    (tmp_path / "box.vtp").write_text(vtp(corners, faces))
    osim = write_model(tmp_path / "a.osim", ("rod", bone("box.vtp")))
    spec = compile_osim(osim, CompileOptions(geometry=tmp_path))
    vertices, triangles = surface(*posed(spec, 0.0), "rod/box")
    assert len(triangles) == 4 * 2 + 2 * 3 + 2
    assert volume(vertices, triangles) == pytest.approx(0.1 * 0.2 * 0.3, rel=1e-3)


@pytest.mark.parametrize("coloured", [False, True])
def test_simple_shapes_are_hit_where_opensim_has_their_surface(tmp_path, coloured):
    """Rays from outside along an axis of the frame meet each shape at the distance it must have."""
    cone = opensim.Cone()
    cone.set_origin(opensim.Vec3(0, 0, 0.1))
    cone.set_direction(opensim.Vec3(0, 0, 1))
    cone.set_base_radius(0.2)
    cone.set_height(0.4)
    shapes = {
        "sphere": (opensim.Sphere(0.2), {(1, 0, 0): 0.2, (0, 0, 1): 0.2}),
        "ellipsoid": (opensim.Ellipsoid(0.1, 0.2, 0.3), {(1, 0, 0): 0.1, (0, 0, -1): 0.3}),
        "brick": (opensim.Brick(opensim.Vec3(0.1, 0.2, 0.3)), {(0, 1, 0): 0.2, (0, 0, 1): 0.3}),
        "cylinder": (opensim.Cylinder(0.1, 0.3), {(1, 0, 0): 0.1, (0, 1, 0): 0.3}),
        "cone": (cone, {(0, 0, 1): 0.5, (0, 0, -1): -0.1}),
    }
    for name, (geometry, surfaces) in shapes.items():
        if coloured:
            geometry.setColor(opensim.Vec3(0.1, 0.2, 0.9))
            geometry.setOpacity(0.5)
        osim = write_model(tmp_path / f"{name}.osim", ("rod/offset", geometry))
        model, data = posed(compile_osim(osim), 0.8)
        (geom,) = np.flatnonzero((model.geom_bodyid == 1) & (model.geom_group == GROUP))
        assert model.geom_matid[geom] == model.material("bone").id
        # MuJoCo takes the material's colour where a geom has this grey
        colour = [0.1, 0.2, 0.9, 0.5] if coloured else [0.5, 0.5, 0.5, 1.0]
        np.testing.assert_allclose(model.geom_rgba[geom], colour, atol=1e-6)
        for direction, distance in surfaces.items():
            start, origin = in_world(
                osim, "/bodyset/rod/offset", np.array([direction, (0, 0, 0)]) * 1.0, 0.8
            )
            hit = np.array([-1], dtype=np.int32)
            along = mujoco.mj_ray(
                model, data, start, origin - start, np.array([0, 1, 0, 0, 0, 0], np.uint8),
                1, -1, hit,
            )  # fmt: skip
            assert hit[0] == geom, name
            assert 1 - along == pytest.approx(distance, abs=2e-4), (name, direction)


def test_what_the_model_hides_is_not_drawn(tmp_path):
    sphere = opensim.Sphere(0.2)
    sphere.upd_Appearance().set_visible(False)
    osim = write_model(tmp_path / "a.osim", ("rod", sphere))
    model = compile_osim(osim).compile()
    assert mujoco.mjtGeom.mjGEOM_ELLIPSOID not in model.geom_type


def test_unknown_shapes_are_named(tmp_path):
    torus = opensim.Torus()
    torus.setName("ring")
    spec = compile_osim(write_model(tmp_path / "a.osim", ("rod", torus)))
    assert notes(spec) == {
        "skipped/drawing /bodyset/rod/ring": "shapes of type Torus are not drawn"
    }


def test_bones_neither_weigh_nor_touch(tmp_path):
    osim = write_model(tmp_path / "a.osim", ("rod", bone("wedge.vtp")), ("rod", opensim.Sphere(1)))
    write_mesh(tmp_path / "wedge.vtp")
    bare = compile_osim(osim).compile()
    model = compile_osim(osim, CompileOptions(geometry=tmp_path)).compile()
    for field in ("body_mass", "body_inertia", "body_ipos", "body_iquat", "qpos0"):
        np.testing.assert_array_equal(getattr(model, field), getattr(bare, field))
    drawn = model.geom_group == GROUP
    assert drawn.sum() == 2
    assert not (model.geom_contype[drawn] | model.geom_conaffinity[drawn]).any()


def test_scaling_moves_every_vertex_with_its_body(tmp_path):
    osim = write_model(tmp_path / "a.osim", ("rod/offset", bone("wedge.vtp", (1, 2, 1))))
    write_mesh(tmp_path / "wedge.vtp")
    spec = compile_osim(osim, CompileOptions(geometry=tmp_path))
    factors = np.array([1.2, 0.7, 1.5])
    scaled = scale_spec(spec, {"rod": factors})

    def on_body(spec):
        model, data = posed(spec, 0.4)
        vertices, _ = surface(model, data, "rod/wedge")
        return (vertices - data.body("rod").xpos) @ data.body("rod").xmat.reshape(3, 3)

    assert_same_points(on_body(scaled), on_body(spec) * factors)
    again = scale_spec(mujoco.MjSpec.from_string(to_xml(scaled)), {"rod": 1 / factors})
    assert_same_points(on_body(again), on_body(spec))


def test_large_meshes_are_simplified(tmp_path):
    import trimesh

    sphere = trimesh.creation.icosphere(subdivisions=5, radius=0.1)  # 20480 triangles
    sphere.export(tmp_path / "ball.stl")
    osim = write_model(tmp_path / "a.osim", ("rod", bone("ball.stl")))
    spec = compile_osim(osim, CompileOptions(geometry=tmp_path))
    model, data = posed(spec, 0.0)
    vertices, faces = surface(model, data, "rod/ball")
    assert len(faces) <= 6000
    radius = np.linalg.norm(vertices - data.body("rod").xpos, axis=1)
    np.testing.assert_allclose(radius, 0.1, rtol=0.01)


def test_missing_meshes_are_listed_once_and_leave_the_default_look(tmp_path):
    osim = write_model(
        tmp_path / "a.osim",
        ("rod", bone("gone.vtp")), ("rod", bone("away.stl")), ("arm", bone("wedge.vtp")),
        ("arm", bone("gone.vtp")), bodies=("rod", "arm"),
    )  # fmt: skip
    write_mesh(tmp_path / "wedge.vtp")
    spec = compile_osim(osim, CompileOptions(geometry=tmp_path))
    assert notes(spec) == {"skipped/mesh": "files not found: gone.vtp, away.stl"}
    kinds = {body.name: [geom.type for geom in body.geoms] for body in spec.bodies[1:]}
    assert kinds == {"rod": [mujoco.mjtGeom.mjGEOM_CAPSULE], "arm": [mujoco.mjtGeom.mjGEOM_MESH]}


HOSTILE = {
    "nothing": ("", "not a mesh"),
    "garbage": (bytes(range(256)) * 40, "not a mesh"),
    "cut off": (vtp()[:500], "not a mesh"),
    "another document": ("<html/>", "no faces"),
    "no points": ("<VTKFile><Piece/></VTKFile>", "no Points"),
    "nested": ("<a>" * 200_000, "not a mesh"),
    "words": (vtp(points="one two three"), "not a mesh"),
    "odd count": (vtp(points="1 2 3 4"), "not a mesh"),
    "nan": (vtp(points=words(VERTICES).replace("0.4", "nan")), "not all finite"),
    "inf": (vtp(points=words(VERTICES).replace("0.4", "1e999")), "not all finite"),
    "beyond the end": (vtp(faces=((0, 1, 99_999_999),)), "vertices that it does not have"),
    "before the start": (vtp(faces=((0, 1, -5),)), "vertices that it does not have"),
    "no whole number": (vtp(corners="99999999999999999999999"), "not a mesh"),
    "too many ends": (vtp(ends="3 6 9999999"), "add up"),
    "falling ends": (vtp(ends="6 3 18"), "add up"),
    "no faces": (vtp(faces=()), "no faces"),
    "edges only": (vtp(faces=((0, 1), (1, 2))), "no faces"),
    "binary": (vtp(format="binary"), "ASCII"),
    "millimetres": (vtp(vertices=VERTICES * 1000), "millimetres"),
    "a point": (vtp(vertices=VERTICES * 1e-9), "no surface"),
    "a speck": (vtp(vertices=VERTICES * 1e-5), "no surface"),
    "a line": (vtp(vertices=VERTICES * [1, 0, 0]), "no surface"),
    "entities": (
        '<!DOCTYPE a [<!ENTITY b "0 0 0 ">' + "".join(
            f'<!ENTITY {c} "{f"&{p};" * 60}">' for p, c in zip("bcdefg", "cdefgh", strict=True)
        ) + "]>" + vtp(points="&h;").split("?>")[1],
        "not a mesh",
    ),
    "another file": (
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>'
        + vtp(points="&b;").split("?>")[1],
        "not a mesh",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_bad_meshes_are_named_with_the_reason(tmp_path, folder, case):
    content, reason = HOSTILE[case]
    (folder / "bad.vtp").write_bytes(content if isinstance(content, bytes) else content.encode())
    osim = write_model(tmp_path / "a.osim", ("rod", bone("bad.vtp")))
    spec = compile_osim(osim, CompileOptions(geometry=folder))
    assert list(notes(spec)) == ["skipped/mesh bad.vtp"]
    assert reason in notes(spec)["skipped/mesh bad.vtp"]
    assert [geom.type for geom in spec.body("rod").geoms] == [mujoco.mjtGeom.mjGEOM_CAPSULE]
    spec.compile()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"solid x\nfacet normal", b"\0" * 80 + b"\xff\xff\xff\x7f" + b"\0" * 50,
        b"v 0 0 0\nf 1 2 3\n", b"v 1 2 x\n", b"f 1 1 1\n", 
        b"v nan 0 0\nv 0 0 1\nv 0 1 0\nf 1 2 3\n",
        bytes(range(256)) * 40,
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".stl", ".obj"])
def test_bad_stl_and_obj_files_are_named(tmp_path, folder, suffix, content):
    (folder / f"bad{suffix}").write_bytes(content)
    osim = write_model(tmp_path / "a.osim", ("rod", bone(f"bad{suffix}")))
    spec = compile_osim(osim, CompileOptions(geometry=folder))
    assert list(notes(spec)) == [f"skipped/mesh bad{suffix}"]
    spec.compile()


def test_a_zero_scale_factor_is_named(tmp_path, folder):
    write_mesh(folder / "wedge.vtp")
    osim = write_model(tmp_path / "a.osim", ("rod", bone("wedge.vtp", (1, 0, 1))))
    spec = compile_osim(osim, CompileOptions(geometry=folder))
    assert list(notes(spec).values()) == ["its size or its scale factors are zero or undefined"]


@pytest.mark.parametrize(
    "name", ["../secret.vtp", "..\\secret.vtp", "{outside}/secret.vtp", "link.vtp", ".."]
)
def test_nothing_outside_the_folder_is_read(tmp_path, folder, name):
    write_mesh(tmp_path / "secret.vtp")
    (folder / "link.vtp").symlink_to(tmp_path / "secret.vtp")
    osim = write_model(tmp_path / "a.osim", ("rod", bone(name.format(outside=tmp_path))))
    spec = compile_osim(osim, CompileOptions(geometry=folder))
    assert list(notes(spec)) == ["skipped/mesh"]
    assert not spec.meshes


def test_a_path_in_a_name_is_no_obstacle(tmp_path, folder):
    write_mesh(folder / "WEDGE.stl")
    osim = write_model(tmp_path / "a.osim", ("rod", bone("C:\\Geometry\\wedge.vtp")))
    spec = compile_osim(osim, CompileOptions(geometry=folder))
    assert [mesh.name for mesh in spec.meshes] == ["rod/wedge"]


def test_a_file_that_is_too_large_is_named(tmp_path, folder):
    with open(folder / "large.stl", "wb") as file:
        file.truncate(65_000_000)  # takes no space
    osim = write_model(tmp_path / "a.osim", ("rod", bone("large.stl")))
    spec = compile_osim(osim, CompileOptions(geometry=folder))
    assert "64 MB" in notes(spec)["skipped/mesh large.stl"]


def test_a_mesh_of_the_ground_alone_takes_no_look_from_the_bodies(tmp_path, folder):
    write_mesh(folder / "wedge.vtp")
    osim = write_model(tmp_path / "a.osim", ("ground", bone("wedge.vtp")))
    spec = compile_osim(osim, CompileOptions(geometry=folder))
    assert [geom.type for geom in spec.body("rod").geoms] == [mujoco.mjtGeom.mjGEOM_CAPSULE]


@pytest.mark.parametrize("package", ["trimesh", "fast_simplification"])
def test_a_missing_library_is_said(tmp_path, folder, monkeypatch, package):
    import trimesh

    trimesh.creation.icosphere(subdivisions=5).export(folder / "ball.stl")
    osim = write_model(tmp_path / "a.osim", ("rod", bone("ball.stl")))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MskError, match=r"mjx-msk\[opensim\]"):
        compile_osim(osim, CompileOptions(geometry=folder))


def test_a_folder_that_is_none_is_refused(tmp_path):
    osim = write_model(tmp_path / "a.osim", ("rod", bone("wedge.vtp")))
    with pytest.raises(MskError, match="cannot read the folder of bone meshes"):
        compile_osim(osim, CompileOptions(geometry=tmp_path / "nowhere"))


def test_bones_or_a_folder_but_not_both(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["compile", "a.osim", "-o", str(tmp_path / "a.xml"), "--bones", "--geometry", "b"])
    assert stopped.value.code == 2
    assert "exclude each other" in capsys.readouterr().err


def test_fetched_bones_fit_the_skeleton(shared_data):
    """Every long bone of the leg reaches from the joint above it to the joint below it."""
    bones = fetched(cache.bones)
    osim = shared_data / "models" / "gait2392_thelen2003muscle.osim"
    spec = compile_osim(osim, CompileOptions(geometry=bones))
    assert not [name for name in notes(spec) if name.startswith("skipped")]
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("default").id)
    mujoco.mj_forward(model, data)
    for mesh, ends in {
        "femur_r/femur_r": ("femur_r", "tibia_r"), "femur_l/femur_l": ("femur_l", "tibia_l"),
        "tibia_r/tibia_r": ("tibia_r", "talus_r"), "tibia_l/tibia_l": ("tibia_l", "talus_l"),
    }.items():  # fmt: skip
        vertices, _ = surface(model, data, mesh)
        for end in ends:
            assert KDTree(vertices).query(data.body(end).xpos)[0] < 0.04
    pelvis, _ = surface(model, data, "pelvis/pelvis")
    assert KDTree(pelvis).query(data.body("femur_r").xpos)[0] < 0.04
    assert (
        pelvis[:, 1] < data.body("pelvis").xpos[1] + 0.002
    ).all()  # the right half: y to the left
