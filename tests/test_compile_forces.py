"""Forces other than muscle paths: the same accelerations in OpenSim and in C MuJoCo."""

from pathlib import Path

import mujoco
import numpy as np
import pytest

from mjx_msk.compile import compile_osim, to_xml

opensim = pytest.importorskip("opensim")

RNG = np.random.default_rng(3)
STATES = [(RNG.uniform(-1.2, 1.2, 2), RNG.uniform(-1, 1, 2)) for _ in range(6)]


def two_rods():
    """Return two bodies in a row, whose pins stand across each other."""
    opensim.Logger.setLevelString("Off")
    model = opensim.Model()
    model.setName("rods")
    parent = model.getGround()
    for name, turn in (("upper", 0.0), ("lower", 0.9)):
        com, inertia = opensim.Vec3(0.05, -0.2, 0.02), opensim.Inertia(0.3, 0.2, 0.25, 0, 0, 0)
        body = opensim.Body(name, 2.0, com, inertia)
        model.addBody(body)
        place, axes = opensim.Vec3(0.1, -0.3, 0.2), opensim.Vec3(turn, 0.2, 0.1)
        none = opensim.Vec3(0)
        joint = opensim.PinJoint(f"{name}_pin", parent, place, axes, body, none, none)
        joint.updCoordinate().setName(f"{name}_angle")
        model.addJoint(joint)
        parent = body
    return model


def torque(b: str, *, is_global: bool):
    actuator = opensim.TorqueActuator()
    actuator.set_bodyA("lower")
    actuator.set_bodyB(b)
    actuator.set_axis(opensim.Vec3(0.3, 0.9, 0.5))
    actuator.set_torque_is_global(is_global)
    actuator.set_optimal_force(5.0)
    return actuator


def point(*, is_global: bool):
    actuator = opensim.PointActuator()
    actuator.set_body("lower")
    actuator.set_point(opensim.Vec3(0.1, 0.2, 0.3))
    actuator.set_direction(opensim.Vec3(0.3, 0.9, 0.5))
    actuator.set_force_is_global(is_global)
    actuator.set_optimal_force(7.0)
    return actuator


def point_to_point():
    actuator = opensim.PointToPointActuator("upper", "lower")
    actuator.set_pointA(opensim.Vec3(0.1, 0.0, 0.1))
    actuator.set_pointB(opensim.Vec3(0.1, -0.3, 0.0))
    actuator.set_optimal_force(4.0)
    return actuator


def coordinate():
    actuator = opensim.CoordinateActuator("lower_angle")
    actuator.setOptimalForce(6.0)
    return actuator


def along(force, model):
    """Give a force a path from the ground over the first body to the second one."""
    path = force.updGeometryPath()
    places = {"ground": (0.3, 0.1, 0), "upper": (0.1, -0.2, 0), "lower": (0.1, -0.3, 0.1)}
    for name, place in places.items():
        frame = model.getGround() if name == "ground" else model.getBodySet().get(name)
        path.appendNewPathPoint(f"p-{name}", frame, opensim.Vec3(*place))
    return force


def path_actuator(model):
    actuator = opensim.PathActuator()
    actuator.setOptimalForce(8.0)
    return along(actuator, model)


def spring_between(model):
    upper, ground = model.getBodySet().get("upper"), model.getGround()
    return opensim.PointToPointSpring(
        ground, opensim.Vec3(0.5, 0, 0), upper, opensim.Vec3(0, -0.4, 0), 40.0, 0.5
    )


def generalized_spring(model):
    spring = opensim.SpringGeneralizedForce("lower_angle")
    spring.setStiffness(12.0)
    spring.setRestLength(0.4)
    spring.setViscosity(1.5)
    return spring


def path_spring(model):
    return along(opensim.PathSpring("rubber", 0.6, 90.0, 0.0), model)


def ligament(model):
    force = opensim.Blankevoort1991Ligament()
    force.set_linear_stiffness(200.0)
    force.set_slack_length(0.4)  # always well beyond the toe
    force.set_damping_coefficient(0.0)
    return along(force, model)


def limit(model):
    # N m/deg; the transition is so narrow that no state is within it
    return opensim.CoordinateLimitForce("upper_angle", 20.0, 0.5, -30.0, 0.2, 0.0, 0.01)


FORCES = {
    "torque": lambda model: torque("upper", is_global=False),
    "torque on ground": lambda model: torque("ground", is_global=False),
    "global torque": lambda model: torque("ground", is_global=True),
    "point": lambda model: point(is_global=False),
    "global point": lambda model: point(is_global=True),
    "point to point": lambda model: point_to_point(),
    "coordinate": lambda model: coordinate(),
    "path actuator": path_actuator,
    "spring": spring_between,
    "generalized spring": generalized_spring,
    "path spring": path_spring,
    "ligament": ligament,
    "limit": limit,
}


def accelerations(path: Path, control: float | None) -> np.ndarray:
    """Return OpenSim's accelerations in every state."""
    model = opensim.Model(str(path))
    state = model.initSystem()
    result = []
    for q, qd in STATES:
        for index in range(2):
            model.getCoordinateSet().get(index).setValue(state, q[index], False)
            model.getCoordinateSet().get(index).setSpeedValue(state, qd[index])
        model.realizeVelocity(state)
        if control is not None:
            model.setControls(state, opensim.Vector(1, control))
        model.realizeAcceleration(state)
        result.append([model.getCoordinateSet().get(i).getAccelerationValue(state) for i in (0, 1)])
    return np.array(result)


@pytest.mark.parametrize("kind", FORCES)
def test_accelerations_are_those_of_opensim(kind, tmp_path):
    model = two_rods()
    force = FORCES[kind](model)
    force.setName("force")
    model.addForce(force)
    model.finalizeConnections()
    path = tmp_path / "rods.osim"
    model.printToXML(str(path))
    control = 0.7 if opensim.Actuator.safeDownCast(force) is not None else None
    compiled = mujoco.MjModel.from_xml_string(to_xml(compile_osim(path)))
    data = mujoco.MjData(compiled)
    ours = []
    for q, qd in STATES:
        data.qpos[:], data.qvel[:] = q, qd
        if control is not None:
            data.ctrl[:] = control
        mujoco.mj_forward(compiled, data)
        ours.append(data.qacc.copy())
    assert np.abs(data.qfrc_actuator + data.qfrc_passive).max() > 1e-2
    np.testing.assert_allclose(ours, accelerations(path, control), rtol=2e-5, atol=1e-5)


def compiled_with(force, tmp_path: Path) -> mujoco.MjSpec:
    model = two_rods()
    force.setName("force")
    model.addForce(force)
    model.finalizeConnections()
    model.printToXML(str(tmp_path / "rods.osim"))
    return compile_osim(tmp_path / "rods.osim")


def test_forces_that_are_left_out_are_named(tmp_path):
    off = coordinate()
    off.set_appliesForce(False)
    unknown = opensim.ExpressionBasedCoordinateForce("upper_angle", "3*q")
    for force, why in ((off, "switched off"), (unknown, "ExpressionBasedCoordinateForce")):
        spec = compiled_with(force, tmp_path)
        notes = {text.name: text.data for text in spec.texts}
        assert why in notes["skipped/force"]
        assert not spec.actuators
        assert not spec.tendons


def test_control_limits_and_none(tmp_path):
    limited = coordinate()
    limited.setMinControl(-2.0)
    limited.setMaxControl(3.0)
    model = compiled_with(limited, tmp_path).compile()
    assert model.actuator_ctrllimited[0]
    np.testing.assert_array_equal(model.actuator_ctrlrange[0], [-2, 3])
    assert not compiled_with(coordinate(), tmp_path).compile().actuator_ctrllimited[0]


def test_notes_with_quotes_survive_the_file(tmp_path):
    spec = compiled_with(coordinate(), tmp_path)
    spec.add_text(name="note", data='MuJoCo\'s "own" <&>')
    texts = {t.name: t.data for t in mujoco.MjSpec.from_string(to_xml(spec)).texts}
    assert texts["note"] == 'MuJoCo\'s "own" <&>'


def test_walker_stands_on_its_platform_and_stays_bounded(shared_data):
    """Limit springs and contact: two seconds from the default pose, without control."""
    spec = compile_osim(shared_data / "models" / "WalkerModel.osim")
    model = mujoco.MjModel.from_xml_string(to_xml(spec))
    plane = model.geom("contact/PlatformContact")  # 25 mm above a platform that is tilted
    normal = np.zeros(3)
    mujoco.mju_rotVecQuat(normal, np.array([0.0, 0.0, 1.0]), plane.quat)
    assert 0.9 < normal[2] < 1.0
    assert plane.pos @ normal == pytest.approx(0.025, abs=1e-6)
    assert model.geom("contact/LFootContact").friction[0] == 0.8
    np.testing.assert_allclose(
        model.tendon_lengthspring[model.tendon("LKneeLimitTorque").id],
        np.radians([-140, 0]),
        atol=1e-5,
    )
    model.opt.enableflags |= mujoco.mjtEnableBit.mjENBL_ENERGY
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    start = data.energy.sum()
    while data.time < 2:
        mujoco.mj_step(model, data)
        assert data.energy.sum() < start + 0.1 * abs(start) + 1
    assert np.isfinite(data.qpos).all()
    assert not any(warning.number for warning in data.warning)


def test_motors_follow_muscles_and_mjx_takes_them(shared_data):
    from mujoco import mjx

    model = compile_osim(shared_data / "models" / "double_pendulum.osim").compile()
    source = opensim.Model(str(shared_data / "models" / "double_pendulum.osim"))
    assert model.nu == 2
    for index in range(2):
        force = opensim.CoordinateActuator.safeDownCast(source.getForceSet().get(index))
        actuator = model.actuator(force.getName())
        assert model.joint(actuator.trnid[0]).name == force.get_coordinate()
        assert actuator.gear[0] == force.get_optimal_force()
    assert mjx.put_model(model).nu == 2
