"""The compiled models against OpenSim 4.6."""

import mujoco
import numpy as np
import pytest

from mjx_msk.compile import compile_osim, scale_spec
from mjx_msk.compile.fidelity import Fidelity, compare
from mjx_msk.compile.osim_scaling import write_scaled_osim
from mjx_msk.errors import MskError
from mjx_msk.fit.subject import scaled_spec
from mjx_msk.resources import asset

opensim = pytest.importorskip("opensim")

GENERIC = "models/RajagopalLaiUhlrich2023.osim"
SUBJECTS = (
    "motions/opencap/expert1/model.osim",
    "motions/moco_walk/full80musc/model.osim",
    "motions/rajagopal2016/walk_subject/model.osim",
    "motions/stairs61/s1/model.osim",
    "motions/moco_walk/planar2d/model.osim",
    "models/double_pendulum.osim",
)


def largest(errors: dict[str, float], *, patella: bool) -> float:
    return max(v for name, v in errors.items() if name.startswith("patella") == patella)


@pytest.fixture(scope="module")
def generic(shared_data) -> Fidelity:
    model = mujoco.MjModel.from_xml_path(str(asset("rajagopal_lai_uhlrich_2023.xml")))
    return compare(shared_data / GENERIC, model, poses=100, seed=1)


def test_default_model_bodies(generic):
    assert largest(generic.position, patella=False) < 5e-6
    assert largest(generic.position, patella=True) < 5e-4
    assert max(generic.angle.values()) < np.radians(0.1)


def test_default_model_inertia(generic):
    assert generic.mass < 1e-6
    assert generic.com < 1e-6
    assert generic.inertia < 1e-6


def test_default_model_inverse_dynamics(generic):
    assert len(generic.moment) == 37
    assert max(generic.moment.values()) < 0.001


def test_default_model_muscle_lengths(generic):
    """Most paths are exact; the wrapping surfaces of a few are approximations (docs/model.md)."""
    lengths = np.sort(list(generic.length.values()))
    assert len(lengths) == 80
    assert np.median(lengths) < 1e-5
    assert lengths[int(0.95 * 80)] < 4e-3


@pytest.mark.parametrize("name", SUBJECTS)
def test_subject_models(shared_data, name):
    spec = compile_osim(shared_data / name)
    result = compare(shared_data / name, spec.compile(), poses=20, seed=3)
    assert result.mass < 1e-6
    assert largest(result.position, patella=False) < 1e-4
    assert max(result.position.values()) < 5e-4
    assert max(result.angle.values()) < np.radians(0.1)
    # Feet whose toes have an impossible inertia get a slightly larger one, felt at the foot only.
    feet = ("mtp", "subtalar") if any("repaired/" in t.name for t in spec.texts) else ("none",)
    assert max(v for k, v in result.moment.items() if not k.startswith(feet)) < 0.005


def test_scaling_is_that_of_opensim(shared_data, tmp_path):
    """Random factors, a third of them uniform, through OpenSim's ``Model.scale`` and ours."""
    opensim.Logger.setLevelString("Off")
    model = opensim.Model(str(shared_data / GENERIC))
    state = model.initSystem()
    rng = np.random.default_rng(4)
    factors = {}
    scale_set = opensim.ScaleSet()
    for index, body in enumerate(model.getBodySet()):
        factor = rng.uniform(0.8, 1.2, 3) if index % 3 else np.full(3, rng.uniform(0.8, 1.2))
        factors[body.getName()] = factor
        scale = opensim.Scale()
        scale.setSegmentName(body.getName())
        scale.setScaleFactors(opensim.Vec3(*map(float, factor)))
        scale.setApply(True)
        scale_set.cloneAndAppend(scale)
    model.scale(state, scale_set, True, 61.5)
    model.finalizeConnections()
    model.printToXML(str(tmp_path / "scaled.osim"))

    spec = mujoco.MjSpec.from_file(str(asset("rajagopal_lai_uhlrich_2023.xml")))
    scaled = scale_spec(spec, factors, 61.5)
    compiled = scaled.compile()
    result = compare(tmp_path / "scaled.osim", compiled, poses=40, seed=5)
    assert compiled.body_mass.sum() == pytest.approx(61.5, abs=1e-9)
    # 0.02 mm: the knee's functions are not quite zero at zero, along axes that are not the
    # parent's (docs/model.md).
    assert largest(result.position, patella=False) < 2e-5
    assert largest(result.position, patella=True) < 1e-3
    assert result.mass < 1e-9
    assert result.com < 1e-6
    assert result.inertia < 1e-6
    assert max(result.moment.values()) < 0.005
    assert np.median(list(result.length.values())) < 1e-4
    _check_markers_and_muscles(opensim.Model(str(tmp_path / "scaled.osim")), scaled)


def test_the_scaled_osim_of_an_estimate_is_its_model(shared_data, tmp_path):
    """As ``mjx-msk export --to opensim --osim`` writes it: symmetric factors, another mass."""
    opensim.Logger.setLevelString("Off")
    spec = mujoco.MjSpec.from_file(str(asset("rajagopal_lai_uhlrich_2023.xml")))
    segments = np.array([0.08, -0.05, 0.04, 0.06, -0.03, 0.05, 0.07, -0.04])
    scaled = scaled_spec(spec, 1.03, segments, 64.0)
    path = write_scaled_osim(scaled, shared_data / GENERIC, tmp_path / "model.osim")
    result = compare(path, scaled.compile(), poses=20, seed=6)
    assert largest(result.position, patella=False) < 2e-5
    assert result.mass < 1e-9
    assert result.com < 1e-6
    assert result.inertia < 1e-6
    _check_markers_and_muscles(opensim.Model(str(path)), scaled)
    with pytest.raises(MskError, match="no scaled copy of this one"):
        write_scaled_osim(scaled, shared_data / "models/Rajagopal2016.osim", tmp_path / "b.osim")
    assert not (tmp_path / "b.osim").exists()


def _check_markers_and_muscles(model, scaled: mujoco.MjSpec) -> None:
    model.initSystem()
    for marker in model.getMarkerSet():
        expected = marker.get_location().to_numpy()
        np.testing.assert_allclose(scaled.site(marker.getName()).pos, expected, atol=1e-6)
    ratios = []
    for muscle in model.getMuscles():
        ours = np.array(scaled.actuator(muscle.getName()).userdata)
        ratios.append(ours[1] / muscle.getOptimalFiberLength())
        assert ours[2] / muscle.getTendonSlackLength() == pytest.approx(ratios[-1], rel=1e-5)
    assert np.median(np.abs(np.array(ratios) - 1)) < 1e-4
    assert np.abs(np.array(ratios) - 1).max() < 0.02
