"""One camera in; motion, joint moments and ground forces on an anatomical model out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mjx_msk.cache import demo_video as demo_video
    from mjx_msk.compile import compile_osim as compile_osim
    from mjx_msk.compile import to_xml as to_xml
    from mjx_msk.engines import Outcome as Outcome
    from mjx_msk.engines import Task as Task
    from mjx_msk.engines import attempt as attempt
    from mjx_msk.errors import MskError as MskError
    from mjx_msk.export.cycles import find_cycle as find_cycle
    from mjx_msk.export.exporting import Edits as Edits
    from mjx_msk.export.exporting import export_motion as export_motion
    from mjx_msk.model import Model as Model
    from mjx_msk.motion import Motion as Motion
    from mjx_msk.options import Options as Options
    from mjx_msk.pipeline import Estimate as Estimate
    from mjx_msk.pipeline import estimate as estimate
    from mjx_msk.report.mp4 import write_mp4 as write_mp4
    from mjx_msk.report.playback import Playback as Playback

__version__ = "0.1.0"

#: The public names and their rooms, which are entered on the first use: JAX takes seconds to start.
_ROOMS = {
    "Edits": "export.exporting",
    "Estimate": "pipeline",
    "Model": "model",
    "Motion": "motion",
    "MskError": "errors",
    "Options": "options",
    "Outcome": "engines",
    "Playback": "report.playback",
    "Task": "engines",
    "attempt": "engines",
    "compile_osim": "compile",
    "demo_video": "cache",
    "estimate": "pipeline",
    "export_motion": "export.exporting",
    "find_cycle": "export.cycles",
    "to_xml": "compile",
    "write_mp4": "report.mp4",
}
__all__ = [*_ROOMS, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'mjx_msk' has no attribute {name!r}")
    return getattr(import_module(f"mjx_msk.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
