"""``mjx-msk import --grf`` and ``--forces`` on a real walk of OpenCap, against its own files.

The references are read here by hand: forces as the plates measured them, moments as OpenSim 4.6
computed them (``_id_opensim.sto``), both Y up, turned by (x, y, z) -> (x, -z, y).
"""

from pathlib import Path

import mujoco
import numpy as np
import pytest

from mjx_msk import cli
from mjx_msk.motion import Motion

SUBJECT = "motions/opencap/test_original"
#: s, of the step in which the plates hold both feet.
BEGIN, END = 0.2, 0.9


@pytest.fixture(scope="module")
def walk(shared_data, tmp_path_factory) -> Path:
    """Return a folder with 0.7 s of the walk and the compiled model."""
    folder = tmp_path_factory.mktemp("walk")
    lines = (shared_data / SUBJECT / "walking1_ik_opensim.mot").read_text().splitlines()
    head = lines.index("endheader") + 2
    kept = [row for row in lines[head:] if BEGIN - 1e-6 <= float(row.split()[0]) <= END + 1e-6]
    lines[:head] = [f"nRows={len(kept)}" if "nRows" in row else row for row in lines[:head]]
    (folder / "walk.mot").write_text("\n".join(lines[:head] + kept) + "\n")
    run("compile", shared_data / SUBJECT / "model.osim", "-o", folder / "model.xml")
    return folder


@pytest.fixture(scope="module")
def measured(walk, shared_data) -> Motion:
    forces = shared_data / SUBJECT / "walking1_grf.mot"
    return brought(walk, "measured", "--grf", forces)


@pytest.fixture(scope="module")
def estimated(walk) -> Motion:
    return brought(walk, "estimated", "--forces")


def run(*arguments: object) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    assert ended.value.code == 0


def brought(walk: Path, name: str, *options: object) -> Motion:
    """Import the walk; its coordinates are low-passed as those of the reference were."""
    common = ("--model", walk / "model.xml", "--cutoff", 6, "-o", walk / name)
    run("import", walk / "walk.mot", *common, *options)
    for made in ("kinetics.sto", "grf.mot", "activations.sto", "report.html"):
        assert (walk / name / made).is_file()
    return Motion.load(walk / name / "motion.npz")


def columns(path: Path) -> dict[str, np.ndarray]:
    """Read an OpenSim table, by hand."""
    lines = path.read_text().splitlines()
    head = lines.index("endheader") + 1
    data = np.array([row.split() for row in lines[head + 1 :]], float)
    return dict(zip(lines[head].split("\t"), data.T, strict=True))


def plate(shared_data: Path, side: str, time: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return force (T, 3), center of pressure (T, 3) and free moment (T, 3) of a foot, Z up."""
    table = columns(shared_data / SUBJECT / "walking1_grf.mot")
    names = [f"{side}_ground_{kind}" for kind in ("force_v", "force_p", "torque_")]
    x, y, z = (
        np.stack([np.interp(time, table["time"], table[name + axis]) for name in names])
        for axis in "xyz"
    )
    return tuple(np.stack([x, -z, y], axis=-1))


@pytest.mark.parametrize("side", ["R", "L"])
def test_measured_forces_are_those_of_the_file(measured, shared_data, side):
    force, cop, moment = plate(shared_data, side, measured.time)
    foot = measured.foot_names.index(side.lower())
    np.testing.assert_allclose(measured.foot_force[:, foot], force, atol=1e-6)
    loaded = force[:, 2] > 50.0
    assert loaded.sum() > 15
    assert force[loaded, 2].mean() > 200.0  # upward: the ground pushes
    np.testing.assert_allclose(measured.foot_cop[loaded, foot, :2], cop[loaded, :2], atol=1e-6)
    np.testing.assert_allclose(measured.foot_moment[loaded, foot], moment[loaded], atol=1e-6)
    assert measured.contact[loaded, foot].all()


def test_moments_under_measured_forces_are_opensims(measured, shared_data):
    """Ends are left out: the filter saw 0.7 s here, and the whole walk there."""
    reference = columns(shared_data / SUBJECT / "walking1_id_opensim.sto")
    inner = slice(20, -20)
    for name in (
        "hip_flexion_r", "hip_adduction_l", "knee_angle_r", "knee_angle_l", "ankle_angle_r",
        "ankle_angle_l",
    ):  # fmt: skip
        wanted = np.interp(measured.time, reference["time"], reference[f"{name}_moment"])
        found = measured.generalized_force[:, measured.index(name)]
        error = np.abs(found - wanted)[inner].max()
        assert error < 0.02 * np.abs(wanted).max(), name
    ankle = measured.generalized_force[:, measured.index("ankle_angle_r")]
    assert ankle.min() < -50.0  # the calf carries the body: a plantar flexing moment


def test_estimated_forces_move_the_center_of_mass(estimated, walk, shared_data):
    """The force is what C MuJoCo's center of mass needs: m (a - g), by differences of places."""
    model = mujoco.MjModel.from_xml_path(str(walk / "estimated" / "model.xml"))
    data, center = mujoco.MjData(model), []
    for qpos in estimated.qpos:
        data.qpos[:] = qpos
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        center.append(data.subtree_com[0].copy())
    dt = estimated.time[1] - estimated.time[0]
    mass = model.body_mass.sum()
    needed = mass * (np.diff(center, 2, axis=0) / dt**2 - model.opt.gravity)
    given = np.sum(estimated.foot_force, axis=1)[1:-1]
    assert np.abs(given - needed)[3:-3].max() < 0.03 * mass * 9.81
    assert estimated.foot_force[..., 2].min() >= 0.0
    aside = np.linalg.norm(estimated.foot_force[..., :2], axis=-1)
    assert np.all(aside <= 0.8 * estimated.foot_force[..., 2] + 1e-3)  # the friction cone

    for side in "RL":  # and it is shared between the feet about as the plates say
        force, cop, _ = plate(shared_data, side, estimated.time)
        foot = estimated.foot_names.index(side.lower())
        error = np.abs(estimated.foot_force[:, foot, 2] - force[:, 2])
        assert error.mean() < 0.08 * mass * 9.81
        both = (force[:, 2] > 200.0) & (estimated.foot_force[:, foot, 2] > 200.0)
        away = np.linalg.norm(estimated.foot_cop[both, foot, :2] - cop[both, :2], axis=-1)
        assert away.mean() < 0.06
