"""Exported motions in the programs that they are for: each opens the file and says what it sees.

Every host runs in an environment of its own, which needs nothing of mjx-msk:

    mjx-msk export OUT --to locomujoco -o walk.npz   # and so on, see docs/exports.md
    python -m venv loco && loco/bin/pip install loco-mujoco==1.0.0
    loco/bin/python benchmarks/export_hosts.py locomujoco walk.npz
    python -m venv mimic && mimic/bin/pip install musclemimic==0.1.0
    mimic/bin/python benchmarks/export_hosts.py musclemimic walk.npz
    python -m venv myo && myo/bin/pip install myosuite==3.0.0
    myo/bin/python benchmarks/export_hosts.py myosuite walk.npz
    python -m venv blend && blend/bin/pip install bpy==4.5.15
    blend/bin/python benchmarks/export_hosts.py blender walk.glb walk.bvh walk.csv

LocoMuJoCo, MuscleMimic and MyoSuite pose the model beside the file (.xml) with the numbers that
they read and compare where bodies and sites are with the numbers of the file. Blender imports both
animations, takes the times from the CSV, and compares the bones of one with those of the other.
"""

import sys
from pathlib import Path

import numpy as np


def largest(found: np.ndarray, true: np.ndarray) -> float:
    """Return the largest distance in mm."""
    return 1e3 * float(np.linalg.norm(np.asarray(found) - np.asarray(true), axis=-1).max())


def poses(xml: Path, qpos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where MuJoCo of this environment puts bodies and sites (T, k, 3)."""
    import mujoco

    mj = mujoco.MjModel.from_xml_path(str(xml))
    data, bodies, sites = mujoco.MjData(mj), [], []
    for row in np.asarray(qpos, float):
        data.qpos = row
        mujoco.mj_forward(mj, data)
        bodies.append(data.xpos.copy())
        sites.append(data.site_xpos.copy())
    print(f"  MuJoCo {mujoco.__version__}: {mj.nq} positions, {mj.nbody} bodies, {mj.nu} actuators")
    return np.array(bodies), np.array(sites)


def locomujoco(path: Path) -> None:
    """Load the trajectory and let LocoMuJoCo's handler fit it to the model at 100 Hz."""
    import mujoco
    from loco_mujoco.trajectory import Trajectory, TrajectoryHandler

    found = Trajectory.load(str(path), backend=np)
    empty = [name for name, array in vars(found.data).items() if not np.size(array)]
    print(f"  {len(found.data.qpos)} frames at {found.info.frequency:g} Hz; absent: {empty}")
    bodies, sites = poses(path.with_suffix(".xml"), found.data.qpos)
    print(f"  bodies {largest(bodies, found.data.xpos):.4f} mm, "
          f"sites {largest(sites, found.data.site_xpos):.4f} mm off")  # fmt: skip
    mj = mujoco.MjModel.from_xml_path(str(path.with_suffix(".xml")))
    handler = TrajectoryHandler(mj, traj_path=str(path), control_dt=0.01)
    print(f"  its handler: {handler.len_trajectory(0)} steps "
          f"of 0.01 s, qpos {handler.traj.data.qpos.shape}")  # fmt: skip


def musclemimic(path: Path) -> None:
    """Do the same with the LocoMuJoCo that MuscleMimic brings, where more is optional."""
    import loco_mujoco.core  # noqa: F401  the trajectory's modules cannot be imported first

    locomujoco(path)


def myosuite(path: Path) -> None:
    """Load the clip as MyoSuite's MuscleMimic playback does."""
    import mujoco
    from myosuite.core.trajectory_io import expand_motion_clip_to_model, load_motion_clip

    mj = mujoco.MjModel.from_xml_path(str(path.with_suffix(".xml")))
    clip = expand_motion_clip_to_model(load_motion_clip(path, mj.nq, mj.nv), mj)
    print(f"  qpos {clip.qpos.shape}, qvel {clip.qvel.shape}, {clip.frequency_hz:g} Hz, "
          f"{len(clip.site_names)} sites")  # fmt: skip
    _, sites = poses(path.with_suffix(".xml"), clip.qpos)
    print(f"  sites {largest(sites, clip.site_xpos):.4f} mm off")


def blender(glb: Path, bvh: Path, csv: Path) -> None:
    """Import both animations and compare the bones of each with the other's."""
    import bpy

    time = np.genfromtxt(csv, delimiter=",", names=True)["time"]
    time = time - time[0]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = round((len(time) - 1) / time[-1])
    bpy.ops.import_scene.gltf(filepath=str(glb))
    scene = bpy.context.scene
    meshes = [o.name for o in bpy.data.objects if o.type == "MESH"]
    print(f"  {glb.name}: {len(meshes)} bones, action '{bpy.data.actions[0].name}'")
    places = {name: [] for name in meshes}
    for t in time:
        frame = t * scene.render.fps
        scene.frame_set(int(frame + 1e-4), subframe=min(max(frame - int(frame + 1e-4), 0.0), 1.0))
        for name in meshes:
            places[name].append(np.array(bpy.data.objects[name].matrix_world.translation))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_anim.bvh(filepath=str(bvh), global_scale=0.01)
    (rig,) = [o for o in bpy.data.objects if o.type == "ARMATURE"]
    off = {}
    for bone in rig.pose.bones:
        heads = []
        for frame in range(len(time)):
            bpy.context.scene.frame_set(frame + 1)
            heads.append(np.array(rig.matrix_world @ rig.pose.bones[bone.name].head))
        off[bone.name] = largest(np.array(heads), np.array(places[bone.name]))
    worst = sorted(off, key=off.get)[-3:]
    print(f"  {bvh.name}: {len(off)} bones; from the GLB's at most",
          ", ".join(f"{name} {off[name]:.1f} mm" for name in worst))  # fmt: skip


if __name__ == "__main__":
    hosts = {f.__name__: f for f in (locomujoco, musclemimic, myosuite, blender)}
    if len(sys.argv) < 3 or sys.argv[1] not in hosts:
        sys.exit(__doc__)
    print(sys.argv[1])
    hosts[sys.argv[1]](*map(Path, sys.argv[2:]))
