import hashlib

import numpy as np
import pytest
from make_videos import QUARTERS, quarters, write_audio, write_photo, write_video

from mjx_msk.errors import MskError
from mjx_msk.vision import video


def corner_colours(image: np.ndarray) -> np.ndarray:
    """(2, 2, 3) mean colours of the quarters' middles."""
    height, width = image.shape[:2]
    return np.array(
        [[image[int(height * v), int(width * u)] for u in (0.25, 0.75)] for v in (0.25, 0.75)]
    ).astype(int)


# A display rotation of r degrees turns the picture counter-clockwise by r when shown.
@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_a_rotated_video_comes_upright(tmp_path, rotation):
    path = write_video(tmp_path / "a.mp4", [quarters()] * 6, rotation_deg=rotation)
    info = video.probe(path)
    _, image = next(video.frames(path))
    expected = np.rot90(QUARTERS, k=rotation // 90)
    assert np.abs(corner_colours(image) - expected).max() < 40
    assert image.shape == ((160, 96, 3) if rotation % 180 else (96, 160, 3))
    assert info.image_size == image.shape[1::-1]
    assert image.flags.c_contiguous


def test_true_times_of_a_variable_rate_video(tmp_path):
    times_ms = [100, 133, 200, 216, 333, 366, 400, 600]
    path = write_video(tmp_path / "v.mp4", [quarters()] * 8, times_ms=times_ms)
    expected = (np.array(times_ms) - 100) / 1000
    assert [t for t, _ in video.frames(path)] == pytest.approx(expected, abs=1e-4)
    info = video.probe(path)
    assert info.variable_rate
    assert info.frame_count == 8
    assert info.duration_s == pytest.approx(0.5, abs=1e-4)
    assert info.rate_hz == pytest.approx(14, abs=0.01)


def test_slow_motion_divides_the_times(tmp_path):
    path = write_video(tmp_path / "s.mp4", [quarters()] * 13)
    info = video.probe(path, slow_motion=4)
    assert not info.variable_rate
    assert info.rate_hz == pytest.approx(120, abs=0.5)
    assert info.duration_s == pytest.approx(0.1, abs=1e-3)
    assert [t for t, _ in video.frames(path, slow_motion=4)][-1] == pytest.approx(0.1, abs=1e-3)
    assert video.sample(info, count=3)[-1][0] == pytest.approx(0.1, abs=1e-3)


@pytest.mark.parametrize("factor", [0.0, -2.0, float("nan"), float("inf")])
def test_impossible_slow_motion_is_refused(tmp_path, factor):
    path = write_video(tmp_path / "s.mp4", [quarters()] * 3)
    with pytest.raises(MskError, match="slow-motion factor"):
        video.probe(path, slow_motion=factor)


def test_frames_come_in_order_and_samples_are_spread(tmp_path):
    greys = [np.full((64, 64, 3), 20 * i, dtype=np.uint8) for i in range(12)]
    path = write_video(tmp_path / "g.mp4", greys)
    shown = [image.mean() for _, image in video.frames(path)]
    assert shown == pytest.approx([20 * i for i in range(12)], abs=4)
    samples = video.sample(video.probe(path), count=3, long_side_px=32)
    assert [image.mean() for _, image in samples] == pytest.approx([0, 120, 220], abs=4)
    assert samples[0][1].shape == (32, 32, 3)


def test_the_fingerprint_is_the_file_s_sha256(tmp_path):
    path = write_video(tmp_path / "h.mp4", [quarters()] * 3)
    assert video.probe(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_focal_length_from_metadata(tmp_path):
    key = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
    path = write_video(
        tmp_path / "f.mov",
        [quarters()] * 3,
        options={"movflags": "use_metadata_tags"},
        metadata={key: "26"},
    )
    assert video.probe(path).focal_length_px == pytest.approx(26 / 36 * 160)
    assert video.probe(write_video(tmp_path / "n.mp4", [quarters()] * 3)).focal_length_px is None


def noisy_images(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (64, 64, 3), dtype=np.uint8) for _ in range(count)]


def cut_in_half(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def bad_files(folder):
    text = folder / "notes.mp4"
    text.write_text("this is not a video at all\n" * 50)
    empty = folder / "empty.mp4"
    empty.write_bytes(b"")
    index_first = {"movflags": "faststart"}
    return {
        "photo": write_photo(folder / "photo.png", quarters()),
        "photo (jpeg)": write_photo(folder / "photo.jpg", quarters()),
        "audio": write_audio(folder / "sound.m4a"),
        "cut, index last": cut_in_half(write_video(folder / "cut.mp4", noisy_images(30))),
        "cut, index first": cut_in_half(
            write_video(folder / "cut2.mp4", noisy_images(30), options=index_first)
        ),
        "one frame": write_video(folder / "one.mp4", [quarters()]),
        "text": text,
        "empty": empty,
        "missing": folder / "missing.mp4",
        "folder": folder,
    }


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("photo", "photo"),
        ("photo (jpeg)", "photo"),
        ("audio", "audio file"),
        ("cut, index last", "truncated"),
        ("cut, index first", "truncated"),
        ("one frame", "single picture"),
        ("text", "no readable video"),
        ("empty", "empty"),
        ("missing", "no such file"),
        ("folder", "no such file"),
    ],
)
def test_each_bad_file_is_named_for_what_it_is(tmp_path, kind, says):
    path = bad_files(tmp_path)[kind]
    with pytest.raises(MskError, match=says) as caught:
        video.probe(path)
    assert str(path) in str(caught.value)
    assert caught.value.remedy
