"""One body that tracks a motion, in MJX: JAX batches it and puts it on the GPU."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import mujoco
from mjx_msk_tracking import WEIGHTS, Task, TrackConfig
from ml_collections import ConfigDict, config_dict
from mujoco import mjx
from mujoco_playground import MjxEnv, State
from mujoco_playground import step as advance

from mjx_msk import MskError


def default_config() -> ConfigDict:
    """Return the options, those of ``mjx_msk_tracking.TrackConfig`` under Playground's names."""
    return config_dict.create(
        motion=config_dict.placeholder(str),  # a folder of ``mjx-msk estimate``, a motion.npz
        model=config_dict.placeholder(str),  # by default the model.xml beside the motion
        actuation="position",
        loop=False,
        gain=0.3,
        target_span=0.3,
        ctrl_dt=0.03,
        sim_dt=config_dict.placeholder(float),  # by default what the actuation needs
        episode_length=333,  # actions; for Playground's training, the environment ends none by it
        action_repeat=1,
        impl="jax",
    )


class TrackEnv(MjxEnv):
    """Follow a reference motion with joints or muscles; nothing holds the pelvis.

    The time of the motion is the simulation's own, so that Playground's automatic reset, which
    puts back ``data`` and nothing else, puts it back too. ``metrics`` are the terms of the reward.
    The end of a motion that does not loop is ``info["time_out"]``, and done.
    """

    def __init__(
        self, config: ConfigDict | None = None, config_overrides: dict[str, Any] | None = None
    ) -> None:
        super().__init__(default_config() if config is None else config, config_overrides)
        config = self._config
        if config.motion is None:
            raise MskError(
                "no motion was given.", remedy='Set config_overrides={"motion": FOLDER}.'
            )
        self.task = Task(
            TrackConfig(
                motion=config.motion, model=config.model, actuation=config.actuation,
                loop=config.loop, gain=config.gain, target_span=config.target_span,
                action_s=config.ctrl_dt, timestep_s=config.sim_dt,
            )
        )  # fmt: skip
        self._ctrl_dt, self._sim_dt = self.task.step_s, self.task.model.opt.timestep
        self._mjx_model = mjx.put_model(self.task.model, impl=config.impl)

    def reset(self, rng: jax.Array) -> State:
        """Start at a random time of the motion."""
        return self.reset_at(self.task.start_time(jax.random.uniform(rng)))

    def reset_at(self, time: jax.Array) -> State:
        """Start at this time () of the motion, s."""
        qpos, qvel, act = self.task.start(time)
        data = mjx.make_data(self.mj_model, impl=self._config.impl)
        data = data.replace(qpos=qpos, qvel=qvel, act=act, time=time)
        data = mjx.kinematics(self.mjx_model, data)
        zero = jnp.zeros(())
        return State(
            data, self._seen(data), zero, zero, dict.fromkeys(WEIGHTS, zero), {"time_out": zero}
        )

    def step(self, state: State, action: jax.Array) -> State:
        """Act (nu,), each -1 to 1, for ``dt``."""
        ctrl = self.task.controls(action, state.data.time)
        data = advance(self.mjx_model, state.data, ctrl, self.n_substeps)
        data = mjx.kinematics(self.mjx_model, data)  # a step leaves those of its beginning
        ends = self.task.tracker.ends_among(data.xpos)
        reward, lost, terms = self.task.judge(data.time, data.qpos, data.qvel, ends)
        over = self.task.finished(data.time) & ~lost
        return state.replace(
            data=data,
            obs=self._seen(data),
            reward=jnp.nan_to_num(reward),  # of a simulation that failed: it is lost
            done=(lost | over).astype(float),
            metrics=state.metrics | jax.tree.map(jnp.nan_to_num, terms),
            info=state.info | {"time_out": over.astype(float)},
        )

    def _seen(self, data: mjx.Data) -> jax.Array:
        return self.task.observe(data.time, data.qpos, data.qvel, data.act)

    @property
    def xml_path(self) -> str:
        """Return the file of the model before it was given its actuators."""
        motion = Path(self._config.motion)
        beside = motion / "model.xml" if motion.is_dir() else motion.with_name("model.xml")
        return self._config.model or str(beside)

    @property
    def action_size(self) -> int:
        """Return the number of actuators."""
        return self.task.model.nu

    @property
    def mj_model(self) -> mujoco.MjModel:
        """Return the model with its actuators, for the C engine."""
        return self.task.model

    @property
    def mjx_model(self) -> mjx.Model:
        """Return the model that is stepped."""
        return self._mjx_model
