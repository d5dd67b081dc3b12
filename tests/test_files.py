import errno

import pytest

from mjx_msk import files
from mjx_msk.errors import MskError


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with files.replacing(path) as temporary:
        temporary.write_text("all")
        assert temporary.suffix == ".txt"
        assert not path.exists()
    assert path.read_text() == "all"
    assert names(path.parent) == ["a.txt"]


@pytest.mark.parametrize("trouble", [ValueError, KeyboardInterrupt])
def test_a_file_that_fails_leaves_the_old_one(tmp_path, trouble):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half():
        with files.replacing(path) as temporary:
            temporary.write_text("half")
            raise trouble

    with pytest.raises(trouble):
        write_half()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_full_disk_is_said(tmp_path):
    with (
        pytest.raises(MskError, match="No space left") as caught,
        files.replacing(tmp_path / "a.txt"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(tmp_path / "a.txt") in str(caught.value)
    assert names(tmp_path) == []


def test_a_folder_that_is_a_file_cannot_be_written(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(MskError, match="cannot write here"), files.replacing(tmp_path / "out/a"):
        pass
    with (
        pytest.raises(MskError, match="cannot write here"),
        files.writable_folder(tmp_path / "out"),
    ):
        pass
    with (
        pytest.raises(MskError, match="cannot write here"),
        files.writable_folder(tmp_path / "out" / "deeper"),
    ):
        pass


def test_folders_made_for_a_failure_go_again(tmp_path):
    def fail_in(folder, also=None):
        with files.writable_folder(folder):
            assert folder.is_dir()
            if also:
                also.write_text("somebody else's")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_in(tmp_path / "a" / "b")
    assert names(tmp_path) == []
    (tmp_path / "mine").mkdir()
    with pytest.raises(KeyboardInterrupt):
        fail_in(tmp_path / "mine", tmp_path / "mine" / "x")
    assert names(tmp_path / "mine") == ["x"]


def test_publishing_replaces_a_result_as_a_whole(tmp_path):
    new, final = tmp_path / "new", tmp_path / "final"
    for folder, files_ in ((new, ("model", "motion")), (final, ("model", "replay", "motion"))):
        folder.mkdir()
        for name in files_:
            (folder / name).write_text(folder.name)
    (final / "notes").write_text("the user's own")
    files.publish(new, final, ("model", "replay", "motion"))
    assert names(final) == ["model", "motion", "notes"]  # no replay of another run
    assert (final / "model").read_text() == (final / "motion").read_text() == "new"


def test_publishing_that_stops_halfway_does_not_look_complete(tmp_path):
    new, final = tmp_path / "new", tmp_path / "final"
    new.mkdir(), final.mkdir()
    (new / "model").write_text("new")
    (new / "motion").write_text("new")
    (final / "motion").write_text("old")
    (final / "model").mkdir()  # cannot be replaced by a file
    with pytest.raises(MskError):
        files.publish(new, final, ("model", "motion"))
    assert not (final / "motion").exists()
