"""Packing MediaPipe's two pose networks into the ``.task`` bundle that its Tasks API loads.

A bundle is a zip of uncompressed files. The Tasks API learns from each network's TFLite metadata
how pixels become network input; the detector carries that metadata already (mean = std = 127.5),
the landmark network does not and expects pixels in 0..1 (mean 0, std 255).
"""

import io
from pathlib import Path

from mjx_msk import cache
from mjx_msk.files import replacing

_METADATA_NAME = "TFLITE_METADATA"


def pose_model() -> Path:
    """Return the path of the cached pose model, made on the first call; raises as ``fetch``."""
    detector, landmarks = cache.fetch(cache.MEDIAPIPE, (cache.POSE_DETECTOR, cache.POSE_LANDMARKS))
    task = detector.parent / "pose_landmarker_full.task"
    if not task.is_file():  # written by rename, from checked parts: present means complete
        with replacing(task) as temporary:
            temporary.write_bytes(pack(detector.read_bytes(), landmarks.read_bytes()))
    return task


def pack(detector: bytes, landmarks: bytes) -> bytes:
    """Return a ``.task`` bundle made of the two TFLite networks."""
    from mediapipe.tasks.python.metadata.metadata_writers import model_asset_bundle_utils

    networks = {
        "pose_detector.tflite": with_normalization(detector, mean=127.5, std=127.5),
        "pose_landmarks_detector.tflite": with_normalization(landmarks, mean=0.0, std=255.0),
    }
    bundle = io.BytesIO()
    model_asset_bundle_utils.create_model_asset_bundle(networks, bundle)
    return bundle.getvalue()


def with_normalization(network: bytes, *, mean: float, std: float) -> bytes:
    """Return a TFLite network that says its input is ``(pixel - mean) / std``.

    A network that carries TFLite metadata already is returned as it is.
    """
    import flatbuffers
    from mediapipe.tasks.metadata import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(network, 0)
    entries = model.metadata or []
    if any(entry.name == _METADATA_NAME.encode() for entry in entries):
        return network
    content, entry = schema.BufferT(), schema.MetadataT()
    content.data = _normalization_metadata(mean, std, outputs=len(model.subgraphs[0].outputs))
    entry.name, entry.buffer = _METADATA_NAME, len(model.buffers)
    model.buffers.append(content)
    model.metadata = [*entries, entry]
    builder = flatbuffers.Builder(len(network) + 4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _normalization_metadata(mean: float, std: float, outputs: int) -> bytes:
    """Return the metadata of a network with one RGB image input."""
    import flatbuffers
    from mediapipe.tasks.metadata import metadata_schema_py_generated as schema

    options = schema.NormalizationOptionsT()
    options.mean, options.std = [mean], [std]
    step = schema.ProcessUnitT()
    step.optionsType, step.options = schema.ProcessUnitOptions.NormalizationOptions, options
    picture = schema.ImagePropertiesT()
    picture.colorSpace = schema.ColorSpaceType.RGB
    image = schema.TensorMetadataT()
    image.name, image.processUnits, image.content = "image", [step], schema.ContentT()
    image.content.contentPropertiesType = schema.ContentProperties.ImageProperties
    image.content.contentProperties = picture
    graph = schema.SubGraphMetadataT()
    graph.inputTensorMetadata = [image]
    graph.outputTensorMetadata = [schema.TensorMetadataT() for _ in range(outputs)]
    model = schema.ModelMetadataT()
    model.subgraphMetadata = [graph]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"M001")
    return bytes(builder.Output())
