"""The list of data sets, and the formats that they share."""

import struct
import zipfile

import numpy as np
import pytest

from mjx_msk.data.datasets import NAMES, list_trials
from mjx_msk.data.reading import read_npz, read_yaml
from mjx_msk.errors import MskError
from mjx_msk.osim.coordinates import generalized_forces, in_radians
from mjx_msk.osim.tables import Table


def test_other_names_and_folders(tmp_path):
    with pytest.raises(MskError, match="opencap"):
        list_trials("amass", tmp_path)
    for name in NAMES:
        with pytest.raises(MskError, match="no such folder"):
            list_trials(name, tmp_path / "none")


def test_b3d_files_are_exported_first(tmp_path):
    with pytest.raises(MskError, match=r"holds no \.b3d"):
        list_trials("addbiomechanics", tmp_path)
    (tmp_path / "p1").mkdir()
    (tmp_path / "p1" / "p1.b3d").touch()
    with pytest.raises(MskError, match=r"examples/export_b3d.py .* 'folder'"):
        list_trials("addbiomechanics", tmp_path)


def test_arrays_of_numpy(tmp_path):
    path = tmp_path / "a.npz"
    arrays = {
        "c": np.arange(6.0).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "none": np.zeros((0, 3)),
        "text": np.array(["a", "bc"]),
    }
    for save in (np.savez, np.savez_compressed):
        save(path, **arrays)
        found = read_npz(path, ["c", "fortran"], ["none", "text", "absent"])
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)


def header(shape: str, descr: str = "<f8", version: int = 1) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    "content",
    [
        header("(1000000000000,)"),
        header("(1000000000000, 1000000000000)"),
        header("(3,)") + b"x" * 23,
        header("(3,)", version=3),
        header("(3,), 'x': __import__('os')"),
        header("(3,)", descr="|O") + b"cos\nsystem\n(S'true'\ntR.",
        b"\x93NUMPY",
        b"",
    ],
)
def test_damaged_arrays(tmp_path, content):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", content)
    with pytest.raises(MskError, match=r"no readable archive|not opened"):
        read_npz(path, ["a"])


def test_what_is_no_archive(tmp_path):
    with pytest.raises(MskError, match="no such file"):
        read_npz(tmp_path / "a.npz", ["a"])
    (tmp_path / "a.npz").write_bytes(b"text")
    with pytest.raises(MskError, match="no readable archive"):
        read_npz(tmp_path / "a.npz", ["a"])


def test_large_tables_of_yaml(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: " + "[" * 5000)
    with pytest.raises(MskError, match="cannot be read"):
        read_yaml(path)
    path.write_text("a: 1\n" + "#" * (1 << 20))
    with pytest.raises(MskError, match="too large"):
        read_yaml(path)


def test_coordinates_and_their_forces():
    names = ("pelvis_tx", "knee_angle_r")
    motion = Table(np.array([0.0]), names, np.array([[0.5, 90.0]]), in_degrees=True)
    np.testing.assert_allclose(in_radians(motion), [[0.5, np.pi / 2]])
    radians = Table(np.array([0.0]), names, np.array([[0.5, 1.5]]))
    np.testing.assert_allclose(in_radians(radians), [[0.5, 1.5]])
    columns = ("pelvis_tx_force", "knee_angle_r_moment")
    moments = Table(np.array([0.0]), columns, np.array([[3.0, -40.0]]))
    found = generalized_forces(moments, ("knee_angle_r", "ankle_angle_r", "pelvis_tx"))
    np.testing.assert_array_equal(found, [[-40.0, np.nan, 3.0]])
