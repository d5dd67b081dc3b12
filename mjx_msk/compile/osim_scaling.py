"""A scaled OpenSim model: the factors of a scaled MuJoCo model, given to OpenSim."""

from pathlib import Path

import mujoco
import numpy as np

from mjx_msk.compile.compiler import compile_osim
from mjx_msk.compile.scaling import ADDED
from mjx_msk.errors import MskError
from mjx_msk.files import replacing

#: Points that differ by more from where the factors put them belong to another model, m.
_OFF_M = 1e-3
#: Points this near to an axis's origin say nothing of the factor along it, m.
_NEAR_M = 1e-3


def write_scaled_osim(scaled: mujoco.MjSpec, osim: Path, path: Path) -> Path:
    """Write the OpenSim model ``osim`` in the size and mass of ``scaled``, which came from it.

    ``scaled`` is a model of ``scale_spec`` or of an estimate; OpenSim's own ``Model.scale`` does
    the scaling, with the mass distribution kept. Returns ``path``. Raises ``MskError`` where
    ``scaled`` is no scaled copy of ``osim``, and as ``compile_osim`` does.
    """
    generic = compile_osim(osim)  # reads it in another process first: it may be broken
    factors = scale_factors(generic, scaled, str(osim))

    import opensim

    model = opensim.Model(str(osim))
    state = model.initSystem()
    scales = opensim.ScaleSet()
    for name, factor in factors.items():
        scale = opensim.Scale()
        scale.setSegmentName(name)
        scale.setScaleFactors(opensim.Vec3(*factor))
        scale.setApply(True)
        scales.cloneAndAppend(scale)
    mass_kg = float(sum(body.mass for body in scaled.bodies))
    model.scale(state, scales, True, mass_kg)
    model.finalizeConnections()
    with replacing(path) as part:
        model.printToXML(str(part))
    return path


def scale_factors(
    generic: mujoco.MjSpec, scaled: mujoco.MjSpec, where: str
) -> dict[str, np.ndarray]:
    """Return the factors (3,) of each body, along its own axes, that make ``scaled``.

    From the points that both have on a body: sites, and the joints of what hangs from it. An axis
    along which a body has no points takes the mean of its other factors. Raises ``MskError`` where
    no factors put the points of ``generic`` where those of ``scaled`` are.
    """
    before, after = _points(generic), _points(scaled)
    factors = {}
    for body, own in before.items():
        names = [name for name in own if name in after.get(body, {})]
        if body not in after:
            raise _another(where, f"it has no body {body}")
        a = np.array([own[name] for name in names]).reshape(-1, 3)
        b = np.array([after[body][name] for name in names]).reshape(-1, 3)
        size = np.sum(a**2, axis=0)
        known = np.abs(a).max(axis=0, initial=0.0) > _NEAR_M
        found = np.where(known, np.sum(a * b, axis=0) / np.where(known, size, 1.0), np.nan)
        found = np.where(known, found, found[known].mean() if known.any() else 1.0)
        if np.abs(a * found - b).max(initial=0.0) > _OFF_M:
            raise _another(where, f"its body {body} is of another shape")
        factors[body] = found
    return factors


def _points(spec: mujoco.MjSpec) -> dict[str, dict[str, np.ndarray]]:
    """Return the points (3,) of each of OpenSim's bodies, in its own frame.

    Joints that lie elsewhere than at the origin of what they carry move with its factors as well.
    """
    found: dict[str, dict[str, np.ndarray]] = {}
    for body in spec.bodies[1:]:
        if ADDED not in body.name:
            found[body.name] = {site.name: np.array(site.pos) for site in body.sites}
    for body in spec.bodies[1:]:
        at_origin = not any(np.any(joint.pos) for joint in body.joints)
        if ADDED not in body.name and at_origin and body.parent.name in found:
            found[body.parent.name][f"body/{body.name}"] = np.array(body.pos)
    return found


def _another(where: str, why: str) -> MskError:
    return MskError(
        f"the motion's model is no scaled copy of this one: {why}.",
        where=where,
        remedy="Give the .osim that the motion's model.xml was made from.",
    )
