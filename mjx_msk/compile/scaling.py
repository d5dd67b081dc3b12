"""Scaling a compiled model to a person, as OpenSim's Scale Tool does."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import mujoco
import numpy as np

from mjx_msk.compile.following import follow
from mjx_msk.compile.plausible import check_factors, check_mass
from mjx_msk.compile.skeleton import matrix, possible_inertia
from mjx_msk.compile.writer import KEY
from mjx_msk.errors import MskError

#: In the name of a body that the compiler added between OpenSim's; theirs never have one.
ADDED = "/"


class Owners(NamedTuple):
    """Whose scale factors a body takes: indices of bodies, one per body."""

    own: tuple[int, ...]  #: for what is fixed to the body
    above: tuple[int, ...]  #: for how it hangs from the body above


def owners(names: Sequence[str], parents: Sequence[int]) -> Owners:
    """Return whose factors each body takes; ``parents`` come before their children.

    OpenSim's bodies have their own and hang from the next one above. Bodies that the compiler
    added, to hold more joints (``knee_r/1``) or a moving point (``path/...``), take those of the
    one above.
    """
    own, above = [0], [0]
    for body in range(1, len(names)):
        above.append(own[int(parents[body])])
        own.append(above[body] if ADDED in names[body] else body)
    return Owners(tuple(own), tuple(above))


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
      length with that of z, its radius with the mean of x and y, an ellipsoid's semi-axes and a
      mesh each with its own; a sphere's radius grows with the mean of ``s``;
    - masses are multiplied by one number so that they add up to ``mass_kg`` (kept if None);
    - inertia: times ``s^2`` if the three factors are equal; otherwise that of a cylinder along the
      axis of the smallest moment, of the same radius and length before scaling, with products of
      inertia times ``s_i s_j``; then times the mass ratio;
    - a muscle's ``lengthrange`` grows with its path length at the keyframe ``default``, which
      scales its optimal fiber length and tendon slack length alike and keeps its force; so do a
      tendon's own resting lengths and range.

    Axes and orientations stay, and so do the coordinates of keyframes. Bodies that the compiler
    added (``owners``) have no factors of their own. Raises ``MskError`` for unknown bodies and for
    sizes that ``plausible`` refuses.
    """
    own, above = _checked(spec, factors, mass_kg)
    result = spec.copy()
    lengths = _rest_lengths(result)
    _scale_couplings(result, above)
    ratio = 1.0
    if mass_kg is not None:
        ratio = mass_kg / sum(body.mass for body in result.bodies)
    _scale_meshes(result, own)
    for body in result.bodies[1:]:
        _scale_inertia(body, own[body.name], ratio)
        _scale_places(body, own[body.name], own[body.parent.name])
    _follow_in_keyframes(result)
    scaled = _rest_lengths(result)
    growth = {name: scaled[name] / length for name, length in lengths.items()}
    for tendon in [tendon for tendon in result.tendons if tendon.name in growth]:
        rest = np.asarray(tendon.springlength)
        tendon.springlength = np.where(rest > 0, rest * growth[tendon.name], rest)  # -1: as it is
        tendon.range = np.asarray(tendon.range) * growth[tendon.name]
    for actuator in result.actuators:
        if actuator.trntype == mujoco.mjtTrn.mjTRN_TENDON and actuator.target in growth:
            by = growth[actuator.target]
            actuator.lengthrange = np.asarray(actuator.lengthrange) * by
            if len(actuator.userdata) >= 5:  # F0, fiber length, tendon length, pennation, ...
                actuator.userdata = [
                    v * by if i in (1, 2) else v for i, v in enumerate(actuator.userdata)
                ]
    return result


def _checked(
    spec: mujoco.MjSpec, factors: Mapping[str, Sequence[float]], mass_kg: float | None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the factors of each body and those of what it hangs from, by its name."""
    names = [body.name for body in spec.bodies]
    place = {name: index for index, name in enumerate(names)}
    own_bodies = [name for name in names[1:] if ADDED not in name]
    scale = {name: np.ones(3) for name in names}
    for name, value in factors.items():
        if name not in own_bodies:
            raise MskError(
                f"the model has no body '{name}' to scale.",
                remedy=f"Its bodies are: {', '.join(own_bodies)}.",
            )
        scale[name] = np.asarray(value, dtype=float)
    parents = [0, *(place[body.parent.name] for body in spec.bodies[1:])]
    owner = owners(names, parents)
    above = {name: names[owner.above[place[name]]] for name in own_bodies}
    check_factors({name: scale[name] for name in own_bodies}, above)
    if mass_kg is not None:
        check_mass(mass_kg)
    return (
        {name: scale[names[i]] for name, i in zip(names, owner.own, strict=True)},
        {name: scale[names[i]] for name, i in zip(names, owner.above, strict=True)},
    )


def _scale_couplings(spec: mujoco.MjSpec, above: dict[str, np.ndarray]) -> None:
    """Scale the polynomials of dependent joints; uses the places before scaling."""
    ties = [e for e in spec.equalities if e.type == mujoco.mjtEq.mjEQ_JOINT and e.name2]
    growth = {joint.name: 1.0 for joint in spec.joints}
    for tie in ties:
        joint = spec.joint(tie.name1)
        if joint.type == mujoco.mjtJoint.mjJNT_SLIDE and len(joint.userdata):
            growth[tie.name1] = float(np.square(joint.userdata) @ above[joint.parent.name])
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
        return size * [np.mean(own), 1, 1]
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
        body.inertia, body.iquat = np.zeros(3), [1, 0, 0, 0]
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


def _scale_meshes(spec: mujoco.MjSpec, own: dict[str, np.ndarray]) -> None:
    """Scale meshes along their own axes; one that several bodies show is copied for each."""
    kept: dict[str, np.ndarray] = {}
    for body in spec.bodies[1:]:
        for geom in body.geoms:
            if geom.type != mujoco.mjtGeom.mjGEOM_MESH:
                continue
            growth = np.linalg.norm(own[body.name][:, None] * matrix(geom.quat), axis=0)
            mesh = spec.mesh(geom.meshname)
            if mesh.name not in kept:
                kept[mesh.name] = growth
                mesh.scale = growth * np.asarray(mesh.scale)
            elif not np.allclose(kept[mesh.name], growth):
                scale = growth / kept[mesh.name] * np.asarray(mesh.scale)
                geom.meshname = _copied(spec, mesh, f"{mesh.name}/{body.name}", scale)


def _copied(spec: mujoco.MjSpec, mesh: mujoco.MjsMesh, name: str, scale: np.ndarray) -> str:
    """Add a copy of a mesh at another scale, if it is not there yet; return its name."""
    if spec.mesh(name) is None:
        copy = spec.add_mesh(name=name, scale=scale, inertia=mesh.inertia)
        for field in ("file", "uservert", "userface", "usernormal", "refpos", "refquat"):
            setattr(copy, field, getattr(mesh, field))
    return name


def _follow_in_keyframes(spec: mujoco.MjSpec) -> None:
    """Keep the coordinates of the keyframes; joints that depend on them follow."""
    model = spec.compile()
    for index, key in enumerate(spec.keys):
        key.qpos = follow(model, model.key_qpos[index])  # a file leaves out what is at rest


def _rest_lengths(spec: mujoco.MjSpec) -> dict[str, float]:
    """Return the length (m) of each tendon along a path at the default keyframe."""
    if not spec.tendons:
        return {}
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key(KEY).id)
    mujoco.mj_forward(model, data)
    return {
        model.tendon(i).name: float(data.ten_length[i])
        for i in range(model.ntendon)
        if model.wrap_type[model.tendon_adr[i]] != mujoco.mjtWrap.mjWRAP_JOINT
    }
