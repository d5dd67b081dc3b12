"""Contact spheres under the feet.

Where the model brings none, six spheres a foot follow the foot model of Falisse et al. (2019,
2022) with OpenCap's numbers (Uhlrich et al. 2023), scaled here to the length of the model's foot.
"""

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from mjx_msk.compile.skeleton import WORLD_FROM_GROUND, in_world, mujoco_body, quaternion
from mjx_msk.compile.source import Source, Sphere

GROUP = 3
PREFIX = "contact/"
RADIUS = 0.032  #: m
HINDFOOT = 0.16341  #: m, from the calcaneus' origin to the toes' on the published foot

# Right foot, in calcn_r (the last two in toes_r), as published for a foot of that size; m.
_SPHERES = {
    "heel": ("calcn", (0.00190115788407966, -0.01, -0.00382630379623308)),
    "midfoot": ("calcn", (0.0662346661991635, -0.01, 0.0263641606741698)),
    "ball_medial": ("calcn", (0.148386399942063, -0.01, -0.028713422052654)),
    "ball_lateral": ("calcn", (0.133001170607051, -0.01, 0.0516362473449566)),
    "toe_medial": ("toes", (0.06, -0.01, -0.0187603084619177)),
    "toe_lateral": ("toes", (0.045, -0.01, 0.0618569567549652)),
}


def add_contact_spheres(spec: mujoco.MjSpec, source: Source) -> None:
    """Add geoms ``contact/r/heel``, ... that touch the floor and nothing else.

    Spheres of the model are ``contact/r/<name>``, by the side of their body.
    """
    spheres = source.spheres or [s for side in "rl" for s in _default_spheres(source, side)]
    for sphere in spheres:
        mujoco_body(spec, sphere.body).add_geom(
            name=f"{PREFIX}{_side(sphere.body)}{sphere.name}",
            type=mujoco.mjtGeom.mjGEOM_SPHERE,
            pos=in_world(sphere.body, sphere.position),
            size=[sphere.radius, 0, 0],
            mass=0,
            contype=0,
            conaffinity=1,
            group=GROUP,
            rgba=[0.25, 0.75, 0.6, 0.4],
            friction=_friction(sphere.friction),
        )


def add_half_spaces(spec: mujoco.MjSpec, source: Source) -> None:
    """Add a plane ``contact/<name>`` for each half-space that is not the floor."""
    for half_space in source.half_spaces:
        normal = WORLD_FROM_GROUND @ half_space.normal
        position = WORLD_FROM_GROUND @ half_space.position
        if normal[2] > 1 - 1e-6 and abs(position @ normal) < 1e-6:
            continue
        turn, _ = Rotation.align_vectors([normal], [[0.0, 0.0, 1.0]])
        spec.worldbody.add_geom(
            name=f"contact/{half_space.name}",
            type=mujoco.mjtGeom.mjGEOM_PLANE,
            pos=position,
            quat=quaternion(turn.as_matrix()),
            size=[5, 5, 1],
            contype=1,
            conaffinity=0,
            group=GROUP,
            rgba=[0.25, 0.75, 0.6, 0.1],
            friction=_friction(half_space.friction),
        )


def _friction(sliding: float | None) -> list[float]:
    """Return MuJoCo's three coefficients; its defaults but for sliding."""
    return [1.0 if sliding is None else sliding, 0.005, 0.0001]


def _side(body: str) -> str:
    """Return the part of a sphere's name that says on which foot it is."""
    return f"{body[-1]}/" if body.endswith(("_r", "_l")) else ""


def _default_spheres(source: Source, side: str) -> list[Sphere]:
    """Return the six spheres of a foot, or none if the model has no such foot."""
    joint = next((j for j in source.joints if j.child == f"toes_{side}"), None)
    if joint is None or joint.parent != f"calcn_{side}":
        return []
    scale = abs(joint.parent_frame.position[0]) / HINDFOOT
    mirror = np.array([scale, 1.0, scale if side == "r" else -scale])
    return [
        Sphere(name, f"{bone}_{side}", mirror * position, RADIUS)
        for name, (bone, position) in _SPHERES.items()
    ]
