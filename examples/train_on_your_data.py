"""Train the networks on your own recordings: prepare, train, evaluate.

python examples/train_on_your_data.py                      # a made squat: only whether it runs
python examples/train_on_your_data.py FOLDER --test OTHER_PEOPLE --steps 7000

FOLDER holds .trc files, or .mot files with the .osim that they belong to, a folder per person.
"""

import argparse
import csv
import subprocess
import sys
from pathlib import Path

from matplotlib import pyplot as plt

MADE = Path(__file__).parents[1] / "tests" / "data"
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("folder", nargs="?", type=Path, default=MADE)
parser.add_argument("--test", type=Path, help="recordings of people who are not in FOLDER")
parser.add_argument("--steps", type=int, default=200)
parser.add_argument("-o", "--out", type=Path, default=Path("out/training"))
given = parser.parse_args()

#: Small networks, to see that all of it runs; train_ikt.toml has the size of the shipped ones.
CONFIG = """
data = "records"
out = "networks"
steps = {steps}
batch = 8
frames = 16
strides = [1]
learning_rate = 2e-3
warmup_steps = 20
drawn_poses = 32
rollout_frames = [1]
log_every = 10

[ikt]
landmark_width = 16
landmark_blocks = 1
landmark_heads = 2
width = 64
blocks = 2
heads = 4

[idt]
width = 64
blocks = 2
heads = 4
"""


def mjx_msk(*arguments):
    """Run the command line, which says what it does."""
    subprocess.run([sys.executable, "-m", "mjx_msk", *map(str, arguments)], check=True)


given.out.mkdir(parents=True, exist_ok=True)
(given.out / "config.toml").write_text(CONFIG.format(steps=given.steps))
mjx_msk("data", "prepare", given.folder, "-o", given.out / "records", "--variants", 2)
mjx_msk("train", given.out / "config.toml")
mjx_msk(
    "evaluate", "--root", given.test or given.folder, "-o", given.out / "evaluation",
    "--weights", given.out / "networks", "--methods", "landmarks", "networks",
    "--virtual-camera", 0,
)  # fmt: skip

with open(given.out / "networks" / "metrics.csv", newline="") as file:
    rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
with open(given.out / "evaluation" / "scores.csv", newline="") as file:
    scores = {(row["score"], row["method"]): float(row["mean"]) for row in csv.DictReader(file)}
figure, axes = plt.subplots(1, 3, figsize=(13, 3.6), layout="constrained")
shown = ("coordinates", "markers"), ("torques", "ground_forces")
for axis, losses in zip(axes[:2], shown, strict=True):
    for loss in losses:
        curve = [(int(row["step"]), float(row["value"])) for row in rows if row["metric"] == loss]
        axis.semilogy(*zip(*curve, strict=True), label=loss.replace("_", " "))
    axis.set(xlabel="step", ylabel="loss")
    axis.legend()
labels = {"landmarks": "landmarks as they are", "networks": "new networks"}
for place, (method, label) in enumerate(labels.items()):
    values = [
        scores[score, method] for score in ("rotation_mae_deg", "pelvis_mae_cm", "force_pct_bw")
    ]
    bars = axes[2].bar([place * 0.4 + i for i in range(3)], values, 0.4, label=label)
    axes[2].bar_label(bars, fmt="%.1f")
axes[2].set_xticks([0.2, 1.2, 2.2], ["rotation, deg", "pelvis, cm", "force, % weight"])
axes[2].set(title="error" + ("" if given.test else " on what was trained on"))
axes[2].margins(y=0.15)
axes[2].legend()
figure.savefig(given.out / "training.png", dpi=80)
print("picture:", given.out / "training.png")
