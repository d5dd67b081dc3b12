"""Compiled models step from their default pose without control, and fit into MJX and scenes."""

import mujoco
import numpy as np
import pytest
from mujoco import mjx

from mjx_msk.compile import compile_osim
from mjx_msk.resources import asset

pytest.importorskip("opensim")

#: Of 75 kg on bent springs of muscles, a few J: what passive muscles held in the default pose.
STORED = 0.05  #: of the model's weight times a metre
#: A pendulum, an arm, a walker with contact, and legs with moving points and bare ranges.
MODELS = ("double_pendulum", "arm26", "WalkerModel", "gait10dof18musc")


@pytest.fixture(scope="module", params=("default", *MODELS))
def spec(request, shared_data) -> mujoco.MjSpec:
    if request.param == "default":
        return mujoco.MjSpec.from_file(str(asset("rajagopal_lai_uhlrich_2023.xml")))
    return compile_osim(shared_data / f"models/{request.param}.osim")


def test_falls_for_two_seconds_and_gains_no_energy(spec):
    """Nothing adds energy but what muscles store; a diverging model gains without bounds."""
    model = spec.compile()
    model.opt.enableflags |= mujoco.mjtEnableBit.mjENBL_ENERGY
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("default").id)
    mujoco.mj_forward(model, data)
    start = data.energy.sum()
    weight = model.body_subtreemass[0] * np.linalg.norm(model.opt.gravity)
    for _ in range(round(2 / model.opt.timestep)):
        mujoco.mj_step(model, data)
        assert data.energy.sum() < start + STORED * weight
    assert np.isfinite(data.qpos).all()
    assert not any(warning.number for warning in data.warning)


def test_mjx_takes_it(spec):
    assert mjx.put_model(spec.compile(), impl="jax").nq == spec.compile().nq


@pytest.mark.filterwarnings("ignore:Attach conflict")  # options and sizes stay the scene's
def test_attaches_to_a_scene(spec):
    """In another scene, every joint is there and steps, under a prefix."""
    scene = mujoco.MjSpec()
    scene.option = spec.option
    frame = scene.worldbody.add_frame(pos=[0, 0, 1])
    scene.attach(spec.copy(), prefix="subject/", frame=frame)
    model, own = scene.compile(), spec.compile()
    assert (model.nq, model.nu, model.neq) == (own.nq, own.nu, own.neq)
    assert model.joint(0).name == f"subject/{own.joint(0).name}"
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data)
    assert np.isfinite(data.qacc).all()
