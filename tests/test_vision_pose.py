"""The real network on the real demo clip; skipped where they cannot be fetched."""

import numpy as np
import pytest
from fetching import fetched

from mjx_msk import cache
from mjx_msk.errors import MskError
from mjx_msk.vision import bundle, pose, video
from mjx_msk.vision.landmarks import BODY
from mjx_msk.vision.tracks import select_person


@pytest.fixture(scope="module")
def model():
    return fetched(bundle.pose_model)


@pytest.fixture(scope="module")
def film():
    return fetched(lambda: cache.demo_video("cam02"))


@pytest.fixture(scope="module")
def person(model, film):
    """The man on the beam, and every call of the progress callback."""
    calls: list[tuple[int, int]] = []
    tracks = pose.MediaPipePose(model).detect(
        video.probe(film), on_frame=lambda i, n: calls.append((i, n))
    )
    return *select_person(tracks), calls


def normalization(network: bytes) -> tuple[float, float]:
    """Mean and standard deviation that a TFLite network's metadata states for its image."""
    from mediapipe.tasks.metadata import metadata_schema_py_generated as metadata
    from mediapipe.tasks.metadata import schema_py_generated as schema

    model = schema.Model.GetRootAs(network, 0)
    entries = [model.Metadata(i) for i in range(model.MetadataLength())]
    (entry,) = [e for e in entries if e.Name() == b"TFLITE_METADATA"]
    content = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
    root = metadata.ModelMetadata.GetRootAs(content, 0)
    unit = root.SubgraphMetadata(0).InputTensorMetadata(0).ProcessUnits(0)
    options = metadata.NormalizationOptions()
    options.Init(unit.Options().Bytes, unit.Options().Pos)
    return options.Mean(0), options.Std(0)


def test_the_bundle_states_the_normalization(model):
    import zipfile

    with zipfile.ZipFile(model) as archive:
        assert {i.compress_type for i in archive.infolist()} == {zipfile.ZIP_STORED}
        assert normalization(archive.read("pose_detector.tflite")) == (127.5, 127.5)
        assert normalization(archive.read("pose_landmarks_detector.tflite")) == (0.0, 255.0)


def test_every_frame_is_tracked_and_progress_is_told(person):
    landmarks, _, calls = person
    assert len(landmarks) == 100
    assert landmarks.seen.all()
    assert calls == [(i, 100) for i in range(1, 101)]
    assert landmarks.time == pytest.approx(np.arange(100) / 60, abs=1e-3)
    assert landmarks.confidence.mean() > 0.7


def test_landmarks_agree_with_the_four_camera_reference(person, shared_data):
    """Another, heavier network, triangulated: the sides in particular must be right."""
    import json

    from cv2 import projectPoints

    view = json.loads((shared_data / "multiview/cameras.json").read_text())["cameras"]["cam02"]
    with np.load(shared_data / "multiview/single_person_3d.npz") as reference:
        points = reference["filtered"][:, BODY]
    rotation, shift = np.array(view["R"]), np.array(view["t"])
    camera_points = points.reshape(-1, 3) @ rotation.T + shift
    pixels, _ = projectPoints(
        camera_points, np.zeros(3), np.zeros(3), np.array(view["K_for_video_pixels"]),
        np.array(view["dist"]),
    )  # fmt: skip
    landmarks, warnings, _ = person
    distance = np.linalg.norm(landmarks.pixels[:, BODY] - pixels.reshape(100, -1, 2), axis=-1)
    # the man is about 700 px tall; the network itself is good to about 10 px
    assert np.median(distance) < 12
    assert np.mean(distance > 100) < 0.02
    assert any("left and right were mixed up" in w for w in warnings)


def test_native_noise_is_held_back(model, film, capfd):
    info = video.probe(film)
    images = [image for _, image in video.sample(info, count=2)]
    capfd.readouterr()
    pose.MediaPipePose(model)._people_to_follow(images)
    assert capfd.readouterr().err == ""


def test_a_file_that_is_no_model_is_refused(tmp_path, film):
    with pytest.raises(MskError, match="no such pose model"):
        pose.MediaPipePose(tmp_path / "none.task")
    fake = tmp_path / "fake.task"
    fake.write_bytes(b"not a bundle")
    with pytest.raises(MskError, match="no MediaPipe pose model"):
        pose.MediaPipePose(fake).detect(video.probe(film))
