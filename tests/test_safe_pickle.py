"""Pickles of plain data are read without being unpickled; nothing in any other one is carried out.

What is right is what Python's own unpickling gives for files that this test writes.
"""

import collections
import os
import pickle
import random
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mjx_msk.data.safe_pickle import plain_data, read_pickle
from mjx_msk.errors import MskError

RNG = np.random.default_rng(5)
ROTATION = np.asfortranarray(np.linalg.qr(RNG.normal(size=(3, 3)))[0])
PLAIN = {
    "distortion": RNG.normal(size=(1, 5)),
    "intrinsicMat": RNG.normal(size=(3, 3)),
    "imageSize": np.array([[1280.0], [720.0]]),
    "rotation": ROTATION,
    "the same again": ROTATION,
    "strided": RNG.normal(size=(6, 4))[::2, ::-1],
    "big-endian": np.arange(4, dtype=">i4"),
    "float16": np.arange(3, dtype="f2"),
    "complex": np.array([1 + 2j]),
    "names": np.array(["walking1", "é"]),
    "flags": np.array([True, False]),
    "nothing": np.zeros((0, 3)),
    "no dimension": np.array(2.5),
    "objects": np.array(["a", 1, None, np.arange(2)], dtype=object),
    "scalar": np.float64(3.25),
    "list": [1, -2, 300, 70000, 10**30, 2.5, None, True, False, "text", b"bytes", (), (1,), (1, 2)],
    "deep": {"a": {"b": [(1, (2, (3,)))]}},
}


def assert_equal(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            assert_equal(found[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_equal(one, other)
    elif isinstance(expected, np.ndarray):
        assert found.dtype.newbyteorder("=") == expected.dtype.newbyteorder("=")
        assert found.shape == expected.shape
        assert_equal(found.tolist(), expected.tolist())
    else:
        assert found == expected


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_plain_data_are_read_as_python_reads_them(protocol):
    content = pickle.dumps(PLAIN, protocol)
    found = plain_data(content, "a.pickle")
    assert_equal(found, pickle.loads(content))
    assert found["the same again"] is found["rotation"]


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_older_protocols_too(protocol):
    """They write bytes as a call of an encoder, and have no bytes of length 0."""
    content = pickle.dumps({"R": ROTATION, "n": [1, 2.5, "text", (3,)]}, protocol)
    assert_equal(plain_data(content, "a.pickle"), pickle.loads(content))


def test_numpy_1_called_its_modules_otherwise():
    content = pickle.dumps({"R": ROTATION}, 4).replace(
        b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray"
    )
    content = content[:2] + content[11:]  # a frame says its length, and need not be there
    assert_equal(plain_data(content, "a.pickle"), {"R": ROTATION})


class Calls:
    """Something that pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def hostile(evidence: Path):
    """Yield pickles each of which does something when it is unpickled."""
    touch = f"touch {evidence}"
    source = f"open({str(evidence)!r}, 'w').close()"
    calls = [
        Calls(os.system, touch),
        Calls(subprocess.call, ["touch", str(evidence)]),
        Calls(eval, source),
        Calls(exec, source),
        Calls(open, str(evidence), "w"),
        Calls(getattr, os, "system"),
        Calls(__import__, "os"),
        Calls(np.load, str(evidence)),
        Calls(np.fromfile, str(evidence)),
        Calls(collections.OrderedDict),
        Calls(bytearray, 10**12),
    ]
    for call in calls:
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            try:
                yield pickle.dumps(call, protocol)
                yield pickle.dumps({"rotation": [ROTATION, {"deep": (call,)}]}, protocol)
                yield pickle.dumps(np.array([call, None], dtype=object), protocol)
            except (TypeError, pickle.PicklingError):  # a module is no argument that pickles
                break
    yield pickle.dumps(Path("somewhere"))
    yield pickle.dumps({1, 2})
    yield pickle.dumps(np.ma.masked_array([1.0]))
    yield pickle.dumps(np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]))
    yield pickle.dumps(np.dtype("f8").type)
    shell = f"(S'{touch}'\n".encode()
    yield b"cos\nsystem\n" + shell + b"tR."  # the oldest way
    yield b"(S'" + touch.encode() + b"'\nios\nsystem\n."  # INST
    yield b"(cos\nsystem\nS'" + touch.encode() + b"'\no."  # OBJ
    yield b"\x80\x02cos\nsystem\n(V" + touch.encode() + b"\ntR."
    yield b"\x80\x02csubprocess\nPopen\n(](Vtouch\nV" + str(evidence).encode() + b"\nee\x81."
    yield b"\x80\x02\x82\x01."  # EXT1
    yield b"Pperson\n."  # PERSID
    yield b"\x80\x02Vperson\nQ."  # BINPERSID
    # what the table knows, used otherwise than numpy does
    yield b"\x80\x02cnumpy\ndtype\n(VO8\n\x89\x88tR."
    yield b"\x80\x02cnumpy\nndarray\n(K\x01tR."
    yield b"\x80\x02c_codecs\nencode\n(Vabc\nVhex\ntR."
    yield b"\x80\x02cnumpy._core.multiarray\n_reconstruct\n(cos\nsystem\n(K\x00tVb\ntR."
    yield b"\x80\x02cnumpy.core.multiarray\nscalar\n."
    yield b"\x80\x02}(((K\x01tK\x02tK\x03u."  # a tuple as a key


def test_nothing_hostile_is_carried_out(tmp_path):
    evidence = tmp_path / "evidence"
    pickles = list(hostile(evidence))
    assert len(pickles) > 100
    for content in pickles:
        with pytest.raises(MskError, match="pickle"):
            plain_data(content, "a.pickle")
        assert not evidence.exists(), content


def test_the_hostile_pickles_of_this_test_would_do_harm(tmp_path):
    """In Python's own hands they do what they say."""
    evidence = tmp_path / "evidence"
    pickle.loads(pickle.dumps(Calls(os.system, f"touch {evidence}")))
    assert evidence.exists()


def test_no_pickle_asks_for_more_memory_than_it_has_bytes():
    huge = 1 << 40
    array = pickle.dumps(np.zeros(3), 4)
    length = array.index(b"K\x03\x85")  # the shape (3,)
    for content in (
        b"\x80\x04\x8e" + struct.pack("<Q", huge) + b"x.",  # BINBYTES8
        b"\x80\x04\x8d" + struct.pack("<Q", huge) + b"x.",  # BINUNICODE8
        b"\x80\x05\x96" + struct.pack("<Q", huge) + b"x.",  # BYTEARRAY8
        b"\x80\x04\x8b" + struct.pack("<i", 1 << 30) + b"x.",  # LONG4
        b"I" + b"9" * 100_000 + b"\n.",
        array[:2] + array[11:length] + b"\x8a\x08" + struct.pack("<q", huge) + array[length + 2 :],
        array[:2] + array[11:length] + b"\x8a\x08" + struct.pack("<q", -3) + array[length + 2 :],
    ):
        with pytest.raises(MskError, match="no readable pickle"):
            plain_data(content, "a.pickle")


def test_deep_and_circular_data_end():
    circle: list = []
    circle.append(circle)
    assert plain_data(pickle.dumps(circle), "a.pickle")[0][0] is not None
    assert isinstance(plain_data(b"\x80\x02" + b"(" * 100_000 + b"l" * 100_000 + b".", "x"), list)
    laughs: list = ["ha"]
    for _ in range(60):  # 10^60 entries, were they copied
        laughs = [laughs] * 10
    assert len(plain_data(pickle.dumps(laughs), "a.pickle")) == 10


def test_truncated_at_every_byte():
    content = pickle.dumps({"K": ROTATION, "size": [720, 1280]}, 4)
    for end in range(len(content)):
        with pytest.raises(MskError, match="no readable pickle"):
            plain_data(content[:end], "a.pickle")


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_damaged_at_random():
    """Whatever the bytes say, it is plain data or our error."""
    rng, refused = random.Random(7), 0
    contents = [pickle.dumps(PLAIN, protocol) for protocol in (2, 3, 4, 5)]
    for _ in range(4000):
        content = bytearray(rng.choice(contents))
        for _ in range(rng.choice((1, 2, 8))):
            content[rng.randrange(len(content))] = rng.randrange(256)
        try:
            plain_data(bytes(content), "a.pickle")
        except MskError:
            refused += 1
    assert refused > 500


def test_files(tmp_path):
    path = tmp_path / "camera.pickle"
    path.write_bytes(pickle.dumps({"K": ROTATION}))
    assert_equal(read_pickle(path), {"K": ROTATION})
    with pytest.raises(MskError, match="at most 10"):
        read_pickle(path, max_bytes=10)
    with pytest.raises(MskError, match="cannot be read"):
        read_pickle(tmp_path / "none.pickle")
    path.write_bytes(b"")
    with pytest.raises(MskError, match="no readable pickle"):
        read_pickle(path)
