"""One camera in; motion, joint moments and ground forces on an anatomical model out."""

from mjx_msk.errors import MskError as MskError
from mjx_msk.motion import Motion as Motion

__version__ = "0.1.0"
__all__ = ["Motion", "MskError", "__version__"]
