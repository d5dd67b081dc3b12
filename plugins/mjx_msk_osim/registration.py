"""MuJoCo's registry of decoders and resource providers, reached through ctypes.

The structs are those of ``mjplugin.h``. What is registered stays for the life of the process, and
so must the Python functions behind it.
"""

import ctypes
import logging
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import mujoco

from mjx_msk import MskError, compile_osim, to_xml

SUFFIX = ".osim"
PREFIX = b"osim"  # of ``osim:model.osim``
_CONTENT_TYPE = b"model/osim"
_LOG = logging.getLogger("mjx_msk_osim")


class Resource(ctypes.Structure):
    """``mjResource``: something that MuJoCo reads."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("vfs", ctypes.c_void_p),
        ("timestamp", ctypes.c_char * 512),
        ("provider", ctypes.c_void_p),
        ("args", ctypes.c_char_p),
    )


_ResourceP = ctypes.POINTER(Resource)
_CanDecode = ctypes.CFUNCTYPE(ctypes.c_int, _ResourceP)
_Decode = ctypes.CFUNCTYPE(
    ctypes.c_void_p, _ResourceP, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int
)
_Open = ctypes.CFUNCTYPE(ctypes.c_int, _ResourceP)
_Read = ctypes.CFUNCTYPE(ctypes.c_int, _ResourceP, ctypes.POINTER(ctypes.c_void_p))
_Close = ctypes.CFUNCTYPE(None, _ResourceP)


class Decoder(ctypes.Structure):
    """``mjpDecoder``: makes a spec of a resource."""

    _fields_ = (
        ("content_type", ctypes.c_char_p),
        ("extension", ctypes.c_char_p),
        ("can_decode", _CanDecode),
        ("decode", _Decode),
    )


class Provider(ctypes.Structure):
    """``mjpResourceProvider``: opens and reads resources whose names start with its prefix."""

    _fields_ = (
        ("prefix", ctypes.c_char_p),
        ("open", _Open),
        ("read", _Read),
        ("close", _Close),
        ("mount", ctypes.c_void_p),
        ("unmount", ctypes.c_void_p),
        ("modified", ctypes.c_void_p),
        ("write", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
    )


def _library() -> ctypes.CDLL:
    """Return the MuJoCo library that the Python package has loaded."""
    names = ("libmujoco*.so*", "libmujoco*.dylib", "mujoco.dll")
    folder = Path(mujoco.__file__).parent
    found = [path for name in names for path in sorted(folder.glob(name))]
    if not found:
        raise MskError(
            "MuJoCo's library was not found.",
            where=str(folder),
            remedy="Install MuJoCo with pip, or compile the model: mjx-msk compile MODEL.osim.",
        )
    library = ctypes.CDLL(str(found[0]))
    library.mj_parseXMLString.restype = ctypes.c_void_p
    library.mj_parseXMLString.argtypes = (
        ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int,
    )  # fmt: skip
    library.mju_readResource.argtypes = (_ResourceP, ctypes.POINTER(ctypes.c_void_p))
    library.mjp_registerDecoder.restype = None
    return library


class _Texts:
    """The MJCF texts behind the open resources of the provider, by address."""

    def __init__(self) -> None:
        self._held: dict[int, ctypes.Array] = {}

    def open(self, resource: Any) -> int:
        """Compile the model that a resource names; 0 where that fails, with a line in the log."""
        path = _name(resource).partition(":")[2]
        try:
            xml = to_xml(compile_osim(path)).encode()
        except Exception as problem:  # C must not see it, and takes no reason
            _LOG.error("%s", problem)
            return 0
        text = ctypes.create_string_buffer(xml, len(xml))
        resource.contents.data = ctypes.addressof(text)
        self._held[ctypes.addressof(text)] = text
        return 1

    def read(self, resource: Any, buffer: Any) -> int:
        """Point ``buffer`` to the text and return its length."""
        buffer[0] = resource.contents.data
        return len(self._held[resource.contents.data])

    def close(self, resource: Any) -> None:
        """Let the text go."""
        del self._held[resource.contents.data]
        resource.contents.data = None


class _Reader:
    """Decodes resources with the suffix ``.osim``: files, and members of a virtual file system."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def can_decode(self, resource: Any) -> int:
        """Tell whether a resource is an OpenSim model by its name."""
        return int(_name(resource).lower().endswith(SUFFIX))

    def decode(self, resource: Any, vfs: int, error: int, size: int) -> int | None:
        """Return the address of a new ``mjSpec``, or None with the reason in ``error``."""
        try:
            xml = to_xml(self._compiled(resource)).encode()
        except Exception as problem:  # C must not see it
            text = str(problem) if isinstance(problem, MskError) else repr(problem)
            said = text.encode()[: max(size - 1, 0)] + b"\0"
            if error and size > 0:
                ctypes.memmove(error, said, len(said))
            return None
        return self._library.mj_parseXMLString(xml, None, error, size)

    def _compiled(self, resource: Any) -> mujoco.MjSpec:
        path = Path(_name(resource))
        if path.is_file():
            return compile_osim(path)
        start = ctypes.c_void_p()
        count = self._library.mju_readResource(resource, ctypes.byref(start))
        if count < 0 or not start.value:
            raise MskError("cannot read this model.", where=str(path))
        with tempfile.TemporaryDirectory() as folder:  # OpenSim opens files only
            copy = Path(folder) / path.name
            copy.write_bytes(ctypes.string_at(start.value, count))
            return compile_osim(copy)


@cache
def register() -> tuple[Decoder, Provider]:
    """Register both, once; the result keeps the functions alive. Raises ``MskError``."""
    library = _library()
    reader, texts = _Reader(library), _Texts()
    decoder = Decoder(
        _CONTENT_TYPE, SUFFIX.encode(), _CanDecode(reader.can_decode), _Decode(reader.decode)
    )
    library.mjp_registerDecoder(ctypes.byref(decoder))
    provider = Provider(PREFIX, _Open(texts.open), _Read(texts.read), _Close(texts.close))
    if library.mjp_registerProvider(ctypes.byref(provider)) < 0:
        raise MskError(f"MuJoCo has another provider of '{PREFIX.decode()}:' already.")
    return decoder, provider


def _name(resource: Any) -> str:
    return os.fsdecode(resource.contents.name)
