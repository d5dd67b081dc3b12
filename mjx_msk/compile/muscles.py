"""Muscles: paths as spatial tendons, and MuJoCo's muscle actuators on them."""

from dataclasses import replace

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from mjx_msk.compile.actuators import add_actuator, add_curve_notes
from mjx_msk.compile.skeleton import in_world, mujoco_body, quaternion
from mjx_msk.compile.source import GROUND, Muscle, Point, Source, Surface
from mjx_msk.compile.writer import follow

WRAP_GROUP, PATH_GROUP = 4, 5


def add_muscles(spec: mujoco.MjSpec, source: Source) -> None:
    """Add a tendon and an actuator per muscle, both with its name, and the surfaces in use.

    Muscles that were skipped are named by texts ``skipped/<muscle>`` that say why.
    """
    used = {item for muscle in source.muscles for item in muscle.path if isinstance(item, str)}
    surfaces = {surface.name: surface for surface in source.surfaces if surface.name in used}
    surfaces |= _choose_sides(spec, source, surfaces)
    _add_paths(spec, source, surfaces)
    for muscle in source.muscles:
        add_actuator(spec, muscle)
    add_curve_notes(spec, source.muscles)
    for name, reason in source.skipped.items():
        spec.add_text(name=f"skipped/{name}", data=reason)


def _add_paths(spec: mujoco.MjSpec, source: Source, surfaces: dict[str, Surface]) -> None:
    for surface in surfaces.values():
        _add_surface(spec, surface)
    for muscle in source.muscles:
        _add_path(spec, muscle, surfaces)


def _add_surface(spec: mujoco.MjSpec, surface: Surface) -> None:
    """Add the geom ``wrap/<name>`` and, where paths must pass on one side, a site there."""
    kind = mujoco.mjtGeom.mjGEOM_CYLINDER if surface.length else mujoco.mjtGeom.mjGEOM_SPHERE
    body = mujoco_body(spec, surface.body)
    rotation = surface.frame.rotation
    if surface.body == GROUND:
        rotation = np.column_stack([in_world(GROUND, column) for column in rotation.T])
    body.add_geom(
        name=f"wrap/{surface.name}",
        type=kind,
        pos=in_world(surface.body, surface.frame.position),
        quat=quaternion(rotation),
        size=[surface.radius, surface.length / 2, 0],
        mass=0,
        contype=0,
        conaffinity=0,
        group=WRAP_GROUP,
        rgba=[0.5, 0.6, 0.8, 0.3],
    )
    if surface.side.any():
        body.add_site(
            name=f"wrap/{surface.name}/side",
            pos=_beside(surface),
            size=[0.003, 0, 0],
            group=PATH_GROUP,
        )


def _choose_sides(
    spec: mujoco.MjSpec, source: Source, surfaces: dict[str, Surface]
) -> dict[str, Surface]:
    """Return the one-sided surfaces, each with the side that brings lengths closest to OpenSim's.

    Both engines know two ways round a surface. OpenSim takes the one inside the given half.
    MuJoCo takes the one whose contact lies more towards the side site, which for the middle of
    that half may be the longer way round; or, without a side site, simply the shorter one.
    """
    sided = {name: surface for name, surface in surfaces.items() if surface.side.any()}
    if not sided:
        return {}
    trial = spec.copy()
    _add_paths(trial, source, surfaces)
    model = trial.compile()
    poses = _qpos_at(model, source.poses)
    best = dict.fromkeys(sided, np.inf)
    chosen = dict(sided)
    for angle in (None, *np.radians(np.arange(-80, 81, 10))):
        candidates = {name: _turned(surface, angle) for name, surface in sided.items()}
        for name, surface in candidates.items():
            model.site(f"wrap/{name}/side").pos = _beside(surface)
        geoms = (model.wrap_type == mujoco.mjtWrap.mjWRAP_CYLINDER) & (model.wrap_prm >= 0)
        sites = np.where(geoms & (angle is None), -1, model.wrap_prm)
        lengths = _tendon_lengths(model, poses, sites)
        for name, surface in candidates.items():
            errors = [
                np.abs(lengths[:, model.tendon(muscle.name).id] - muscle.lengths)
                for muscle in source.muscles
                if name in muscle.path
            ]
            # Clipped, because OpenSim itself goes the long way round in a pose or two.
            error = np.square(np.minimum(errors, 0.02)).sum()
            if error < best[name] * (1 - 1e-6):
                best[name], chosen[name] = error, surface
    return chosen


def _turned(surface: Surface, angle: float | None) -> Surface:
    """Return a surface with its side turned about its axis, or with none for None."""
    if angle is None:
        return replace(surface, side=np.zeros(3))
    turn = Rotation.from_rotvec(angle * surface.frame.rotation[:, 2])
    return replace(surface, side=turn.apply(surface.side))


def _beside(surface: Surface) -> np.ndarray:
    """Return a point well off a surface on its side, in its MuJoCo body's frame."""
    return in_world(surface.body, surface.frame.position + 2 * surface.radius * surface.side)


def _qpos_at(model: mujoco.MjModel, poses: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Return the vector qpos of every sampled pose."""
    joints = {model.joint(i).name: model.jnt_qposadr[i] for i in range(model.njnt)}
    known = {joints[name]: values for name, values in poses.items() if name in joints}
    qpos = np.tile(model.qpos0, (len(next(iter(known.values()))), 1))
    for address, values in known.items():
        qpos[:, address] = values
    return [follow(model, row) for row in qpos]


def _tendon_lengths(
    model: mujoco.MjModel, poses: list[np.ndarray], side_sites: np.ndarray
) -> np.ndarray:
    """Return the length of every tendon in every pose, (poses, tendons), with given side sites."""
    kept = model.wrap_prm.copy()
    model.wrap_prm[:] = side_sites
    data = mujoco.MjData(model)
    lengths = np.zeros((len(poses), model.ntendon))
    for index, qpos in enumerate(poses):
        data.qpos = qpos
        mujoco.mj_fwdPosition(model, data)
        lengths[index] = data.ten_length
    model.wrap_prm[:] = kept
    return lengths


def _add_path(spec: mujoco.MjSpec, muscle: Muscle, surfaces: dict[str, Surface]) -> None:
    tendon = spec.add_tendon(name=muscle.name, width=0.004, rgba=[0.72, 0.22, 0.2, 1.0])
    for item in muscle.path:
        if isinstance(item, Point):
            name = f"{muscle.name}/{item.name}"
            mujoco_body(spec, item.body).add_site(
                name=name, pos=in_world(item.body, item.position),
                size=[0.003, 0, 0], rgba=[0.72, 0.22, 0.2, 1.0], group=PATH_GROUP,
            )  # fmt: skip
            tendon.wrap_site(name)
        else:
            side = f"wrap/{item}/side" if surfaces[item].side.any() else ""
            tendon.wrap_geom(f"wrap/{item}", side)
