"""Records on disk: what was written comes back, and nothing else is taken for it."""

import dataclasses
import json

import numpy as np
import pytest

from mjx_msk.data.clip import Clip
from mjx_msk.data.records import FRAME_FIELDS, INDEX, Contents, Records
from mjx_msk.data.writing import SHARD_FRAMES, Writer
from mjx_msk.errors import MskError

CONTENTS = Contents(
    coordinate_names=("pelvis_tx", "knee_angle_r", "knee_angle_l"),
    landmark_names=("right_hip", "left_hip"),
    segments=("thigh", "shank"),
    model_sha256="ab" * 32,
)


def clip(name: str = "lab/walk", frames: int = 7, variant: int = 0) -> Clip:
    rng = np.random.default_rng([frames, variant])
    shapes = {name: (3,) for name in ("q", "qd", "qdd", "tau")}
    shapes |= {name: (2, 3) for name in ("foot_force", "foot_cop", "foot_moment", "landmarks")}
    shapes |= {"contact": (2,), "kinetics_known": (), "measured": ()}
    arrays = {f: rng.normal(size=(frames, *shapes[f])).astype(np.float32) for f in FRAME_FIELDS}
    return Clip(
        name=name + (f"#{variant}" if variant else ""), person="anna", split="train",
        activity="walk", force_source="plates", base=1.01, log_segments=np.array([0.1, -0.2]),
        mass_kg=70.0, height_m=1.717, dataset="lab", variant=variant, belt_m_s=1.2,
        centres_error_m=0.01, **arrays,
    )  # fmt: skip


def write(folder, *trials, contents=CONTENTS, key="k"):
    with Writer(folder, contents) as writer:
        for clips in trials:
            writer.add(clips[0].name, key, {"a.mot": "12"}, clips)


def same(found: Clip, wanted: Clip) -> None:
    for field in dataclasses.fields(Clip):
        a, b = getattr(found, field.name), getattr(wanted, field.name)
        np.testing.assert_array_equal(a, b, err_msg=field.name)


def test_clips_come_back_as_views_of_files(tmp_path):
    wanted = [clip(), clip(variant=1), clip("lab/run", 11)]
    write(tmp_path / "r", wanted[:2], wanted[2:])
    records = Records(tmp_path / "r")
    records.check()
    assert records.contents == CONTENTS
    by_name = {c.name: c for c in records}
    assert list(by_name) == ["lab/run", "lab/walk", "lab/walk#1"]
    for c in wanted:
        same(by_name[c.name], c)
    assert isinstance(records[0].q, np.memmap)
    assert not records[0].q.flags.writeable
    assert [len(c) for c in records[1:]] == [7, 7]
    assert records.entries[0].sources == {"a.mot": "12"}
    files = {path.suffix for path in (tmp_path / "r").rglob("*") if path.is_file()}
    assert files == {".npy", ".json"}


def test_long_recordings_get_shards_of_their_own(tmp_path):
    write(tmp_path, [clip("a", SHARD_FRAMES)], [clip("b", 5)])
    assert [e.shard for e in Records(tmp_path).entries] == ["shard_00000", "shard_00001"]


def test_a_run_goes_on_where_it_was_stopped(tmp_path):
    def stopped():
        with Writer(tmp_path, CONTENTS) as writer:
            writer.add("lab/walk", "k", {}, [clip(), clip(variant=1)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    with Writer(tmp_path, CONTENTS) as writer:
        assert writer.keys() == {"lab/walk": "k"}
        writer.add("lab/run", "k", {}, [clip("lab/run")])
    assert len(Records(tmp_path)) == 3


def test_what_is_made_anew_replaces_all_of_a_trial(tmp_path):
    write(tmp_path, [clip(), clip(variant=1)])
    (tmp_path / ".shard-killed").mkdir()
    write(tmp_path, [clip(frames=9)], key="new")
    (entry,) = Records(tmp_path).entries
    assert (entry.key, len(entry)) == ("new", 9)
    assert sorted(p.name for p in tmp_path.iterdir()) == [INDEX, entry.shard]


def test_a_kill_between_shard_and_index_loses_that_shard_only(tmp_path, monkeypatch):
    write(tmp_path, [clip()])
    monkeypatch.setattr(Writer, "_write_index", lambda self: None)
    write(tmp_path, [clip("lab/run")])
    monkeypatch.undo()
    assert [c.name for c in Records(tmp_path)] == ["lab/walk"]
    write(tmp_path, [clip("lab/run")])
    assert len(list(tmp_path.glob("shard_*"))) == len(Records(tmp_path)) == 2


def test_other_contents_are_kept_apart(tmp_path):
    write(tmp_path, [clip()])
    other = dataclasses.replace(CONTENTS, model_sha256="cd" * 32)
    with pytest.raises(MskError, match="another model"):
        Writer(tmp_path, other)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(MskError, match="something else than records"):
        Writer(tmp_path / "elsewhere", CONTENTS)


def spoil_index(folder, change):
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    change(index)
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i: i.update(format="else"), "no folder of records"),
        (lambda i: i.update(version=99), "version 99"),
        (lambda i: i.pop("coordinate_names"), "garbles 'coordinate_names'"),
        (lambda i: i["clips"][0].pop("base"), "garbles 'base'"),
        (lambda i: i["clips"][0].update(start=5, stop=2), "the place of"),
        (lambda i: i["clips"][0].update(shard="../secret"), "the place of"),
        (lambda i: i["clips"][0].update(mass_kg="heavy"), "garbles"),
        (lambda i: i.update(clips=7), "garbles"),
    ],
)
def test_a_spoilt_index_is_refused(tmp_path, change, message):
    write(tmp_path, [clip()])
    spoil_index(tmp_path, change)
    with pytest.raises(MskError, match=message):
        Records(tmp_path)


def test_a_spoilt_shard_is_refused(tmp_path):
    write(tmp_path, [clip()])
    path = tmp_path / "shard_00000/q.npy"
    whole = path.read_bytes()

    def refused(message):
        with pytest.raises(MskError, match=message):
            Records(tmp_path)[0]

    path.write_bytes(whole[:-8])
    refused("cannot be read")
    path.write_bytes(b"")
    refused("cannot be read")
    np.save(path, np.zeros((3, 3), np.float32))
    refused(r"holds float32 \(3, 3\)")
    np.save(path, np.zeros((7, 3)))
    refused("holds float64")
    np.save(path, np.array([{"a": 1}] * 7), allow_pickle=True)
    refused("cannot be read")
    path.unlink()
    refused("cannot be read")


def test_no_records(tmp_path):
    with pytest.raises(MskError, match="no folder of records"):
        Records(tmp_path)
    (tmp_path / INDEX).write_text("{", encoding="utf-8")
    with pytest.raises(MskError, match="index cannot be read"):
        Records(tmp_path)
