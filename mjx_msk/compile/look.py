"""How the model looks: a floor with light, and a skeleton drawn with capsules and ellipsoids.

Every shape is for the eye only: it has no mass and touches nothing.
"""

from collections.abc import Collection

import mujoco
import numpy as np

from mjx_msk.compile.skeleton import is_bone, matrix, neighbours, quaternion

GROUP = 1
_BONE = [0.90, 0.86, 0.77, 1.0]
_CARTILAGE = [0.72, 0.78, 0.80, 1.0]

# Shapes on the right side of the generic Rajagopal skeleton, in each body's frame (x forward,
# y up, z to the right), in m: capsules from a to b with a radius, ellipsoids with a center and
# semi-axes. Left bodies are mirror images; "joint" marks a ball of cartilage colour.
_Shape = tuple[str, tuple[float, float, float], tuple[float, ...]]
_BONES: dict[str, tuple[_Shape, ...]] = {
    "pelvis": (
        ("ellipsoid", (-0.070, 0.010, 0.076), (0.074, 0.068, 0.036)),
        ("ellipsoid", (-0.070, 0.010, -0.076), (0.074, 0.068, 0.036)),
        ("capsule", (-0.100, 0.075, 0.0), (-0.135, -0.025, 0.0, 0.032)),
        ("capsule", (-0.056, -0.078, 0.072), (-0.010, -0.085, 0.012, 0.020)),
        ("capsule", (-0.056, -0.078, -0.072), (-0.010, -0.085, -0.012, 0.020)),
        ("joint", (-0.056, -0.078, 0.077), (0.034,)),
        ("joint", (-0.056, -0.078, -0.077), (0.034,)),
        ("joint", (-0.1007, 0.0815, 0.0), (0.036,)),
    ),
    "femur": (
        ("capsule", (0.0, 0.0, 0.0), (0.010, -0.060, 0.020, 0.020)),
        ("capsule", (0.010, -0.060, 0.020), (0.0, -0.385, 0.0, 0.021)),
        ("ellipsoid", (-0.003, -0.396, 0.0), (0.033, 0.030, 0.042)),
    ),
    "patella": (("ellipsoid", (0.0, 0.022, 0.0), (0.011, 0.021, 0.019)),),
    "tibia": (
        ("joint", (-0.006, -0.004, 0.0), (0.033,)),
        ("ellipsoid", (-0.006, -0.030, 0.0), (0.030, 0.026, 0.037)),
        ("capsule", (-0.004, -0.040, 0.0), (-0.010, -0.385, 0.0, 0.018)),
        ("capsule", (-0.022, -0.050, 0.030), (-0.018, -0.395, 0.022, 0.008)),
        ("joint", (-0.010, -0.400, 0.0), (0.026,)),
    ),
    "talus": (("ellipsoid", (-0.008, -0.020, 0.004), (0.030, 0.022, 0.024)),),
    "calcn": (
        ("ellipsoid", (0.012, 0.008, -0.002), (0.040, 0.030, 0.026)),
        ("capsule", (0.045, 0.020, -0.004), (0.170, -0.004, -0.022, 0.015)),
        ("capsule", (0.045, 0.016, 0.002), (0.172, -0.008, 0.008, 0.014)),
        ("capsule", (0.040, 0.008, 0.010), (0.150, -0.010, 0.040, 0.013)),
    ),
    "toes": (
        ("capsule", (0.000, 0.000, -0.024), (0.055, -0.002, -0.030, 0.013)),
        ("capsule", (0.000, -0.003, 0.000), (0.048, -0.006, -0.004, 0.010)),
        ("capsule", (-0.008, -0.005, 0.020), (0.034, -0.008, 0.020, 0.009)),
        ("capsule", (-0.022, -0.007, 0.036), (0.016, -0.010, 0.042, 0.009)),
    ),
    "torso": (
        ("capsule", (0.0, 0.0, 0.0), (-0.030, 0.130, 0.0, 0.027)),
        ("ellipsoid", (0.002, 0.245, 0.0), (0.090, 0.150, 0.132)),
        ("capsule", (0.045, 0.372, 0.015), (0.002, 0.388, 0.155, 0.012)),
        ("capsule", (0.045, 0.372, -0.015), (0.002, 0.388, -0.155, 0.012)),
        ("capsule", (-0.075, 0.330, 0.080), (-0.005, 0.380, 0.160, 0.020)),
        ("capsule", (-0.075, 0.330, -0.080), (-0.005, 0.380, -0.160, 0.020)),
        ("joint", (0.003, 0.3715, 0.170), (0.031,)),
        ("joint", (0.003, 0.3715, -0.170), (0.031,)),
        ("capsule", (-0.035, 0.380, 0.0), (-0.012, 0.500, 0.0, 0.031)),
        ("ellipsoid", (0.004, 0.588, 0.0), (0.096, 0.092, 0.075)),
        ("ellipsoid", (0.042, 0.522, 0.0), (0.052, 0.042, 0.050)),
    ),
    "humerus": (
        ("capsule", (0.0, 0.0, 0.0), (0.013, -0.270, -0.008, 0.018)),
        ("ellipsoid", (0.013, -0.280, -0.009), (0.022, 0.020, 0.032)),
    ),
    "ulna": (
        ("joint", (0.0, 0.0, 0.0), (0.024,)),
        ("capsule", (-0.006, 0.010, 0.004), (-0.006, -0.235, 0.030, 0.011)),
    ),
    "radius": (("capsule", (0.0, -0.005, 0.0), (-0.006, -0.225, 0.012, 0.013)),),
    "hand": (
        ("ellipsoid", (0.002, -0.045, 0.002), (0.014, 0.046, 0.036)),
        ("capsule", (0.006, -0.020, 0.024), (0.016, -0.070, 0.050, 0.009)),
        ("capsule", (0.002, -0.080, 0.024), (0.010, -0.155, 0.026, 0.008)),
        ("capsule", (0.002, -0.085, 0.008), (0.010, -0.165, 0.008, 0.008)),
        ("capsule", (0.002, -0.082, -0.008), (0.010, -0.158, -0.009, 0.008)),
        ("capsule", (0.002, -0.075, -0.022), (0.010, -0.135, -0.026, 0.007)),
    ),
}

# The distance (m) from a body's origin to a neighbour's for which its shapes were drawn; a body
# that is not here is as large as its parent.
_LENGTHS = {
    "pelvis": ("femur", 0.12374),
    "femur": ("tibia", 0.40611),
    "tibia": ("talus", 0.40012),
    "calcn": ("toes", 0.17882),
    "torso": ("humerus", 0.40857),
    "humerus": ("ulna", 0.28674),
    "radius": ("hand", 0.23640),
}


def add_scene(spec: mujoco.MjSpec) -> None:
    """Add the floor and the sky."""
    spec.visual.headlight.ambient = [0.35, 0.35, 0.35]
    spec.visual.headlight.diffuse = [0.35, 0.35, 0.35]
    spec.visual.headlight.specular = [0.1, 0.1, 0.1]
    spec.visual.quality.shadowsize = 4096
    spec.stat.center, spec.stat.extent = [0, 0, 0.9], 2.0
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
        rgb1=[0.62, 0.66, 0.70],
        rgb2=[0.57, 0.61, 0.65],
        markrgb=[0.50, 0.54, 0.58],
        width=300,
        height=300,
    )
    floor = spec.add_material(name="floor", texuniform=True, texrepeat=[1, 1], reflectance=0.05)
    floor.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "floor"
    spec.add_material(name="bone", rgba=_BONE, specular=0.25, shininess=0.4)
    spec.add_material(name="cartilage", rgba=_CARTILAGE, specular=0.25, shininess=0.4)
    spec.worldbody.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[0, 0, 0.05],
        material="floor",
        contype=1,
        conaffinity=0,
    )


def add_look(spec: mujoco.MjSpec, drawn: Collection[str] = ()) -> None:
    """Draw the bones of every body: those of the Rajagopal skeleton by name, others as rods.

    Bodies named in ``drawn`` look right already.
    """
    _add_lamp(spec.bodies[1])
    sizes = {"world": 1.0}
    for body in spec.bodies[1:]:
        bone = body.name.removesuffix("_r").removesuffix("_l")
        sizes[body.name] = sizes[body.parent.name]
        if not is_bone(body):
            continue
        if bone not in _BONES:
            if body.name not in drawn:
                _draw_rods(body)
            continue
        neighbour, distance = _LENGTHS.get(bone, ("", 0.0))
        for name, position in neighbours(body):
            if neighbour and name.startswith(neighbour):
                sizes[body.name] = float(np.linalg.norm(position)) / distance
        if body.name in drawn:
            continue
        side = -1.0 if body.name.endswith("_l") else 1.0
        for kind, first, second in _BONES[bone]:
            _draw(body, kind, np.array(first), np.array(second), sizes[body.name], side)


def _add_lamp(root: mujoco.MjsBody) -> None:
    """Add a lamp that follows the first body, so that the shadow stays sharp wherever it goes."""
    body_from_world = matrix(root.quat).T
    offset, aim = np.array([1.5, -2.0, 4.0]), np.array([-1.5, 2.0, -4.5])
    root.add_light(
        name="lamp",
        type=mujoco.mjtLightType.mjLIGHT_SPOT,
        mode=mujoco.mjtCamLight.mjCAMLIGHT_TRACK,
        pos=body_from_world @ offset,
        dir=body_from_world @ aim,
        diffuse=[0.55, 0.55, 0.55],
        cutoff=60,
        exponent=1,
        attenuation=[1, 0, 0],
    )


def _draw(
    body: mujoco.MjsBody,
    kind: str,
    first: np.ndarray,
    second: np.ndarray,
    size: float,
    side: float,
) -> None:
    """Draw one shape of the table at a relative size, mirrored for ``side`` -1."""
    mirror = size * np.array([1.0, 1.0, side])
    if kind == "capsule":
        _add_capsule(body, mirror * first, mirror * second[:3], size * second[3])
    elif kind == "joint":
        sphere = mujoco.mjtGeom.mjGEOM_SPHERE
        add_shape(body, sphere, mirror * first, [size * second[0], 0, 0], "cartilage")
    else:
        add_shape(body, mujoco.mjtGeom.mjGEOM_ELLIPSOID, mirror * first, size * second, "bone")


def _draw_rods(body: mujoco.MjsBody) -> None:
    """Draw a rod to each neighbour below; to the far side of the center of mass at an end."""
    ends = [position for _, position in neighbours(body)] or [2 * np.array(body.ipos)]
    for end in ends:
        length = np.linalg.norm(end)
        if length > 0.02:
            _add_capsule(body, np.zeros(3), end, min(0.02, float(length) / 5))


def _add_capsule(body: mujoco.MjsBody, start: np.ndarray, end: np.ndarray, radius: float) -> None:
    along = (end - start) / np.linalg.norm(end - start)
    across = np.cross(along, np.eye(3)[np.argmin(np.abs(along))])
    across /= np.linalg.norm(across)
    rotation = np.column_stack([across, np.cross(along, across), along])
    size = np.array([radius, np.linalg.norm(end - start) / 2, 0])
    capsule = mujoco.mjtGeom.mjGEOM_CAPSULE
    add_shape(body, capsule, (start + end) / 2, size, "bone", quaternion(rotation))


def add_shape(
    body: mujoco.MjsBody,
    kind: mujoco.mjtGeom,
    position: np.ndarray,
    size: np.ndarray | list[float],
    material: str,
    quat: np.ndarray | None = None,
) -> mujoco.MjsGeom:
    """Add a geom that is only seen; ``size`` and ``quat`` as MuJoCo has them."""
    return body.add_geom(
        type=kind,
        pos=position,
        quat=[1, 0, 0, 0] if quat is None else quat,
        size=size,
        material=material,
        mass=0,
        contype=0,
        conaffinity=0,
        group=GROUP,
    )
