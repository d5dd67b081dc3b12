"""How tall a model is, and a model of a given height and mass."""

import mujoco
import numpy as np

from mjx_msk.compile.contact import PREFIX as CONTACT
from mjx_msk.compile.following import follow
from mjx_msk.compile.markers import PREFIX as LANDMARK
from mjx_msk.compile.plausible import check_person
from mjx_msk.compile.scaling import ADDED, scale_spec
from mjx_msk.errors import MskError

VERTEX = f"{LANDMARK}vertex"  #: the site at the top of the head


def has_stature(spec: mujoco.MjSpec) -> bool:
    """Return whether a model has a head and feet, so that it can be as tall as a person."""
    return spec.site(VERTEX) is not None and any(g.name.startswith(CONTACT) for g in spec.geoms)


def stature(spec: mujoco.MjSpec) -> float:
    """Return the height (m) of a model that stands with all coordinates at zero.

    From the lowest point of the foot contact spheres to the landmark at the top of the head.
    Raises ``MskError`` for a model that lacks one of them.
    """
    if not has_stature(spec):
        raise MskError(
            f"the model has no stature: it lacks the site '{VERTEX}' or foot contact spheres "
            f"'{CONTACT}...'.",
            remedy="Scale it by factors, or to markers.",
        )
    model = spec.compile()
    data = mujoco.MjData(model)
    data.qpos[:] = follow(model, model.qpos0)
    mujoco.mj_kinematics(model, data)
    soles = [g for g in range(model.ngeom) if model.geom(g).name.startswith(CONTACT)]
    floor = np.min(data.geom_xpos[soles, 2] - model.geom_size[soles, 0])
    return float(data.site(VERTEX).xpos[2] - floor)


def scale_to_person(spec: mujoco.MjSpec, height_m: float, mass_kg: float) -> mujoco.MjSpec:
    """Return a compiled model, scaled alike in all directions, of a height (m) and a mass (kg).

    Raises ``MskError`` for a person that does not exist and a model without stature.
    """
    check_person(height_m, mass_kg)
    factor = height_m / stature(spec)
    bodies = [body.name for body in spec.bodies[1:] if ADDED not in body.name]
    return scale_spec(spec, dict.fromkeys(bodies, [factor] * 3), mass_kg)
