"""Muscle-driven simulation with gradients: excitations that bring an arm to rest in a pose.

pip install -e '.[opensim]'
python examples/muscle_gradients.py --pose 70 90
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib import pyplot as plt

import mjx_msk
from mjx_msk import physics

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--pose", type=float, nargs=2, default=[70.0, 90.0], metavar="DEGREES")
parser.add_argument("-o", "--out", default="muscle_gradients.png", help="picture to write")
given = parser.parse_args()

STEP_S, STEPS, KNOTS, REST = 4e-3, 150, 7, 25  # the last 25 steps are spent in the pose
model = mjx_msk.Model.from_spec(mjx_msk.compile_osim(Path(__file__).with_name("arm.osim")))
names = model.layout.muscles.names
target = jnp.deg2rad(jnp.array(given.pose))


def simulate(theta):
    """Return the states of a movement whose excitations are sigmoid(theta) at evenly set knots."""
    signal = physics.Signal(0.0, STEP_S * STEPS / (KNOTS - 1), jax.nn.sigmoid(theta))
    drive = physics.muscle_drive(model, lambda t, state: signal.at(t))
    muscles = physics.MuscleState(jax.nn.sigmoid(theta[0]))
    start = physics.State(model.q_default, jnp.zeros(model.n), muscles)
    return physics.rollout(model, drive, start, step=STEP_S, steps=STEPS)


def loss(theta):
    """Return how far the arm is from resting in the pose, and a little of its effort."""
    states = simulate(theta)
    apart, speed = states.q[-REST:] - target, states.qd[-REST:]
    effort = jnp.mean(jax.nn.sigmoid(theta) ** 2)
    return jnp.mean(jnp.sum(apart**2 + 0.01 * speed**2, axis=1)) + 0.01 * effort


theta = first = jnp.full((KNOTS, len(names)), -2.0)
adam = optax.adam(0.15)
memory, losses = adam.init(theta), []
descend = jax.jit(jax.value_and_grad(loss))
for _ in range(120):
    value, slope = descend(theta)
    change, memory = adam.update(slope, memory)
    theta = optax.apply_updates(theta, change)
    losses.append(float(value))
before, after = (jax.jit(simulate)(x).q for x in (first, theta))
print(f"loss {losses[0]:.3f} to {losses[-1]:.4f}; pose", np.rad2deg(after[-1]).round(1), "degrees")

figure, axes = plt.subplots(1, 4, figsize=(15, 3.6), layout="constrained")
axes[0].semilogy(losses)
axes[0].set(title="Adam through the simulation", xlabel="iteration", ylabel="loss")
for q, colour in ((before, "0.6"), (after, "C3")):  # the arm every 0.1 s
    for frame in range(0, STEPS + 1, 25):
        seen = physics.pose(model, q[frame])
        x, _, z = jnp.concatenate([seen.body_position[1:], seen.sites]).T
        axes[1].plot(x, z, "o-", color=colour, alpha=0.2 + 0.8 * frame / STEPS, linewidth=4)
axes[1].set(title="first guess (grey) and result", xlabel="m", ylabel="m", aspect="equal")
time = STEP_S * np.arange(STEPS + 1)
for i, name in enumerate(model.layout.coordinate_names):
    axes[2].plot(time, np.rad2deg(after[:, i]), color=f"C{i}", label=name.replace("_", " "))
    axes[2].plot(time, np.rad2deg(before[:, i]), ":", color=f"C{i}")
    axes[2].plot(time[-1], given.pose[i], "o", color=f"C{i}")
axes[2].set(title="angles; wanted: dots", xlabel="s", ylabel="degrees")
axes[2].legend()
knots = np.linspace(0.0, STEP_S * STEPS, KNOTS)
axes[3].plot(knots, jax.nn.sigmoid(theta), label=[name.replace("_", " ") for name in names])
axes[3].set(title="excitations", xlabel="s", ylim=(0, 1))
axes[3].legend(fontsize="small")
figure.savefig(given.out, dpi=80)
print("Wrote", given.out)
