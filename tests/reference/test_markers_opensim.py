"""Marker fits against OpenSim's own inverse kinematics, given the same markers and weights."""

import numpy as np
import pytest

from mjx_msk.fit.config import FitConfig
from mjx_msk.fit.marker_names import match_markers
from mjx_msk.fit.markers import SPREAD_M, fit_markers
from mjx_msk.fit.subject import read_model
from mjx_msk.model import Model
from mjx_msk.osim.axes import y_up_from_z_up
from mjx_msk.osim.markers import read_trc

osim = pytest.importorskip("opensim")
osim.Logger.setLevelString("Off")

SUBJECT = "motions/opencap/expert1"
#: Our fit forgives far markers (the shoulders are 60 mm off here) and smooths over time; OpenSim
#: does neither.
TOLERANCE_DEG = 1.0


def test_a_squat_has_the_angles_of_opensims_solver(shared_data):
    folder = shared_data / SUBJECT
    markers = read_trc(folder / "squats1.trc")
    model = Model.from_spec(read_model(folder / "model.osim"))
    found = match_markers(model, markers.names, markers.positions, "squats1.trc")
    names, use = tuple(found.values()), list(found)
    frames = slice(300, 332)  # on the way down
    positions = markers.positions[frames][:, use]
    fit = fit_markers(model, names, positions, 0.01)
    theirs = opensim_angles(str(folder / "model.osim"), names, positions, weights(model, names))
    for joint in ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle"):
        for side in "rl":
            name = f"{joint}_{side}"
            ours = fit.q[::8, model.layout.coordinate_index[name]]
            error = np.rad2deg(np.abs(ours - theirs[name]))
            assert error.max() < TOLERANCE_DEG, name
    heights = fit.q[::8, model.layout.coordinate_index["pelvis_ty"]]
    np.testing.assert_allclose(heights, theirs["pelvis_ty"], atol=0.003)


def weights(model: Model, names: tuple[str, ...]) -> np.ndarray:
    bodies = np.asarray(model.mjx.site_bodyid)[[model.layout.site_index[n] for n in names]]
    stems = [model.layout.body_names[b].removesuffix("_r").removesuffix("_l") for b in bodies]
    return np.array([SPREAD_M.get(s, FitConfig().marker_spread_m) for s in stems]) ** -2


def opensim_angles(path: str, names, positions: np.ndarray, weight) -> dict[str, np.ndarray]:
    """Return every eighth frame's coordinates by OpenSim's solver."""
    table = osim.TimeSeriesTableVec3()
    table.setColumnLabels(names)
    times = np.arange(len(positions)) * 0.01
    for time, row in zip(times, y_up_from_z_up(positions), strict=True):
        table.appendRow(time, osim.RowVectorVec3([osim.Vec3(*map(float, p)) for p in row]))
    weighted = osim.SetMarkerWeights()
    for name, w in zip(names, weight, strict=True):
        weighted.cloneAndAppend(osim.MarkerWeight(name, float(w)))
    model = osim.Model(path)
    state = model.initSystem()
    reference = osim.MarkersReference(table, weighted, osim.Units("m"))
    solver = osim.InverseKinematicsSolver(
        model, reference, osim.SimTKArrayCoordinateReference(), np.inf
    )
    solver.setAccuracy(1e-6)
    coordinates = [model.getCoordinateSet().get(i) for i in range(model.getNumCoordinates())]
    found = []
    for time in times[::8]:
        state.setTime(float(time))
        if found:
            solver.track(state)
        else:
            solver.assemble(state)
        found.append([c.getValue(state) for c in coordinates])
    return dict(zip([c.getName() for c in coordinates], np.array(found).T, strict=True))
