"""Listing and reading trials in plain OpenSim files, written here in the published layout."""

from pathlib import Path

import numpy as np
import pytest

from mjx_msk.data.folder import list_folder
from mjx_msk.errors import MskError
from mjx_msk.osim.markers import Markers, write_trc
from mjx_msk.osim.tables import Table, write_table

TIME = np.arange(5) / 100
COLUMNS = ("pelvis_tilt", "pelvis_tx", "knee_angle_r")


def write_motion(path: Path, *, in_degrees: bool = True) -> None:
    data = np.tile([90.0, 0.5, 45.0], (len(TIME), 1))
    write_table(path, Table(TIME, COLUMNS, data, in_degrees=in_degrees))


def write_trial(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_motion(folder / f"{name}_ik.mot")
    positions = np.random.default_rng(0).normal(size=(len(TIME), 3, 3))
    write_trc(folder / f"{name}.trc", Markers(TIME, ("a", "b", "c"), positions, 100.0))
    columns = tuple(f"ground_force_r_{kind}{axis}" for kind in "vp" for axis in "xyz")
    values = np.tile([1.0, 700.0, 2.0, 0.1, 0.0, 0.2], (len(TIME), 1))
    write_table(folder / f"{name}_grf.mot", Table(TIME, columns, values))
    (folder / f"{name}_loads.csv").write_text("force_name,body\n", encoding="utf-8")
    (folder / "model.osim").write_text("<OpenSimDocument/>", encoding="utf-8")


@pytest.fixture
def published(tmp_path):
    """Write two trials of one person with a manifest, as in the reference data."""
    folder = tmp_path / "motions/lab/s1"
    for name in ("walk1", "static"):
        write_trial(folder, name)
    (folder / "static_ik.mot").unlink()
    (tmp_path / "manifest.csv").write_text(
        "dataset,subject,person,split,trial,activity,ik_file,model,mass_kg,height_m,license\n"
        "lab,s1,anna,val,walk1,walk,walk1_ik.mot,model.osim,61.5,1.72,CC BY\n"
        "lab,s1,anna,val,static,static,,model.osim,61.5,,CC BY\n",
        encoding="utf-8",
    )
    return tmp_path


@pytest.mark.parametrize("inside", ["", "motions", "motions/lab"])
def test_manifest(published, inside):
    walk, static = list_folder(published / inside)
    assert (walk.dataset, walk.name) == ("lab", "s1/walk1")
    assert [f.name for f in walk.files] == [
        "walk1_ik.mot", "model.osim", "walk1.trc", "walk1_grf.mot", "walk1_loads.csv",
    ]  # fmt: skip
    trial = walk.read()
    assert (trial.person, trial.split, trial.activity) == ("anna", "val", "walk")
    assert (trial.mass_kg, trial.height_m) == (61.5, 1.72)
    assert trial.provenance["license"] == "CC BY"
    np.testing.assert_allclose(trial.q[0], [np.pi / 2, 0.5, np.pi / 4])  # rad and m
    assert trial.markers.names == ("a", "b", "c")
    np.testing.assert_allclose(trial.forces[0].force[0], [1.0, -2.0, 700.0])  # Z up
    assert trial.loads.name == "walk1_loads.csv"
    still = static.read()
    assert still.q is None
    assert still.height_m is None
    assert still.markers is not None


def test_radians_stay(published):
    write_motion(published / "motions/lab/s1/walk1_ik.mot", in_degrees=False)
    np.testing.assert_allclose(list_folder(published)[0].read().q[0], [90.0, 0.5, 45.0])


def test_a_bad_trial_stops_no_other(published):
    (published / "motions/lab/s1/walk1_ik.mot").write_text("not a table", encoding="utf-8")
    walk, static = list_folder(published)
    with pytest.raises(MskError, match="endheader"):
        walk.read()
    assert static.read().markers is not None


def test_plain_files(tmp_path):
    """Without a manifest: folders are people, the nearest only model is theirs."""
    write_trial(tmp_path / "anna", "walk")
    write_trial(tmp_path / "anna/monday", "run")
    (tmp_path / "anna/monday/model.osim").unlink()
    write_motion(tmp_path / "anna/squat.mot")
    found = {listed.name: listed for listed in list_folder(tmp_path)}
    assert list(found) == ["anna/squat", "anna/walk", "anna/monday/run"]
    assert found["anna/monday/run"].read().model == tmp_path / "anna/model.osim"
    squat = found["anna/squat"].read()
    assert squat.person == f"{tmp_path.name}/anna"
    assert squat.split is None
    assert squat.markers is None
    assert len(found["anna/walk"].read().forces) == 1


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("dataset,subject,trial\nlab,,walk1\n", "line 2 of the manifest lacks subject"),
        ("dataset,subject,trial,mass_kg\nlab,s1,walk1,heavy\n", "'heavy' is no number"),
        ("dataset,subject,trial\n", "holds no trial"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_bad_manifest(tmp_path, manifest, message):
    content = manifest if isinstance(manifest, bytes) else manifest.encode()
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(MskError, match=message):
        list_folder(tmp_path)


def test_no_trials(tmp_path):
    with pytest.raises(MskError, match="holds no trial"):
        list_folder(tmp_path)
    with pytest.raises(MskError, match="no such folder"):
        list_folder(tmp_path / "absent")


def test_a_model_that_is_not_there(published):
    (published / "motions/lab/s1/model.osim").unlink()
    with pytest.raises(MskError, match="no such model"):
        list_folder(published)[0].read()
