"""OpenSim tables, markers and forces: files made here, and real ones."""

import csv
from pathlib import Path

import numpy as np
import pytest

from mjx_msk.errors import MskError
from mjx_msk.osim.axes import y_up_from_z_up, z_up_from_y_up
from mjx_msk.osim.forces import ForcePlate, assign_to_feet, read_forces
from mjx_msk.osim.markers import Markers, read_trc, write_trc
from mjx_msk.osim.tables import Table, read_table, write_table

STORAGE = "Coordinates\nversion=1\nnRows=2\nnColumns=3\ninDegrees=yes\n\nendheader\n"
LABELS = "time\thip\tknee\n"
ROWS = "0.0\t10\t-5e0\n0.1\t20\t-6\n"


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


# --- axes ---------------------------------------------------------------------------------------


def test_up_is_up_and_the_frames_are_right_handed():
    np.testing.assert_array_equal(z_up_from_y_up([0, 1, 0]), [0, 0, 1])
    np.testing.assert_array_equal(z_up_from_y_up([0, 0, 1]), [0, -1, 0])
    rotation = z_up_from_y_up(np.eye(3)).T
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    np.testing.assert_array_equal(y_up_from_z_up(z_up_from_y_up([1.0, 2.0, 3.0])), [1, 2, 3])


# --- .mot and .sto ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        STORAGE + LABELS + ROWS,
        (STORAGE + LABELS + ROWS).replace("\n", "\r\n"),
        (STORAGE + LABELS + ROWS).replace("\t", "   "),
        STORAGE + LABELS + "\n\n" + ROWS + "\n  \n",
        (STORAGE + LABELS + ROWS).replace("\n", "\t\t\n"),
        "\ufeff" + STORAGE + LABELS + ROWS.rstrip(),
        (STORAGE + LABELS + ROWS).replace("0.0\t10", "  0.0\t   10"),
    ],
    ids=["tabs", "dos", "spaces", "blank lines", "padded tabs", "bom", "padded cells"],
)
def test_a_table_reads_the_same_in_every_dialect(tmp_path, text):
    table = read_table(write(tmp_path / "a.mot", text))
    assert table.columns == ("hip", "knee")
    assert table.in_degrees
    np.testing.assert_array_equal(table.time, [0.0, 0.1])
    np.testing.assert_array_equal(table.data, [[10, -5], [20, -6]])


def test_an_old_simm_header_counts_as_degrees(tmp_path):
    text = "name old.mot\ndatacolumns 3\ndatarows 2\nrange 0 1\nendheader\n" + LABELS + ROWS
    assert read_table(write(tmp_path / "a.mot", text)).in_degrees


def test_an_empty_cell_is_unknown(tmp_path):
    text = STORAGE + LABELS + "0.0\t\t-5\n0.1\t20\t-6\n"
    assert np.isnan(read_table(write(tmp_path / "a.sto", text)).column("hip")[0])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("a\0b", "binary"),
        (LABELS + ROWS, "endheader"),
        (STORAGE, "labels"),
        (STORAGE + "frame\thip\tknee\n" + ROWS, "not 'time'"),
        (STORAGE + "time\thip\thip\n" + ROWS, "'hip' occurs 2 times"),
        (STORAGE + LABELS, "no rows"),
        (STORAGE + LABELS + "0\t1\t2\n", "promises 2 rows"),
        (STORAGE + LABELS + "0\t1\t2\n0.1\t1\n", "line 10 has 2 values for 3"),
        (STORAGE + LABELS + "0\t1\tx\n0.1\t1\t2\n", "line 9 holds 'x'"),
        (STORAGE + LABELS + "0\t1\t2\n0\t1\t2\n", "does not increase"),
        (STORAGE + LABELS + "nan\t1\t2\n0\t1\t2\n", "no valid time"),
    ],
)
def test_a_bad_table_gets_one_clear_sentence(tmp_path, text, says):
    path = write(tmp_path / "bad.mot", text)
    with pytest.raises(MskError, match=says) as caught:
        read_table(path)
    assert caught.value.where == str(path)
    assert caught.value.remedy


def test_a_missing_table_is_said_so(tmp_path):
    with pytest.raises(MskError, match="no such file"):
        read_table(tmp_path / "absent.mot")


def test_a_table_survives_writing(tmp_path):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(7, 3)) * [1e-6, 1.0, 1e4]
    table = Table(np.arange(7) / 60, ("a", "b", "c"), data, True, {"name": "Coordinates"})
    write_table(tmp_path / "t.mot", table)
    back = read_table(tmp_path / "t.mot")
    assert (back.columns, back.in_degrees) == (table.columns, True)
    assert back.metadata["name"] == "Coordinates"
    np.testing.assert_allclose(back.time, table.time, rtol=1e-9)
    np.testing.assert_allclose(back.data, data, rtol=1e-9)


# --- .trc ---------------------------------------------------------------------------------------

BODY_MM = np.array([[100.0, 1700.0, 50.0], [110.0, 30.0, -200.0], [90.0, 900.0, 250.0]])


def trc(rows: str, labels="head\t\t\tfoot\t\t\thand\t\t", unit="mm", frames=2, markers=3) -> str:
    return (
        "PathFileType\t4\t(X/Y/Z)\ta.trc\n"
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\n"
        f"100\t100\t{frames}\t{markers}\t{unit}\t100\n"
        f"Frame#\tTime\t{labels}\n\t\tX1\tY1\tZ1\tX2\tY2\tZ2\tX3\tY3\tZ3\n\n{rows}"
    )


def body_row(frame: int, time: float, scale: float = 1.0) -> str:
    return "\t".join([str(frame), str(time), *(f"{v * scale:g}" for v in BODY_MM.ravel())]) + "\n"


GOOD_ROWS = body_row(1, 0.0) + body_row(2, 0.01)


@pytest.mark.parametrize(
    "text",
    [
        trc(GOOD_ROWS),
        trc(GOOD_ROWS).replace("\n", "\r\n"),
        trc(GOOD_ROWS.replace("\n", "\t\n")),
        trc(body_row(1, 0.0, 1e-3) + body_row(2, 0.01, 1e-3), unit="m"),
        trc(GOOD_ROWS, labels="head\tfoot\thand"),
    ],
    ids=["mm", "dos", "trailing tab", "m", "labels side by side"],
)
def test_markers_become_metres_and_z_up(tmp_path, text):
    markers = read_trc(write(tmp_path / "a.trc", text))
    assert markers.names == ("head", "foot", "hand")
    assert markers.rate_hz == pytest.approx(100)
    np.testing.assert_allclose(markers.positions[1, 0], [0.1, -0.05, 1.7])
    np.testing.assert_allclose(markers.positions[0, 1], [0.11, 0.2, 0.03])


def test_gaps_and_unlabelled_markers(tmp_path):
    rows = (
        "1\t0.0\t100\t1700\t50\t\t\t\t90\t900\t250\n"
        "2\t0.01\tNaN\tNaN\tNaN\t110\t30\t-200\n"  # the last marker's tabs are dropped
        "3\t0.02\t0\t0\t0\t110\t30\t-200\t90\t900\t250\n"
    )
    markers = read_trc(write(tmp_path / "a.trc", trc(rows, frames=3)))
    missing = np.isnan(markers.positions).all(-1)
    np.testing.assert_array_equal(missing, [[0, 1, 0], [1, 0, 1], [1, 0, 0]])

    unlabelled = trc(GOOD_ROWS, labels="head\t\t\t*7\t\t\thand\t\t")
    assert read_trc(write(tmp_path / "b.trc", unlabelled)).names == ("head", "hand")
    nameless = read_trc(write(tmp_path / "c.trc", trc(GOOD_ROWS, labels="head\t\t\t\t\t\thand")))
    assert nameless.names == ("head", "hand")
    np.testing.assert_allclose(nameless.positions[0, 1], [0.09, -0.25, 0.9])


def test_an_excerpt_is_read_with_a_warning(tmp_path):
    markers = read_trc(write(tmp_path / "a.trc", trc(GOOD_ROWS, frames=900)))
    assert len(markers.time) == 2
    assert "900" in markers.warnings[0]


@pytest.mark.parametrize("spaced", [False, True], ids=["tabs", "spaces"])
def test_a_file_that_is_cut_anywhere_holds_no_wrong_number(tmp_path, spaced):
    """All frames up to the cut, unless it is in the last cell of the last frame promised."""
    text = trc("".join(body_row(i + 1, i / 100) for i in range(3)), frames=3)
    if spaced:
        head, rows = text[: text.index("1\t0")], text[text.index("1\t0") :]
        text = head + rows.replace("\t", " ")
    whole = read_trc(write(tmp_path / "a.trc", text))
    assert whole.warnings == ()
    ends = [i for i, letter in enumerate(text) if letter == "\n"]
    for length in range(ends[-3] + 1, len(text.rstrip()) - 3):
        markers = read_trc(write(tmp_path / "a.trc", text[:length]))
        held = sum(end < length for end in ends[-3:])
        np.testing.assert_array_equal(markers.time, whole.time[:held])
        np.testing.assert_array_equal(markers.positions, whole.positions[:held])
        (said,) = markers.warnings
        assert f"promises 3 frames but holds {held}." in said
        assert ("cut off" in said) == (length - 1 not in ends)
    with_end = read_trc(write(tmp_path / "a.trc", text[: ends[-2] + 12] + "\n"))
    assert "cut off" in with_end.warnings[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hello\n", "not a .trc"),
        (trc(GOOD_ROWS, unit="feet"), "unit is 'feet'"),
        (trc(GOOD_ROWS, unit="m"), "look like mm"),
        (trc(body_row(1, 0, 1e-3) + body_row(2, 0.01, 1e-3)), "look like m:"),
        (trc(GOOD_ROWS, markers="?"), "how many markers"),
        (trc(GOOD_ROWS, labels="head\t\t\thead\t\t\thand"), "'head' occurs 2 times"),
        (trc(GOOD_ROWS, markers=4, labels="a\tb\tc"), "promises 4 markers, but 3"),
        (trc("", frames=0), "no frames"),
        (trc(body_row(1, 0.0) + body_row(2, 0.0)), "does not increase"),
        (trc("1\t0.0\t100\t17\n" + body_row(2, 0.01)), "4 values for 11"),
        (trc(body_row(1, 0.0)[:-2]), "no frames"),
        (trc(GOOD_ROWS.replace("1700", "17oo")), "holds '17oo'"),
        (trc("1\t0\t\t\t\t\t\t\t\t\t\n2\t0.1\t\t\t\t\t\t\t\t\t\n"), "two markers"),
    ],
)
def test_a_bad_marker_file_gets_one_clear_sentence(tmp_path, text, says):
    path = write(tmp_path / "bad.trc", text)
    with pytest.raises(MskError, match=says) as caught:
        read_trc(path)
    assert caught.value.where == str(path)
    assert caught.value.remedy


def test_markers_survive_writing(tmp_path):
    positions = np.random.default_rng(1).uniform(-1, 2, size=(5, 4, 3))
    positions[2, 1] = positions[3, 3] = np.nan
    markers = Markers(np.arange(5) / 30, ("a", "b b", "c", "d"), positions, 30.0)
    write_trc(tmp_path / "m.trc", markers)
    back = read_trc(tmp_path / "m.trc")
    assert back.names == markers.names
    np.testing.assert_allclose(back.positions, positions, atol=1e-8)
    np.testing.assert_allclose(back.time, markers.time, atol=1e-6)


def test_every_real_marker_file_shows_a_person_on_a_floor(shared_data):
    for path in sorted((shared_data / "motions").glob("opencap/*/walking*.trc")):
        height = read_trc(path).positions[..., 2]
        assert -0.05 < np.nanmin(height) < 0.1, path
        assert 1.3 < np.nanmax(height) < 2.0, path


# --- forces -------------------------------------------------------------------------------------


def test_every_naming_of_real_forces_is_understood(shared_data):
    """Each trial's loads file tells which groups there are and how high they peak."""
    checked = same = 0
    for loads in sorted((shared_data / "motions").glob("*/*/*_loads.csv")):
        plates = {p.name: p for p in read_forces(str(loads).replace("_loads.csv", "_grf.mot"))}
        with open(loads, newline="") as file:
            for row in csv.DictReader(file):
                plate = plates[row["force_columns"].removesuffix("v{x,y,z}")]
                peak = plate.force[:, 2].max()
                # The loads file looks at the time of the markers only, which can be shorter.
                assert peak > float(row["peak_vertical_N"]) - 1.0
                same += peak == pytest.approx(float(row["peak_vertical_N"]), abs=1.0)
                checked += 1
    assert checked > 60
    assert same > 0.8 * checked


def test_the_center_of_pressure_finds_the_foot(shared_data):
    """Without its loads file a walk's plates go to the same feet as with it."""
    folder = shared_data / "motions" / "opencap" / "unfiltered"
    markers = read_trc(folder / "walking2.trc")
    where = {name: markers.positions[:, i] for i, name in enumerate(markers.names)}
    feet = np.stack([(where[f"{s}_calc"] + where[f"{s}_toe"]) / 2 for s in ("r", "L")], axis=1)
    plates = read_forces(folder / "walking2_grf.mot")
    found = assign_to_feet(plates, markers.time, feet)
    told = assign_to_feet(plates, markers.time, feet, loads=folder / "walking2_loads.csv")
    for a, b in zip(found, told, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)
    assert np.nanmax(found[0][:, 0, 2]) > 500
    assert np.nanmax(found[0][:, 1, 2]) > 500


def plate(name: str, time, force, cop, moment=(0.0, 0.0, 0.0)) -> ForcePlate:
    rows = len(time)
    return ForcePlate(name, time, *(np.tile(np.asarray(v, float), (rows, 1))
                                    for v in (force, cop, moment)))  # fmt: skip


FEET = np.tile([[0.0, -0.1, 0.0], [0.0, 0.1, 0.0]], (11, 1, 1))
TIMES = np.linspace(0, 1, 11)


def test_two_plates_under_one_foot_become_one_equal_wrench():
    fine = np.linspace(0, 1, 101)
    plates = [
        plate("heel", fine, [30, 5, 300], [-0.05, -0.1, 0], [0, 0, 2]),
        plate("toe", fine, [-10, 8, 500], [0.1, -0.12, 0], [0, 0, -1]),
        plate("other", fine, [0, 0, 400], [0.02, 0.1, 0.01], [0, 0, 3]),
    ]
    force, cop, moment = assign_to_feet(plates, TIMES, FEET)
    np.testing.assert_allclose(force[5], [[20, 13, 800], [0, 0, 400]])
    np.testing.assert_allclose(cop[5, 1], [0.02, 0.1, 0.01])
    about_origin = moment[5, 0] + np.cross(cop[5, 0], force[5, 0])
    expected = sum(p.moment[0] + np.cross(p.cop[0], p.force[0]) for p in plates[:2])
    np.testing.assert_allclose(about_origin, expected)
    assert -0.05 < cop[5, 0, 0] < 0.1


def test_one_plate_can_carry_one_foot_after_the_other():
    fine = np.linspace(0, 1, 1001)
    load = np.where(fine < 0.4, 1.0, np.where(fine > 0.6, 1.0, 0.0))[:, None]
    side = np.where(fine < 0.5, -0.1, 0.1)
    cop = np.stack([np.zeros_like(fine), side, np.zeros_like(fine)], axis=-1)
    only = ForcePlate("p", fine, load * [0, 0, 700], cop, np.zeros((1001, 3)))
    force, cop, _ = assign_to_feet([only], TIMES, FEET)
    assert force[1, 0, 2] == pytest.approx(700)
    assert force[1, 1, 2] == 0
    assert force[9, 1, 2] == pytest.approx(700)
    assert np.all(np.isnan(cop[5]))


def test_forces_outside_the_record_are_unknown_and_a_foreign_record_is_refused():
    half = np.linspace(0, 0.5, 101)
    force, cop, _ = assign_to_feet([plate("p", half, [0, 0, 700], [0, -0.1, 0])], TIMES, FEET)
    assert np.all(np.isfinite(force[:6]))
    assert np.all(np.isnan(force[6:]))
    assert np.all(np.isnan(cop[6:]))
    with pytest.raises(MskError, match="the motion from"):
        assign_to_feet([plate("p", half + 9, [0, 0, 700], [0, 0, 0])], TIMES, FEET)
    with pytest.raises(MskError, match="no foot is near"):
        assign_to_feet([plate("p", half, [0, 0, 700], [5, 0, 0])], TIMES, FEET)


def test_a_wrong_loads_file_is_refused(tmp_path):
    loads = write(tmp_path / "x_loads.csv", "body,force_columns\ncalcn_r,absent_v{x,y,z}\n")
    with pytest.raises(MskError, match="cannot be used"):
        assign_to_feet([plate("p", TIMES, [0, 0, 1], [0, 0, 0])], TIMES, FEET, loads=loads)


def test_forces_need_force_columns(tmp_path):
    path = write(tmp_path / "a.mot", STORAGE + LABELS + ROWS)
    with pytest.raises(MskError, match="no ground reaction force"):
        read_forces(path)
    text = STORAGE + "time\tf_vx\tf_vy\tf_vz\n0\t1\tnan\t2\n1\t1\t1\t1\n"
    with pytest.raises(MskError, match="not finite"):
        read_forces(write(tmp_path / "b.mot", text))
