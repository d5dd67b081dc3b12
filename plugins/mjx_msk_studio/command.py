"""``mjx-msk view``: estimates in a viewer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from mjx_msk import MskError


@dataclass(frozen=True, kw_only=True)
class View:
    """Open an estimate in a viewer, with others as see-through ghosts."""

    folders: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of estimates; the first one has the controls."""
    viewer: Literal["studio", "mujoco"] = "studio"
    """MuJoCo Studio with plots, video and physics, or MuJoCo's plain viewer."""
    web: bool = False
    """Serve Studio as a page for a browser instead of opening a window."""
    port: int = 0
    """Port of the page; the first free one from 8080 on if not given."""
    video: Path | None = None
    """The source video, where it does not lie with the estimate."""

    def run(self, terminal: Any) -> int:
        """Open the viewer; returns when it is closed."""
        if not self.folders:
            raise MskError("no estimate was given.", remedy="Give the folder of one.")
        if self.viewer == "mujoco":
            from mjx_msk_studio import plain

            plain.run(list(self.folders))
        else:
            from mjx_msk_studio import launch

            launch.run(list(self.folders), web=self.web, port=self.port, video=self.video)
        return 0
