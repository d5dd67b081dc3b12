"""Muscle force curves against OpenSim: what is read, and what MuJoCo's muscle makes of it."""

from types import SimpleNamespace

import mujoco
import numpy as np
import pytest
from opensim_muscle import make

from mjx_msk.compile import compile_osim, scale_spec, to_xml
from mjx_msk.compile.curves import observed_velocities, read_curves, tension
from mjx_msk.compile.muscle_fidelity import muscle_forces
from mjx_msk.compile.muscle_rig import MuscleRig

opensim = pytest.importorskip("opensim")


def architecture(rig: MuscleRig) -> SimpleNamespace:
    return SimpleNamespace(
        fiber_length=rig.fiber_length, pennation=rig.pennation, max_velocity=rig.max_velocity
    )


@pytest.mark.parametrize(
    "kind", ["Millard2012EquilibriumMuscle", "DeGrooteFregly2016Muscle", "RigidTendonMuscle"]
)
def test_tension_is_that_of_a_rigid_tendon_in_opensim(kind):
    muscle = make(kind)
    rig = MuscleRig(opensim, muscle, rigid=True)
    curves = read_curves(opensim, muscle, {})
    along, speed = np.meshgrid(np.linspace(0.05, 0.14, 13), np.linspace(-0.85, 0.85, 17))
    expected = [
        rig.rigid_force(0.2 + length, v) / 800
        for length, v in zip(along.flat, speed.flat, strict=True)
    ]
    ours = tension(curves, architecture(rig), along, speed)
    np.testing.assert_allclose(ours.ravel(), expected, atol=2e-3)


def test_thelen_curves_are_those_that_its_fibers_follow():
    muscle = make("Thelen2003Muscle")
    rig = MuscleRig(opensim, muscle, rigid=False)
    curves = read_curves(opensim, muscle, {})
    for fiber in np.linspace(0.05, 0.17, 9):
        active, passive = rig.isometric_multipliers(fiber)
        found = np.interp(fiber / 0.1, curves.lengths, curves.active)
        assert found == pytest.approx(active, abs=1e-4)
        found = np.interp(fiber / 0.1, curves.lengths, curves.passive)
        assert found == pytest.approx(passive, abs=1e-4)
    velocities, tensions = observed_velocities(rig)
    within = np.abs(velocities) < 1
    ours = np.interp(velocities, curves.speeds, curves.velocity)
    np.testing.assert_allclose(ours[within], tensions[within], atol=2e-3)


def model_with(muscle, tmp_path):
    """Compile a slider that stretches a muscle, from 0.26 m to 0.34 m."""
    model = opensim.Model()
    model.setName("slider")
    body = opensim.Body("cart", 1.0, opensim.Vec3(0), opensim.Inertia(0.1, 0.1, 0.1))
    model.addBody(body)
    joint = opensim.SliderJoint("slider", model.getGround(), body)
    joint.updCoordinate().setName("x")
    joint.updCoordinate().setRangeMin(0.26)
    joint.updCoordinate().setRangeMax(0.34)
    joint.updCoordinate().setDefaultValue(0.3)
    model.addJoint(joint)
    muscle.addNewPathPoint("a", model.getGround(), opensim.Vec3(0))
    muscle.addNewPathPoint("b", body, opensim.Vec3(0))
    model.addForce(muscle)
    model.finalizeConnections()
    path = tmp_path / "slider.osim"
    model.printToXML(str(path))
    return path, compile_osim(path)


@pytest.mark.parametrize(
    "kind", ["Millard2012EquilibriumMuscle", "DeGrooteFregly2016Muscle", "Thelen2003Muscle"]
)
def test_mujoco_muscle_comes_close(kind, tmp_path):
    """Isometric 3 % F0; moving, MuJoCo's own force-velocity curve is up to 7 % off."""
    path, spec = model_with(make(kind), tmp_path)
    model = mujoco.MjModel.from_xml_string(to_xml(spec))
    expected, ours = muscle_forces(path, model, states=150)["muscle"]
    rms = np.sqrt(np.mean(np.square(ours - expected).reshape(3, 50), axis=1))
    assert rms[0] < 0.03
    assert rms.max() < 0.07
    assert expected.max() > 1.2  # it is stretched


def test_forces_follow_the_engine(tmp_path):
    """What the fidelity report computes is what a simulation feels."""
    _, spec = model_with(make("Millard2012EquilibriumMuscle"), tmp_path)
    model = spec.compile()
    data = mujoco.MjData(model)
    data.qpos[0], data.qvel[0], data.act[0] = 0.31, -0.2, 1.0
    mujoco.mj_forward(model, data)
    rig = MuscleRig(opensim, make("Millard2012EquilibriumMuscle"), rigid=True)
    assert -data.actuator_force[0] / 800 == pytest.approx(
        rig.rigid_force(0.31, -0.2) / 800, abs=0.1
    )
    assert data.qfrc_actuator[0] == data.actuator_force[0]


def test_scaled_muscles_keep_their_force(tmp_path):
    _, spec = model_with(make("Millard2012EquilibriumMuscle"), tmp_path)
    model = spec.compile()
    large = scale_spec(spec, {"cart": (1.0, 1.0, 1.0)}).compile()
    np.testing.assert_allclose(large.actuator_gainprm, model.actuator_gainprm)


def test_curves_are_kept_beside_the_model(tmp_path):
    _, spec = model_with(make("Millard2012EquilibriumMuscle"), tmp_path)
    notes = {text.name: text.data for text in spec.texts}
    assert notes["muscle_curves/1/muscles"] == "muscle"
    kind, *words = notes["muscle_curves/1"].split()
    values = dict(word.split("=") for word in words)
    assert kind == "Millard2012EquilibriumMuscle"
    assert values["fiber_damping"] == "0.05"
    assert values["FiberForceLengthCurve/strain_at_one_norm_force"] == "0.5"
    assert values["ActiveForceLengthCurve/max_norm_active_fiber_length"] == "1.7"


def test_time_constants_are_the_muscles_own(tmp_path):
    muscle = make("Millard2012EquilibriumMuscle")
    muscle.setActivationTimeConstant(0.02)
    muscle.setDeactivationTimeConstant(0.07)
    _, spec = model_with(muscle, tmp_path)
    np.testing.assert_allclose(spec.compile().actuator_dynprm[0, :2], [0.02, 0.07])
