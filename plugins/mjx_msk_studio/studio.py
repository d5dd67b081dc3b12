"""For Studio's own command line: ``--model=OUT/model.xml --plugins=.../mjx_msk_studio/studio.py``.

Studio makes one of each class that is defined in this file.
"""

from mjx_msk_studio.simulation import MotionSim
from mjx_msk_studio.windows import MotionViewer


class EstimateSim(MotionSim):
    """The simulation's side."""


class EstimateViewer(MotionViewer):
    """The viewer's side."""
