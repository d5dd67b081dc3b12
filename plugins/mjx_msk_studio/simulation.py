"""The simulation's side of the plugin: it replays the motion, or runs it as physics."""

import time
from dataclasses import asdict

import mujoco

from mjx_msk_studio.channel import Status, Steer
from mjx_msk_studio.estimates import estimate_of
from mjx_msk_studio.forward import Forward
from mjx_msk_studio.host import messages, plugin, sim
from mjx_msk_studio.transport import Transport

_PAUSE_S = 0.004  # between two poses: the viewer's thread wants its turn


class MotionSim(plugin.SimPlugin):
    """Moves the model; Studio's own stepping stays in charge of models that are no estimate."""

    def __init__(self) -> None:
        self.transport = Transport(0.0)
        self.forward: Forward | None = None
        self.physics = False
        self._clock = time.perf_counter()
        self._told: Status | None = None

    @messages.handler
    def on_model(self, event: messages.PostModelEvent) -> None:
        """Take up the motion beside the model's file, if there is one."""
        playback = estimate_of(event.path)
        self.forward = None if playback is None else Forward(playback)
        self.transport = Transport(0.0 if playback is None else playback.duration)
        self.physics = False

    @messages.handler
    def on_steer(self, event: Steer) -> None:
        """Do what the user asked for in our window."""
        for name in ("playing", "speed", "looping"):
            if (value := getattr(event, name)) is not None:
                setattr(self.transport, name, value)
        if event.playing is not None:
            state = sim.PauseState
            paused = state.UNPAUSED if event.playing else state.NORMAL_PAUSED
            self.handle.send_to_viewer(messages.RequestPauseEvent(pause_state=paused))
        if self.forward is not None:
            for name in ("guide", "hold_pelvis", "muscles"):
                if (value := getattr(event, name)) is not None:
                    setattr(self.forward, name, value)
        if event.physics is not None:
            self._switch(event.physics)
        if event.time is not None:
            self._seek(event.time)

    @messages.handler
    def on_step_control(self, event: messages.StepControlSnapshot) -> bool:
        """Follow Studio's own pause button, space bar and speed."""
        if self.forward is None:
            return False
        self.transport.playing = event.pause_state == sim.PauseState.UNPAUSED
        self.transport.speed = event.speed / 100.0
        return True

    @messages.handler
    def on_reset(self, event: messages.ResetEvent) -> None:
        """Start the motion again."""
        self._seek(0.0)

    @messages.handler
    def on_step(self, event: messages.StepEvent) -> bool:
        """Move the model on by the wall time since the last call."""
        if self.forward is None:
            return False
        now = time.perf_counter()
        elapsed, self._clock = now - self._clock, now
        self._move(event.model, event.data, elapsed)
        status = self.status()
        if status != self._told:
            self.handle.send_to_viewer(status)
            self._told = status
        time.sleep(_PAUSE_S)
        return True

    def status(self) -> Status:
        """Return where the motion is."""
        known = asdict(self.transport)
        del known["duration"]
        forward = self.forward
        return Status(
            **known,
            physics=self.physics,
            guide=0.0 if forward is None else forward.guide,
            hold_pelvis=forward is not None and forward.hold_pelvis,
            muscles=forward is not None and forward.driven,
        )

    def _move(self, model: mujoco.MjModel, data: mujoco.MjData, elapsed: float) -> None:
        assert self.forward is not None
        transport = self.transport
        if not self.physics:
            transport.advance(elapsed)
            self.forward.playback.pose(data, transport.time)
        elif transport.playing:
            transport.time = self.forward.advance(model, data, elapsed * transport.speed)

    def _switch(self, physics: bool) -> None:
        if self.forward is None or physics == self.physics:
            return
        self.physics = physics
        if physics:
            self.forward.start(self.handle.model, self.handle.data, self.transport.time)
        else:
            self.forward.stop(self.handle.model, self.handle.data)

    def _seek(self, to: float) -> None:
        self.transport.seek(to)
        if self.physics and self.forward is not None:
            self.forward.start(self.handle.model, self.handle.data, self.transport.time)
