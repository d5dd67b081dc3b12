"""Estimated motions replayed as physics: how long the body stays up, and how far it strays.

mjx-msk estimate walk.trc --model model.osim -o walk
python benchmarks/physics_replay.py walk [more folders]

The C engine moves the estimate's own model: the joints get the estimate's net moments (feedforward)
and a PD controller towards the estimate's angles and speeds, the feet what the contact spheres
give, the pelvis nothing. Gains are multiples of DeepMimic's (``mjx_msk_tracking.strength``). The
motion's stride is repeated; runs begin at evenly spaced moments of it, in the estimate's state.
"""

from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
import tyro
from common import table_of
from mjx_msk_tracking import Reference, Tracker, load_estimate, tracking_spec
from rich.console import Console

COLUMNS = (
    "motion", "feedforward", "gain", "up, s (median)", "least", "most", "lost at, s", "joints, deg",
    "root, mm", "PD, N m/kg",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to replay, and how."""

    folders: tyro.conf.Positional[tuple[Path, ...]]
    """Results of ``mjx-msk estimate``."""
    gains: tuple[float, ...] = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)
    """Multiples of the humanoid's gains."""
    starts: int = 10
    """Runs, each from another moment of the stride."""
    limit: float = 10.0
    """Longest run, s."""


@dataclass(frozen=True)
class Run:
    """One run: until the pelvis is lower than three quarters of where it should be."""

    up: float  #: s
    lost: float  #: s until the root is 0.5 m or 1 rad away, or has fallen
    error: np.ndarray  #: (K, nq) rad or m, until then
    effort: float  #: N m, RMS of the PD controller's moments until then


def main(options: Options) -> None:
    for folder in options.folders:
        rows = []
        for feedforward in (True, False):
            for gain in options.gains:
                rows.append(measure(folder, feedforward, gain, options))
        Console(width=200).print(table_of(str(folder), COLUMNS, rows))


def measure(folder: Path, feedforward: bool, gain: float, options: Options) -> list[str]:
    motion, spec = load_estimate(folder)
    model = tracking_spec(spec, "position", gain=gain).compile()
    model.actuator_ctrllimited[:] = 0  # the target also carries the speed
    tracker = Tracker(model, Reference.from_motion(motion, model, loop=True))
    begin = np.arange(options.starts) / options.starts * tracker.reference.duration
    runs = [replay(model, tracker, t, feedforward, gain, options.limit) for t in begin]
    up, lost = np.array([run.up for run in runs]), np.median([run.lost for run in runs])
    error = np.concatenate([run.error for run in runs])
    j = tracker.joints
    driven = j.inner[[not j.names[i].startswith("mtp") for i in j.inner]]
    degrees = np.rad2deg(np.sqrt(np.mean(error[:, driven] ** 2)))
    place = 1e3 * np.sqrt(np.mean(np.sum(error[:, [*j.horizontal, *j.vertical]] ** 2, axis=1)))
    effort = np.sqrt(np.mean([run.effort**2 for run in runs])) / model.body_mass.sum()
    return [
        folder.name, "yes" if feedforward else "no", f"{gain:g}", f"{np.median(up):.2f}",
        f"{up.min():.2f}", f"{up.max():.2f}", f"{lost:.2f}", f"{degrees:.1f}", f"{place:.0f}",
        f"{effort:.2f}",
    ]  # fmt: skip


def replay(
    model: mujoco.MjModel, tracker: Tracker, begin: float, feedforward: bool, gain: float,
    limit: float,
) -> Run:  # fmt: skip
    times = begin + model.opt.timestep * np.arange(round(limit / model.opt.timestep) + 1)
    wanted, joints = tracker.target(times), tracker.joints
    moments = tracker.reference.forces(times) if feedforward else np.zeros_like(wanted.qvel)
    driven = model.actuator_trnid[:, 0]
    slope = np.ones(model.nu)
    if gain:
        slope = model.actuator_biasprm[:, 2] / model.actuator_biasprm[:, 1]
    targets = wanted.qpos[:, driven] + slope * wanted.qvel[:, driven]
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = wanted.qpos[0], wanted.qvel[0]
    states, effort = np.empty_like(wanted.qpos), np.empty((len(times), model.nu))
    low, up = joints.vertical[0], len(times) - 1
    for k in range(len(times)):
        states[k] = data.qpos
        if not data.qpos[low] > 0.75 * wanted.qpos[k, low]:
            up = k
            break
        data.ctrl[:], data.qfrc_applied[:] = targets[k], moments[k]
        mujoco.mj_step(model, data)
        effort[k] = data.actuator_force
    states, aims = states[: up + 1], type(wanted)(*(x[: up + 1] for x in wanted))
    gone = np.flatnonzero(tracker.lost(states, aims))
    lost = int(gone[0]) if len(gone) else up
    error = (states - aims.qpos)[: lost + 1]
    rms = float(np.sqrt(np.mean(effort[: max(lost, 1)] ** 2)))
    return Run(up * model.opt.timestep, lost * model.opt.timestep, error, rms)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
