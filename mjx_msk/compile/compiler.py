"""OpenSim model in, MuJoCo model out."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mujoco
import numpy as np

from mjx_msk.compile.bones import add_bones
from mjx_msk.compile.contact import add_contact_spheres, add_half_spaces
from mjx_msk.compile.forces import add_forces
from mjx_msk.compile.look import add_look, add_scene
from mjx_msk.compile.markers import add_landmarks, add_markers, read_landmarks
from mjx_msk.compile.muscles import add_muscles
from mjx_msk.compile.notes import add_warnings
from mjx_msk.compile.options import CompileOptions
from mjx_msk.compile.reader import read_osim
from mjx_msk.compile.simplify import simplified
from mjx_msk.compile.skeleton import WORLD_FROM_GROUND, add_skeleton
from mjx_msk.compile.source import Source
from mjx_msk.compile.stepping import make_steppable
from mjx_msk.compile.writer import KEY, set_rest_pose, to_xml, write_xml
from mjx_msk.errors import MskError

_AS_IT_IS = CompileOptions()
_COMPILED = "Give an OpenSim model (.osim), or an .xml of: mjx-msk compile MODEL.osim -o model.xml"


def compile_osim(
    path: str | os.PathLike[str], options: CompileOptions = _AS_IT_IS
) -> mujoco.MjSpec:
    """Return the MuJoCo model of an OpenSim model file, as docs/model.md describes it.

    The result compiles, keeps OpenSim's names and units, has Z up, ``qpos == q`` and a keyframe
    ``default`` at the coordinates' default values. Raises ``MskError`` for bad input and for
    components that the compiler does not know.
    """
    source = read_osim(path, lock=options.lock)
    try:
        with _quiet() as warned:
            spec = build(source, options)
            _check_result(spec, warned)
        return spec
    except MskError as error:
        raise MskError(error.what, where=str(path), remedy=error.remedy) from None
    except (ValueError, mujoco.FatalError) as error:
        raise MskError(
            f"MuJoCo refuses the compiled model: {' '.join(str(error).split())}.",
            where=str(path),
            remedy="Correct the component it names in the OpenSim model.",
        ) from error


def read_spec(path: str | os.PathLike[str]) -> mujoco.MjSpec:
    """Return a model to scale: an ``.osim`` compiled as it is, or an ``.xml`` compiled before.

    Raises ``MskError`` for a file that is neither.
    """
    if Path(path).suffix.lower() == ".osim":
        return compile_osim(path)
    try:
        spec = mujoco.MjSpec.from_file(str(path))
    except ValueError as error:
        reason = "no such file" if not Path(path).is_file() else " ".join(str(error).split())
        raise MskError(
            f"cannot read this model: {reason}.", where=str(path), remedy=_COMPILED
        ) from error
    if KEY not in [key.name for key in spec.keys] or len(spec.bodies) < 2:
        raise MskError("this is no compiled model.", where=str(path), remedy=_COMPILED)
    return spec


def compile_file(
    osim: str | os.PathLike[str],
    xml_path: str | os.PathLike[str],
    options: CompileOptions = _AS_IT_IS,
) -> None:
    """Compile an OpenSim model and write it as MJCF; raises ``MskError`` as ``compile_osim``."""
    write_xml(compile_osim(osim, options), xml_path)


def build(source: Source, options: CompileOptions = _AS_IT_IS) -> mujoco.MjSpec:
    """Return the MuJoCo model of a model that was read; ``ValueError`` where MuJoCo refuses it."""
    source = simplified(source, options)
    spec = mujoco.MjSpec()
    spec.modelname = source.name
    spec.compiler.degree = False
    spec.compiler.autolimits = False
    spec.compiler.inertiafromgeom = mujoco.mjtInertiaFromGeom.mjINERTIAFROMGEOM_FALSE
    spec.option.gravity = WORLD_FROM_GROUND @ source.gravity
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    add_scene(spec)
    add_skeleton(spec, source, free_root=options.root == "free")
    add_look(spec, add_bones(spec, source, options.geometry))
    add_contact_spheres(spec, source)
    add_half_spaces(spec, source)
    add_markers(spec, source)
    add_landmarks(spec, read_landmarks())
    add_muscles(spec, source)
    add_forces(spec, source)
    make_steppable(spec, source)
    defaults = {name: c.default for name, c in source.coordinates.items()}
    for name, value in defaults.items():
        spec.add_text(name=f"default/{name}", data=repr(float(value)))
    add_warnings(spec, source.warnings)
    set_rest_pose(spec, defaults)
    return spec


@contextmanager
def _quiet() -> Iterator[list[str]]:
    """Yield the list that MuJoCo's warnings go to, instead of a file in the user's folder.

    Its compiler warns through Python, its engine through a function of its own. Numbers that
    overflow on the way show up in the result.
    """
    warned: list[str] = []
    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(warned.append)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = lambda message, *_, **__: warned.append(str(message))
            yield warned
    finally:
        mujoco.set_mju_user_warning(before)


def _check_result(spec: mujoco.MjSpec, warned: list[str]) -> None:
    """Refuse a model whose file MuJoCo does not load, or that cannot move from its default pose."""
    # through a spec: MjModel.from_xml_string never returns inside a callback of another reader
    model = mujoco.MjSpec.from_string(to_xml(spec)).compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    if warned or not all(np.isfinite(x).all() for x in (data.xpos, data.ten_length, data.qacc)):
        reason = warned[0] if warned else "undefined accelerations in the default pose"
        raise MskError(
            f"MuJoCo cannot compute with the compiled model: {' '.join(reason.split())}.",
            remedy="Look for wrong places, masses or forces in the OpenSim model.",
        )
