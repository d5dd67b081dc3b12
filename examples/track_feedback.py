"""Learn a policy that walks as an estimate does: local linear models of what actions did.

pip install 'mjx-msk[rl]'
mjx-msk estimate walk.trc --model model.osim -o walk
python examples/track_feedback.py walk -o feedback                        # again: goes on
python examples/track_feedback.py walk -o feedback --evaluate             # strides and errors
python examples/track_feedback.py walk -o feedback --video feedback.mp4

Round by round, many bodies try the policy with some noise and are pushed, the models are fitted to
what happens, and the next policy is their regulator (``mjx_msk_tracking.feedback``). It answers the
errors of the joints with targets of servos; nothing holds the pelvis.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import gymnasium
import numpy as np
import tyro
from mjx_msk_gym.worlds import TrackConfig, Worlds
from mjx_msk_tracking import Feedback, LocalModels

from mjx_msk import write_mp4

#: Bodies start anew where their samples would weigh less, and now and then anywhere (share of
#: actions), so that starts never become rare among the samples.
USELESS, ANEW = 0.01, 0.05
#: They are pushed in this share of the actions, by speeds of this deviation, m/s.
PUSHED, PUSH = 0.04, 0.15
#: Time between the pushes of an evaluation, s.
PUSHED_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to follow, and how long to learn it."""

    motion: tyro.conf.Positional[Path]
    """A folder of ``mjx-msk estimate`` that holds a stride."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("feedback")
    """Where the policy goes; learning goes on from what is there."""
    rounds: int = 12
    """Rounds of learning, those of earlier runs included."""
    bodies: int = 128
    """Bodies that try actions together."""
    actions: int = 100
    """Actions of each body in a round."""
    noise: float = 0.2
    """Of tried actions, whose range is -1 to 1."""
    seed: int = 0
    """Of starts and noise."""
    evaluate: bool = False
    """Learn no more; say how well the policy walks."""
    video: Path | None = None
    """Learn no more; write a video of the policy to this file."""
    starts: int = 12
    """Runs of an evaluation, from evenly spaced moments of the cycle."""
    seconds: float = 20.0
    """Length of the evaluation's runs, and of the video."""
    push: float = 0.0
    """Evaluation: speed that bodies get every two seconds, each in a random direction, m/s."""
    timestep_s: float | None = None
    """Of the engine, by default the plugin's."""


def main(options: Options) -> None:
    """Learn, evaluate or show."""
    config = TrackConfig(motion=options.motion, loop=True, timestep_s=options.timestep_s)
    if options.video is not None:
        show(options)
    elif options.evaluate:
        policy = Feedback.load(options.out / "policy.npz")
        print(json.dumps(evaluate(config, policy, options, options.seconds), indent=1))
    else:
        learn(config, options)


def learn(config: TrackConfig, options: Options) -> None:
    """Learn round by round; each is saved, and depends only on the seed and those before."""
    options.out.mkdir(parents=True, exist_ok=True)
    worlds, checkpoint = Worlds(config, options.bodies), options.out / "models.npz"
    joints = worlds.tracker.joints
    place = {j: i for i, j in enumerate(joints.independent)}
    models = LocalModels(
        worlds.moments, len(place), worlds.model.nu, worlds.step_s,
        root=np.array([place[j] for j in joints.root]),
        floor=np.array([place[j] for j in joints.horizontal]),
    )  # fmt: skip
    if checkpoint.is_file():
        models.restore(checkpoint)
    while models.rounds < options.rounds:
        began, rng = time.time(), np.random.default_rng([options.seed, models.rounds])
        models.add(*tried(worlds, models, options, rng))
        policy = models.feedback()
        policy.save(options.out / "policy.npz")
        models.save(checkpoint)
        line = {"round": models.rounds, "actions": models.rounds * options.bodies * options.actions}
        line |= {"s": round(time.time() - began, 1)} | evaluate(config, policy, options, 8.0)
        with open(options.out / "log.jsonl", "a") as log:
            log.write(json.dumps(line) + "\n")
        print(line, flush=True)


def tried(
    worlds: Worlds, models: LocalModels, options: Options, rng: np.random.Generator
) -> list[np.ndarray]:
    """Return phases, errors, actions and the errors that followed, of the policy with noise."""
    every, floor = np.arange(options.bodies), worlds.tracker.joints.horizontal
    policy = models.feedback() if models.rounds else None
    worlds.reset(every, rng)
    found = []
    for _ in range(options.actions):
        phase, error = worlds.phase(), worlds.error()
        action = options.noise * rng.normal(size=(options.bodies, worlds.model.nu))
        if policy is not None:
            action += policy(phase, error)
        action = np.clip(action, -1.0, 1.0)
        _, lost, _, _ = worlds.step(action)
        after = worlds.error()
        found.append((phase, error, action, after))
        anew = lost | (models.weight(after) < USELESS) | (rng.random(options.bodies) < ANEW)
        worlds.reset(every[anew], rng)
        pushed = rng.random(options.bodies) < PUSHED
        push = PUSH * rng.normal(size=(options.bodies, len(floor))) * pushed[:, None]
        worlds.engine.qvel[:, floor] += push
    return [np.concatenate(column) for column in zip(*found, strict=True)]


def evaluate(config: TrackConfig, policy: Feedback, options: Options, seconds: float) -> dict:
    """Let the policy walk without noise; errors are until a body is lost, or time is over."""
    count, rng = options.starts, np.random.default_rng(options.seed)
    worlds = Worlds(config, count)
    worlds.feedback = policy
    cycle, joints = worlds.tracker.reference.duration, worlds.tracker.joints
    worlds.reset(np.arange(count), rng, np.arange(count) * worlds.moments // count * worlds.step_s)
    up, alive, errors = np.zeros(count), np.ones(count, dtype=bool), []
    for step in range(1, round(seconds / worlds.step_s) + 1):
        _, lost, _, _ = worlds.step(np.zeros((count, worlds.model.nu)))
        alive &= ~lost
        up[alive] += worlds.step_s
        errors.append(worlds.error()[alive])
        worlds.reset(np.flatnonzero(lost), rng)
        if not alive.any():
            break
        if options.push and step % round(PUSHED_S / worlds.step_s) == 0:
            angle = rng.uniform(0, 2 * np.pi, count)
            change = options.push * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
            worlds.engine.qvel[:, joints.horizontal] += change
    worlds.engine.close()
    error, own = np.concatenate(errors)[:, : len(joints.independent)], joints.independent
    angles = error[:, np.isin(own, joints.inner)]
    place = error[:, np.isin(own, [*joints.horizontal, *joints.vertical])]
    return {
        "never_lost": f"{alive.sum()} of {count}",
        "strides_least": round(float(up.min() / cycle), 1),
        "strides_median": round(float(np.median(up) / cycle), 1),
        "joints_deg": round(float(np.rad2deg(np.sqrt(np.mean(angles**2)))), 2),
        "root_mm": round(1e3 * float(np.sqrt(np.mean(np.sum(place**2, axis=1)))), 1),
    }


def show(options: Options) -> None:
    """Write a video of the policy."""
    env = gymnasium.make(
        "mjx_msk_gym:mjx_msk/Track-v0", render_mode="rgb_array", episode_s=options.seconds,
        motion=options.motion, loop=True, timestep_s=options.timestep_s,
        feedback=options.out / "policy.npz",
    )  # fmt: skip
    env.reset(seed=options.seed, options={"start": 0.0})
    pictures, over = [env.render()], False
    while not over:
        *_, lost, ended, info = env.step(np.zeros(env.action_space.shape))
        over = lost or ended
        pictures.append(env.render())
    print(f"{'fell' if lost else 'still up'} after {info['time']:.1f} s")
    write_mp4(options.video, pictures, env.metadata["render_fps"])
    env.close()


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
