"""What ``write_opensim`` writes, read back as plain text."""

from pathlib import Path

import numpy as np
import pytest

from mjx_msk.errors import MskError
from mjx_msk.export.opensim import write_opensim
from mjx_msk.motion import Motion

NAMES = ("pelvis_tilt", "pelvis_tx", "knee_angle_r")
ROTATIONAL = (True, False, True)
TIME = np.array([0.0, 0.016, 0.034])


def motion(**fields) -> Motion:
    q = np.array([[0.1, 1.0, 0.5], [0.2, 1.1, 0.6], [0.3, 1.2, 0.7]])
    zero = np.zeros_like(q)
    return Motion(
        time=TIME, coordinate_names=NAMES, q=q, qd=zero, qdd=zero,
        joint_names=NAMES, qpos=q, qvel=zero, qacc=zero, **fields,
    )  # fmt: skip


def parse(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    """Return the header and the columns of a table, with nothing of ours."""
    header, body = path.read_text().split("endheader\n")
    labels, *rows = body.strip().split("\n")
    values = np.array([[float(x) for x in row.split("\t")] for row in rows])
    return header, dict(zip(labels.split("\t"), values.T, strict=True))


def test_only_what_is_known_is_written(tmp_path):
    assert write_opensim(motion(), tmp_path, rotational=ROTATIONAL) == [tmp_path / "kinematics.mot"]
    assert [p.name for p in tmp_path.iterdir()] == ["kinematics.mot"]


def test_kinematics_are_degrees_and_metres_and_include_coupled_coordinates(tmp_path):
    coupled = {"knee_angle_r_beta": ("knee_angle_r", (0.1, 2.0, -1.0))}
    write_opensim(motion(), tmp_path, rotational=ROTATIONAL, coupled=coupled)
    header, columns = parse(tmp_path / "kinematics.mot")
    assert "inDegrees=yes" in header
    assert "nRows=3" in header
    assert "nColumns=5" in header
    assert list(columns) == ["time", *NAMES, "knee_angle_r_beta"]
    np.testing.assert_allclose(columns["time"], TIME)
    np.testing.assert_allclose(columns["pelvis_tilt"], np.degrees([0.1, 0.2, 0.3]))
    np.testing.assert_allclose(columns["pelvis_tx"], [1.0, 1.1, 1.2])
    np.testing.assert_allclose(columns["knee_angle_r_beta"][0], np.degrees(0.1 + 1.0 - 0.25))


def test_kinetics_have_the_names_of_the_inverse_dynamics_tool(tmp_path):
    moments = np.arange(9.0).reshape(3, 3)
    write_opensim(motion(generalized_force=moments), tmp_path, rotational=ROTATIONAL)
    header, columns = parse(tmp_path / "kinetics.sto")
    assert "inDegrees=no" in header
    assert list(columns) == ["time", "pelvis_tilt_moment", "pelvis_tx_force", "knee_angle_r_moment"]
    np.testing.assert_array_equal(columns["pelvis_tx_force"], [1, 4, 7])


def test_forces_turn_to_y_up_and_absent_contact_is_zero(tmp_path):
    force = np.zeros((3, 2, 3))
    cop, moment = np.full_like(force, np.nan), np.zeros_like(force)
    force[1, 0], cop[1, 0], moment[1, 0] = [10, 20, 700], [0.3, 0.2, 0.01], [0, 0, 5]
    both = motion(foot_force=force, foot_cop=cop, foot_moment=moment)
    write_opensim(both, tmp_path, rotational=ROTATIONAL)
    _, columns = parse(tmp_path / "grf.mot")
    at = {name: values[1] for name, values in columns.items()}
    assert [at[f"ground_force_r_v{a}"] for a in "xyz"] == [10, 700, -20]
    assert [at[f"ground_force_r_p{a}"] for a in "xyz"] == [0.3, 0.01, -0.2]
    assert [at[f"ground_force_r_m{a}"] for a in "xyz"] == [0, 5, 0]
    assert all(np.all(v == 0) for name, v in columns.items() if "_l_" in name)
    assert len(columns) == 19
    assert list(columns)[1] == "ground_force_r_vx"


def test_markers_are_millimetres_and_y_up(tmp_path):
    markers = np.full((3, 2, 3), np.nan)
    markers[:, 0] = [0.1, 0.2, 1.5]
    write_opensim(
        motion(marker_names=("C7", "RASI"), markers=markers), tmp_path, rotational=ROTATIONAL
    )
    lines = (tmp_path / "markers.trc").read_text().split("\n")
    assert lines[2].split("\t")[2:5] == ["3", "2", "mm"]
    assert lines[3].split() == ["Frame#", "Time", "C7", "RASI"]
    first = lines[6].split("\t")
    np.testing.assert_allclose([float(x) for x in first[2:5]], [100, 1500, -200])
    assert first[5:] == ["", "", ""]


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MskError, match="cannot write"):
        write_opensim(motion(), tmp_path / "file" / "sub", rotational=ROTATIONAL)
