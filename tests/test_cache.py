"""The real pip, pointed at a folder of wheels instead of an index: no network."""

import hashlib
import zipfile

import pytest

from mjx_msk import cache
from mjx_msk.errors import MskError

CONTENT = b"what we want"
SHAPES = {"a.vtp": b"first", "b.vtp": b"second", "read.me": b"not asked for"}


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A small wheel in a folder that pip takes its packages from."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    path = shelf / "parcel-1.0-py3-none-any.whl"
    about = "parcel-1.0.dist-info/"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("parcel/data/film.mp4", CONTENT)
        for name in (*SHAPES, "deeper/e.vtp", "../../evil.vtp", "c:evil.vtp", "x\\evil.vtp"):
            archive.writestr(f"parcel/shapes/{name}", SHAPES.get(name, b"evil"))
        archive.writestr(f"{about}METADATA", "Metadata-Version: 2.1\nName: parcel\nVersion: 1.0\n")
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{about}WHEEL", tags)
        archive.writestr(f"{about}RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setenv("MJX_MSK_CACHE", str(tmp_path / "cache"))
    return path


def pinned(path, sha256=None):
    sha256 = sha256 or hashlib.sha256(path.read_bytes()).hexdigest()
    return cache.Wheel("parcel", "1.0", sha256, megabytes=1)


FILM = cache.Member("parcel/data/film.mp4", hashlib.sha256(CONTENT).hexdigest())


def test_fetch_then_work_without_the_source_then_heal(wheel, tmp_path, capsys):
    (path,) = cache.fetch(pinned(wheel), (FILM,))
    assert path.read_bytes() == CONTENT
    assert path.is_relative_to(tmp_path / "cache")
    assert "Fetching parcel==1.0 (1 MB" in capsys.readouterr().err

    away = wheel.rename(tmp_path / wheel.name)
    assert cache.fetch(pinned(away), (FILM,)) == (path,)
    assert capsys.readouterr().err == ""

    path.write_bytes(b"damaged")
    with pytest.raises(MskError, match=r"parcel==1\.0 could not be fetched"):
        cache.fetch(pinned(away), (FILM,))
    wheel_again = away.rename(wheel)
    cache.fetch(pinned(wheel_again), (FILM,))
    assert path.read_bytes() == CONTENT


def test_another_wheel_under_the_same_name_is_refused(wheel, tmp_path):
    with pytest.raises(MskError, match="not the expected one"):
        cache.fetch(pinned(wheel, sha256="0" * 64), (FILM,))
    assert not list((tmp_path / "cache").rglob("*"))


def test_another_member_under_the_same_name_is_refused(wheel, tmp_path):
    with pytest.raises(MskError, match="not the pinned file"):
        cache.fetch(pinned(wheel), (cache.Member(FILM.path, "0" * 64),))
    assert not list((tmp_path / "cache").rglob("*.mp4"))


def test_unknown_demo_camera_lists_the_cameras():
    with pytest.raises(MskError, match="cam01, cam02, cam03, cam04"):
        cache.demo_video("cam05")


def shapes_folder() -> cache.Folder:
    lines = "".join(
        f"{hashlib.sha256(SHAPES[name]).hexdigest()} {name}\n" for name in ("a.vtp", "b.vtp")
    )
    return cache.Folder("parcel/shapes", ".vtp", hashlib.sha256(lines.encode()).hexdigest())


def test_a_folder_comes_whole_and_heals_and_nothing_lands_outside(wheel, tmp_path):
    folder = cache.fetch_folder(pinned(wheel), shapes_folder())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "a.vtp": b"first",
        "b.vtp": b"second",
    }
    assert not list(tmp_path.rglob("*evil*"))

    away = wheel.rename(tmp_path / wheel.name)
    assert cache.fetch_folder(pinned(away), shapes_folder()) == folder
    (folder / "a.vtp").write_bytes(b"damaged")
    (folder / "foreign.vtp").write_bytes(b"somebody else's")
    with pytest.raises(MskError, match="could not be fetched"):
        cache.fetch_folder(pinned(away), shapes_folder())
    cache.fetch_folder(pinned(away.rename(wheel)), shapes_folder())
    assert (folder / "a.vtp").read_bytes() == b"first"
    assert not (folder / "foreign.vtp").exists()


def test_another_folder_under_the_same_name_is_refused(wheel, tmp_path):
    other = cache.Folder("parcel/shapes", ".vtp", "0" * 64)
    with pytest.raises(MskError, match="pinned files"):
        cache.fetch_folder(pinned(wheel), other)
    assert not list((tmp_path / "cache").rglob("*.vtp"))
