"""Which estimate a model that Studio has opened belongs to."""

from pathlib import Path

from mjx_msk import Playback


def estimate_of(model_path: str, video: Path | None = None) -> Playback | None:
    """Return the estimate whose ``model.xml`` this is, None for any other model."""
    path = Path(model_path)
    if not model_path or not (path.parent / "motion.npz").is_file() or path.name != "model.xml":
        return None
    return Playback.open(path.parent, video)
