"""An estimate in dm_control's viewer: ``python -m mjx_msk_dm_control OUT [ACTUATION]``.

Without a policy the viewer holds the middle of every actuator's range; space starts, the mouse
pulls. Needs a screen.
"""

import sys

from dm_control import composer, viewer

from mjx_msk_dm_control.task import TrackingTask


def main(folder: str, actuation: str = "torque") -> None:
    """Open the viewer on the task."""
    task = TrackingTask(folder, actuation=actuation)
    viewer.launch(lambda: composer.Environment(task, time_limit=10), title="mjx-msk")


if __name__ == "__main__":
    main(*sys.argv[1:])
