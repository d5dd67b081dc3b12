"""Files that data sets publish in common formats: archives of numpy, MATLAB and YAML."""

import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mjx_msk.data.safe_pickle import plain_data
from mjx_msk.errors import MskError

_COPY = "Copy it again from the data set."
#: What zipfile, zlib and numpy raise on damaged archives.
_DAMAGED = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError, MemoryError)
_LARGEST_YAML = 1 << 20


def read_npz(
    path: str | os.PathLike[str], needed: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Return some arrays of an ``.npz``; of ``optional`` ones those that are there.

    An array of objects, which numpy would unpickle, is read by ``safe_pickle``. Raises
    ``MskError`` for a file that is missing or damaged, lacks a needed array, or holds an object
    that is not plain data.
    """
    where = str(path)
    _check_there(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = {n.removesuffix(".npy"): n for n in archive.namelist() if n.endswith(".npy")}
            if missing := [name for name in needed if name not in members]:
                raise MskError(
                    f"the archive has no {', '.join(missing)}; it has {', '.join(members)}.",
                    where=where,
                    remedy="Give the file as the data set published it.",
                )
            wanted = [*needed, *(name for name in optional if name in members)]
            return {n: _member(archive, members[n], f"{where}, {n}") for n in wanted}
    except _DAMAGED as error:
        raise MskError(
            f"this is no readable archive of numpy ({error}).", where=where, remedy=_COPY
        ) from error


def _member(archive: zipfile.ZipFile, name: str, where: str) -> np.ndarray:
    """Return one array of an archive."""
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
        else:
            raise ValueError(f"version {version} of numpy's format")
        if dtype.hasobject:
            array = np.asarray(plain_data(file.read(), where), dtype=object)
            return array.reshape(shape)
        # the header must not ask for more memory than the archive has data
        size = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if size > archive.getinfo(name).file_size:
            raise ValueError(f"{name} is truncated")
        values = np.frombuffer(file.read(size), dtype) if size else np.empty(0, dtype)
        return values.reshape(shape, order="F" if fortran else "C")


def read_mat(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the variables of a MATLAB file (version 5 to 7), its structs as dictionaries.

    Raises ``MskError`` for a file that is missing, damaged, or of MATLAB's version 7.3.
    """
    from scipy.io import loadmat

    _check_there(path)
    try:
        values = loadmat(path, simplify_cells=True)
    except NotImplementedError as error:
        raise MskError(
            "this is a MATLAB file of version 7.3, which is not read.",
            where=str(path),
            remedy="Save it again in MATLAB with save(..., '-v7').",
        ) from error
    except Exception as error:  # a damaged file raises whatever its bytes happen to lead to
        raise MskError(
            f"this is no readable MATLAB file ({error}).", where=str(path), remedy=_COPY
        ) from error
    return {name: value for name, value in values.items() if not name.startswith("__")}


def read_yaml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the table of a YAML file, by PyYAML's safe loader.

    Raises ``MskError`` for a file that is missing, no YAML, or no table.
    """
    import yaml

    where = str(path)
    _check_there(path)
    try:
        if Path(path).stat().st_size > _LARGEST_YAML:
            raise ValueError("it is too large")
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("it is no table")
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MskError(f"this cannot be read ({reason}).", where=where, remedy=_COPY) from error
    return values


def _check_there(path: str | os.PathLike[str]) -> None:
    if not Path(path).is_file():
        raise MskError("no such file.", where=str(path), remedy="Check the folder of the data set.")
