"""The pelvis's pose and wrench, against the C engine's own."""

import mujoco
import numpy as np
import pytest
import small_model
from scipy.spatial.transform import Rotation

from mjx_msk.errors import MskError
from mjx_msk.fit.root import root_pose, root_wrench, shifted, turned, with_root_pose
from mjx_msk.model import ROOT_COORDINATES, Model

#: What MJX's float32 model constants cost.
FLOAT32 = 2e-6
#: Other rotation orders and signs, and slides that run backwards or in another order.
ROOTS = {
    "opensim": {},
    "heading first": {"pelvis_tilt": "0 1 0", "pelvis_list": "1 0 0", "pelvis_rotation": "0 0 1"},
    "signs": {"pelvis_tilt": "0 0 -1", "pelvis_list": "1 0 0", "pelvis_rotation": "0 -1 0"},
    "slides": {"pelvis_tx": "0 0 1", "pelvis_ty": "-1 0 0", "pelvis_tz": "0 1 0"},
}


def spec_with(axes: dict[str, str], *, raised: bool = False) -> mujoco.MjSpec:
    spec = small_model.spec()
    for name, axis in axes.items():
        spec.joint(name).axis = [float(a) for a in axis.split()]
    if raised:
        spec.body("pelvis").pos = [0.3, -0.2, 0.5]
    return spec


@pytest.fixture(scope="module", params=ROOTS)
def both(request) -> tuple[Model, mujoco.MjModel]:
    spec = spec_with(ROOTS[request.param], raised=request.param != "opensim")
    return Model.from_spec(spec), spec.compile()


@pytest.fixture(scope="module")
def q(both) -> np.ndarray:
    model, _ = both
    q = np.random.default_rng(1).uniform(-1.0, 1.0, (20, model.n))
    q[:, 5] *= 2.5  # any heading
    return q


def posed(model: Model, mj: mujoco.MjModel, row: np.ndarray) -> mujoco.MjData:
    data = mujoco.MjData(mj)
    data.qpos[:] = small_model.place(model, mj, row)
    mujoco.mj_kinematics(mj, data)
    mujoco.mj_comPos(mj, data)
    return data


def test_the_pose_is_the_engines(both, q):
    model, mj = both
    rotation, position = root_pose(model, q)
    for t, row in enumerate(q):
        data = posed(model, mj, row)
        np.testing.assert_allclose(rotation[t].ravel(), data.body("pelvis").xmat, atol=FLOAT32)
        np.testing.assert_allclose(position[t], data.body("pelvis").xpos, atol=FLOAT32)


def test_a_pose_that_is_put_is_the_pose_that_is_read(both, q):
    model, mj = both
    rotation = Rotation.random(20, rng=np.random.default_rng(3)).as_matrix()
    position = np.random.default_rng(4).normal(0, 1, (20, 3))
    moved = with_root_pose(model, q, rotation, position)
    np.testing.assert_array_equal(moved[:, ROOT_COORDINATES:], q[:, ROOT_COORDINATES:])
    for t, row in enumerate(moved):
        data = posed(model, mj, row)
        np.testing.assert_allclose(data.body("pelvis").xmat, rotation[t].ravel(), atol=FLOAT32)
        np.testing.assert_allclose(data.body("pelvis").xpos, position[t], atol=FLOAT32)


def test_turning_around_twice_does_not_jump():
    model = Model.from_spec(small_model.spec())
    q = np.zeros((200, model.n))
    q[:, 3:5] = 0.2, -0.1
    q[:, 5] = np.linspace(0.3, 0.3 + 4 * np.pi, 200)
    np.testing.assert_allclose(with_root_pose(model, q, *root_pose(model, q)), q, atol=1e-5)


def test_another_world_moves_the_whole_body_rigidly(both, q):
    model, mj = both
    turn = Rotation.from_euler("z", 130, degrees=True).as_matrix()
    shift = np.array([1.0, -2.0, 0.4])
    for row, other in zip(q, turned(model, q, turn, shift), strict=True):
        here = posed(model, mj, row).xipos[1:]
        np.testing.assert_allclose(
            posed(model, mj, other).xipos[1:], here @ turn.T + shift, atol=1e-5
        )
    for row, other in zip(q, shifted(model, q, shift), strict=True):
        here = posed(model, mj, row).xipos[1:]
        np.testing.assert_allclose(posed(model, mj, other).xipos[1:], here + shift, atol=1e-5)


def test_the_wrench_is_the_one_the_engine_applied(both, q):
    """A known force and moment on the pelvis, made into generalized forces by the C engine."""
    model, mj = both
    random = np.random.default_rng(5)
    force, moment = random.normal(0, 300, (20, 3)), random.normal(0, 50, (20, 3))
    tau = np.zeros((20, ROOT_COORDINATES))
    for t, row in enumerate(q):
        data = posed(model, mj, row)
        applied = np.zeros(mj.nv)
        pelvis = data.body("pelvis")
        mujoco.mj_applyFT(mj, data, force[t], moment[t], pelvis.xpos, pelvis.id, applied)
        tau[t] = applied[list(model.layout.independent[:ROOT_COORDINATES])]
    found_force, found_moment = root_wrench(model, q, tau)
    np.testing.assert_allclose(found_force, force, atol=1e-2)
    np.testing.assert_allclose(found_moment, moment, atol=1e-2)


def test_the_wrench_does_the_work_of_the_generalized_forces(both, q):
    """F . v + M . w = tau . qd, with velocities from the pose's own differences."""
    model, _ = both
    random = np.random.default_rng(6)
    qd, step = random.normal(0, 1, q.shape), 1e-4
    (ahead, to), (back, fro) = (root_pose(model, q + sign * step * qd) for sign in (1, -1))
    v = (to - fro) / (2 * step)
    w = Rotation.from_matrix(ahead @ back.swapaxes(1, 2)).as_rotvec() / (2 * step)
    tau = random.normal(0, 100, (20, ROOT_COORDINATES))
    force, moment = root_wrench(model, q, tau)
    power = np.sum(force * v + moment * w, axis=1)
    np.testing.assert_allclose(power, np.sum(tau * qd[:, :6], axis=1), atol=0.05)


def test_a_pelvis_that_moves_in_a_plane_is_refused():
    spec = small_model.spec()
    for item in (spec.joint("pelvis_tz"), *spec.keys):
        spec.delete(item)
    model = Model.from_spec(spec)
    with pytest.raises(MskError, match=r"three slides and three turns: pelvis_tx, .*hip_flexion_r"):
        root_pose(model, np.zeros((2, model.n)))
