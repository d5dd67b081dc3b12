"""Scaling against OpenSim 4.6: its ``Model.scale`` and its Scale Tool."""

from pathlib import Path
from xml.sax.saxutils import quoteattr

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mjx_msk.compile import compile_osim, scale_spec, scale_to_markers
from mjx_msk.compile.fidelity import compare
from mjx_msk.compile.measurements import ScaleSetup, default_measurements, read_setup
from mjx_msk.compile.static_trial import StaticFit
from mjx_msk.osim.markers import Markers, read_trc

opensim = pytest.importorskip("opensim")

GENERIC = "models/LaiArnoldModified2017_opencap_markers.osim"
STATIC = "motions/opencap/expert1/static1.trc"
MASS = 68.0


def scaled_by_opensim(source: Path, factors: dict, mass: float, out: Path) -> None:
    model = opensim.Model(str(source))
    state = model.initSystem()
    scale_set = opensim.ScaleSet()
    for name, factor in factors.items():
        scale = opensim.Scale()
        scale.setSegmentName(name)
        scale.setScaleFactors(opensim.Vec3(*map(float, factor)))
        scale.setApply(True)
        scale_set.cloneAndAppend(scale)
    model.scale(state, scale_set, True, mass)
    model.finalizeConnections()
    model.printToXML(str(out))


@pytest.mark.parametrize(
    "name",
    [
        "models/gait2392_thelen2003muscle.osim",
        "models/arm26.osim",
        "motions/moco_walk/planar2d/model.osim",
    ],
)
def test_scaled_as_opensim_scales(shared_data, tmp_path, name):
    """Scaling adds no error to that of the unscaled model, whatever the model is made of."""
    opensim.Logger.setLevelString("Off")
    source, out = shared_data / name, tmp_path / "scaled.osim"
    rng = np.random.default_rng(4)
    bodies = [body.getName() for body in opensim.Model(str(source)).getBodySet()]
    factors = {name: rng.uniform(0.85, 1.2, 3) for name in bodies}
    scaled_by_opensim(source, factors, 61.5, out)
    spec = compile_osim(source)
    scaled = scale_spec(spec, factors, 61.5)
    before = compare(source, spec.compile(), poses=20, seed=5)
    after = compare(out, scaled.compile(), poses=20, seed=5)
    for body, error in after.position.items():
        assert error < 1.25 * before.position[body] + 1e-8, body
    assert max(after.angle.values()) < max(before.angle.values()) + 1e-9
    assert after.mass < 1e-8  # kg; bodies of moving points have 1e-9 kg each
    assert after.inertia < before.inertia + 1e-9
    for muscle, error in after.length.items():
        assert error < 1.25 * before.length[muscle] + 2e-6, muscle
    reference = opensim.Model(str(out))
    reference.initSystem()
    for muscle in after.length:
        ours, theirs = scaled.actuator(muscle).userdata, reference.getMuscles().get(muscle)
        # As far as the path length at rest agrees, which the fiber grows with.
        assert ours[1] == pytest.approx(theirs.getOptimalFiberLength(), rel=2e-4)
        assert ours[2] == pytest.approx(theirs.getTendonSlackLength(), rel=2e-4)


def test_wrapping_surfaces_grow_as_opensims():
    """A turned cylinder, sphere and ellipsoid on a body that is stretched unevenly."""
    turn, factors, place = (0.3, -0.4, 0.7), (1.1, 1.3, 0.8), [0.01, 0.02, 0.03]
    model = opensim.Model()
    body = opensim.Body("body", 1.0, opensim.Vec3(0), opensim.Inertia(0.1, 0.1, 0.1))
    model.addBody(body)
    model.addJoint(opensim.FreeJoint("joint", model.getGround(), body))
    cylinder, sphere = opensim.WrapCylinder(), opensim.WrapSphere()
    ellipsoid = opensim.WrapEllipsoid()
    cylinder.set_radius(0.2)
    cylinder.set_length(0.5)
    sphere.set_radius(0.2)
    ellipsoid.set_dimensions(opensim.Vec3(0.1, 0.2, 0.3))
    for name, wrap in (("c", cylinder), ("s", sphere), ("e", ellipsoid)):
        wrap.setName(name)
        wrap.set_translation(opensim.Vec3(*place))
        wrap.set_xyz_body_rotation(opensim.Vec3(*turn))
        body.addWrapObject(wrap)
    model.finalizeConnections()
    scale_set, scale = opensim.ScaleSet(), opensim.Scale()
    scale.setSegmentName("body")
    scale.setScaleFactors(opensim.Vec3(*factors))
    scale.setApply(True)
    scale_set.cloneAndAppend(scale)
    model.scale(model.initSystem(), scale_set, True, -1.0)
    wraps = model.getBodySet().get("body").getWrapObjectSet()

    spec = mujoco.MjSpec()
    ours = spec.worldbody.add_body(name="body", mass=1, inertia=[0.1, 0.1, 0.1])
    ours.add_freejoint()
    ours.explicitinertial = True
    quat = Rotation.from_euler("XYZ", turn).as_quat(scalar_first=True)
    kinds = mujoco.mjtGeom
    for name, kind, size in (
        ("c", kinds.mjGEOM_CYLINDER, [0.2, 0.25, 0]),
        ("s", kinds.mjGEOM_SPHERE, [0.2, 0, 0]),
        ("e", kinds.mjGEOM_ELLIPSOID, [0.1, 0.2, 0.3]),
    ):
        ours.add_geom(name=name, type=kind, size=size, pos=place, quat=quat, mass=0)
    scaled = scale_spec(spec, {"body": factors})
    expected = opensim.WrapCylinder.safeDownCast(wraps.get("c"))
    np.testing.assert_allclose(
        scaled.geom("c").size[:2], [expected.get_radius(), expected.get_length() / 2]
    )
    radius = opensim.WrapSphere.safeDownCast(wraps.get("s")).get_radius()
    np.testing.assert_allclose(scaled.geom("s").size[0], radius)
    axes = opensim.WrapEllipsoid.safeDownCast(wraps.get("e")).get_dimensions().to_numpy()
    np.testing.assert_allclose(scaled.geom("e").size, axes)
    for name in "cse":
        where = wraps.get(name).get_translation().to_numpy()
        np.testing.assert_allclose(scaled.geom(name).pos, where)


@pytest.fixture(scope="module")
def trial(shared_data) -> Markers:
    return read_trc(shared_data / STATIC).between(0.5, 1.0)


@pytest.fixture(scope="module")
def folder(shared_data, tmp_path_factory) -> Path:
    """Hold the trial, and the model without muscles, which take long to compile."""
    opensim.Logger.setLevelString("Off")
    folder = tmp_path_factory.mktemp("scale")
    (folder / "static.trc").write_bytes((shared_data / STATIC).read_bytes())
    model = opensim.Model(str(shared_data / GENERIC))
    model.updForceSet().clearAndDestroy()
    model.finalizeConnections()
    model.printToXML(str(folder / "generic.osim"))
    return folder


@pytest.fixture(scope="module")
def generic(folder) -> mujoco.MjSpec:
    return compile_osim(folder / "generic.osim")


@pytest.fixture(scope="module")
def setup(generic, trial) -> ScaleSetup:
    """Bones measure what they do by default; clusters hardly count, as they hang elsewhere."""
    own = {site.name for site in generic.sites}
    names = [name for name in trial.names if name in own]
    measurements = default_measurements(generic, names)
    measuring = {name for m in measurements for pair in m.pairs for name in pair}
    return ScaleSetup(measurements, {name: 1.0 if name in measuring else 0.01 for name in names})


@pytest.fixture(scope="module")
def tool(folder, setup) -> Path:
    """Run OpenSim's Scale Tool; where its files are."""
    (folder / "setup.xml").write_text(setup_text(setup, 0.5, 1.0))
    assert opensim.ScaleTool(str(folder / "setup.xml")).run()
    return folder


@pytest.fixture(scope="module")
def fit(generic, trial, tool) -> StaticFit:
    """Scale with the measurements of the Scale Tool's own setup file."""
    return scale_to_markers(generic, trial, MASS, read_setup(tool / "setup.xml"))


def setup_text(setup: ScaleSetup, start: float, end: float) -> str:
    measurements = "".join(
        f"<Measurement name={quoteattr(m.name)}><apply>true</apply><MarkerPairSet><objects>"
        + "".join(f"<MarkerPair><markers> {a} {b}</markers></MarkerPair>" for a, b in m.pairs)
        + "</objects></MarkerPairSet><BodyScaleSet><objects>"
        + "".join(
            f'<BodyScale name="{body}"><axes> {" ".join(axes)}</axes></BodyScale>'
            for body, axes in m.bodies.items()
        )
        + "</objects></BodyScaleSet></Measurement>"
        for m in setup.measurements
    )
    tasks = "".join(
        f'<IKMarkerTask name="{name}"><apply>true</apply><weight>{weight!r}</weight></IKMarkerTask>'
        for name, weight in setup.weights.items()
    )
    trial = f"<marker_file>static.trc</marker_file><time_range> {start} {end}</time_range>"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<OpenSimDocument Version="40000"><ScaleTool name="subject"><mass>{MASS}</mass>
<GenericModelMaker><model_file>generic.osim</model_file></GenericModelMaker>
<ModelScaler><apply>true</apply><scaling_order> measurements</scaling_order>
<MeasurementSet><objects>{measurements}</objects></MeasurementSet>{trial}
<preserve_mass_distribution>true</preserve_mass_distribution>
<output_model_file>scaled.osim</output_model_file></ModelScaler>
<MarkerPlacer><apply>true</apply><IKTaskSet><objects>{tasks}</objects></IKTaskSet>{trial}
<output_model_file>placed.osim</output_model_file></MarkerPlacer>
</ScaleTool></OpenSimDocument>"""


def test_setup_is_read_as_written(setup, tool):
    assert read_setup(tool / "setup.xml") == setup


def test_factors_are_those_of_the_scale_tool(tool, fit):
    """Read off the centers of mass, which scale with the bodies."""
    generic = opensim.Model(str(tool / "generic.osim"))
    scaled = opensim.Model(str(tool / "scaled.osim"))
    assert len(fit.factors) == generic.getBodySet().getSize()
    for body, factors in fit.factors.items():
        before, after = (m.getBodySet().get(body).get_mass_center() for m in (generic, scaled))
        expected = factors * before.to_numpy()
        np.testing.assert_allclose(after.to_numpy(), expected, rtol=1e-6, atol=1e-12)


def test_scaled_model_is_that_of_the_scale_tool(tool, fit):
    result = compare(tool / "scaled.osim", fit.spec.compile(), poses=20, seed=7)
    assert result.mass < 1e-9
    assert result.com < 1e-6
    assert result.inertia < 4e-4  # of the toes, impossible and repaired; of all others exact
    error = {name: e for name, e in result.position.items() if not name.startswith("patella")}
    assert max(error.values()) < 2e-5  # docs/model.md: the knee's functions at zero


def test_markers_move_to_where_opensim_puts_them(tool, trial, setup, fit):
    """The Scale Tool ends its search early, so its own solver is asked to go on."""
    model = opensim.Model(str(tool / "scaled.osim"))
    state = model.initSystem()
    names = list(setup.weights)
    columns = [trial.names.index(name) for name in names]
    mean = np.nanmean(trial.positions[:, columns], axis=0)
    row = opensim.RowVectorVec3(len(names))
    for index, (x, y, z) in enumerate(mean.tolist()):
        row[index] = opensim.Vec3(x, z, -y)
    table, weights = opensim.TimeSeriesTableVec3(), opensim.SetMarkerWeights()
    table.setColumnLabels(names)
    table.appendRow(0.0, row)
    for name, weight in setup.weights.items():
        weights.cloneAndAppend(opensim.MarkerWeight(name, weight))
    solver = opensim.InverseKinematicsSolver(
        model, opensim.MarkersReference(table, weights),
        opensim.SimTKArrayCoordinateReference(), float("inf"),
    )  # fmt: skip
    solver.setAccuracy(1e-8)
    solver.assemble(state)
    model.realizePosition(state)
    placed = opensim.Model(str(tool / "placed.osim"))
    placed.initSystem()
    early, moved = [], 0
    for name, target in zip(names, mean, strict=True):
        marker = model.getMarkerSet().get(name)
        x, y, z = target.tolist()
        ground = model.getGround()
        expected = ground.findStationLocationInAnotherFrame(
            state, opensim.Vec3(x, z, -y), marker.getParentFrame()
        )
        ours = np.asarray(fit.spec.site(name).pos)
        if marker.get_fixed():
            assert np.allclose(ours, marker.get_location().to_numpy(), atol=1e-6)
            continue
        moved += 1
        assert np.linalg.norm(ours - expected.to_numpy()) < 1e-3, name
        early.append(
            np.linalg.norm(ours - placed.getMarkerSet().get(name).get_location().to_numpy())
        )
    assert moved == 41
    assert np.median(early) < 5e-3
