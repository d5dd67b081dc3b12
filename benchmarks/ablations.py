"""What the parts of the method are worth: trainings that lack one of them, and their errors.

    python benchmarks/ablations.py RECORDS DATA -o OUT [--steps 600] [--parts PART ...]

RECORDS are those of docs/records.md, DATA the folder that they were made from. All trainings are as
long as the one that they are compared with: that of the shipped weights, or one of ``--steps``; the
second part of the inverse kinematics' training is left out, so that its parts need ``--steps``. The
middle 3 s of every clip of the people of validation are seen by the first virtual camera. Goes on
where it was stopped.
"""

import argparse
import dataclasses
import shutil
from pathlib import Path

from mjx_msk.data.datasets import list_trials
from mjx_msk.evaluation import methods
from mjx_msk.evaluation.methods import Kit, Outcome
from mjx_msk.evaluation.run import Plan, evaluate
from mjx_msk.evaluation.table import groups, means
from mjx_msk.fit.config import FitConfig
from mjx_msk.resources import asset
from mjx_msk.runtime import enable_compilation_cache
from mjx_msk.train.config import TrainConfig, read_config
from mjx_msk.train.loop import train

EXAMPLES = Path(__file__).parents[1] / "examples"
#: What is trained otherwise: network, and the changes of its config.
TRAINED: dict[str, tuple[str, dict]] = {
    "ikt": ("ikt", {}),
    "ikt without the camera's noise": ("ikt", {"noise": False}),
    "ikt on single frames": ("ikt", {"blocks": 0}),
    "idt": ("idt", {}),
    "idt without forward-inverse": ("idt", {"forward_inverse": 0.0, "rollout_share": 0.0}),
}
#: What is compared: which two networks, and the methods that use them.
COMPARED: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "everything": ("ikt", "idt", ("loop", "kinematics", "networks")),
    "no camera noise": ("ikt without the camera's noise", "idt", ("loop", "networks")),
    "single frames": ("ikt on single frames", "idt", ("loop", "networks")),
    "no forward-inverse loss": ("ikt", "idt without forward-inverse", ("loop", "networks")),
}
SHOWN = (
    "rotation_mae_deg", "pelvis_mae_cm", "mpjpe_mm", "force_pct_bw", "moment_legs_pct_bwh",
    "residual_force_pct_bw", "drift_0.1s_deg",
)  # fmt: skip


def without_dynamics(kit: Kit, seen, height_m: float, mass_kg: float) -> Outcome:
    """The loop without the laws of motion and the inverse dynamics network."""
    return methods.followed(kit, seen, height_m, mass_kg, kit.networks, FitConfig(balance_rounds=0))


def config_of(name: str, records: Path, out: Path, steps: int | None) -> TrainConfig:
    network, changes = TRAINED[name]
    config = read_config(EXAMPLES / f"train_{network}.toml")
    steps = steps or config.steps
    config = dataclasses.replace(
        config, data=records, out=out / "training" / name.replace(" ", "_"), steps=steps,
        checkpoint_every=250, validate_every=steps,
    )  # fmt: skip
    for key, value in changes.items():
        if key in vars(config.weights):
            config = dataclasses.replace(
                config, weights=dataclasses.replace(config.weights, **{key: value})
            )
        elif key == "blocks":
            config = dataclasses.replace(config, ikt=dataclasses.replace(config.ikt, blocks=value))
        else:
            config = dataclasses.replace(config, **{key: value})
    return config


def weights_of(name: str, records: Path, out: Path, steps: int | None) -> Path:
    """Return the file with a network's weights, trained if it is not there."""
    network = TRAINED[name][0]
    if steps is None and name == network:
        return asset(f"{network}.safetensors")
    config = config_of(name, records, out, steps)
    file = config.out / f"{network}.safetensors"
    if not file.is_file():
        train(config, lambda step, steps, _: print(name, step, steps, flush=True))
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, help="of each training; else as the shipped ones")
    parser.add_argument("--parts", nargs="+", choices=COMPARED, default=list(COMPARED))
    given = parser.parse_args()
    enable_compilation_cache()
    settings = given.records, given.out, given.steps
    written = {
        part: [weights_of(name, *settings) for name in COMPARED[part][:2]] for part in given.parts
    }
    methods.METHODS["kinematics"] = without_dynamics
    trials = list_trials("folder", given.data)
    print(f"{'':46}" + "".join(f"{name:>24}" for name in SHOWN))
    for name, files in written.items():
        chosen = COMPARED[name][2]
        weights = given.out / "weights" / name.replace(" ", "_")
        weights.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(file, weights / file.name)
        plan = Plan(methods=chosen, seeds=(0,), split="val", longest_s=3.0)
        found = evaluate(trials, given.out / name.replace(" ", "_"), Kit(weights), plan)
        for group, rows in groups(found.rows).items():
            mean = means(rows) if group in ("all", "walk") else {}
            for method in chosen if mean else ():
                values = [mean.get((score, method), (float("nan"),))[0] for score in SHOWN]
                label = f"{name}, {method} ({group})"
                print(f"{label:46}" + "".join(f"{v:24.2f}" for v in values), flush=True)


if __name__ == "__main__":
    main()
