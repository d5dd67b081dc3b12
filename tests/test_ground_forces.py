"""Ground forces in cases whose answer is known without a computer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from mjx_msk.fit.ground_forces import foot_loads
from mjx_msk.physics.contact_forces import ForcePriors, Told, point_forces

WEIGHT = 700.0  # N
DT = 1 / 60
FRAMES = 12
HEIGHT = 0.9  # m, of the center of mass
#: A square of sole points around the place below the center of mass, two a foot.
SOLES = np.array([[0.1, -0.1, 0.0], [-0.1, -0.1, 0.0], [0.1, 0.1, 0.0], [-0.1, 0.1, 0.0]])
FEET = (0, 0, 1, 1)
#: Which points belong to which foot.
MEMBER = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
FRICTION = ForcePriors().friction
TOUCH = np.ones((FRAMES, 4))


def forces_for(wrench: list[float], touch: np.ndarray = TOUCH, soles: np.ndarray = SOLES):
    """Return point forces for a constant demand (force, moment about the center of mass)."""
    arms = np.broadcast_to(soles - [0, 0, HEIGHT], (FRAMES, *soles.shape))
    return point_forces(np.tile(wrench, (FRAMES, 1)), arms, touch, WEIGHT, DT)


def test_standing_still():
    forces = forces_for([0, 0, WEIGHT, 0, 0, 0])
    total = forces.sum(axis=1)
    np.testing.assert_allclose(total, np.tile([0, 0, WEIGHT], (FRAMES, 1)), atol=0.002 * WEIGHT)
    np.testing.assert_allclose(forces[..., 2], WEIGHT / 4, rtol=0.01)  # symmetric: evenly
    loads = foot_loads(forces, np.broadcast_to(SOLES, forces.shape), FEET)
    np.testing.assert_allclose(loads.cop[:, 0], np.tile([0, -0.1, 0], (FRAMES, 1)), atol=1e-3)
    np.testing.assert_allclose(loads.cop[:, 1], np.tile([0, 0.1, 0], (FRAMES, 1)), atol=1e-3)
    np.testing.assert_allclose(loads.moment, 0.0, atol=1e-2)


def test_leaning_moves_the_pressure_below_the_center():
    """Standing with the center over (0.05, 0.02): the whole body's pressure is there too."""
    soles = SOLES - [0.05, 0.02, 0.0]
    forces = forces_for([0, 0, WEIGHT, 0, 0, 0], soles=soles)
    pressure = np.einsum("tc,cx->tx", forces[..., 2], soles) / forces[..., 2].sum(1)[:, None]
    np.testing.assert_allclose(pressure, 0.0, atol=2e-3)


def test_nothing_from_points_that_do_not_touch():
    """Standing on the right foot: the left one, in the air, carries nothing at all."""
    touch = TOUCH * [1.0, 1.0, 0.0, 0.1]
    forces = forces_for([0, 0, WEIGHT, 0, 0, 0], touch)
    assert not forces[:, 2:].any()
    assert forces[:, :2, 2].sum(axis=1).min() > 0.5 * WEIGHT
    assert not forces_for([0, 0, WEIGHT, 0, 0, 0], 0 * TOUCH).any()


def test_forces_change_no_faster_than_feet_load():
    """Landing: before touch nothing, and the first frames build the force up."""
    touch = TOUCH.copy()
    touch[:6] = 0.0
    vertical = forces_for([0, 0, WEIGHT, 0, 0, 0], touch)[..., 2].sum(axis=1)
    assert not vertical[:6].any()
    assert vertical[6] < vertical[8] <= 1.05 * WEIGHT


def test_the_floor_never_pulls():
    """A body that falls faster than gravity asks for a pull; it gets nothing and keeps it."""
    forces = forces_for([0, 0, -WEIGHT, 0, 0, 0])
    np.testing.assert_allclose(forces, 0.0, atol=1e-3 * WEIGHT)


def test_slipping_demand_gets_the_nearest_force_of_the_cone():
    """One point at the reference, so no moments: 2 BW sideways and 1 BW up, projected on the cone.

    The rest, a third of the push, stays as the residual.
    """
    touch, soles = np.ones((FRAMES, 1)), np.array([[0.0, 0.0, HEIGHT]])
    forces = forces_for([0, 2 * WEIGHT, WEIGHT, 0, 0, 0], touch, soles)[:, 0]
    along = np.array([0.0, FRICTION, 1.0]) / np.hypot(FRICTION, 1.0)
    expected = along * (along @ [0.0, 2 * WEIGHT, WEIGHT])
    np.testing.assert_allclose(forces, np.tile(expected, (FRAMES, 1)), atol=0.005 * WEIGHT)


def test_push_through_the_center_is_met_exactly():
    """Where the sole lies on the force's line of action, a push inside the cone is met."""
    soles = SOLES - [0.3 * HEIGHT, 0.0, 0.0]
    forces = forces_for([0.3 * WEIGHT, 0, WEIGHT, 0, 0, 0], soles=soles)
    total = forces.sum(axis=1)
    expected = np.tile([0.3 * WEIGHT, 0, WEIGHT], (FRAMES, 1))
    np.testing.assert_allclose(total, expected, atol=0.005 * WEIGHT)


def test_pressure_and_free_moment_by_hand():
    """Two points of the right foot: 300 N at x = 0, 100 N at x = 0.2, with a couple of 10 N."""
    points = np.array([[[0.0, -0.1, 0.0], [0.2, -0.1, 0.0], [0.0, 0.1, 0.0]]])
    forces = np.array([[[5.0, -10.0, 300.0], [5.0, 10.0, 100.0], [0.0, 0.0, 0.0]]])
    loads = foot_loads(forces, points, (0, 0, 1))
    np.testing.assert_allclose(loads.force[0, 0], [10, 0, 400])
    np.testing.assert_allclose(loads.cop[0, 0], [0.05, -0.1, 0])  # 0.2 * 100 / 400
    # About (0.05, -0.1): -0.05 * -10 + 0.15 * 10 = 2 N m; the x forces pass through it.
    np.testing.assert_allclose(loads.moment[0, 0], [0, 0, 2.0], atol=1e-12)
    assert np.isnan(loads.cop[0, 1]).all()
    assert not loads.force[0, 1].any()
    assert not loads.moment[0, 1].any()


def uneven() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return demand, arms and touch of a clip that slips, lifts feet and lands."""
    rng = np.random.default_rng(0)
    arms = SOLES - [0, 0, HEIGHT] + rng.normal(0, 0.01, (FRAMES, *SOLES.shape))
    demand = np.tile([100.0, 50.0, WEIGHT, 10.0, -20.0, 2.0], (FRAMES, 1))
    demand += rng.normal(0, 50.0, demand.shape)
    demand[4, 0] += 500.0  # slips
    demand[5, 2] = -50.0  # would need a pull
    return demand, arms, rng.uniform(0.05, 1.0, (FRAMES, len(SOLES)))


def test_a_general_solver_finds_the_same_optimum():
    """Two frames, by SLSQP on the cone squared."""
    demand, arms, touch = (x[3:5] for x in uneven())
    touch = np.maximum(touch, 0.3)
    priors = ForcePriors()

    def cost(x: np.ndarray) -> float:
        f = x.reshape(2, 4, 3)
        force = f.sum(axis=1) - demand[:, :3] / WEIGHT
        moment = np.cross(arms, f).sum(axis=1) - demand[:, 3:] / WEIGHT
        size, change = f / (priors.point_spread * touch[..., None]), (f[1] - f[0]) / DT
        met = np.sum((force / priors.force_spread) ** 2)
        met += np.sum((moment / priors.moment_spread) ** 2)
        return met + DT * (np.sum(size**2) + np.sum((change / priors.rate_spread) ** 2))

    def cone(x: np.ndarray) -> np.ndarray:
        f = x.reshape(-1, 3)
        slack = (FRICTION * f[:, 2]) ** 2 - f[:, 0] ** 2 - f[:, 1] ** 2
        return np.concatenate([slack, f[:, 2]])

    general = optimize.minimize(
        lambda x: 1e-3 * cost(x),  # in thousands it stops early, on some processors
        np.tile([0.0, 0.0, 0.3], 8), method="SLSQP",
        constraints={"type": "ineq", "fun": cone}, options={"maxiter": 1000, "ftol": 1e-12},
    )  # fmt: skip
    with jax.enable_x64(True):
        found = np.asarray(point_forces(demand, arms, touch, WEIGHT, DT)) / WEIGHT
    assert cone(found.ravel()).min() > -1e-12
    assert cost(found.ravel()) == pytest.approx(
        1e3 * general.fun, rel=1e-4
    )  # it leaves the cone by 1e-5


def test_what_the_motion_leaves_open_is_as_told():
    """Feet that push each other apart do nothing to the body, and only who is told can know."""
    apart = 0.1 * WEIGHT
    arms = np.broadcast_to(SOLES - [0, 0, HEIGHT], (FRAMES, *SOLES.shape))
    wrench = np.zeros((FRAMES, 2, 6))
    wrench[..., 2], wrench[:, 0, 1], wrench[:, 1, 1] = WEIGHT / 2, -apart, apart
    for foot, place in enumerate(([0, -0.1, -HEIGHT], [0, 0.1, -HEIGHT])):
        wrench[:, foot, 3:] = np.cross(place, wrench[:, foot, :3])
    demand = np.tile([0, 0, WEIGHT, 0, 0, 0], (FRAMES, 1))
    told = Told(wrench, MEMBER)
    alone = np.asarray(forces_for([0, 0, WEIGHT, 0, 0, 0]))
    found = np.asarray(point_forces(demand, arms, TOUCH, WEIGHT, DT, told=told))
    np.testing.assert_allclose((MEMBER @ alone)[..., 1], 0.0, atol=1e-3 * WEIGHT)
    np.testing.assert_allclose(MEMBER @ found, wrench[..., :3], atol=0.01 * WEIGHT)


def test_gradients_by_finite_differences():
    """By all that is given; some points slip, some carry nothing."""
    rng = np.random.default_rng(1)
    with jax.enable_x64(True):
        demand, arms, touch = map(jnp.array, uneven())
        outer = rng.normal(size=arms.shape)

        @jax.jit
        def scalar(demand, arms, touch, dt, wrench):
            told = Told(wrench, jnp.asarray(MEMBER))
            return jnp.sum(outer * point_forces(demand, arms, touch, WEIGHT, dt, told=told))

        wrench = jnp.stack([0.6 * demand, 0.4 * demand], axis=1)
        given = (demand, arms, touch, jnp.array(DT), wrench)
        forces = np.asarray(point_forces(demand, arms, touch, WEIGHT, DT))
        across = np.linalg.norm(forces[..., :2], axis=-1)
        assert np.sum(across > (FRICTION - 1e-6) * forces[..., 2] + 1.0) == 0
        assert np.sum((across > (FRICTION - 1e-6) * forces[..., 2]) & (across > 1.0)) > 3
        slopes = jax.jit(jax.grad(scalar, argnums=(0, 1, 2, 3, 4)))(*given)
        for k, h in enumerate((1e-2, 1e-5, 1e-5, 1e-6, 1e-2)):
            along = rng.normal(size=given[k].shape)
            if k == 2:  # a point that begins to touch is a jump
                along = along * (np.abs(touch - 0.2) > 0.01)
            ends = [scalar(*given[:k], given[k] + s * along, *given[k + 1 :]) for s in (h, -h)]
            found = float(np.sum(slopes[k] * along))
            assert found == pytest.approx(float(ends[0] - ends[1]) / (2 * h), rel=1e-5)


def test_batches_and_what_is_not_finite():
    """Clips side by side are each alone; NaN comes out where NaN went in, and nowhere else."""
    demand, arms, touch = uneven()
    two = np.stack([demand, demand * np.nan])
    forces = jax.vmap(lambda d: point_forces(d, arms, touch, WEIGHT, DT))(jnp.array(two))
    alone = point_forces(demand, arms, touch, WEIGHT, DT)
    np.testing.assert_array_equal(forces[0], alone)
    assert np.isnan(forces[1]).all()
