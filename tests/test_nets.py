"""The networks: what holds by construction, whatever their weights are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.optimize import linprog
from scipy.spatial.transform import Rotation

from mjx_msk.data.landmark_tree import HIPS
from mjx_msk.errors import MskError
from mjx_msk.fit.root import root_pose
from mjx_msk.model import ROOT_COORDINATES, Model
from mjx_msk.nets import losses
from mjx_msk.nets.idt import FRICTION, IDT, IDTConfig, observe
from mjx_msk.nets.ikt import IKT, IKTConfig, movable
from mjx_msk.nets.shipped import Networks
from mjx_msk.nets.sight import Sight, look
from mjx_msk.nets.weights import load_weights, save_weights
from mjx_msk.physics.root import about, root_coordinates, root_frame
from mjx_msk.train.loop import scene

T, L = 6, 22
SMALL = (
    IKTConfig(landmark_width=8, landmark_blocks=1, landmark_heads=2, width=16, blocks=1, heads=2),
    IDTConfig(width=16, blocks=1, heads=2),
)
HEIGHT = jnp.array(1.8)


@pytest.fixture(scope="module")
def default() -> Model:
    return scene().model


@pytest.fixture(scope="module")
def networks(default) -> Networks:
    """Networks with large random weights: they say wild things."""
    made = Networks(
        IKT(SMALL[0], default, rngs=nnx.Rngs(0)), IDT(SMALL[1], default, rngs=nnx.Rngs(1))
    )
    for network in made:
        wild = jax.tree.map(lambda x: 2.0 * x + 0.1, nnx.state(network, nnx.Param))
        nnx.update(network, wild)
    return made


def sight(seed: int = 0) -> Sight:
    rng = np.random.default_rng(seed)
    metric = rng.normal(0.0, 0.4, (T, L, 3))
    metric -= metric[:, HIPS].mean(axis=1, keepdims=True)
    x = metric + np.array([0.2, 0.1, 4.0])
    values = (np.arange(T) / 30, x[..., :2] / x[..., 2:], metric, rng.uniform(0.3, 1, (T, L)))
    down = np.array([0.1, 0.98, 0.15])
    return Sight(*map(jnp.asarray, (*values, down / np.linalg.norm(down))), HEIGHT)


def moved(model: Model, seed: int = 1) -> tuple[jax.Array, jax.Array, jax.Array]:
    rng = np.random.default_rng(seed)
    q = np.asarray(model.q_default) + rng.normal(0.0, 0.2, (T, model.n))
    return tuple(map(jnp.asarray, (q, *rng.normal(0.0, 1.0, (2, T, model.n)))))


def test_root_coordinates_are_those_of_the_fit(default):
    q = np.random.default_rng(0).uniform(-1.5, 1.5, (50, default.n))
    rotation, position = root_pose(default, q)
    ours = root_frame(default, jnp.asarray(q))
    np.testing.assert_allclose(ours[0], rotation, atol=1e-5)
    np.testing.assert_allclose(ours[1], position, atol=1e-5)
    back = root_coordinates(default, jnp.asarray(rotation), jnp.asarray(position))
    np.testing.assert_allclose(back, q[:, :ROOT_COORDINATES], atol=1e-5)


def test_a_rolled_camera_sees_the_same_person():
    """The level frame takes out how the camera is held; only its optical axis stays."""
    straight, turn = sight(), jnp.asarray(Rotation.from_rotvec([0, 0, 0.4]).as_matrix())
    rays = jnp.concatenate([straight.rays, jnp.ones((T, L, 1))], -1) @ turn.T
    rolled = straight._replace(
        rays=rays[..., :2], metric=straight.metric @ turn.T, down=turn @ straight.down
    )
    for a, b in zip(look(straight, HIPS)[:3], look(rolled, HIPS)[:3], strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_the_first_guess_is_where_the_person_is():
    seen = look(sight(), HIPS)
    away = (seen.place @ seen.level_from_camera)[0]
    np.testing.assert_allclose(away, [0.2, 0.1, 4.0], atol=0.01)


def test_coordinates_keep_their_limits(default, networks):
    seen = look(sight(), HIPS)
    found = networks.ikt(default, seen, sight().time, HEIGHT)
    low, high = np.asarray(default.q_range).T
    free = movable(default)
    q = np.asarray(found.q)
    assert np.all((q[:, free] >= low[free]) & (q[:, free] <= high[free]))
    assert np.ptp(q[:, free]) > 1.0  # the weights are wild indeed
    locked = np.array(default.layout.locked)
    np.testing.assert_array_equal(q[:, locked], np.tile(default.q_default[locked], (T, 1)))
    np.testing.assert_array_equal(found.std[:, locked], 0.0)
    assert np.all(np.asarray(found.std)[:, ~locked] > 0.0)
    np.testing.assert_allclose(
        np.swapaxes(found.pelvis, 1, 2) @ found.pelvis, np.tile(np.eye(3), (T, 1, 1)), atol=1e-5
    )


def test_only_differences_of_time_matter(default, networks):
    s = sight()
    seen = look(s, HIPS)
    now = networks.ikt(default, seen, s.time, HEIGHT)
    later = networks.ikt(default, seen, s.time + 3.0, HEIGHT)
    slower = networks.ikt(default, seen, 2.0 * s.time, HEIGHT)
    np.testing.assert_allclose(now.q, later.q, atol=1e-3)
    assert np.abs(now.q - slower.q).max() > 1e-2


def test_what_is_not_seen_does_not_matter(default, networks):
    s = sight()
    hidden = s._replace(weight=s.weight.at[2].set(0.0).at[:, 4].set(0.0))
    garbage = hidden._replace(
        rays=hidden.rays.at[2].set(jnp.nan).at[:, 4].set(7.0),
        metric=hidden.metric.at[2].set(jnp.nan).at[:, 4].set(-9.0),
    )
    a, b = (networks.ikt(default, look(x, HIPS), x.time, HEIGHT) for x in (hidden, garbage))
    np.testing.assert_array_equal(a.q, b.q)
    nothing = s._replace(weight=jnp.zeros_like(s.weight))
    found = networks.ikt(default, look(nothing, HIPS), s.time, HEIGHT)
    assert all(np.isfinite(x).all() for x in found)


def test_forces_push_inside_the_soles_and_the_cone(default, networks):
    q, qd, qdd = moved(default)
    moving = observe(default, q, qd, qdd, HEIGHT)
    found = networks.idt(default, moving, jnp.arange(T) / 30)
    force = np.asarray(found.force)
    assert np.all(force[..., 2] >= 0.0)
    assert np.any(force[..., 2] > 100.0)
    tangential = np.linalg.norm(force[..., :2], axis=-1)
    assert np.all(tangential <= FRICTION * force[..., 2] + 1e-3)
    assert np.all(tangential[force[..., 2] > 100.0] > 1.0)
    feet = np.array(default.layout.contact_feet)
    for t in range(T):
        for foot in range(2):
            points = np.asarray(moving.soles)[t, feet == foot, :2]
            inside = linprog(
                np.zeros(len(points)), A_eq=np.vstack([points.T, np.ones(len(points))]),
                b_eq=[*np.asarray(found.cop)[t, foot, :2], 1.0],
            )  # fmt: skip
            assert inside.success
    np.testing.assert_array_equal(found.tau[:, :ROOT_COORDINATES], 0.0)
    np.testing.assert_array_equal(found.cop[..., 2], 0.0)


def turned(model: Model, angle: float, q, qd, qdd) -> list[jax.Array]:
    """Return a motion (T, n) turned about the world's vertical; rates follow by the chain rule."""
    turn, k = about(jnp.array(angle), 2), ROOT_COORDINATES

    def root(q: jax.Array) -> jax.Array:
        rotation, position = root_frame(model, q)
        return root_coordinates(model, turn @ rotation, turn @ position)

    def rate(q: jax.Array, qd: jax.Array) -> jax.Array:
        return jax.jvp(root, (q,), (qd,))[1]

    def one(q, qd, qdd):
        return root(q), *jax.jvp(rate, (q, qd), (qd, qdd))

    new = jax.vmap(one)(q[:, :k], qd[:, :k], qdd[:, :k])
    return [jnp.concatenate([a, b[:, k:]], axis=1) for a, b in zip(new, (q, qd, qdd), strict=True)]


def test_where_one_walks_to_does_not_matter(default, networks):
    own = moved(default)
    away = turned(default, 1.1, *own)
    turn = Rotation.from_rotvec([0.0, 0.0, 1.1]).as_matrix()
    there, here = (
        networks.idt(default, observe(default, *motion, HEIGHT), jnp.arange(T) / 30)
        for motion in (away, own)
    )
    np.testing.assert_allclose(there.force, here.force @ turn.T, atol=0.5)  # N
    np.testing.assert_allclose(there.tau, here.tau, atol=0.05)
    np.testing.assert_allclose(there.contact, here.contact, atol=1e-3)
    assert np.abs(np.asarray(there.force) - here.force).max() > 10.0


def test_a_turn_is_half_a_turn_at_most(default):
    true = jnp.zeros((1, default.n))
    off = true.at[0, 5].set(2.0 * np.pi + 0.1).at[0, 0].set(7.0)
    error = losses.coordinate_error(default, off, true)
    np.testing.assert_allclose(error[0, [0, 5]], [7.0, 0.1], atol=1e-5)


def test_the_uncertainty_is_least_where_it_is_the_error(default, networks):
    seen = look(sight(), HIPS)
    found = networks.ikt(default, seen, sight().time, HEIGHT)
    miss = 0.05 * jnp.ones_like(found.q)
    right, low, high = (
        float(losses.uncertainty(default, found._replace(std=s * miss), found.q + miss))
        for s in (1.0, 0.7, 1.4)
    )
    assert right < min(low, high)


@pytest.mark.parametrize("kind", [IKT, IDT])
def test_weights_are_kept(default, networks, tmp_path, kind):
    network = networks[kind is IDT]
    save_weights(tmp_path / "w.safetensors", network, {"seed": 3})
    again, about = load_weights(tmp_path / "w.safetensors", kind, default)
    assert about == {"seed": 3}
    for a, b in zip(
        jax.tree.leaves(nnx.state(network)), jax.tree.leaves(nnx.state(again)), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    if kind is IKT:
        seen = look(sight(), HIPS)
        both = [n(default, seen, sight().time, HEIGHT).q for n in (network, again)]
        np.testing.assert_array_equal(*both)


@pytest.mark.parametrize("kind", ["missing", "text", "cut", "foreign", "the other", "bigger"])
def test_weights_that_are_none_are_refused(default, networks, tmp_path, kind):
    from safetensors.numpy import save_file

    path = tmp_path / "w.safetensors"
    save_weights(path, networks.idt)
    if kind == "missing":
        path.unlink()
    elif kind == "text":
        path.write_text("weights")
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif kind == "foreign":
        save_file({"a": np.zeros(3, np.float32)}, path)
    elif kind == "the other":
        save_weights(path, networks.ikt)
    else:
        bigger = IDT(IDTConfig(width=32, blocks=1, heads=2), default, rngs=nnx.Rngs(0))
        bigger.config = SMALL[1]
        save_weights(path, bigger)
    with pytest.raises(MskError, match=r"no such file|not weights of this network") as error:
        load_weights(path, IDT, default)
    assert error.value.where == str(path)
