"""What the networks say of whole clips, put together from windows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.spatial.transform import Rotation

from mjx_msk.data.landmark_tree import HIPS, LANDMARKS
from mjx_msk.errors import MskError
from mjx_msk.fit.learned import learned_kinetics
from mjx_msk.fit.observation import ImageObservation, landmark_sites
from mjx_msk.fit.proposal import propose
from mjx_msk.fit.root import root_pose, turned
from mjx_msk.fit.windows import FRAMES, windows_of
from mjx_msk.model import ROOT_COORDINATES, Model
from mjx_msk.nets import shipped as shipping
from mjx_msk.nets.idt import IDT, IDTConfig
from mjx_msk.nets.ikt import IKT, IKTConfig
from mjx_msk.nets.shipped import FILES, SUMS, Networks, shipped
from mjx_msk.train.loop import scene

HEIGHT_M, DT = 1.8, 1 / 30
SMALL = IKTConfig(
    landmark_width=8, landmark_blocks=1, landmark_heads=2, width=16, blocks=1, heads=2
)


@pytest.fixture(scope="module")
def model() -> Model:
    return scene().model


@pytest.fixture(scope="module")
def networks(model) -> Networks:
    """Small networks with random weights that are not small."""
    made = Networks(
        IKT(SMALL, model, rngs=nnx.Rngs(0)),
        IDT(IDTConfig(width=16, blocks=1, heads=2), model, rngs=nnx.Rngs(1)),
    )
    for network in made:
        nnx.update(network, jax.tree.map(lambda x: 2.0 * x, nnx.state(network, nnx.Param)))
    return made


def seen(model: Model, frames: int, *, still: bool, dt: float = DT) -> ImageObservation:
    """Return landmarks of somebody who sways, or stands still."""
    rng = np.random.default_rng(0)
    place = rng.normal(0.0, 0.4, (1, len(LANDMARKS), 3)) + np.zeros((frames, 1, 1))
    if not still:
        time = dt * np.arange(frames)[:, None, None]
        place = place + 0.2 * np.sin(2.0 * time + rng.uniform(0, 6, (1, len(LANDMARKS), 3)))
    metric = place - place[:, HIPS].mean(axis=1, keepdims=True)
    x = metric + np.array([0.2, 0.1, 4.0])
    sites = np.array(list(landmark_sites(model, LANDMARKS).values()))
    return ImageObservation(
        time=dt * np.arange(frames), sites=sites,
        rays=x[..., :2] / x[..., 2:], metric=metric, weight=np.ones(x.shape[:2]), hips=HIPS,
        down=np.array([0.0, 1.0, 0.0]), gravity_known=True,
    )  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 39, 40, 41, 60, 61, 200])
def test_windows_cover_every_frame(count):
    windows = windows_of(count)
    assert {len(w) for w in windows} == {min(count, FRAMES)}
    assert set(np.concatenate(windows)) == set(range(count))


@pytest.mark.parametrize("frames", [1, 3, 40, 130])
def test_somebody_who_stands_still_is_said_to(model, networks, frames):
    """Only differences of time matter to the network, so that windows must agree."""
    found = propose(networks.ikt, model, seen(model, frames, still=True), HEIGHT_M)
    np.testing.assert_allclose(found.q, np.tile(found.q[:1], (frames, 1)), atol=2e-4)
    np.testing.assert_allclose(found.std, np.tile(found.std[:1], (frames, 1)), atol=2e-4)


def test_there_is_no_seam(model, networks):
    """Where windows meet, the motion changes as it does inside of one."""
    found = propose(networks.ikt, model, seen(model, 130, still=False), HEIGHT_M)
    steps = np.abs(np.diff(found.q, 2, axis=0)).max(axis=1)
    joints = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    assert max(steps[k - 2 : k + 1].max() for k in joints) < 3.0 * np.quantile(steps, 0.9)


def test_a_faster_camera_sees_the_same(model, networks):
    slow = propose(networks.ikt, model, seen(model, 60, still=False), HEIGHT_M)
    fast = propose(networks.ikt, model, seen(model, 119, still=False, dt=DT / 2), HEIGHT_M)
    joints = slice(ROOT_COORDINATES, None)  # what is ahead on average differs a little
    np.testing.assert_allclose(fast.q[::2, joints], slow.q[:, joints], atol=2e-3)


def test_forces_turn_with_the_world(model, networks):
    rng = np.random.default_rng(1)
    time = DT * np.arange(70)[:, None]
    wave = rng.normal(0, 0.2, (2, 1, model.n))
    q = np.asarray(model.q_default) + wave[0] * np.sin(3.0 * time) + 0.1 * wave[1]
    turn = Rotation.from_rotvec([0, 0, 1.0]).as_matrix()
    shift = np.array([1.0, -2.0, 0.0])

    def explained(q: np.ndarray):
        qd = np.gradient(q, DT, axis=0)
        qdd = np.gradient(qd, DT, axis=0)
        return learned_kinetics(networks.idt, model, q, qd, qdd, DT, HEIGHT_M)

    a, b = explained(q), explained(turned(model, q, turn, shift))
    weight = float(np.sum(model.mjx.body_mass)) * 9.81
    np.testing.assert_allclose(b.loads.force, a.loads.force @ turn.T, atol=2e-3 * weight)
    np.testing.assert_allclose(b.loads.cop, a.loads.cop @ turn.T + shift, atol=2e-3)
    np.testing.assert_allclose(b.tau, a.tau, atol=2e-3 * weight)
    assert (a.loads.force[..., 2] >= 0.0).all()


def test_the_shipped_networks_are_checked(model, tmp_path, monkeypatch):
    networks = shipped(model)
    assert isinstance(networks.ikt, IKT)
    for name in (*FILES, SUMS):
        (tmp_path / name).write_bytes(shipping.asset(name).read_bytes())
    monkeypatch.setattr(shipping, "asset", lambda name: tmp_path / name)
    shipped(model)
    damaged = bytearray((tmp_path / FILES[1]).read_bytes())
    damaged[-1] ^= 1
    (tmp_path / FILES[1]).write_bytes(damaged)
    with pytest.raises(MskError, match="not the weights that were shipped") as error:
        shipped(model)
    assert error.value.where == str(tmp_path / FILES[1])


def test_a_proposal_is_upright_in_its_own_world(model, networks):
    """The camera stands over the origin; whoever it sees 4 m ahead is about there."""
    found = propose(networks.ikt, model, seen(model, 30, still=True), HEIGHT_M)
    _, place = root_pose(model, found.q)
    away = np.linalg.norm(place[:, :2], axis=1)
    assert np.isfinite(found.q).all()
    assert 1.0 < away.mean() < 12.0
    assert jnp.isfinite(found.camera_height)
