"""Play, pause, scrub, speed: where a motion is, as wall time goes by."""

from dataclasses import dataclass


@dataclass
class Transport:
    """A place in a motion of ``duration`` s that moves on with wall time."""

    duration: float
    time: float = 0.0  #: s from the start of the motion
    speed: float = 1.0  #: 0.5 is half as fast as life
    playing: bool = True
    looping: bool = True

    def advance(self, elapsed: float) -> None:
        """Let ``elapsed`` s of wall time go by; at the end start again, or stop."""
        if not self.playing:
            return
        self.time += elapsed * self.speed
        if self.time <= self.duration:
            return
        if self.looping and self.duration > 0:
            self.time %= self.duration
        else:
            self.time, self.playing = self.duration, False

    def seek(self, time: float) -> None:
        """Go to a time, s from the start, within the motion."""
        self.time = min(max(time, 0.0), self.duration)
