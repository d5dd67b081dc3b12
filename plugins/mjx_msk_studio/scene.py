"""What is drawn around the model at a time: ground forces and ghosts."""

from collections.abc import Callable

import mujoco

from mjx_msk import Playback
from mjx_msk_studio.forward import feet_on_ground


class Scene:
    """Draws one estimate's surroundings into visual geoms."""

    def __init__(self, playback: Playback, ghosts: list[Playback]) -> None:
        self.playback, self.ghosts = playback, ghosts
        self.show_forces = self.show_ghosts = True

    def draw(
        self,
        new: Callable[[], mujoco.MjvGeom],
        model: mujoco.MjModel,
        data: mujoco.MjData,
        *,
        physics: bool,
    ) -> None:
        """Draw the state in ``data`` into new geoms; in physics the forces are those of contact."""
        time = float(data.time - self.playback.motion.time[0])
        if self.show_forces:
            arrows = self.playback.arrows(time)
            if physics:
                arrows = [self.playback.arrow(*foot) for foot in feet_on_ground(model, data)]
            for arrow in arrows:
                arrow.draw(new())
                arrow.draw_spot(new())
        if self.show_ghosts:
            for index, ghost in enumerate(self.ghosts):
                ghost.draw_ghost(time, index, new)
