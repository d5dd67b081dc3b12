"""The virtual camera: its geometry against the real one, its noise against closed forms."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mjx_msk.data import camera_noise
from mjx_msk.data.camera_noise import CameraNoise, episodes, own_errors
from mjx_msk.data.landmark_tree import HIPS, LANDMARKS, NODES, spread_along
from mjx_msk.data.occlusion import cover
from mjx_msk.data.virtual_camera import CameraRanges, Placement, View, look, place, see, view
from mjx_msk.vision.camera import project, undistort
from mjx_msk.vision.gravity import gravity_from_person

DT, FRAMES = 1 / 30, 40
SIDES = ("left", "right")
#: Height and side (m) of one side of a person who stands with the arms spread a little.
SIDE = {
    "shoulder": (1.42, 0.18), "elbow": (1.14, 0.28), "wrist": (0.9, 0.32), "pinky": (0.82, 0.34),
    "index": (0.82, 0.32), "thumb": (0.85, 0.3), "hip": (0.92, 0.10), "knee": (0.5, 0.1),
    "ankle": (0.08, 0.1), "heel": (0.03, 0.1), "foot_index": (0.02, 0.12),
}  # fmt: skip
CALIBRATED = CameraRanges(calibrated=1.0, gravity_known=1.0)
many = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def walker(frames: int = FRAMES, speed: float = 1.2) -> np.ndarray:
    """Return someone who glides along X, left at +Y, (T, L, 3) m."""
    body = np.zeros((len(LANDMARKS), 3))
    for i, name in enumerate(LANDMARKS):
        side, part = name.split("_", 1)
        height, out = SIDE[part]
        body[i] = 0.15 * (part == "foot_index"), out if side == "left" else -out, height
    travel = speed * DT * (np.arange(frames) - frames / 2)
    return body + travel[:, None, None] * np.array([1.0, 0.0, 0.0])


@many
def sighted(keys: jax.Array, noise: CameraNoise, placed: Placement) -> View:
    """Return what a placed camera sees of the walker, for many keys: compiled once for all."""
    points = jnp.asarray(walker())
    return jax.vmap(lambda key: see(key, noise, placed, points, dt=DT, ranges=CALIBRATED))(keys)


def keys(seed: int) -> jax.Array:
    return jax.random.split(jax.random.key(seed), 80)


#: A camera behind the walker.
BEHIND = Placement(look(0.0, 0.0, 0.0), jnp.array([-5.0, 0.0, 1.0]), jnp.array([0.5, 0.9]))


@pytest.fixture(scope="module")
def noise() -> CameraNoise:
    return camera_noise.load()


@pytest.fixture(scope="module")
def silent(noise) -> CameraNoise:
    """Return a perfect network: nothing off, everything seen."""
    nothing = {k: np.zeros_like(v) for k, v in noise._asdict().items() if isinstance(v, np.ndarray)}
    fields = {
        k: noise._asdict()[k]._replace(sd=np.zeros(len(NODES)))
        for k in ("image", "across", "depth", "visibility")
    }
    reach = np.tile(np.eye(len(LANDMARKS)), (2, 1, 1))
    return CameraNoise(**(nothing | fields | {"reach": reach, "logit": np.full(22, 8.0)}))


@pytest.fixture(scope="module")
def draw(noise):
    """Return the function from keys to views of the walker."""
    one = many(jax.vmap(lambda key: view(key, noise, jnp.asarray(walker()), dt=DT)))
    return lambda seed: jax.tree.map(np.asarray, one(jax.random.split(jax.random.key(seed), 300)))


@pytest.fixture(scope="module")
def views(draw) -> View:
    return draw(0)


def test_a_perfect_network_sees_what_the_camera_projects(silent):
    """Pixels of ``vision.camera.project``, through a real lens and back, are the rays."""
    K = np.array([[1500.0, 0, 540], [0, 1500, 960], [0, 0, 1]])
    lens = np.array([-0.05, 0.14, 1e-3, 5e-4, 0.0])
    R = np.asarray(look(2.0, 0.3, 0.2))
    position = np.array([2.0, -4.0, 2.1])
    x = (walker() - position) @ R.T
    placed = Placement(jnp.asarray(R), jnp.asarray(position), jnp.array([9.0, 9.0]))
    seen = jax.tree.map(lambda part: part[0], sighted(keys(0), silent, placed))
    rays = undistort(np.asarray(project(x, K, lens), float), K, lens)
    np.testing.assert_allclose(seen.rays, rays, atol=2e-5)
    assert np.asarray(seen.visibility).min() > 0.999
    lengths = (np.linalg.norm(p[:, :1] - p, axis=-1) for p in (np.asarray(seen.metric), x))
    np.testing.assert_allclose(*lengths, atol=1e-5)
    np.testing.assert_allclose(np.asarray(seen.metric)[:, HIPS].mean(axis=1), 0.0, atol=1e-6)
    # turned at most from the optical axis to the ray towards the hips
    hips = x[:, HIPS].mean(axis=1)
    off = np.arccos(hips[:, 2] / np.linalg.norm(hips, axis=1))
    a, b = np.asarray(seen.metric)[:, 0], x[:, 0] - hips
    turned = np.arccos((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1))
    assert np.all(turned <= off + 1e-3)


def test_axes_of_a_looking_camera():
    """Heading along X: right is -Y; pitch looks down; roll lowers the picture's right side."""
    np.testing.assert_allclose(look(0.0, 0.0, 0.0), [[0, -1, 0], [0, 0, -1], [1, 0, 0]], atol=1e-7)
    assert look(1.0, 0.2, 0.0)[2, 2] == pytest.approx(-np.sin(0.2), abs=1e-6)
    assert look(1.0, 0.0, 0.2)[0, 2] == pytest.approx(-np.sin(0.2), abs=1e-6)
    R = np.asarray(look(1.0, 0.2, 0.3))
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(R) > 0


def test_cameras_have_the_motion_in_the_picture():
    ranges = CameraRanges()
    points = walker()
    many_places = many(jax.vmap(lambda key: place(key, jnp.asarray(points), ranges)))
    placed = jax.tree.map(np.asarray, many_places(jax.random.split(jax.random.key(1), 500)))
    for R, position, half in zip(*placed, strict=True):
        x = (points - position) @ R.T
        assert x[..., 2].min() > 0.3
        assert np.all(np.abs(x[..., :2] / x[..., 2:]) <= half * 1.001)
    # the height is met up to what its pitch changes of the distance
    low, high = ranges.height_m
    assert np.all((placed.position[:, 2] > low - 0.25) & (placed.position[:, 2] < high + 0.25))
    heading = np.arctan2(placed.camera_from_world[:, 2, 1], placed.camera_from_world[:, 2, 0])
    assert np.histogram(heading, 4, (-np.pi, np.pi))[0].min() > 90
    lying = placed.half_picture[:, 0] > placed.half_picture[:, 1]
    assert 0.4 < lying.mean() < 0.6


def test_views_are_finite_deterministic_and_differ(views, draw):
    for name, values in views._asdict().items():
        assert np.isfinite(values).all(), name
    assert views.visibility.min() >= 0
    assert views.visibility.max() <= 1
    np.testing.assert_allclose(np.linalg.norm(views.down, axis=-1), 1.0, atol=1e-5)
    again = draw(0)
    np.testing.assert_array_equal(again.rays, views.rays)
    np.testing.assert_array_equal(again.down, views.down)
    assert len(np.unique(views.rays[:, 0, 0, 0])) == 300


def test_gravity_is_what_the_pipeline_would_judge(views):
    """The NumPy function of the pipeline on the view's own points; measured ones are close."""
    judged = views.gravity_known == 0
    assert 100 < judged.sum() < 200
    for i in np.flatnonzero(judged)[:5]:
        metric, weight = views.metric[i].astype(float), views.visibility[i].astype(float) ** 2
        np.testing.assert_allclose(
            views.down[i], gravity_from_person(metric, weight, LANDMARKS), atol=1e-5
        )
    truth = -views.camera_from_world[:, :, 2]
    error = np.rad2deg(np.arccos(np.clip((views.down * truth).sum(axis=1), -1, 1)))
    assert error[~judged].max() < 2.0
    assert 3.0 < np.median(error[judged]) < 15.0


def test_points_behind_the_camera_are_unseen_and_derivatives_finite(noise):
    """A camera in the middle of the path: the person walks through it."""
    R = look(0.0, 0.0, 0.0)
    placed = Placement(R, jnp.array([0.0, 0.0, 1.0]), jnp.array([0.5, 0.9]))

    def total(points: jax.Array) -> tuple[jax.Array, View]:
        seen = see(jax.random.key(0), noise, placed, points, dt=DT, ranges=CALIBRATED)
        return sum(jnp.sum(part) for part in seen[:4]), seen

    (_, seen), slope = many(jax.value_and_grad(total, has_aux=True))(jnp.asarray(walker()))
    assert np.isfinite(slope).all()
    assert all(np.isfinite(part).all() for part in seen)
    behind = walker()[..., 0] < 0.0
    assert np.all(np.asarray(seen.visibility)[behind] == 0.0)
    assert np.abs(np.asarray(seen.rays)).max() < 1.5


def test_own_errors_have_their_variance_and_autocorrelation():
    """exp(-lag / tau) for the slow share, all of the constant, none of the white."""
    field = camera_noise.Field(
        spread=spread_along(np.zeros(len(NODES))), sd=np.linspace(0.5, 2.0, len(NODES)),
        share=np.array([0.3, 0.5, 0.2]), tau_s=np.array(0.2), hidden=np.array(0.0),
    )  # fmt: skip
    draw = many(jax.vmap(lambda key: own_errors(key, field, 30, DT, 2)))
    e = np.asarray(draw(jax.random.split(jax.random.key(2), 2000))) / field.sd[:, None]
    assert (e**2).mean() == pytest.approx(1.0, abs=0.02)
    assert np.std((e**2).mean(axis=(0, 2, 3))) < 0.03  # from the first frame on
    for lag in (1, 6, 15):
        expected = 0.3 + 0.5 * np.exp(-lag * DT / 0.2)
        assert (e[:, lag:] * e[:, :-lag]).mean() == pytest.approx(expected, abs=0.02)


def test_errors_spread_along_the_limbs():
    """A wrist carries half of the elbow's error, which carries half of the shoulder's."""
    matrix = spread_along(np.full(len(NODES), 0.5))
    column = matrix[:, NODES.index("left_elbow")]
    assert column[LANDMARKS.index("left_elbow")] == 1.0
    assert column[LANDMARKS.index("left_wrist")] == 0.5
    assert column[LANDMARKS.index("left_thumb")] == 0.25
    assert column[LANDMARKS.index("right_wrist")] == 0.0
    hips = matrix[[HIPS[0], HIPS[1]], NODES.index("left_hip")]
    np.testing.assert_allclose(hips, [-0.5, 0.5])


def test_reach_stretches_segments():
    gain = dict.fromkeys(("pelvis", *camera_noise.PARTS), 1.0) | {"knee": 0.5}
    body = walker()[0] - walker()[0, HIPS].mean(axis=0)
    guess = camera_noise.reach(gain) @ body
    hip, knee, ankle = (LANDMARKS.index(f"left_{part}") for part in ("hip", "knee", "ankle"))
    np.testing.assert_allclose(guess[knee] - guess[hip], 0.5 * (body[knee] - body[hip]), atol=1e-9)
    np.testing.assert_allclose(guess[ankle] - guess[knee], body[ankle] - body[knee], atol=1e-9)


def test_limbs_behind_the_body_are_covered():
    """From the side, the far leg and arm are hidden, the near ones are not."""
    x = (walker(1) - np.array([0.0, -4.0, 1.0])) @ np.asarray(look(np.pi / 2, 0.0, 0.0)).T
    hidden = dict(zip(LANDMARKS, np.asarray(cover(x.astype(np.float32)))[0], strict=True))
    assert hidden["left_knee"] > 0.5  # the camera stands on the right
    assert hidden["left_elbow"] > 0.5
    assert max(hidden[f"right_{part}"] for part in ("knee", "elbow", "wrist", "ankle")) < 0.05


def test_the_person_is_lost_and_short_gaps_are_bridged(silent):
    """Bridged frames lie on the line between their neighbours, at 0.3 of the visibility."""
    lossy = silent._replace(lost_per_s=np.array(0.6), lost_s=np.array(0.2))
    seen = sighted(keys(5), lossy, BEHIND)
    visibility, rays = np.asarray(seen.visibility)[:, :, 0], np.asarray(seen.rays)[:, :, 0]
    lost, bridged = visibility == 0.0, (visibility > 0.29) & (visibility < 0.31)
    assert lost.any()
    assert bridged.any()
    assert np.all(rays[lost] == 0.0)
    for clip in range(len(rays)):
        for t in np.flatnonzero(bridged[clip]):
            a = t - 1 - np.argmax(visibility[clip, t - 1 :: -1] > 0.9)
            b = t + np.argmax(visibility[clip, t:] > 0.9)
            assert (b - a) * DT <= 0.3 + 1e-6
            line = rays[clip, a] + (t - a) / (b - a) * (rays[clip, b] - rays[clip, a])
            np.testing.assert_allclose(rays[clip, t], line, atol=1e-5)


def test_episodes_have_their_rate():
    """The share of time within episodes is 1 - exp(-rate * length), once they have built up."""
    draw = many(jax.vmap(lambda key: episodes(key, 400, 0.01, 0.5, 0.2)))
    inside = np.asarray(draw(jax.random.split(jax.random.key(3), 400)))[:, 200:]
    assert inside.mean() == pytest.approx(1 - np.exp(-0.1), rel=0.15)


def test_sides_are_exchanged_by_halves(silent):
    swapping = silent._replace(swaps_per_s=np.array(1.0), swap_s=np.array(0.2))
    seen = sighted(keys(0), swapping, BEHIND)
    elbows, knees = (
        np.asarray(seen.rays)[:, :, [LANDMARKS.index(f"{side}_{part}") for side in SIDES], 0]
        for part in ("elbow", "knee")
    )
    upper, lower = (x[..., 0] > x[..., 1] for x in (elbows, knees))  # left is on the left
    # 1 - exp(-rate * length), a little less at the start of a clip
    assert 0.08 < upper.mean() < 0.25
    assert 0.08 < lower.mean() < 0.25
    assert (upper != lower).any()
