"""OpenSim's frames and poses, as arrays."""

from typing import Any

import numpy as np

from mjx_msk.compile.source import Frame


def frame_of(transform: Any) -> Frame:
    """Return an OpenSim transform as a frame."""
    matrix = transform.R().asMat33()
    rotation = np.array([[matrix.get(i, j) for j in range(3)] for i in range(3)])
    return Frame(transform.p().to_numpy(), rotation)


def frame_in_body(frame: Any) -> tuple[str, Frame]:
    """Return the body that carries an OpenSim frame, and the frame's place in it."""
    return frame.findBaseFrame().getName(), frame_of(frame.findTransformInBaseFrame())


def point_in_body(frame: Any, location: Any) -> tuple[str, np.ndarray]:
    """Return the body that carries a location given in an OpenSim frame, and its place there."""
    body, place = frame_in_body(frame)
    return body, place.position + place.rotation @ location.to_numpy()


def components(base: Any, model: Any) -> list[Any]:
    """Return every component of an OpenSim class, wherever in the model it hangs.

    Files may hold bodies, joints and muscles outside of the sets that are meant for them.
    """
    found = [base.safeDownCast(component) for component in model.getComponentsList()]
    return [component for component in found if component is not None]
