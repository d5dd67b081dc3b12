"""An estimated subject as a dm_control walker, and the task to track an estimated motion.

    env = composer.Environment(TrackingTask("out", actuation="torque", loop=True), time_limit=10)

In dm_control's viewer: ``python -m mjx_msk_dm_control out``.
"""

from mjx_msk_dm_control.task import TrackingTask as TrackingTask
from mjx_msk_dm_control.walker import MusculoskeletalWalker as MusculoskeletalWalker
