"""How the model looks: a floor with light, and bones drawn from the skeleton.

Every shape is for the eye only: it has no mass and touches nothing.
"""

import mujoco
import numpy as np

GROUP = 1
BONE = [0.89, 0.85, 0.76, 1.0]


def add_scene(spec: mujoco.MjSpec) -> None:
    """Add the floor, a sky and a light."""
    spec.visual.headlight.ambient = [0.35, 0.35, 0.35]
    spec.visual.headlight.diffuse = [0.45, 0.45, 0.45]
    spec.visual.headlight.specular = [0.1, 0.1, 0.1]
    spec.visual.quality.shadowsize = 4096
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 1920, 1920
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.93, 0.95, 0.97],
        rgb2=[0.62, 0.70, 0.78],
        width=256,
        height=1536,
    )
    spec.add_texture(
        name="floor",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        mark=mujoco.mjtMark.mjMARK_EDGE,
        rgb1=[0.80, 0.82, 0.84],
        rgb2=[0.76, 0.78, 0.80],
        markrgb=[0.70, 0.72, 0.75],
        width=300,
        height=300,
    )
    floor = spec.add_material(name="floor", texuniform=True, texrepeat=[1, 1], reflectance=0.05)
    floor.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "floor"
    spec.add_material(name="bone", rgba=BONE, specular=0.3, shininess=0.4)
    spec.worldbody.add_light(
        name="sun", type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=[0, 0, 6], dir=[0.4, 0.5, -1], diffuse=[0.5, 0.5, 0.5],
    )  # fmt: skip
    spec.worldbody.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[0, 0, 0.05],
        material="floor",
        contype=1,
        conaffinity=0,
    )


def add_look(spec: mujoco.MjSpec) -> None:
    """Draw a capsule from each body's origin to each of its children's."""
    for body in spec.bodies[1:]:
        for child in body.bodies:
            end = np.asarray(child.pos)
            if np.linalg.norm(end) > 0.02:
                body.add_geom(
                    type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[0, 0, 0, *end], size=[0.02, 0, 0],
                    material="bone", mass=0, contype=0, conaffinity=0, group=GROUP,
                )  # fmt: skip
