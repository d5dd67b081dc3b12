"""The model type: a compiled MJCF seen through its independent coordinates."""

import dataclasses
import itertools
import os
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from mjx_msk.errors import MskError
from mjx_msk.musculature import MuscleLayout, Muscles, read_muscles
from mjx_msk.runtime import mjx
from mjx_msk.springs import Springs, read_springs

LANDMARK_PREFIX = "landmark/"
#: Foot contact spheres, right and left.
CONTACT_PREFIXES = ("contact/r/", "contact/l/")
#: The bodies that carry a foot's load, right and left, as in OpenSim's external loads.
FOOT_BODIES = ("calcn_r", "calcn_l")
ROOT_COORDINATES = 6
RECOMPILE = "Compile it with: mjx-msk compile MODEL.osim -o model.xml"


@dataclasses.dataclass(frozen=True)
class Layout:
    """The part of a model that is fixed when it is traced: names and index tables."""

    coordinate_names: tuple[str, ...]  #: independent coordinates, in joint order
    joint_names: tuple[str, ...]  #: every MuJoCo joint, in order
    body_names: tuple[str, ...]
    site_names: tuple[str, ...]
    rotational: tuple[bool, ...]  #: per coordinate: rad (True) or m (False)
    locked: tuple[bool, ...]  #: per coordinate: held at its default by the source model
    independent: tuple[int, ...]  #: joint index of each coordinate; six times that of a free joint
    free: tuple[int, ...]  #: free joints, which have no coordinates but a place (7) and speeds (6)
    dependent: tuple[int, ...]  #: joint index of each tied joint, round by round
    driver: tuple[int, ...]  #: what each tied joint follows: a place in (scalar, dependent) joints
    rounds: tuple[tuple[int, int], ...]  #: slices of ``dependent`` that follow earlier values only
    coupled: tuple[tuple[str, str, tuple[float, ...]], ...]  #: coordinates without a joint
    contact_names: tuple[str, ...]  #: foot contact spheres
    contact_bodies: tuple[int, ...]
    muscles: MuscleLayout

    @cached_property
    def coordinate_index(self) -> dict[str, int]:
        """Map a coordinate's name to its place in ``q``."""
        return {name: i for i, name in enumerate(self.coordinate_names)}

    @cached_property
    def site_index(self) -> dict[str, int]:
        """Map a site's name to its place in ``site_xpos``."""
        return {name: i for i, name in enumerate(self.site_names)}

    @cached_property
    def joint_order(self) -> tuple[int, ...]:
        """Return the place of each joint that is not free in (scalar, dependent) joints."""
        scalar = (j for j in self.independent if j not in self.free)
        place = {joint: i for i, joint in enumerate((*scalar, *self.dependent))}
        return tuple(place[joint] for joint in sorted(place))

    @cached_property
    def contact_feet(self) -> tuple[int, ...]:
        """Return the foot of each contact sphere: 0 right, 1 left."""
        return tuple(0 if name.split("/")[1] == "r" else 1 for name in self.contact_names)


@dataclasses.dataclass(frozen=True)
class Model:
    """A musculoskeletal model: arrays that can be traced, and their layout.

    Pure functions take it first, as in ``physics.pose(model, q)``. ``q`` (n,) holds the independent
    coordinates and ``qpos`` (nq,) MuJoCo's full vector; ``physics.coordinates`` maps between them.
    """

    mjx: mjx.Model  #: the skeleton alone: bodies, joints, sites
    polynomial: jax.Array  #: (d, 5) each tied joint's value, ascending powers of its driver's
    growth: jax.Array  #: (nq,) qpos over value: 1 unless a tied slide was scaled with its bone
    tied_axis: jax.Array  #: (d, 3) how a tied slide grows with its parent body; 0 for hinges
    joint_place: jax.Array  #: (nbody, 3) m, where a body's joints lie in its frame
    q_default: jax.Array  #: (n,), one more for every free joint
    q_range: jax.Array  #: (n, 2) rad or m, one more for every free joint
    contact_position: jax.Array  #: (c, 3) m, sphere centres in their bodies
    contact_radius: jax.Array  #: (c,) m
    muscles: Muscles
    springs: Springs  #: on joints, besides those of ``mjx``
    layout: Layout  #: the same for every body of one anatomy

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Model":
        """Read a compiled MJCF; raises ``MskError`` if it is missing, or no such model."""
        if not Path(path).is_file():
            raise MskError("no such model file.", where=str(path), remedy="Give a compiled .xml.")
        try:
            return cls.from_spec(mujoco.MjSpec.from_file(str(path)))
        except MskError as error:
            raise MskError(error.what, where=str(path), remedy=error.remedy) from None
        except (ValueError, NotImplementedError) as error:  # the latter: what MJX does not have
            raise MskError(
                f"MuJoCo cannot read this model ({' '.join(str(error).split())}).",
                where=str(path),
                remedy=RECOMPILE,
            ) from error

    @classmethod
    def from_spec(cls, spec: mujoco.MjSpec) -> "Model":
        """Build the model from a spec that follows the contract of docs/architecture.md.

        Raises ``MskError`` for joints that the contract does not know, ``ValueError`` where MuJoCo
        refuses the spec.
        """
        mj = _skeleton(spec)
        full = spec.copy().compile()
        contact = [g for g in range(full.ngeom) if full.geom(g).name.startswith(CONTACT_PREFIXES)]
        _check_joints(mj)
        tied = _tied_joints(mj)
        free = tuple(j for j in range(mj.njnt) if mj.jnt_type[j] == mujoco.mjtJoint.mjJNT_FREE)
        own = tuple(j for j in range(mj.njnt) if j not in tied)
        scalar = tuple(j for j in own if j not in free)
        rounds = _rounds(tied, scalar)
        dependent = tuple(joint for joints in rounds for joint in joints)
        independent = tuple(j for j in own for _ in range(6 if j in free else 1))
        place = {joint: i for i, joint in enumerate((*scalar, *dependent))}
        ends = np.cumsum([0, *map(len, rounds)]).tolist()
        texts = {t.name: t.data for t in spec.texts}
        muscle_layout, muscles = read_muscles(full, texts)
        names = tuple(mj.joint(j).name for j in range(mj.njnt))
        layout = Layout(
            coordinate_names=tuple(
                name for j in own for name in (_speeds(names[j]) if j in free else [names[j]])
            ),
            joint_names=names,
            body_names=tuple(mj.body(b).name for b in range(mj.nbody)),
            site_names=tuple(mj.site(s).name for s in range(mj.nsite)),
            rotational=tuple(
                kind
                for j in own
                for kind in (
                    [False] * 3 + [True] * 3
                    if j in free
                    else [bool(mj.jnt_type[j] == mujoco.mjtJoint.mjJNT_HINGE)]
                )
            ),
            locked=tuple(f"locked/{names[j]}" in texts for j in independent),
            independent=independent,
            free=free,
            dependent=dependent,
            driver=tuple(place[tied[j].driver] for j in dependent),
            rounds=tuple(itertools.pairwise(ends)),
            coupled=tuple(_coupled(texts)),
            contact_names=tuple(full.geom(g).name for g in contact),
            contact_bodies=tuple(int(full.geom_bodyid[g]) for g in contact),
            muscles=muscle_layout,
        )
        return cls(
            # the signature names one subject: without it all subjects share compiled programs
            mjx=mjx.put_model(mj, device=jax.local_devices()[0]).replace(signature=0),
            polynomial=jnp.array([tied[j].polynomial for j in dependent]).reshape(-1, 5),
            growth=jnp.ones(mj.njnt),
            tied_axis=jnp.array([_slide_axis(mj, j) for j in dependent]).reshape(-1, 3),
            joint_place=jnp.array([_joint_place(mj, b) for b in range(mj.nbody)]),
            q_default=jnp.concatenate([jnp.array(_default(mj, texts, j)) for j in own]),
            q_range=jnp.concatenate([jnp.array(_range(mj, j)) for j in own]),
            contact_position=jnp.array(full.geom_pos[contact]).reshape(-1, 3),
            contact_radius=jnp.array(full.geom_size[contact, 0]),
            muscles=muscles,
            springs=read_springs(full),
            layout=layout,
        )

    @property
    def n(self) -> int:
        """Number of independent coordinates (of their speeds, where a joint is free)."""
        return len(self.layout.coordinate_names)

    def replace(self, **changes: Any) -> "Model":
        """Return a copy with some arrays replaced."""
        return dataclasses.replace(self, **changes)


class _Tie(NamedTuple):
    driver: int  #: joint
    polynomial: np.ndarray  #: (5,) ascending powers of the driver


#: What all models of one anatomy share, so that JAX finds it the same without comparing it.
_SHARED: dict[Any, Any] = {}


def _flatten(model: Model) -> tuple[list[Any], Any]:
    """Return a model's arrays and all else; remembered, since MJX compares arrays to say the same.

    Calls of compiled functions take some milliseconds less for it.
    """
    kept = model.__dict__.get("_flat")
    if kept is None:
        arrays = {name: value for name, value in vars(model).items() if name != "layout"}
        leaves, tree = jax.tree.flatten(arrays)
        rest = (tree, model.layout)
        kept = leaves, _SHARED.setdefault(rest, rest)
        object.__setattr__(model, "_flat", kept)
    return kept


def _unflatten(rest: Any, leaves: Any) -> Model:
    tree, layout = rest
    return Model(**jax.tree.unflatten(tree, leaves), layout=layout)


jax.tree_util.register_pytree_node(Model, _flatten, _unflatten)


def _skeleton(spec: mujoco.MjSpec) -> mujoco.MjModel:
    """Compile the bodies, joints, markers and landmarks (sites of group 3 and 4) of a spec."""
    spec = spec.copy()
    unused = (spec.actuators, spec.tendons, spec.sensors, spec.excludes, spec.pairs, spec.keys)
    for item in [item for kind in unused for item in kind]:
        spec.delete(item)
    for item in [e for e in spec.equalities if e.type != mujoco.mjtEq.mjEQ_JOINT]:
        spec.delete(item)  # they tie bodies, which no coordinate can follow
    for item in [*spec.geoms, *spec.meshes, *(s for s in spec.sites if s.group not in (3, 4))]:
        spec.delete(item)
    for body in spec.bodies[1:]:
        body.explicitinertial = True
    return spec.compile()


def _check_joints(mj: mujoco.MjModel) -> None:
    """Raise ``MskError`` but for free joints, and hinges and slides whose value is the position."""
    for j in range(mj.njnt):
        kind = mujoco.mjtJoint(mj.jnt_type[j])
        if kind == mujoco.mjtJoint.mjJNT_FREE:
            continue
        if kind not in (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE):
            wrong = "is neither a hinge nor a slide"
        elif mj.qpos0[mj.jnt_qposadr[j]] != 0.0:
            wrong = "has a reference other than 0"
        else:
            continue
        raise MskError(f"joint '{mj.joint(j).name}' {wrong}.", remedy=RECOMPILE)


def _tied_joints(mj: mujoco.MjModel) -> dict[int, _Tie]:
    """Map each tied joint to what it follows."""
    tied = {}
    for e in range(mj.neq):
        if mj.eq_type[e] == mujoco.mjtEq.mjEQ_JOINT and mj.eq_obj2id[e] >= 0:
            tied[int(mj.eq_obj1id[e])] = _Tie(int(mj.eq_obj2id[e]), mj.eq_data[e, :5].copy())
    return dict(sorted(tied.items()))


def _rounds(tied: dict[int, _Tie], independent: tuple[int, ...]) -> list[list[int]]:
    """Sort the tied joints into rounds, each following coordinates or joints of earlier rounds."""
    known, waiting, rounds = set(independent), list(tied), []
    while waiting:
        ready = [j for j in waiting if tied[j].driver in known]
        if not ready:
            raise MskError("joints follow each other in a circle.", remedy=RECOMPILE)
        rounds.append(ready)
        known.update(ready)
        waiting = [j for j in waiting if j not in known]
    return rounds


def _speeds(name: str) -> list[str]:
    """Return names for the speeds of a free joint: world axes, then body axes."""
    return [f"{name}/{kind}{axis}" for kind in "tr" for axis in "xyz"]


def _default(mj: mujoco.MjModel, texts: dict[str, str], joint: int) -> np.ndarray:
    """Return a joint's default value, or the one at which it is locked, (1,); (7,) if free."""
    if mj.jnt_type[joint] == mujoco.mjtJoint.mjJNT_FREE:
        return mj.qpos0[mj.jnt_qposadr[joint] :][:7].copy()
    name = mj.joint(joint).name
    return np.array([float(texts.get(f"locked/{name}", texts.get(f"default/{name}", 0.0)))])


def _range(mj: mujoco.MjModel, joint: int) -> np.ndarray:
    """Return a joint's range (1, 2), (7, 2) if it is free."""
    if mj.jnt_limited[joint]:
        return mj.jnt_range[joint : joint + 1].copy()
    return np.tile(
        [-np.inf, np.inf], (7 if mj.jnt_type[joint] == mujoco.mjtJoint.mjJNT_FREE else 1, 1)
    )


def _slide_axis(mj: mujoco.MjModel, joint: int) -> np.ndarray:
    """Return a slide's axis in its joint's parent frame (the compiler's note), 0 for a hinge."""
    if mj.jnt_type[joint] != mujoco.mjtJoint.mjJNT_SLIDE or mj.jnt_user.shape[1] < 3:
        return np.zeros(3)
    return mj.jnt_user[joint, :3].copy()


def _joint_place(mj: mujoco.MjModel, body: int) -> np.ndarray:
    """Return where a body's joints, or its weld, lie in its frame."""
    if mj.body_jntnum[body]:
        return mj.jnt_pos[mj.body_jntadr[body]].copy()
    return mj.body_user[body, :3].copy() if mj.body_user.shape[1] >= 3 else np.zeros(3)


def _coupled(texts: dict[str, str]) -> list[tuple[str, str, tuple[float, ...]]]:
    """Read ``coordinate/NAME = DRIVER a0 a1 ...`` notes: coordinates that needed no joint."""
    found = []
    for key, data in texts.items():
        if key.startswith("coordinate/"):
            driver, *coefficients = data.split(" ")
            found.append((key.split("/", 1)[1], driver, tuple(map(float, coefficients))))
    return found
