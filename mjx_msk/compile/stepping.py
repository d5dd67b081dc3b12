"""What lets MuJoCo step a model: limits, a trace of armature, a time step.

None of it changes what the model is within the ranges of its coordinates, but for the armature,
which inverse dynamics feels by less than 0.05 %.
"""

import mujoco
import numpy as np

from mjx_msk.compile.motions import NO_BOUND, interval_of
from mjx_msk.compile.source import GROUND, Source

TIMESTEP = 0.001  #: s; light segments at the end of a falling chain whip too fast for 0.002
#: Of the inertia that a hinge moves at rest, where a joint has three: those turn singular where
#: the first and the third line up, and nothing else bounds their speeds there.
ARMATURE = 3e-4
#: MuJoCo's ``solref`` (s, damping ratio) and ``solimp`` of limits, stiffer than its defaults:
#: couplings and wraps are made for the ranges of the coordinates.
LIMIT_SOLREF, LIMIT_SOLIMP = (0.01, 1.0), (0.95, 0.99, 0.001, 0.5, 2.0)

_STRAIGHT = 1e-9  #: curvature that is no more than the rounding of a fit
_HINGE = mujoco.mjtJoint.mjJNT_HINGE
_BENT = "the functions that follow it are known in its range only: a limit was added there"
_UNCLAMPED = "the muscles' paths are known in its range only: a limit was added there"


def make_steppable(spec: mujoco.MjSpec, source: Source) -> None:
    """Set the time step, and add armature and limits to a model that is otherwise complete."""
    spec.option.timestep = TIMESTEP
    _add_limits(spec, source)
    _add_armature(spec, source)


def _add_limits(spec: mujoco.MjSpec, source: Source) -> None:
    """Limit coordinates where OpenSim has no more than a range, and note it.

    That is, those that drive a bent coupling, which runs off beyond the range that it was fitted
    in; and in a model with muscles those that turn or move one bone against another.
    """
    bent = {e.name2 for e in spec.equalities if e.name2 and np.abs(e.data[2:5]).max() > _STRAIGHT}
    root = {n for joint in source.joints if joint.parent == GROUND for n in joint.coordinates}
    for joint in spec.joints:
        coordinate = source.coordinates.get(joint.name)
        if coordinate is None or joint.type == mujoco.mjtJoint.mjJNT_FREE:
            continue
        joint.solref_limit, joint.solimp_limit = LIMIT_SOLREF, LIMIT_SOLIMP
        if joint.limited == mujoco.mjtLimited.mjLIMITED_TRUE:
            continue
        low, high = coordinate.range
        inner = joint.name not in root and low > -NO_BOUND and high < NO_BOUND and low < high
        if joint.name in bent or (source.muscles and inner):
            joint.limited, joint.range = True, interval_of(coordinate)
            words = _BENT if joint.name in bent else _UNCLAMPED
            spec.add_text(name=f"approximated/{joint.name}/limit", data=words)


def _add_armature(spec: mujoco.MjSpec, source: Source) -> None:
    """Give the hinges of joints with three or more ``ARMATURE`` of what they move at rest."""
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    inertia = np.zeros((model.nv, model.nv))
    for unit, column in zip(np.eye(model.nv), inertia, strict=True):
        mujoco.mj_mulM(model, data, column, unit)
    hinges = {joint.name for joint in spec.joints if joint.type == _HINGE}
    turning = [hinges.intersection(joint.coordinates) for joint in source.joints]
    in_a_row = set().union(*(names for names in turning if len(names) >= 3))
    for joint in spec.joints:
        if joint.name in in_a_row:
            dof = model.joint(joint.name).dofadr[0]
            # two digits, which every machine finds alike
            joint.armature = max(joint.armature, float(f"{ARMATURE * inertia[dof, dof]:.2g}"))
