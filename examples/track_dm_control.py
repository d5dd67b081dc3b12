"""An estimate in dm_control: its person as a walker, and the task to move as it did.

python examples/track_dm_control.py                             # the demo: made if need be
python examples/track_dm_control.py WALK --loop --actuation muscle
python examples/track_dm_control.py WALK --loop --view          # dm_control's viewer and a screen
"""

import argparse
import os
import sys
from pathlib import Path

if sys.platform == "linux" and "--view" not in sys.argv:
    os.environ.setdefault("MUJOCO_GL", "osmesa")  # pictures without a screen: libosmesa6

import numpy as np
from dm_control import composer
from dm_control.mujoco.engine import MovableCamera
from mjx_msk_dm_control import TrackingTask
from PIL import Image

import mjx_msk

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("folder", nargs="?", type=Path, help="of mjx-msk estimate (default: the demo)")
parser.add_argument("--actuation", choices=["position", "torque", "muscle"], default="torque")
parser.add_argument("--loop", action="store_true", help="repeat the motion's cycle")
parser.add_argument("--view", action="store_true", help="open dm_control's viewer instead")
parser.add_argument("-o", "--out", type=Path, default=Path("dm_control.png"), help="picture")
given = parser.parse_args()
folder = given.folder or Path("demo")
try:
    if given.folder is None and not (folder / "motion.npz").is_file():
        options = mjx_msk.Options(height_m=1.73, mass_kg=70.0)
        mjx_msk.estimate(mjx_msk.demo_video(), folder, options)
    task = TrackingTask(folder, actuation=given.actuation, loop=given.loop)
except mjx_msk.MskError as error:
    sys.exit(str(error))
# torques at random can blow up any simulation: that ends an episode
env = composer.Environment(
    task, time_limit=10.0, random_state=0, raise_exception_on_physics_error=False
)
low, high = env.action_spec().minimum, env.action_spec().maximum
model, chance = task.walker.model, np.random.default_rng(0)
muscles = len(task.walker.muscles)
joints = model.actuator_trnid[muscles:, 0]


def as_estimated(_):
    """Return what the estimate says for the middle of the coming step."""
    time = task.start + env.physics.time() + env.control_timestep() / 2
    moments = task.reference.forces(time)[joints]
    if given.actuation == "position":  # of a servo that pulls towards its angle
        angles, speeds = (values[joints] for values in task.reference.sample(time))
        stiffness, damping = -model.actuator_biasprm[:, 1:3].T
        return np.clip(angles + (damping * speeds + moments) / stiffness, low, high)
    ctrl = moments / model.actuator_gear[muscles:, 0]  # in a motor's limit
    if muscles:
        known = task.reference.muscle_names
        columns = [known.index(muscle.name) for muscle in task.walker.muscles]
        ctrl = np.concatenate([task.reference.activations(time)[columns], ctrl])
    return np.clip(ctrl, low, high)


def at_random(_):
    """Return what knows nothing of the motion."""
    return chance.uniform(low, high)


def episode(policy):
    """Run an episode; return its rewards and how it looked after each step."""
    step, rewards, pictures = env.reset(), [], []
    while not step.last():
        step = env.step(policy(step))
        rewards.append(step.reward)
        camera = MovableCamera(env.physics, 420, 260)
        x, y, _ = env.physics.bind(task.walker.pelvis).xpos
        camera.set_pose([x, y, 0.85], 3.1, 90.0, -8.0)
        pictures.append(camera.render())
    return rewards, pictures


if given.view:
    from dm_control import viewer  # complains where there is no screen

    viewer.launch(env, policy=as_estimated, title="mjx-msk")
    sys.exit()
for policy in (at_random, as_estimated):
    rewards, pictures = episode(policy)
    print(
        f"{policy.__name__}: {len(rewards) * env.control_timestep():.2f} s until lost or over, "
        f"reward of a step {np.mean(rewards):.2f}, of the first {rewards[0]:.2f}"
    )
shown = np.linspace(0, len(pictures) - 1, 7).astype(int)
Image.fromarray(np.hstack([pictures[i] for i in shown])).save(given.out)
print("Wrote", given.out)
env.close()
