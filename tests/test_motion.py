"""The motion type and its file; motions that come out of the pipeline are in test_pipeline."""

import json
import subprocess
import sys

import numpy as np
import pytest

from mjx_msk.errors import MskError
from mjx_msk.motion import SCHEMA_VERSION, Motion


def motion(frames: int = 5, **fields) -> Motion:
    rng = np.random.default_rng(0)
    q, full = rng.normal(size=(3, frames, 2)), rng.normal(size=(3, frames, 3))
    cop = rng.normal(size=(frames, 2, 3))
    cop[0] = np.nan
    base = {
        "time": np.arange(frames) / 10.0,
        "coordinate_names": ("pelvis_tx", "knee_angle_r"),
        "q": q[0], "qd": q[1], "qdd": q[2],
        "joint_names": ("pelvis_tx", "knee_angle_r", "walker_knee_r/translation1"),
        "qpos": full[0], "qvel": full[1], "qacc": full[2],
        "foot_cop": cop,
        "contact": rng.normal(size=(frames, 2)) > 0,
        "subject": {"name": "Zoë <b>", "mass_kg": 70.0},
        "quality": {"warnings": ["a", "b"], "foot_slip_mm": None},
    }  # fmt: skip
    return Motion(**(base | fields))


def test_what_is_saved_is_loaded(tmp_path):
    saved = motion()
    saved.save(tmp_path / "m.npz")
    loaded = Motion.load(tmp_path / "m.npz")
    for name, value in vars(saved).items():
        other = getattr(loaded, name)
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(other, value, err_msg=name)
            assert other.dtype == value.dtype
        else:
            assert other == value, name
    assert loaded.foot_force is None  # unknown stays unknown


def test_plain_numpy_reads_it_without_pickle(tmp_path):
    motion().save(tmp_path / "m.npz")
    code = (
        "import sys, json, numpy as np\n"
        "m = np.load(sys.argv[1], allow_pickle=False)\n"
        "out = {k: m[k].tolist() for k in ('coordinate_names', 'q', 'subject', 'schema_version')}\n"
        "assert not any(m[k].dtype.hasobject for k in m.files)\n"
        "print(json.dumps(out))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(tmp_path / "m.npz")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    read = json.loads(done.stdout)
    assert read["coordinate_names"] == ["pelvis_tx", "knee_angle_r"]
    np.testing.assert_array_equal(read["q"], motion().q)
    assert json.loads(read["subject"]) == {"name": "Zoë <b>", "mass_kg": 70.0}
    assert read["schema_version"] == SCHEMA_VERSION


def rewritten(path, **changes):
    with np.load(path) as archive:
        np.savez(path, **{k: archive[k] for k in archive.files} | changes)


def test_a_newer_schema_is_refused_and_unknown_entries_are_not(tmp_path):
    path = tmp_path / "m.npz"
    motion().save(path)
    rewritten(path, an_entry_of_the_future=np.zeros(3))
    assert len(Motion.load(path)) == 5
    rewritten(path, schema_version=np.array(SCHEMA_VERSION + 1))
    with pytest.raises(MskError, match="newer mjx-msk"):
        Motion.load(path)


def test_a_file_from_before_muscles_is_read(tmp_path):
    path = tmp_path / "m.npz"
    motion().save(path)
    with np.load(path) as archive:
        old = {k: archive[k] for k in archive.files if "muscle" not in k and "loaded" not in k}
    np.savez(path, **old | {"schema_version": np.array(1)})
    loaded = Motion.load(path)
    assert loaded.muscle_names == ()
    assert loaded.activation is None


def damaged(kind, path):
    motion().save(path)
    content = path.read_bytes()
    if kind == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "a bit flipped":
        place = content.index(b"qpos.npy") + 60
        path.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("time q\n0 1\n")
    elif kind == "one array":
        with open(path, "wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "foreign":
        np.savez(path, qpos=np.zeros((3, 4)))
    elif kind == "pickled":
        np.savez(path, schema_version=np.array({"version": 1}, dtype=object))
    elif kind == "ragged":
        rewritten(path, q=np.zeros((4, 2)))
    elif kind == "missing":
        path.unlink()
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    return path


@pytest.mark.parametrize(
    "kind",
    ["truncated", "a bit flipped", "empty", "text", "one array", "foreign", "pickled", "ragged",
     "missing", "folder"],
)  # fmt: skip
def test_a_file_that_is_no_whole_motion_is_refused(tmp_path, kind):
    path = damaged(kind, tmp_path / "m.npz")
    with pytest.raises(MskError) as caught:
        Motion.load(path)
    assert str(path) in str(caught.value)
    assert caught.value.remedy


def test_a_slice_keeps_the_frames_between_two_times():
    part = motion().slice_time(0.1, 0.3)
    np.testing.assert_allclose(part.time, [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(part.foot_cop, motion().foot_cop[1:4])
    assert part.subject == motion().subject
    assert part.rate_hz == pytest.approx(10.0)
    assert motion(1).rate_hz == 0.0


def test_names_are_looked_up_and_shapes_are_checked():
    assert motion().index("knee_angle_r") == 1
    with pytest.raises(KeyError, match="knee_angle_r"):
        motion().index("knee")
    with pytest.raises(ValueError, match=r"Motion\.qpos"):
        motion(qpos=np.zeros((5, 2)))


def test_a_motion_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MskError, match="cannot write here"):
        motion().save(tmp_path / "file" / "m.npz")
