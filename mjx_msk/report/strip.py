"""The strip under the replay: time, vertical ground forces and a cursor."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mjx_msk.motion import Motion
from mjx_msk.report.style import MIDDLE, SIDE_COLOURS, SIDE_WORDS

HEIGHT = 92
_TEXT_WIDTH, _MARGIN = 150, 12
_INK, _PAPER, _GRID = "#1F2933", "#FFFFFF", "#D5DAE0"


class Strip:
    """The same curves for every frame, drawn once, and a cursor that moves."""

    def __init__(self, motion: Motion, width: int) -> None:
        self.motion = motion
        self.times = motion.time - motion.time[0]
        self.left, self.right = _TEXT_WIDTH, width - _MARGIN
        self.font = ImageFont.load_default(17)
        self.background = Image.new("RGB", (width, HEIGHT), _PAPER)
        self._draw_words()
        self._draw_curves()

    def draw(self, frame: int) -> np.ndarray:
        """Return the strip (HEIGHT, width, 3) uint8 at one frame of the motion."""
        canvas = self.background.copy()
        pen = ImageDraw.Draw(canvas)
        pen.text((_MARGIN, 12), f"{self.times[frame]:.2f} s", fill=_INK, font=self.font)
        x = float(self._x(self.times[frame]))
        pen.line([(x, 6), (x, HEIGHT - 6)], fill=_INK, width=2)
        return np.asarray(canvas)

    def _x(self, time_s: np.ndarray) -> np.ndarray:
        span = max(float(self.times[-1]), 1e-9)
        return self.left + time_s / span * (self.right - self.left)

    def _draw_words(self) -> None:
        pen = ImageDraw.Draw(self.background)
        small = ImageFont.load_default(12)
        if self.motion.foot_force is None:
            pen.text((_MARGIN, 38), "no ground forces", fill=MIDDLE, font=small)
            return
        pen.text((_MARGIN, 38), "vertical ground force", fill=MIDDLE, font=small)
        for foot, side in enumerate(self.motion.foot_names):
            place = (_MARGIN + 56 * foot, 58)
            pen.text(place, SIDE_WORDS[side], fill=SIDE_COLOURS[side], font=self.font)

    def _draw_curves(self) -> None:
        """Draw the forces in body weights, twice as large and then reduced for smooth lines."""
        if self.motion.foot_force is None:
            return
        vertical = np.nan_to_num(self.motion.foot_force[..., 2])
        weight = self.motion.subject.get("mass_kg", 0.0) * 9.81 or max(vertical.max(), 1.0)
        bottom, top = HEIGHT - 10, 10
        scale = (bottom - top) / max(vertical.max() / weight, 1.2)
        box = (self.left, 0, self.right, HEIGHT)
        large = Image.new("RGB", (2 * (self.right - self.left), 2 * HEIGHT), _PAPER)
        pen = ImageDraw.Draw(large)
        for level in (0, 1):  # nothing, body weight
            y = 2 * (bottom - level * scale)
            pen.line([(0, y), (large.width, y)], fill=_GRID, width=2)
        for foot, side in enumerate(self.motion.foot_names):
            x = 2 * (self._x(self.times) - self.left)
            y = 2 * (bottom - vertical[:, foot] / weight * scale)
            curve = np.stack([x, y], axis=-1).ravel().tolist()
            pen.line(curve, fill=SIDE_COLOURS[side], width=4, joint="curve")
        self.background.paste(
            large.resize((box[2] - box[0], HEIGHT), Image.Resampling.BOX), box[:2]
        )
        ImageDraw.Draw(self.background).text(
            (self.left + 4, bottom - scale + 1), "body weight", fill=MIDDLE,
            font=ImageFont.load_default(11),
        )  # fmt: skip
