"""The smooth contact against OpenSim, the C engine, finite differences and Hertz."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
import small_model
from compiling import quick

from mjx_msk.model import Model
from mjx_msk.physics import forward_dynamics
from mjx_msk.physics.contact import Ground, contact_force, contact_loads, sphere_force

pytestmark = pytest.mark.usefixtures("float64")

RADIUS = 0.03
#: Every parameter differs from OpenSim's defaults, and static from dynamic friction.
GROUND = Ground(stiffness=2e6, static_friction=0.9, dynamic_friction=0.7, viscous_friction=0.4)
MASS, HALF = 10.0, 0.1
BLOCK = f"""
<mujoco>
  <option gravity="0 0 -9.81"/>
  <worldbody>
    <body name="pelvis">
      <inertial pos="0 0 0" mass="{MASS}" diaginertia="0.1 0.1 0.1"/>
      <joint name="tx" type="slide" axis="1 0 0"/><joint name="ty" type="slide" axis="0 1 0"/>
      <joint name="tz" type="slide" axis="0 0 1"/><joint name="rx" axis="1 0 0"/>
      <joint name="ry" axis="0 1 0"/><joint name="rz" axis="0 0 1"/>
      <geom name="contact/r/a" pos="{HALF} -{HALF} -{HALF}" size="{RADIUS}"/>
      <geom name="contact/r/b" pos="-{HALF} -{HALF} -{HALF}" size="{RADIUS}"/>
      <geom name="contact/l/a" pos="{HALF} {HALF} -{HALF}" size="{RADIUS}"/>
      <geom name="contact/l/b" pos="-{HALF} {HALF} -{HALF}" size="{RADIUS}"/>
    </body>
  </worldbody>
</mujoco>
"""


def near_the_floor(model: Model, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return states (count, n) whose spheres are about the floor's height."""
    q, qd, _ = small_model.random_states(model, count)
    q[:, 3:] *= 0.1
    q[:, 1] = 0.93 + np.linspace(-0.02, 0.0, count)  # pelvis_ty points up
    return q, 0.2 * qd


def test_agrees_with_opensim():
    """A ball that flies through the floor at any speed; OpenSim has Y up."""
    opensim = pytest.importorskip("opensim")
    osim = opensim.Model()
    osim.setGravity(opensim.Vec3(0))
    ball = opensim.Body("ball", 1.0, opensim.Vec3(0), opensim.Inertia(1))
    joint = opensim.FreeJoint("free", osim.getGround(), ball)
    down = opensim.Vec3(0, 0, -np.pi / 2)
    plane = opensim.ContactHalfSpace(opensim.Vec3(0), down, osim.getGround(), "plane")
    sphere = opensim.ContactSphere(RADIUS, opensim.Vec3(0), ball, "sphere")
    force = opensim.SmoothSphereHalfSpaceForce("contact", sphere, plane)
    force.set_stiffness(GROUND.stiffness)
    force.set_dissipation(GROUND.dissipation)
    force.set_static_friction(GROUND.static_friction)
    force.set_dynamic_friction(GROUND.dynamic_friction)
    force.set_viscous_friction(GROUND.viscous_friction)
    force.set_transition_velocity(GROUND.transition_speed)
    osim.addBody(ball)
    osim.addJoint(joint)
    osim.addContactGeometry(plane)
    osim.addContactGeometry(sphere)
    osim.addForce(force)
    state = osim.initSystem()
    rng = np.random.default_rng(0)
    for depth in (-0.01, -0.002, 0.0, 0.001, 0.005, 0.02, 0.1):
        velocity = rng.normal(0.0, 0.4, 3)
        for k in range(3):
            coordinate = osim.getCoordinateSet().get(3 + k)
            coordinate.setValue(state, RADIUS - depth if k == 1 else 0.0, False)
            coordinate.setSpeedValue(state, velocity[k])
        osim.realizeDynamics(state)
        values = force.getRecordValues(state)
        expected = np.array([values.get(0), -values.get(2), values.get(1)])
        turned = jnp.array([velocity[0], -velocity[2], velocity[1]])
        found = sphere_force(jnp.array(depth), turned, jnp.array(RADIUS), GROUND)
        np.testing.assert_allclose(found, expected, rtol=2e-6)


def test_generalized_force_is_that_of_the_c_engine(model: Model):
    """Loads at their points, brought to the joints by C MuJoCo, are the generalized force."""
    mj = small_model.spec().compile()
    data = mujoco.MjData(mj)
    independent = {name: mj.joint(name).dofadr[0] for name in model.layout.coordinate_names}
    state = near_the_floor(model, 3)
    both = quick(lambda q, qd: (contact_loads(model, q, qd), contact_force(model, q, qd)))
    for q, qd in zip(*state, strict=True):
        loads, found = both(q, qd)
        data.qpos = small_model.place(model, mj, q)
        mujoco.mj_forward(mj, data)
        total = np.zeros(mj.nv)
        for k, body in enumerate(model.layout.contact_bodies):
            one = np.zeros(mj.nv)
            force, point = np.array(loads.force[k]), np.array(loads.point[k])
            mujoco.mj_applyFT(mj, data, force, np.zeros(3), point, mj.body(body).id, one)
            total += one
        assert np.abs(found).max() > 1.0
        for k, name in enumerate(model.layout.coordinate_names):
            if name != "knee_angle_r":  # which tied joints follow: covered by their own tests
                assert float(found[k]) == pytest.approx(
                    total[independent[name]], rel=1e-6, abs=1e-8
                )


def test_gradients_by_finite_differences(model: Model):
    weight = np.random.default_rng(1).normal(size=model.n)

    def value(q, qd, stiffness):
        return contact_force(model, q, qd, GROUND._replace(stiffness=stiffness)) @ weight

    both = quick(jax.value_and_grad(value, (0, 1, 2)))
    direction = np.random.default_rng(2).normal(size=(2, model.n))
    alongs = ((direction[0], 0, 0), (0, direction[1], 0), (0, 0, 2e6))
    for q, qd in zip(*near_the_floor(model, 4), strict=True):
        given = (q, qd, 2e6)
        found = both(*given)[1]
        for along in alongs:
            ends = [
                both(*(x + s * 1e-6 * d for x, d in zip(given, along, strict=True)))[0]
                for s in (1, -1)
            ]
            slope = sum(np.sum(s * d) for s, d in zip(found, along, strict=True))
            assert float(slope) == pytest.approx(float(ends[0] - ends[1]) / 2e-6, rel=1e-5)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_finite_everywhere(dtype):
    """Grazing, standing still, far above, meters deep, faster than any foot."""
    depth, vertical, across = np.meshgrid(
        [-5.0, -0.03, -1e-8, 0.0, 1e-8, 0.01, 0.5],
        [-30.0, -1 / 3, 0.0, 1e-20, 30.0],
        [0.0, 1e-30, 0.2, 30.0],
    )
    velocity = np.stack([across, 0 * across, vertical], axis=-1).reshape(-1, 3)

    def total(depth, velocity):
        return jnp.sum(sphere_force(depth, velocity, jnp.array(RADIUS, dtype), Ground()))

    both = (jnp.array(depth.ravel(), dtype), jnp.array(velocity, dtype))
    force = sphere_force(*both, jnp.array(RADIUS, dtype), Ground())
    assert force.dtype == dtype
    assert np.all(np.isfinite(force))
    assert np.all(np.asarray(force)[:, 2] >= 0.0)  # the floor never pulls
    for slope in (*quick(jax.grad(total, (0, 1)))(*both), *quick(jax.jacfwd(total, (0, 1)))(*both)):
        assert np.all(np.isfinite(slope))


def test_the_floor_is_felt_before_touchdown():
    """1 cm and 3 cm above the floor, in float32, nearer pushes more."""
    for depth in (-0.01, -0.03):
        still = jnp.zeros(3, jnp.float32)
        push = jax.grad(lambda d, v: sphere_force(d, v, jnp.float32(RADIUS), Ground())[2])
        assert push(jnp.float32(depth), still) > 1e-9


def test_friction_opposes_sliding_and_peaks_at_its_cone():
    speed = np.linspace(0.0, 0.2, 50)
    velocity = np.column_stack([speed, 0 * speed, 0 * speed])
    ground = Ground(viscous_friction=0.0)
    force = np.asarray(sphere_force(jnp.full(50, 0.005), velocity, jnp.array(RADIUS), ground))
    ratio = -force[:, 0] / force[:, 2]
    assert ratio[0] == 0.0
    assert np.all(np.diff(ratio) > 0.0)
    assert ratio[-1] == pytest.approx(0.8, rel=1e-3)


def test_dropped_block_comes_to_rest():
    """From 5 cm: it falls freely, and at rest the four spheres carry it as deep as Hertz says."""
    block = Model.from_spec(mujoco.MjSpec.from_string(BLOCK))
    h, rest_height = 5e-4, HALF + RADIUS

    @quick
    def fall(q, qd):
        def step(state, _):
            q, qd = state
            qd = qd + h * forward_dynamics(block, q, qd, contact_force(block, q, qd))
            q = q + h * qd
            loads = contact_loads(block, q, qd)
            return (q, qd), (q[2], loads.force.sum(axis=0))

        return jax.lax.scan(step, (q, qd), length=2400)[1]

    start = np.array([0.0, 0.0, rest_height + 0.05, 0.02, -0.01, 0.0])
    height, force = (np.asarray(x) for x in fall(start, np.zeros(6)))
    landing = int(np.sqrt(2 * 0.05 / 9.81) / h)
    t = h * np.arange(1, landing - 25)
    np.testing.assert_allclose(height[: len(t)], start[2] - 9.81 / 2 * t**2, atol=1e-3)
    assert height.min() > rest_height - 0.02
    assert height[landing:].max() < rest_height + 0.02  # no jumping back
    assert np.abs(force[-200:] - [0, 0, 9.81 * MASS]).max() < 0.01 * 9.81 * MASS
    k = 0.5 * Ground().stiffness ** (2 / 3)
    hertz = (9.81 * MASS / 4 / (4 / 3 * k * np.sqrt(RADIUS * k))) ** (2 / 3)
    assert rest_height - height[-1] == pytest.approx(hertz, abs=1e-3)
