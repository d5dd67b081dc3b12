"""Scaling a compiled model to a person, as OpenSim's Scale Tool does."""

from collections.abc import Mapping, Sequence

import mujoco
import numpy as np

from mjx_msk.compile.skeleton import bone_above, matrix, possible_inertia
from mjx_msk.compile.writer import KEY, set_rest_pose
from mjx_msk.errors import MskError


def scale_spec(
    spec: mujoco.MjSpec,
    factors: Mapping[str, Sequence[float]],
    mass_kg: float | None = None,
) -> mujoco.MjSpec:
    """Return a scaled copy of a compiled model.

    ``factors`` maps a body to its three scale factors, along the axes of its own frame (bodies
    left out: 1). With ``s`` a body's factors, ``p`` its parent's (1 for the world), ``*`` element
    by element, ``R`` the rotation of the body in its parent's frame and ``c`` the place of its
    joints in the body's frame (``joint.pos``; the user data of a welded body):

    - joints, center of mass, sites and geoms: ``c' = s * c`` and so on;
    - the body's place: ``pos' = p * (pos + R c) - R (s * c)``;
    - slides that follow a coordinate move in proportion to ``f = sum(u^2 * p)``, where ``u`` is
      their axis in the joint's parent frame (``joint.user``; OpenSim takes the factors along
      these axes, not along those of the parent body); hinges and independent joints have
      ``f = 1``. In an equality ``y = sum(a_k x^k)`` this makes ``a_k' = a_k f_y / f_x^k``;
    - a geom's size along its own axis ``e`` grows with ``|s * e|``: a capsule's or cylinder's
      length with that of z, its radius with the mean of x and y, a sphere's radius with the mean
      of the three, an ellipsoid's semi-axes each with its own;
    - masses are multiplied by one number so that they add up to ``mass_kg`` (kept if None);
    - inertia: times ``s^2`` if the three factors are equal; otherwise that of a cylinder along the
      axis of the smallest moment, of the same radius and length before scaling, with products of
      inertia times ``s_i s_j``; then times the mass ratio;
    - a muscle's ``lengthrange`` grows with its path length at the keyframe ``default``, which
      scales its optimal fiber length and tendon slack length alike and keeps its force.

    Axes and orientations stay. Raises ``MskError`` for unknown bodies, factors that are not
    positive and finite, and masses that are not positive.
    """
    scale = _checked(spec, factors, mass_kg)
    result = spec.copy()
    lengths = _rest_lengths(result)
    _scale_couplings(result, scale)
    ratio = 1.0
    if mass_kg is not None:
        ratio = mass_kg / sum(body.mass for body in result.bodies)
    for body in result.bodies[1:]:
        _scale_inertia(body, scale[body.name], ratio)
        _scale_places(body, scale[body.name], scale[body.parent.name])
    _keep_default_pose(result)
    scaled = _rest_lengths(result)
    for actuator in result.actuators:
        if actuator.target in lengths:
            growth = scaled[actuator.target] / lengths[actuator.target]
            actuator.lengthrange = np.asarray(actuator.lengthrange) * growth
            if len(actuator.userdata) == 5:  # F0, fiber length, tendon length, pennation, velocity
                actuator.userdata = np.asarray(actuator.userdata) * [1, growth, growth, 1, 1]
    return result


def _checked(
    spec: mujoco.MjSpec, factors: Mapping[str, Sequence[float]], mass_kg: float | None
) -> dict[str, np.ndarray]:
    names = [body.name for body in spec.bodies]
    scale = {name: np.ones(3) for name in names}
    for name, value in factors.items():
        if name not in names[1:]:
            raise MskError(
                f"the model has no body '{name}' to scale.",
                remedy=f"Its bodies are: {', '.join(names[1:])}.",
            )
        scale[name] = np.asarray(value, dtype=float)
        if scale[name].shape != (3,) or not (np.isfinite(value) & (scale[name] > 0)).all():
            raise MskError(
                f"the scale factors of '{name}' are {list(value)}.",
                remedy="Give three positive numbers.",
            )
    if mass_kg is not None and not (np.isfinite(mass_kg) and mass_kg > 0):
        raise MskError(f"the mass is {mass_kg} kg.", remedy="Give a positive mass in kg.")
    return scale


def _scale_couplings(spec: mujoco.MjSpec, scale: dict[str, np.ndarray]) -> None:
    """Scale the polynomials of dependent joints; uses the places before scaling."""
    ties = [e for e in spec.equalities if e.type == mujoco.mjtEq.mjEQ_JOINT and e.name2]
    growth = {joint.name: 1.0 for joint in spec.joints}
    for tie in ties:
        joint = spec.joint(tie.name1)
        if joint.type == mujoco.mjtJoint.mjJNT_SLIDE and len(joint.userdata):
            growth[tie.name1] = float(
                np.square(joint.userdata) @ scale[bone_above(joint.parent).name]
            )
    for tie in ties:
        data = np.array(tie.data)
        data[:5] *= growth[tie.name1] / growth[tie.name2] ** np.arange(5)
        tie.data = data


def _scale_places(body: mujoco.MjsBody, own: np.ndarray, parent: np.ndarray) -> None:
    """Scale everything that is fixed to a body, and the body's place in its parent."""
    center = np.array(body.joints[0].pos if body.joints else body.userdata)[:3]
    center = center if len(center) else np.zeros(3)
    rotation = matrix(body.quat)
    anchor = np.asarray(body.pos) + rotation @ center
    body.pos = parent * anchor - rotation @ (own * center)
    if not body.joints and len(body.userdata):
        body.userdata = own * center
    for item in (*body.joints, *body.sites, *body.geoms):
        item.pos = own * np.asarray(item.pos)
    for geom in body.geoms:
        geom.size = _scaled_size(geom, own)


def _scaled_size(geom: mujoco.MjsGeom, own: np.ndarray) -> np.ndarray:
    size = np.array(geom.size)
    x, y, z = np.linalg.norm(own[:, None] * matrix(geom.quat), axis=0)
    kinds = mujoco.mjtGeom
    if geom.type == kinds.mjGEOM_SPHERE:
        return size * [(x + y + z) / 3, 1, 1]
    if geom.type in (kinds.mjGEOM_CAPSULE, kinds.mjGEOM_CYLINDER):
        return size * [(x + y) / 2, z, 1]
    return size * [x, y, z]


def _scale_inertia(body: mujoco.MjsBody, own: np.ndarray, mass_ratio: float) -> None:
    if body.mass <= 0:
        return
    inertia = np.array(body.fullinertia)
    if not np.isfinite(inertia).all():  # the body was written with principal axes
        axes = matrix(body.iquat)
        inertia = (axes @ np.diag(body.inertia) @ axes.T)[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    if np.ptp(own) < 1e-12:
        inertia *= own[0] ** 2
    else:
        inertia[:3] = _cylinder(inertia[:3], body.mass, own)
        inertia[3:] *= [own[0] * own[1], own[0] * own[2], own[1] * own[2]]
    # Moments that are just possible must not become impossible by rounding.
    inertia[:3] += 1e-12 * inertia[:3].max()
    body.fullinertia = possible_inertia(inertia * mass_ratio)
    body.mass *= mass_ratio
    body.ipos = own * np.asarray(body.ipos)


def _cylinder(moments: np.ndarray, mass: float, own: np.ndarray) -> np.ndarray:
    """Return the moments (3,) of the body taken for a cylinder, after scaling its dimensions."""
    axis = int(np.argmin(moments))
    across = [i for i in range(3) if i != axis]
    radius_squared = max(0.0, 2 * moments[axis] / mass)
    length_squared = max(0.0, 12 * moments[across[0]] / mass - 3 * radius_squared)
    radius_squared *= own[across[0]] * own[across[1]]
    length_squared *= own[axis] ** 2
    scaled = np.full(3, mass * (length_squared / 12 + radius_squared / 4))
    scaled[axis] = mass * radius_squared / 2
    return scaled


def _keep_default_pose(spec: mujoco.MjSpec) -> None:
    """Keep the coordinates of the default keyframe; joints that depend on them follow."""
    key = next((key for key in spec.keys if key.name == KEY), None)
    values = {}
    if key is not None:
        model = spec.compile()
        values = {model.joint(i).name: key.qpos[model.jnt_qposadr[i]] for i in range(model.njnt)}
    set_rest_pose(spec, values)


def _rest_lengths(spec: mujoco.MjSpec) -> dict[str, float]:
    """Return the length of each tendon at the default keyframe."""
    if not spec.tendons:
        return {}
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key(KEY).id)
    mujoco.mj_forward(model, data)
    return {model.tendon(i).name: float(data.ten_length[i]) for i in range(model.ntendon)}
