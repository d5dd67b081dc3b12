"""The model type: a compiled MJCF seen through its independent coordinates."""

import dataclasses
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from mjx_msk.errors import MskError
from mjx_msk.runtime import mjx

LANDMARK_PREFIX = "landmark/"
CONTACT_PREFIX = "contact/"
ROOT_COORDINATES = 6


@dataclasses.dataclass(frozen=True)
class Layout:
    """The part of a model that is fixed when it is traced: names and index tables."""

    coordinate_names: tuple[str, ...]  #: independent coordinates, in joint order
    joint_names: tuple[str, ...]  #: every MuJoCo joint, in order (nq = nv = number of joints)
    body_names: tuple[str, ...]
    site_names: tuple[str, ...]
    rotational: tuple[bool, ...]  #: per coordinate: rad (True) or m (False)
    locked: tuple[bool, ...]  #: per coordinate: held at its default by the source model
    independent: tuple[int, ...]  #: joint index of each coordinate
    dependent: tuple[int, ...]  #: joint index of each tied joint
    driver: tuple[int, ...]  #: coordinate index that each tied joint follows
    coupled: tuple[tuple[str, str, tuple[float, ...]], ...]  #: coordinates without a joint
    contact_names: tuple[str, ...]  #: foot contact spheres
    contact_bodies: tuple[int, ...]

    @cached_property
    def coordinate_index(self) -> dict[str, int]:
        """Map a coordinate's name to its place in ``q``."""
        return {name: i for i, name in enumerate(self.coordinate_names)}

    @cached_property
    def site_index(self) -> dict[str, int]:
        """Map a site's name to its place in ``site_xpos``."""
        return {name: i for i, name in enumerate(self.site_names)}

    @cached_property
    def contact_feet(self) -> tuple[int, ...]:
        """Return the foot of each contact sphere: 0 right, 1 left."""
        return tuple(0 if name.split("/")[1] == "r" else 1 for name in self.contact_names)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Model:
    """A musculoskeletal model: arrays that can be traced, and their layout.

    Pure functions take it first, as in ``physics.pose(model, q)``. ``q`` (n,) holds the independent
    coordinates and ``qpos`` (nq,) MuJoCo's full vector; ``physics.coordinates`` maps between them.
    """

    mjx: mjx.Model  #: the skeleton alone: bodies, joints, sites
    polynomial: jax.Array  #: (d, 5) qpos of each tied joint, ascending powers of its driver
    tied_axis: jax.Array  #: (d, 3) how a tied slide grows with its parent body; 0 for hinges
    joint_place: jax.Array  #: (nbody, 3) m, where a body's joints lie in its frame
    q_default: jax.Array  #: (n,)
    q_range: jax.Array  #: (n, 2) rad or m
    contact_position: jax.Array  #: (c, 3) m, sphere centres in their bodies
    contact_radius: jax.Array  #: (c,) m
    layout: Layout = dataclasses.field(metadata={"static": True})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Model":
        """Read a compiled MJCF; raises ``MskError`` if it is missing or not MJCF."""
        if not Path(path).is_file():
            raise MskError("no such model file.", where=str(path), remedy="Give a compiled .xml.")
        try:
            return cls.from_spec(mujoco.MjSpec.from_file(str(path)))
        except ValueError as error:
            raise MskError(
                f"MuJoCo cannot read this model ({error}).",
                where=str(path),
                remedy="Compile it with: mjx-msk compile MODEL.osim -o model.xml",
            ) from error

    @classmethod
    def from_spec(cls, spec: mujoco.MjSpec) -> "Model":
        """Build the model from a spec that follows the contract of docs/architecture.md."""
        spec = spec.copy()
        full = spec.compile()
        texts = {t.name: t.data for t in spec.texts}
        contact = [g for g in range(full.ngeom) if full.geom(g).name.startswith(CONTACT_PREFIX)]
        for item in [*spec.actuators, *spec.tendons, *spec.sensors, *spec.excludes, *spec.pairs]:
            spec.delete(item)
        markers = _muscle_free_sites(spec)
        for site in spec.sites:
            if site.name not in markers:
                spec.delete(site)
        for geom in spec.geoms:
            spec.delete(geom)
        for body in spec.bodies[1:]:
            body.explicitinertial = True
        mj = spec.compile()
        tied = _tied_joints(mj)
        names = tuple(mj.joint(j).name for j in range(mj.njnt))
        independent = tuple(j for j in range(mj.njnt) if j not in tied)
        coordinate_of = {j: i for i, j in enumerate(independent)}
        defaults = {name: float(texts.get(f"default/{name}", 0.0)) for name in names}
        locked = {k.split("/", 1)[1]: float(v) for k, v in texts.items() if k.startswith("locked/")}
        defaults |= locked
        unlimited = np.array([-np.inf, np.inf])
        ranges = [mj.jnt_range[j] if mj.jnt_limited[j] else unlimited for j in independent]
        layout = Layout(
            coordinate_names=tuple(names[j] for j in independent),
            joint_names=names,
            body_names=tuple(mj.body(b).name for b in range(mj.nbody)),
            site_names=tuple(mj.site(s).name for s in range(mj.nsite)),
            rotational=tuple(
                bool(mj.jnt_type[j] == mujoco.mjtJoint.mjJNT_HINGE) for j in independent
            ),
            locked=tuple(names[j] in locked for j in independent),
            independent=independent,
            dependent=tuple(tied),
            driver=tuple(coordinate_of[driver] for driver, _ in tied.values()),
            coupled=tuple(_coupled(texts)),
            contact_names=tuple(full.geom(g).name for g in contact),
            contact_bodies=tuple(mj.body(full.body(full.geom_bodyid[g]).name).id for g in contact),
        )
        return cls(
            mjx=mjx.put_model(mj),
            polynomial=jnp.array([c for _, c in tied.values()]).reshape(-1, 5),
            tied_axis=jnp.array([_slide_axis(mj, j) for j in tied]).reshape(-1, 3),
            joint_place=jnp.array([_joint_place(mj, b) for b in range(mj.nbody)]),
            q_default=jnp.array([defaults[names[j]] for j in independent]),
            q_range=jnp.array(ranges),
            contact_position=jnp.array(full.geom_pos[contact]).reshape(-1, 3),
            contact_radius=jnp.array(full.geom_size[contact, 0]),
            layout=layout,
        )

    @property
    def n(self) -> int:
        """Number of independent coordinates."""
        return len(self.layout.coordinate_names)

    def replace(self, **changes: Any) -> "Model":
        """Return a copy with some arrays replaced."""
        return dataclasses.replace(self, **changes)


def _muscle_free_sites(spec: mujoco.MjSpec) -> set[str]:
    """Return the sites that are markers or landmarks (groups 3 and 4)."""
    return {s.name for s in spec.sites if s.group in (3, 4)}


def _tied_joints(mj: mujoco.MjModel) -> dict[int, tuple[int, np.ndarray]]:
    """Map each tied joint to its driver and polynomial, in ascending powers of the driver."""
    tied = {}
    for e in range(mj.neq):
        if mj.eq_type[e] == mujoco.mjtEq.mjEQ_JOINT and mj.eq_obj2id[e] >= 0:
            tied[int(mj.eq_obj1id[e])] = (int(mj.eq_obj2id[e]), mj.eq_data[e, :5].copy())
    return dict(sorted(tied.items()))


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
            driver, *coefficients = data.split()
            found.append((key.split("/", 1)[1], driver, tuple(map(float, coefficients))))
    return found
