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
    joint = getattr(opensim, kind)(name, frames[0], *PLACES[:2], frames[1], *PLACES[2:], *arguments)
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
    """Each type; also with its child towards the ground, which turns it round.

    Three hinges in a row carry a trace of armature, 3e-4 of their inertia.
    """
    model = new_model("rod", "tip")
    joined(model, kind, "ground", "rod")
    joined(model, kind, *(("tip", "rod") if turned else ("rod", "tip")), name="second")
    in_a_row = kind in ("GimbalJoint", "BallJoint", "FreeJoint")
    agree(written(model, tmp_path / "one.osim"), moment=5e-4 if in_a_row else 1e-6)


def test_ellipsoid_joint_is_exact(tmp_path):
    model = new_model("rod")
    joined(model, "EllipsoidJoint", "ground", "rod", Vec3(0.3, 0.2, 0.1))
    # The armature of 1e-5 kg m^2 that seven joints of six degrees of freedom need.
    agree(written(model, tmp_path / "one.osim"), moment=1e-3)


def test_scapulothoracic_joint_is_exact(tmp_path):
    model = new_model("rod")
    radii = Vec3(0.1, 0.2, 0.15)
    joined(model, "ScapulothoracicJoint", "ground", "rod", radii, opensim.Vec2(0.03, 0.05), 0.4)
    agree(written(model, tmp_path / "one.osim"), moment=1e-3)


def test_constant_curvature_joint_is_close_and_says_how(tmp_path):
    model = new_model("rod")
    neutral = Vec3(0.1, 0.4, -0.2)
    joined(model, "ConstantCurvatureJoint", "ground", "rod", neutral, 0.2)
    spec = agree(written(model, tmp_path / "one.osim"), position=5e-4, moment=5e-3)
    assert "is lost at worst" in spec.text("approximated/joint/length").data


def custom(path: Path, axes: dict[str, tuple[str, str]], names: str) -> Path:
    """Write a rod on a CustomJoint; ``axes`` maps names to coordinates and a function."""
    directions = {
        "rotation1": "0 0 1",
        "rotation2": "0.6 0 0.8",
        "rotation3": "0 1 0",
        "translation1": "1 0 0",
        "translation2": "0 0.8 -0.6",
        "translation3": "0 0 1",
    }
    still = ("", "<Constant><value>0</value></Constant>")
    transform = "".join(
        f"<TransformAxis name='{name}'><coordinates>{axes.get(name, still)[0]}</coordinates>"
        f"<axis>{direction}</axis>{axes.get(name, still)[1]}</TransformAxis>"
        for name, direction in directions.items()
    )
    coordinates = "".join(
        f"<Coordinate name='{name}'><range>-1 1</range></Coordinate>" for name in names.split()
    )
    frames = "".join(
        f"<PhysicalOffsetFrame name='{name}'><socket_parent>{parent}</socket_parent>"
        f"<translation>{place}</translation><orientation>{turn}</orientation></PhysicalOffsetFrame>"
        for name, parent, place, turn in (
            ("below", "/ground", "1 2 3", "0.3 -0.2 0.5"),
            ("above", "/bodyset/rod", "0.1 0.2 0.3", "0.4 0.1 -0.6"),
        )
    )
    path.write_text(
        "<OpenSimDocument Version='40000'><Model name='small'><BodySet><objects><Body name='rod'>"
        "<mass>2</mass><mass_center>0.1 -0.2 0.3</mass_center>"
        "<inertia>0.3 0.2 0.25 0.01 0 0</inertia></Body></objects></BodySet>"
        "<JointSet><objects><CustomJoint name='joint'>"
        "<socket_parent_frame>below</socket_parent_frame>"
        "<socket_child_frame>above</socket_child_frame>"
        f"<coordinates>{coordinates}</coordinates><frames>{frames}</frames>"
        f"<SpatialTransform>{transform}</SpatialTransform>"
        "</CustomJoint></objects></JointSet></Model></OpenSimDocument>"
    )
    return path


def linear(*coefficients: float) -> str:
    values = " ".join(map(str, coefficients))
    return f"<LinearFunction><coefficients>{values}</coefficients></LinearFunction>"


def spline(kind: str, more: str = "") -> str:
    y = [0.0, 0.02, 0.05, 0.06, 0.04, 0.05, 0.09, 0.1]
    x = np.linspace(-1.2, 1.2, len(y))
    points = (" ".join(map(str, values)) for values in (x, y))
    return "<{0}>{1}<x>{2}</x><y>{3}</y></{0}>".format(kind, more, *points)


FUNCTIONS = {
    "polynomial": (
        "<PolynomialFunction><coefficients>0.1 0.1 -0.2 0.1 0.3</coefficients>"
        "</PolynomialFunction>", 1e-9,
    ),
    "multiplier": (
        f"<MultiplierFunction><scale>-0.7</scale><function>{linear(1, 0.2)}</function>"
        "</MultiplierFunction>", 1e-9,
    ),
    "constant": ("<Constant><value>0.3</value></Constant>", 1e-9),
    "sine": (
        "<Sine><amplitude>0.1</amplitude><omega>2</omega><phase>0.3</phase></Sine>", 5e-4,
    ),
    "simm": (spline("SimmSpline"), 5.1e-4),  # what quartics of quartics leave
    "natural": (spline("NaturalCubicSpline"), 5.1e-4),
    "gcv": (spline("GCVSpline", "<half_order>3</half_order>"), 5e-4),
    "piecewise": (spline("PiecewiseLinearFunction"), 6e-3),  # no polynomial has kinks
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_custom_joints(tmp_path, name):
    """A translation follows the function, the second rotation is the coordinate turned round."""
    function, position = FUNCTIONS[name]
    axes = {"rotation2": ("bend", linear(-1, 0.1)), "translation2": ("bend", function)}
    agree(custom(tmp_path / "one.osim", axes, "bend"), position=position, moment=np.inf)


def test_coordinate_that_no_axis_carries(tmp_path):
    """Its own joint lies on a body at the side, and moves nothing but what follows it."""
    axes = {"rotation1": ("bend", linear(0.5, 0)), "translation1": ("bend", linear(0.2, 0.3))}
    spec = agree(custom(tmp_path / "one.osim", axes, "bend"), moment=1e-3)
    assert spec.joint("bend").parent.name == "joint/bend"


def test_axis_of_two_coordinates_becomes_a_sum(tmp_path):
    axes = {
        "rotation1": ("a", linear(1, 0)),
        "rotation2": ("b", linear(1, 0)),
        "translation2": ("a b", linear(0.3, -0.2, 0.1)),
    }
    # Two slides along one axis have an armature of 0.01 kg.
    spec = agree(custom(tmp_path / "one.osim", axes, "a b"), moment=2e-3)
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


def pair_of_slopes():
    coefficients = opensim.ArrayDouble()
    for value in (0.3, -0.2, 0.05):
        coefficients.append(value)
    return opensim.LinearFunction(coefficients)


def test_coupler_of_two_coordinates(tmp_path):
    model = three_in_a_row()
    coupled(model, "c_0", ["a_0", "b_0"], pair_of_slopes())
    agree(written(model, tmp_path / "one.osim"), moment=1e-4)  # the same armature


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
