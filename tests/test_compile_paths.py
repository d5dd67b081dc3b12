"""Muscle paths: MuJoCo's wrapping rules, and OpenSim's points and surfaces compiled."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np
import pytest

from mjx_msk.compile import compile_osim
from mjx_msk.compile.following import follow
from mjx_msk.compile.reference import Reference
from mjx_msk.compile.wrapping import around_cylinder, around_sphere

opensim = pytest.importorskip("opensim")

WRAP = """
<mujoco>
  <worldbody>
    <geom name="g" type="{kind}" size="{radius} 0.1"/>
    <site name="a" pos="1 2 3"/> <site name="b" pos="1 2 3"/> <site name="s" pos="1 2 3"/>
  </worldbody>
  <tendon><spatial><site site="a"/><geom geom="g" {side}/><site site="b"/></spatial></tendon>
</mujoco>
"""


@pytest.mark.parametrize("kind", ["cylinder", "sphere"])
@pytest.mark.parametrize("side", ["", 'sidesite="s"'])
@pytest.mark.parametrize("radius", [0.05, 1e-4])
def test_lengths_are_those_of_the_c_engine(kind, side, radius):
    model = mujoco.MjModel.from_xml_string(WRAP.format(kind=kind, side=side, radius=radius))
    data = mujoco.MjData(model)
    rng = np.random.default_rng(0)
    start, end = rng.normal(0, 0.1, (2, 300, 3))
    place = rng.normal(0, 1, (300, 3))
    place *= 0.2 / np.linalg.norm(place[:, :2], axis=1, keepdims=True)
    expected, wrapped = np.zeros(300), 0
    for index in range(300):
        model.site_pos[:] = start[index], end[index], place[index]
        mujoco.mj_forward(model, data)
        expected[index] = data.ten_length[0]
        wrapped += data.ten_wrapnum[0] > 2
    around = around_cylinder if kind == "cylinder" else around_sphere
    found = around(start, end, radius, place if side else None)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert wrapped > 20 or (radius < 0.01 and not side)


def model_of_a_bent_arm(
    path: Path, change: Callable[[ElementTree.Element], None], farthest: float = 2.0
) -> Path:
    """Write an upper and a lower rod, joined by two turns, with one muscle in front of them.

    The first turn goes from -0.5 (backwards) to ``farthest``.
    """
    opensim.Logger.setLevelString("Off")
    model = opensim.Model()
    model.setName("bent")
    parent = model.getGround()
    for name, height in (("upper", 0.0), ("lower", -0.3)):
        body = opensim.Body(name, 1.0, opensim.Vec3(0, -0.15, 0), opensim.Inertia(0.01, 0.01, 0.01))
        model.addBody(body)
        zero = opensim.Vec3(0)
        joint = opensim.UniversalJoint(
            f"to_{name}", parent, opensim.Vec3(0, height, 0), opensim.Vec3(0, 1.5707963, 0),
            body, zero, opensim.Vec3(0, 1.5707963, 0),
        )  # fmt: skip
        for index, (low, high) in enumerate(((-0.5, farthest), (-0.2, 0.2))):
            joint.upd_coordinates(index).setName(f"{name}_{index}")
            joint.upd_coordinates(index).setRangeMin(low)
            joint.upd_coordinates(index).setRangeMax(high)
            joint.upd_coordinates(index).setDefaultClamped(True)
        model.addJoint(joint)
        parent = body
    muscle = opensim.Millard2012EquilibriumMuscle("muscle", 500.0, 0.1, 0.25, 0.1)
    points = (("first", "upper", -0.05), ("via", "upper", -0.28), ("last", "lower", -0.1))
    for name, body, height in points:
        place = opensim.Vec3(0.03, height, 0.01)
        muscle.addNewPathPoint(name, model.getBodySet().get(body), place)
    model.addForce(muscle)
    model.finalizeConnections()
    model.printToXML(str(path))
    tree = ElementTree.parse(path)
    change(tree.getroot())
    tree.write(path)
    return path


def differences(path: Path, poses: int = 150) -> tuple[np.ndarray, mujoco.MjSpec]:
    """Return muscle lengths less those of OpenSim (P, muscles), m, at random poses."""
    spec = compile_osim(path)
    model, reference = spec.compile(), Reference(path)
    data, rng = mujoco.MjData(model), np.random.default_rng(3)
    found = np.zeros((poses, len(reference.muscles)))
    for index in range(poses):
        q = rng.uniform(*reference.ranges.T)
        reference.pose(q, 0 * q)
        for name, value in zip(reference.names, q, strict=True):
            data.joint(name).qpos = value
        data.qpos = follow(model, data.qpos)
        mujoco.mj_fwdPosition(model, data)
        for column, name in enumerate(reference.muscles):
            found[index, column] = data.tendon(name).length[0] - reference.length(name)
    return found, spec


def point(root: ElementTree.Element, name: str) -> ElementTree.Element:
    return next(e for e in root.iter() if e.tag.endswith("PathPoint") and e.get("name") == name)


def notes(spec: mujoco.MjSpec, kind: str) -> list[str]:
    return [text.name for text in spec.texts if text.name.startswith(kind)]


def test_a_path_through_points_is_exact(tmp_path):
    error, spec = differences(model_of_a_bent_arm(tmp_path / "a.osim", lambda root: None))
    assert np.abs(error).max() < 1e-9
    assert not notes(spec, "approximated/")


@pytest.mark.parametrize("limits", ["-9 0.6", "0.6 9", "0.1 1.2"])
def test_a_conditional_point_is_there_in_its_range_only(tmp_path, limits):
    """Wherever it lies: here the path jumps when the point comes and goes.

    In all but a pose or two, whose coordinate is within a hair of the range's end.
    """

    def change(root: ElementTree.Element) -> None:
        via = point(root, "via")
        via.tag = "ConditionalPathPoint"
        socket = ElementTree.SubElement(via, "socket_coordinate")
        socket.text = "/jointset/to_lower/lower_0"
        ElementTree.SubElement(via, "range").text = limits

    error, spec = differences(model_of_a_bent_arm(tmp_path / "a.osim", change))
    assert np.quantile(np.abs(error), 0.98) < 1e-4
    assert notes(spec, "approximated/") == ["approximated/muscle/first"]


def test_a_moving_point_goes_where_its_functions_say(tmp_path):
    """A parabola is exact; a spline is followed closely by joints in series."""

    def change(root: ElementTree.Element) -> None:
        via = point(root, "via")
        via.tag = "MovingPathPoint"
        via.remove(via.find("location"))
        knots = "<x>-0.5 0 0.5 1 1.5 2</x><y>0.03 0.032 0.04 0.045 0.043 0.03</y>"
        functions = (
            "<PolynomialFunction><coefficients>0.01 0.02 -0.28</coefficients></PolynomialFunction>",
            f"<SimmSpline>{knots}</SimmSpline>",
            "<Constant><value>0.01</value></Constant>",
        )
        for axis, text in zip("yxz", functions, strict=True):
            socket = ElementTree.SubElement(via, f"socket_{axis}_coordinate")
            socket.text = "/jointset/to_lower/lower_0"
            ElementTree.SubElement(via, f"{axis}_location").append(ElementTree.fromstring(text))

    error, spec = differences(model_of_a_bent_arm(tmp_path / "a.osim", change))
    assert np.abs(error).max() < 2e-4
    model = spec.compile()
    assert sum(model.joint(j).name.startswith("path/muscle/via/y") for j in range(model.njnt)) == 1
    assert model.body_mass.sum() == pytest.approx(2.0, abs=1e-6)


SHAPES = {
    "WrapCylinder": "<radius>0.035</radius><length>0.2</length>",
    "WrapSphere": "<radius>0.035</radius>",
    "WrapEllipsoid": "<dimensions>0.035 0.04 0.06</dimensions>",
}


@pytest.mark.parametrize(("shape", "bound_mm"), [
    ("WrapCylinder", 0.01), ("WrapSphere", 0.01), ("WrapEllipsoid", 0.6),
])  # fmt: skip
def test_a_path_goes_round_surfaces(tmp_path, shape, bound_mm):
    """In front of the joint; an ellipsoid, which MuJoCo lacks, is approximated and named."""

    def change(root: ElementTree.Element) -> None:
        via = point(root, "via")
        next(e for e in root.iter() if via in list(e)).remove(via)
        upper = next(e for e in root.iter("Body") if e.get("name") == "upper")
        wraps = upper.find("WrapObjectSet/objects")
        if wraps is None:
            whole = ElementTree.SubElement(upper, "WrapObjectSet")
            wraps = ElementTree.SubElement(whole, "objects")
        wraps.append(ElementTree.fromstring(
            f'<{shape} name="ball"><active>true</active><quadrant>x</quadrant>'
            f"<translation>0.005 -0.3 0</translation>{SHAPES[shape]}</{shape}>"
        ))  # fmt: skip
        geometry = next(root.iter("GeometryPath"))
        for old in geometry.findall("PathWrapSet"):
            geometry.remove(old)
        geometry.append(ElementTree.fromstring(
            '<PathWrapSet><objects><PathWrap name="w"><wrap_object>ball</wrap_object>'
            "<method>hybrid</method></PathWrap></objects></PathWrapSet>"
        ))  # fmt: skip

    error, spec = differences(model_of_a_bent_arm(tmp_path / "a.osim", change, 0.2))
    assert 1e3 * np.sqrt(np.mean(error**2)) < bound_mm
    assert bool(notes(spec, "approximated/")) == (shape == "WrapEllipsoid")
