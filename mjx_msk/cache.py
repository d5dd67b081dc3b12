"""Files we do not ship: fetched once out of PyPI wheels, checked, and kept in the user's cache.

The wheels serve as plain archives; nothing of them is installed. Every file is pinned by its
sha256, so a damaged or foreign file is never used, and a second run needs no network.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import platformdirs

from mjx_msk.errors import MskError
from mjx_msk.files import replacing


@dataclass(frozen=True)
class Wheel:
    """A wheel on the package index; ``options`` pin one file where several platforms exist."""

    name: str
    version: str
    sha256: str
    megabytes: int
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Member:
    """A file inside a wheel."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Folder:
    """The files with one suffix directly inside a folder of a wheel.

    ``sha256`` pins all of them: see ``folder_sha256``.
    """

    path: str
    suffix: str
    sha256: str


POSE2SIM = Wheel(  # BSD-3-Clause, David Pagnon and contributors
    "pose2sim", "0.10.49", "403e0dc4065898ba6a595e72a8970950310979253d60e24c2e00b16b36bf21e1", 51
)
SPORTS2D = Wheel(  # BSD-3-Clause, David Pagnon and contributors
    "sports2d", "0.8.34", "733b6db70742636ae9c35d870c22bd416582f579abd5881bee93a14bb0e2655d", 9
)
MEDIAPIPE = Wheel(  # Apache-2.0, the MediaPipe authors; later wheels carry no pose model
    "mediapipe",
    "0.10.21",
    "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
    36,
    ("--platform", "manylinux_2_28_x86_64", "--implementation", "cp"),
)

_DEMO = "Pose2Sim/Demo_SinglePerson/"
DEMO_VIDEOS = {
    f"cam0{i}": Member(f"{_DEMO}videos/cam0{i}.mp4", sha256)
    for i, sha256 in enumerate(
        (
            "cf4f2816c86bea4bfbea255333d8626ff32a3ecabdab8b0fb147cea9167fde3a",
            "94ff87cf978b8406e8aa36ab3c5362e72848994e87652f0dc7a33c315e8e0442",
            "b8b329f832f178f27ecb78d024d5026b96c6adb36c387bfe2c0af85eab8a11ca",
            "b5c0e7863fd70d008e7178d3c556b045b0ea5f78fcd61ca548a0b2e807e641f7",
        ),
        start=1,
    )
}
DEMO_CALIBRATION = Member(
    f"{_DEMO}calibration/Calib.qca.txt",
    "fd90e4bbae3278ef1dc0cdd42a34ee06bf88286f628a02c00a29407aa39e34c5",
)
BONES = Folder(  # of the OpenSim project's models; assets/CREDITS.md
    "Pose2Sim/OpenSim_Setup/Geometry",
    ".vtp",
    "685eecbd4d0a8034469008eba1dcae3d6c23d44f7c5bf7235add8ecde6c45da9",
)
SPORTS_VIDEO = Member(
    "Sports2D/Demo/demo.mp4", "d9a66417185647b112304b57093f0c180f37a768e6a14daca75ca541f3b78039"
)
POSE_DETECTOR = Member(
    "mediapipe/modules/pose_detection/pose_detection.tflite",
    "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
)
POSE_LANDMARKS = Member(
    "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
    "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
)


def cache_dir() -> Path:
    """Return the cache folder: ``MJX_MSK_CACHE`` or the system's place for caches."""
    return Path(os.environ.get("MJX_MSK_CACHE") or platformdirs.user_cache_dir("mjx-msk"))


def fetch(wheel: Wheel, members: tuple[Member, ...]) -> tuple[Path, ...]:
    """Return local paths of files of a wheel, downloading it if any is absent or damaged.

    Raises ``MskError`` when the download fails, when what came is not what was pinned, or when
    the cache folder cannot be written.
    """
    folder = cache_dir() / f"{wheel.name}-{wheel.version}"
    paths = tuple(folder / Path(member.path).name for member in members)
    if not all(is_intact(path, m.sha256) for path, m in zip(paths, members, strict=True)):
        with tempfile.TemporaryDirectory() as temporary:
            archive = _download(wheel, Path(temporary))
            for path, member in zip(paths, members, strict=True):
                _extract(archive, member, path)
    return paths


def fetch_folder(wheel: Wheel, folder: Folder) -> Path:
    """Return the local copy of a folder of a wheel, downloading it if it is absent or damaged.

    Raises ``MskError`` as ``fetch`` does.
    """
    final = cache_dir() / f"{wheel.name}-{wheel.version}" / PurePosixPath(folder.path).name
    if not (final.is_dir() and folder_sha256(final, folder.suffix) == folder.sha256):
        with tempfile.TemporaryDirectory() as temporary:
            content = _read_folder(_download(wheel, Path(temporary)), folder)
        for name, data in content.items():
            with replacing(final / name) as part:
                part.write_bytes(data)
        for path in final.iterdir():
            if path.suffix == folder.suffix and path.name not in content:
                path.unlink()  # a foreign file, which would be taken for one of ours
    return final


def demo_video(camera: str = "cam01") -> Path:
    """Return the demo video of one of four cameras (``cam01`` to ``cam04``).

    Raises ``MskError`` for another camera name, and as ``fetch`` does.
    """
    if camera not in DEMO_VIDEOS:
        raise MskError(
            f"there is no demo camera {camera!r}.",
            remedy=f"Choose one of {', '.join(DEMO_VIDEOS)}.",
        )
    fetch(POSE2SIM, (*DEMO_VIDEOS.values(), DEMO_CALIBRATION))  # one download brings all of them
    return fetch(POSE2SIM, (DEMO_VIDEOS[camera],))[0]


def sports_video() -> Path:
    """Return the second demo video (several people, no calibration); raises as ``fetch``."""
    return fetch(SPORTS2D, (SPORTS_VIDEO,))[0]


def bones() -> Path:
    """Return the folder of freely licensed OpenSim bone meshes; raises as ``fetch``."""
    return fetch_folder(POSE2SIM, BONES)


def is_intact(path: Path, sha256: str) -> bool:
    """Return whether a file exists and has this sha256."""
    return path.is_file() and file_sha256(path) == sha256


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file as hexadecimal text."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_sha256(folder: Path, suffix: str) -> str:
    """Return one sha256 for the files of a folder: of the sorted lines ``<sha256> <name>``."""
    files = [path for path in folder.iterdir() if path.suffix == suffix]
    return _listing_sha256({path.name: file_sha256(path) for path in files})


def _listing_sha256(digests: dict[str, str]) -> str:
    lines = "".join(f"{digest} {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _download(wheel: Wheel, folder: Path) -> Path:
    """Download a wheel with pip into ``folder``, check it, and return its path."""
    requirement = f"{wheel.name}=={wheel.version}"
    print(f"Fetching {requirement} ({wheel.megabytes} MB, once) ...", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    # one Python version for everybody, so that the same wheel comes whatever runs this
    command += ["--no-deps", "--only-binary=:all:", "--python-version", "3.11", *wheel.options]
    command += ["-d", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        no_pip = "No module named pip" in done.stderr
        raise MskError(
            f"{requirement} could not be fetched: {_last_line(done.stderr)}",
            remedy="Install pip into this environment (python -m ensurepip) and run it again."
            if no_pip
            else "Check the network and run it again; `pip download` must work here.",
        )
    archives = list(folder.glob("*.whl"))
    if len(archives) != 1 or file_sha256(archives[0]) != wheel.sha256:
        raise MskError(
            f"the file fetched as {requirement} is not the expected one (its sha256 differs).",
            remedy="Check which package index pip uses.",
        )
    return archives[0]


def _extract(archive: Path, member: Member, path: Path) -> None:
    """Copy one member of a checked archive to ``path``, which we name ourselves."""
    with zipfile.ZipFile(archive) as wheel:
        content = wheel.read(member.path)
    if hashlib.sha256(content).hexdigest() != member.sha256:
        raise MskError(f"{member.path} is not the pinned file.", where=archive.name)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _read_folder(archive: Path, folder: Folder) -> dict[str, bytes]:
    """Return the files of a folder of a checked archive by their bare names."""
    with zipfile.ZipFile(archive) as wheel:
        members = [PurePosixPath(name) for name in wheel.namelist()]
        content = {
            # No separator of any system can be in the name, so it stays in the folder it goes to.
            member.name: wheel.read(str(member))
            for member in members
            if str(member.parent) == folder.path and member.suffix == folder.suffix
            if "\\" not in member.name and ":" not in member.name
        }
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    if _listing_sha256(digests) != folder.sha256:
        raise MskError(f"{folder.path} does not hold the pinned files.", where=archive.name)
    return content


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message."
