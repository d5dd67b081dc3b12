"""Joints, couplers and constraints of small models against OpenSim's poses and moments."""

from pathlib import Path

import mujoco
import numpy as np
import pytest

from mjx_msk.compile import compile_osim
from mjx_msk.compile.fidelity import compare
from mjx_msk.compile.reference import Reference
from mjx_msk.errors import MskError

opensim = pytest.importorskip("opensim")
opensim.Logger.setLevelString("Off")

Vec3 = opensim.Vec3
PLACES = (Vec3(1, 2, 3), Vec3(0.3, -0.2, 0.5), Vec3(0.1, 0.2, 0.3), Vec3(0.4, 0.1, -0.6))


def new_model(*names: str):
    model = opensim.Model()
    model.setName("small")
    for name in names:
        inertia = opensim.Inertia(0.3, 0.2, 0.25, 0.01, 0, 0)
        model.addBody(opensim.Body(name, 2.0, Vec3(0.1, -0.2, 0.3), inertia))
    return model


def joined(model, kind: str, parent: str, child: str, *arguments, name: str = "joint"):
    """Add a joint between turned and shifted frames, with ranges of -1 to 1."""
    frames = [
        model.getGround() if end == "ground" else model.getBodySet().get(end)
        for end in (parent, child)
    ]
    joint = getattr(opensim, kind)(
        name, frames[0], *PLACES[:2], frames[1], *PLACES[2:], *arguments
    )
    for index in range(joint.numCoordinates()):
        coordinate = joint.upd_coordinates(index)
        coordinate.setName(f"{name}_{index}")
        coordinate.setRangeMin(-1.0)
        coordinate.setRangeMax(1.0)
    model.addJoint(joint)
    return joint


def written(model, path: Path) -> Path:
    model.finalizeConnections()
    model.printToXML(str(path))
    return path


def agree(path: Path, *, position: float = 1e-9, moment: float = 1e-6) -> mujoco.MjSpec:
    """Check the compiled model against OpenSim at random poses; m and rad, relative RMS."""
    spec = compile_osim(path)
    result = compare(path, spec.compile(), poses=12, seed=6)
    assert max(result.position.values()) < position
    assert max(result.angle.values()) < 5 * position
    assert max(result.moment.values()) < moment
    return spec


@pytest.mark.parametrize(
    "kind", ["PinJoint", "SliderJoint", "UniversalJoint", "GimbalJoint", "BallJoint", "PlanarJoint",
             "FreeJoint"]
)  # fmt: skip
@pytest.mark.parametrize("turned", [False, True])
def test_joints_with_fixed_axes(tmp_path, kind, turned):
    """Each type; also with its child towards the ground, which turns it round."""
    model = new_model("rod", "tip")
    joined(model, kind, "ground", "rod")
    joined(model, kind, *(("tip", "rod") if turned else ("rod", "tip")), name="second")
    agree(written(model, tmp_path / "one.osim"))


def test_ellipsoid_joint_is_exact(tmp_path):
    model = new_model("rod")
    joined(model, "EllipsoidJoint", "ground", "rod", Vec3(0.3, 0.2, 0.1))
    # The armature of 1e-5 kg m^2 that seven joints of six degrees of freedom need.
    agree(written(model, tmp_path / "one.osim"), moment=1e-3)


def test_scapulothoracic_joint_is_exact(tmp_path):
    model = new_model("rod")
    radii = Vec3(0.1, 0.2, 0.15)
    joined(
        model, "ScapulothoracicJoint", "ground", "rod", radii, opensim.Vec2(0.03, 0.05), 0.4
    )
    agree(written(model, tmp_path / "one.osim"), moment=1e-3)


def test_constant_curvature_joint_is_close_and_says_how(tmp_path):
    model = new_model("rod")
    neutral = Vec3(0.1, 0.4, -0.2)
    joined(model, "ConstantCurvatureJoint", "ground", "rod", neutral, 0.2)
    spec = agree(written(model, tmp_path / "one.osim"), position=5e-4, moment=5e-3)
    assert "is lost at worst" in spec.text("approximated/joint/length").data


def custom(model, functions: dict[int, tuple[list[str], object]]):
    """Add a CustomJoint whose axes (0-2 rotations, 3-5 translations) follow ``functions``."""
    transform = opensim.SpatialTransform()
    for index, (coordinates, function) in functions.items():
        axis = transform.updTransformAxis(index)
        names = opensim.ArrayStr()
        for coordinate in coordinates:
            names.append(coordinate)
        axis.setCoordinateNames(names)
        axis.setFunction(function)
    joint = opensim.CustomJoint(
        "joint", model.getGround(), *PLACES[:2], model.getBodySet().get("rod"), *PLACES[2:],
        transform,
    )  # fmt: skip
    for index in range(joint.numCoordinates()):
        coordinate = joint.upd_coordinates(index)
        coordinate.setRangeMin(-1.0)
        coordinate.setRangeMax(1.0)
    model.addJoint(joint)
    return joint


def array(values: list[float]):
    result = opensim.ArrayDouble()
    for value in values:
        result.append(value)
    return result


def spline(kind: str, y: list[float]):
    x = np.linspace(-1.2, 1.2, len(y))
    function = getattr(opensim, kind)()
    if kind == "GCVSpline":
        function.setDegree(5)
    for a, b in zip(x, y, strict=True):
        function.addPoint(float(a), float(b))
    return function


BENT = [0.0, 0.02, 0.05, 0.06, 0.04, 0.05, 0.09, 0.1]


@pytest.mark.parametrize(
    ("function", "position"),
    [
        (opensim.PolynomialFunction(opensim.Vector(5, 0.1)), 1e-9),
        (opensim.MultiplierFunction(opensim.LinearFunction(1.0, 0.2), -0.7), 1e-9),
        (opensim.Constant(0.3), 1e-9),
        (opensim.Sine(0.1, 2.0, 0.3), 5e-4),
        (spline("SimmSpline", BENT), 5e-4),
        (spline("GCVSpline", BENT), 5e-4),
        (spline("PiecewiseLinearFunction", BENT), 4e-3),  # kinks, where no polynomial has any
    ],
    ids=lambda value: value.getConcreteClassName() if hasattr(value, "getName") else "",
)
def test_functions_of_custom_joints(tmp_path, function, position):
    """A translation and a rotation follow the function, the rotation about the last axis bends."""
    model = new_model("rod")
    turn = opensim.LinearFunction(-1.0, 0.1)
    custom(model, {2: (["bend"], turn), 4: (["bend"], function)})
    agree(written(model, tmp_path / "one.osim"), position=position, moment=np.inf)


def test_coordinate_that_no_axis_carries(tmp_path):
    """Its own joint lies on a body at the side, and moves nothing but what follows it."""
    model = new_model("rod")
    half = opensim.LinearFunction(0.5, 0.0)
    custom(model, {0: (["bend"], half), 3: (["bend"], half)})
    spec = agree(written(model, tmp_path / "one.osim"), moment=1e-3)
    assert spec.joint("bend").parent.name == "joint/bend"


def test_axis_of_two_coordinates_becomes_a_sum(tmp_path):
    model = new_model("rod")
    ramp = opensim.LinearFunction(1.0, 0.0)
    both = opensim.LinearFunction(array([0.3, -0.2, 0.1]))
    custom(model, {0: (["a"], ramp), 1: (["b"], ramp), 4: (["a", "b"], both)})
    spec = agree(written(model, tmp_path / "one.osim"))
    assert not [text for text in spec.texts if text.name.startswith("approximated/")]


def coupled(model, dependent: str, drivers: list[str], function) -> None:
    names = opensim.ArrayStr()
    for driver in drivers:
        names.append(driver)
    coupler = opensim.CoordinateCouplerConstraint()
    coupler.setName(f"{dependent}_coupler")
    coupler.setIndependentCoordinateNames(names)
    coupler.setDependentCoordinateName(dependent)
    coupler.setFunction(function)
    model.addConstraint(coupler)


def three_in_a_row():
    model = new_model("rod", "tip", "end")
    joined(model, "UniversalJoint", "ground", "rod", name="a")
    joined(model, "PinJoint", "rod", "tip", name="b")
    joined(model, "SliderJoint", "tip", "end", name="c")
    return model


def test_chain_of_curved_couplers(tmp_path):
    model = three_in_a_row()
    coupled(model, "c_0", ["b_0"], opensim.PolynomialFunction(opensim.Vector(3, 0.2)))
    coupled(model, "b_0", ["a_0"], opensim.LinearFunction(0.5, 0.1))
    spec = agree(written(model, tmp_path / "one.osim"))
    assert spec.text("coordinate/c_0").data.startswith("a_0 ")


def test_coupler_of_two_coordinates(tmp_path):
    model = three_in_a_row()
    coupled(model, "c_0", ["a_0", "b_0"], opensim.LinearFunction(array([0.3, -0.2, 0.05])))
    agree(written(model, tmp_path / "one.osim"))


def test_coordinates_in_a_circle_are_named(tmp_path):
    model = three_in_a_row()
    coupled(model, "c_0", ["b_0"], opensim.LinearFunction(0.5, 0.1))
    coupled(model, "b_0", ["c_0"], opensim.LinearFunction(0.5, 0.1))
    with pytest.raises(MskError, match=r"coupled to itself|cannot load"):
        compile_osim(written(model, tmp_path / "one.osim"))


def closed(model, path: Path) -> mujoco.MjModel:
    """Compile a model and let it hang for half a second."""
    compiled = compile_osim(written(model, path)).compile()
    data = mujoco.MjData(compiled)
    mujoco.mj_resetDataKeyframe(compiled, data, compiled.key("default").id)
    for _ in range(250):
        mujoco.mj_step(compiled, data)
    return data


def apart(data: mujoco.MjData, name: str) -> float:
    first, second = (data.site(f"fastened/{name}/{index}").xpos for index in (1, 2))
    return float(np.linalg.norm(first - second))


def hung(model) -> None:
    """Let two rods hang from the ground, side by side."""
    for name, x in (("rod", 0.0), ("tip", 0.6)):
        joint = opensim.BallJoint(
            name, model.getGround(), Vec3(x, 2, 0), Vec3(0), model.getBodySet().get(name),
            Vec3(0), Vec3(0),
        )  # fmt: skip
        model.addJoint(joint)


def test_point_constraint_holds(tmp_path):
    model = new_model("rod", "tip")
    hung(model)
    bodies = model.getBodySet()
    constraint = opensim.PointConstraint(
        bodies.get("rod"), Vec3(0.3, -0.5, 0), bodies.get("tip"), Vec3(-0.3, -0.5, 0)
    )
    constraint.setName("pin")
    model.addConstraint(constraint)
    assert apart(closed(model, tmp_path / "one.osim"), "pin") < 1e-3


def test_weld_constraint_holds(tmp_path):
    model = new_model("rod", "tip")
    hung(model)
    bodies = model.getBodySet()
    constraint = opensim.WeldConstraint(
        "glue", bodies.get("rod"), Vec3(0.3, -0.5, 0), Vec3(0), bodies.get("tip"),
        Vec3(-0.3, -0.5, 0), Vec3(0),
    )  # fmt: skip
    model.addConstraint(constraint)
    data = closed(model, tmp_path / "one.osim")
    assert apart(data, "glue") < 1e-3
    turn = data.body("rod").xmat.reshape(3, 3).T @ data.body("tip").xmat.reshape(3, 3)
    np.testing.assert_allclose(turn, np.eye(3), atol=2e-3)


def test_other_constraints_are_skipped_by_name(tmp_path):
    model = new_model("rod", "tip")
    hung(model)
    bodies = model.getBodySet()
    rope = opensim.ConstantDistanceConstraint(
        bodies.get("rod"), Vec3(0), bodies.get("tip"), Vec3(0), 0.6
    )
    rope.setName("rope")
    model.addConstraint(rope)
    spec = compile_osim(written(model, tmp_path / "one.osim"))
    assert "ConstantDistanceConstraint" in spec.text("skipped/rope").data


def test_prescribed_coordinate_starts_where_its_function_does(tmp_path):
    model = new_model("rod")
    joint = joined(model, "PinJoint", "ground", "rod")
    joint.upd_coordinates(0).setPrescribedFunction(opensim.Sine(0.5, 3.0, 0.7))
    joint.upd_coordinates(0).setDefaultIsPrescribed(True)
    spec = compile_osim(written(model, tmp_path / "one.osim"))
    assert float(spec.text("prescribed/joint_0").data) == pytest.approx(0.5 * np.sin(0.7))
    assert spec.key("default").qpos[0] == pytest.approx(0.5 * np.sin(0.7))


def test_reference_moments_and_masses_are_those_of_opensim(tmp_path):
    """Where OpenSim's speeds are the rates of the coordinates, its own solvers must agree."""
    model = new_model("rod", "tip")
    joined(model, "UniversalJoint", "ground", "rod")
    joined(model, "PlanarJoint", "rod", "tip", name="second")
    reference = Reference(written(model, tmp_path / "one.osim"))
    rng = np.random.default_rng(0)
    q, qd, qdd = rng.uniform(-1, 1, (3, 5))
    found, mass = reference.inverse_dynamics(q, qd, qdd), reference.mass_matrix(q)
    reference.pose(q, qd)
    solver = opensim.InverseDynamicsSolver(reference.model)
    expected = solver.solve(reference.state, opensim.Vector.createFromMat(qdd)).to_numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    matrix = opensim.Matrix()
    reference.model.getMatterSubsystem().calcM(reference.state, matrix)
    np.testing.assert_allclose(mass, matrix.to_numpy(), atol=1e-9)
