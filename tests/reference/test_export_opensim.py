"""Our files opened, and used, by OpenSim itself."""

from pathlib import Path

import numpy as np
import pytest

from mjx_msk.export.opensim import write_opensim
from mjx_msk.motion import Motion
from mjx_msk.osim.forces import assign_to_feet, read_forces
from mjx_msk.osim.markers import read_trc
from mjx_msk.osim.tables import read_table

osim = pytest.importorskip("opensim")
osim.Logger.setLevelString("Off")

TRIAL = "motions/opencap/expert1/walking1"


@pytest.fixture(scope="module")
def written(shared_data, tmp_path_factory) -> Path:
    """Write a real walk, from the files as published, as our own output files."""
    base = str(shared_data / TRIAL)
    kinematics = read_table(base + "_ik.mot")
    markers = read_trc(base + ".trc")
    assert kinematics.in_degrees
    rotational = [not c.startswith("pelvis_t") or c == "pelvis_tilt" for c in kinematics.columns]
    q = kinematics.data * np.where(rotational, np.pi / 180, 1.0)
    # knee_angle_beta of this file is an independent column, so nothing is coupled here.
    where = {name: markers.positions[:, i] for i, name in enumerate(markers.names)}
    feet = np.stack([(where[f"{s}_calc"] + where[f"{s}_toe"]) / 2 for s in ("r", "L")], axis=1)
    force, cop, moment = assign_to_feet(read_forces(base + "_grf.mot"), kinematics.time, feet)
    zero = np.zeros_like(q)
    motion = Motion(
        time=kinematics.time, coordinate_names=kinematics.columns, q=q, qd=zero, qdd=zero,
        joint_names=kinematics.columns, qpos=q, qvel=zero, qacc=zero, generalized_force=q,
        foot_force=force, foot_cop=cop, foot_moment=moment,
        marker_names=markers.names, markers=markers.positions,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("walk")
    write_opensim(motion, folder, rotational=rotational)
    return folder


def columns(table) -> dict[str, np.ndarray]:
    names = table.getColumnLabels()
    return {name: table.getDependentColumn(name).to_numpy() for name in names}


def points(table) -> np.ndarray:
    """Return the (T, 3 m) numbers of a marker table."""
    flat = table.flatten()  # must outlive the view of its matrix
    return flat.getMatrix().to_numpy().copy()


def test_opensim_reads_the_angles_of_the_original(shared_data, written):
    ours = osim.TimeSeriesTable(str(written / "kinematics.mot"))
    theirs = osim.TimeSeriesTable(str(shared_data / (TRIAL + "_ik.mot")))
    assert ours.getTableMetaDataString("inDegrees") == "yes"
    np.testing.assert_allclose(ours.getIndependentColumn(), theirs.getIndependentColumn())
    expected = columns(theirs)
    for name, values in columns(ours).items():
        np.testing.assert_allclose(values, expected[name], atol=1e-7)
    storage = osim.Storage(str(written / "kinematics.mot"))
    assert storage.isInDegrees()
    assert storage.getName() == "Coordinates"


def test_opensim_reads_the_kinetics(written):
    table = osim.TimeSeriesTable(str(written / "kinetics.sto"))
    names = list(table.getColumnLabels())
    assert {"pelvis_tilt_moment", "pelvis_ty_force", "hip_flexion_r_moment"} <= set(names)
    assert table.getNumRows() == 143


def test_opensim_reads_the_markers_of_the_original(shared_data, written):
    ours = osim.TimeSeriesTableVec3(str(written / "markers.trc"))
    theirs = osim.TimeSeriesTableVec3(str(shared_data / (TRIAL + ".trc")))
    assert list(ours.getColumnLabels()) == list(theirs.getColumnLabels())
    assert ours.getTableMetaDataString("Units") == "mm"
    np.testing.assert_allclose(points(ours), points(theirs), atol=2e-5)


def test_opensim_reads_a_missing_marker_as_missing(tmp_path):
    positions = np.ones((3, 2, 3))
    positions[1, 0] = np.nan
    q = np.zeros((3, 1))
    motion = Motion(
        time=np.arange(3) / 10, coordinate_names=("a",), q=q, qd=q, qdd=q, joint_names=("a",),
        qpos=q, qvel=q, qacc=q, marker_names=("m", "n"), markers=positions,
    )  # fmt: skip
    write_opensim(motion, tmp_path, rotational=[True])
    table = osim.TimeSeriesTableVec3(str(tmp_path / "markers.trc"))
    missing = np.isnan(points(table))
    np.testing.assert_array_equal(missing, np.isnan(positions.reshape(3, 6)))


def test_inverse_dynamics_with_our_files_gives_the_reference_moments(shared_data, written):
    """OpenSim's tool on our kinematics.mot and grf.mot against the result from the originals."""
    loads = osim.ExternalLoads()
    for side in ("r", "l"):
        force = osim.ExternalForce()
        force.setName(f"foot_{side}")
        force.set_applied_to_body(f"calcn_{side}")
        force.set_force_expressed_in_body("ground")
        force.set_point_expressed_in_body("ground")
        force.set_force_identifier(f"ground_force_{side}_v")
        force.set_point_identifier(f"ground_force_{side}_p")
        force.set_torque_identifier(f"ground_force_{side}_m")
        loads.cloneAndAppend(force)
    loads.setDataFileName(str(written / "grf.mot"))
    loads.printToXML(str(written / "loads.xml"))
    excluded = osim.ArrayStr()
    excluded.append("Muscles")
    tool = osim.InverseDynamicsTool()
    tool.setModelFileName(str((shared_data / TRIAL).parent / "model.osim"))
    tool.setCoordinatesFileName(str(written / "kinematics.mot"))
    tool.setExternalLoadsFileName(str(written / "loads.xml"))
    tool.setLowpassCutoffFrequency(6.0)
    tool.setExcludedForces(excluded)
    tool.setResultsDir(str(written))
    tool.setOutputGenForceFileName("id.sto")
    assert tool.run()
    ours = read_table(written / "id.sto")
    reference = read_table(shared_data / (TRIAL + "_id_opensim.sto"))
    for name in reference.columns:
        expected = reference.column(name)
        actual = np.interp(reference.time, ours.time, ours.column(name))
        # Forces come at 100 Hz instead of 2000 Hz, and are cut below 20 N.
        error = np.sqrt(np.mean((actual - expected) ** 2))
        assert error < 0.01 * np.ptp(expected) + 0.05, name


#: coordinate: (body, point on it, axis along which the point goes when the coordinate grows),
#: as docs/conventions.md and the report's labels say. OpenSim's axes, right side.
POSITIVE = {
    "pelvis_tilt": ("pelvis", (0.1, 0, 0), "+y"),  # the front rises
    "pelvis_list": ("pelvis", (0, 0, 0.1), "-y"),  # the right side goes down
    "pelvis_rotation": ("pelvis", (0, 0, 0.1), "+x"),  # the right side goes forward: to the left
    "pelvis_ty": ("pelvis", (0, 0, 0), "+y"),
    "pelvis_tz": ("pelvis", (0, 0, 0), "+z"),
    "lumbar_extension": ("torso", (0, 0.4, 0), "-x"),
    "lumbar_bending": ("torso", (0, 0.4, 0), "+z"),
    "lumbar_rotation": ("torso", (0.1, 0.3, 0), "-z"),
    "hip_flexion": ("femur", (0, -0.4, 0), "+x"),
    "hip_adduction": ("femur", (0, -0.4, 0), "-z"),
    "hip_rotation": ("femur", (0.1, -0.2, 0), "-z"),
    "knee_angle": ("tibia", (0, -0.4, 0), "-x"),
    "ankle_angle": ("calcn", (0.2, 0, 0), "+y"),
    "subtalar_angle": ("calcn", (0, -0.05, 0), "-z"),
    "mtp_angle": ("toes", (0.06, 0, 0), "-y"),
    "arm_flex": ("humerus", (0, -0.28, 0), "+x"),
    "arm_add": ("humerus", (0, -0.28, 0), "-z"),
    "arm_rot": ("humerus", (0.1, -0.1, 0), "-z"),
    "elbow_flex": ("ulna", (0, -0.2, 0), "+x"),
    "pro_sup": ("hand", (0, -0.05, 0.1), "+x"),  # the thumb turns forward
    "wrist_flex": ("hand", (0, -0.08, 0), "+x"),
    "wrist_dev": ("hand", (0, -0.08, 0), "-z"),  # towards the little finger
}


@pytest.fixture(scope="module")
def standing(shared_data):
    """Return the default model and its state, all coordinates free."""
    model = osim.Model(str(shared_data / "models" / "RajagopalLaiUhlrich2023.osim"))
    for coordinate in model.getCoordinateSet():
        coordinate.set_locked(False)
    return model, model.initSystem()


@pytest.mark.parametrize("movement", POSITIVE)
def test_positive_means_what_the_conventions_say(standing, movement):
    model, state = standing
    body, point, direction = POSITIVE[movement]
    sides = [""] if movement.startswith(("pelvis", "lumbar")) else ["_r", "_l"]
    for side in sides:
        mirrored = -1 if side == "_l" else 1
        station = osim.Vec3(point[0], point[1], point[2] * mirrored)
        frame = model.getBodySet().get(body + side)
        coordinate = model.getCoordinateSet().get(movement + side)
        places = []
        for value in (0.0, 0.1):
            coordinate.setValue(state, value)
            model.realizePosition(state)
            places.append(frame.findStationLocationInGround(state, station).to_numpy())
        coordinate.setValue(state, 0.0)
        moved = (places[1] - places[0]) * [1, 1, mirrored]
        sign = 1 if direction[0] == "+" else -1
        assert sign * moved["xyz".index(direction[1])] > 1e-3, side
