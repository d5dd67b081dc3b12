"""Read muscle force curves: how force depends on fiber length and velocity, and activation times.

Curves are normalised: force in F0, length in optimal fiber lengths, velocity in the largest
shortening velocity. They are those of a rigid tendon; OpenSim itself evaluates them.
"""

import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np

from mjx_msk.compile.muscle_rig import MuscleRig
from mjx_msk.compile.source import ForceCurves, Muscle

LENGTHS = np.linspace(0.0, 2.5, 501)  #: optimal fiber lengths at which curves are sampled
SPEEDS = np.linspace(-1.5, 1.5, 601)  #: largest velocities at which they are
TIME_CONSTANTS = (0.01, 0.04)  #: s, where the source has none

#: Properties of every muscle that say nothing about its curves, or are kept elsewhere.
_COMMON = {
    "components", "appliesForce", "min_control", "max_control", "path", "GeometryPath",
    "optimal_force", "max_isometric_force", "optimal_fiber_length", "tendon_slack_length",
    "pennation_angle_at_optimal", "max_contraction_velocity", "ignore_tendon_compliance",
    "ignore_activation_dynamics", "default_activation", "default_fiber_length",
    "default_fiber_velocity", "default_normalized_tendon_force", "maximum_pennation_angle",
    "activation_time_constant", "deactivation_time_constant", "tendon_compliance_dynamics_mode",
    "activation_dynamics_smoothing", "minimum_activation",
    "MuscleFirstOrderActivationDynamicModel", "activation1", "activation2", "mass",
}  # fmt: skip


def read_curves(opensim: Any, muscle: Any, known: dict[str, ForceCurves]) -> ForceCurves:
    """Return the force curves of an OpenSim muscle; ``known`` keeps those met before.

    Muscles of a class that is not known get the default curves of Millard2012EquilibriumMuscle,
    and ``ForceCurves.guessed`` says so.
    """
    source = describe(muscle)
    if source not in known:
        known[source] = _sampled(opensim, muscle, source)
    return known[source]


def tension(
    curves: ForceCurves, muscle: Muscle, along: np.ndarray, speed: np.ndarray
) -> np.ndarray:
    """Return what a fully active muscle with a rigid tendon pulls with, in F0.

    ``along`` is how much of the path the fibers take up (m), ``speed`` its rate (m/s). The
    muscle's width stays constant, so pennation varies with fiber length, as in OpenSim. Fibers
    that are too short to pull do not resist motion either.
    """
    fiber, cosine = _fibers(muscle, along)
    velocity = speed * cosine / (muscle.fiber_length * muscle.max_velocity)
    active = np.interp(fiber, curves.lengths, curves.active)
    passive = np.interp(fiber, curves.lengths, curves.passive)
    force = active * np.interp(velocity, curves.speeds, curves.velocity) + passive
    force += np.where(active + passive > 0, curves.damping * velocity, 0.0)
    return np.maximum(0.0, force) * cosine


def passive_tension(curves: ForceCurves, muscle: Muscle, along: np.ndarray) -> np.ndarray:
    """Return what a passive muscle at rest pulls with, in F0; see ``tension``."""
    fiber, cosine = _fibers(muscle, along)
    return np.interp(fiber, curves.lengths, curves.passive) * cosine


def _fibers(muscle: Muscle, along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return normalised fiber length and cosine of the pennation angle."""
    along = np.maximum(along, 1e-6 * muscle.fiber_length)
    fiber = np.hypot(along, muscle.fiber_length * np.sin(muscle.pennation))
    return fiber / muscle.fiber_length, along / fiber


def read_time_constants(muscle: Any) -> tuple[float, float]:
    """Return the time constants of activation and deactivation in s."""
    tree = ElementTree.fromstring(muscle.dump())
    activation, deactivation = (
        next((float(e.text) for e in tree.iter(f"{name}_time_constant") if e.text), default)
        for name, default in zip(("activation", "deactivation"), TIME_CONSTANTS, strict=True)
    )
    return activation, deactivation


def describe(muscle: Any) -> str:
    """Return a muscle's class and everything that shapes its curves, as ``key=value`` words.

    Keys of nested curves are joined by ``/`` and lists of numbers by commas. A parameter that is
    missing has the value that OpenSim works out from the others.
    """
    tree = ElementTree.fromstring(muscle.dump())
    kept = [child for child in tree if child.tag not in _COMMON]
    return " ".join([tree.tag, *(word for child in kept for word in _words(child, ""))])


def _words(element: ElementTree.Element, prefix: str) -> list[str]:
    if len(element):  # a curve by its class, or a general function in the place of one
        own = element.tag.endswith("Curve")
        name = element.tag if own else f"{element.get('name')}={element.tag}"
        words = [word for child in element for word in _words(child, f"{name.split('=')[0]}/")]
        return words if own else [name, *words]
    numbers = (element.text or "").split()
    value = ",".join(_shortest(number) for number in numbers)
    return [f"{prefix}{element.tag}={value}"] if numbers else []


def _shortest(text: str) -> str:
    """Return a number of a file in as few digits as keep its value; other words as they are."""
    try:
        return repr(float(text))
    except ValueError:
        return text


def _sampled(opensim: Any, muscle: Any, source: str) -> ForceCurves:
    kind = muscle.getConcreteClassName()
    readers = {
        "Millard2012EquilibriumMuscle": _millard,
        "Millard2012AccelerationMuscle": _millard,
        "DeGrooteFregly2016Muscle": _degroote,
        "Thelen2003Muscle": _thelen,
        "RigidTendonMuscle": _rigid_tendon,
        "Schutte1993Muscle_Deprecated": _schutte,
    }
    guessed = kind not in readers
    if guessed:
        muscle, kind = opensim.Millard2012EquilibriumMuscle(), "Millard2012EquilibriumMuscle"
    active, passive, velocity, damping = readers[kind](opensim, muscle)
    return ForceCurves(
        source=source,
        lengths=LENGTHS,
        active=np.maximum(0.0, active),
        passive=np.maximum(0.0, passive),
        speeds=SPEEDS,
        velocity=np.maximum(0.0, velocity),
        damping=damping,
        guessed=guessed,
    )


_Curves = tuple[np.ndarray, np.ndarray, np.ndarray, float]


def _millard(opensim: Any, muscle: Any) -> _Curves:
    kind = getattr(opensim, muscle.getConcreteClassName())
    rigid = kind.safeDownCast(muscle).clone()  # a rigid tendon changes the curves' lowest values
    rigid.set_ignore_tendon_compliance(True)
    rigid.finalizeFromProperties()
    return (
        _values(rigid.getActiveForceLengthCurve().calcValue, LENGTHS),
        _values(rigid.getFiberForceLengthCurve().calcValue, LENGTHS),
        _values(rigid.getForceVelocityCurve().calcValue, SPEEDS),
        rigid.get_fiber_damping(),
    )


def _degroote(opensim: Any, muscle: Any) -> _Curves:
    muscle = opensim.DeGrooteFregly2016Muscle.safeDownCast(muscle)
    passive = np.zeros(len(LENGTHS))
    if not muscle.get_ignore_passive_fiber_force():
        passive = _values(muscle.calcPassiveForceMultiplier, LENGTHS)
    return (
        _values(muscle.calcActiveForceLengthMultiplier, LENGTHS),
        passive,
        _values(muscle.calcForceVelocityMultiplier, SPEEDS),
        muscle.get_fiber_damping(),
    )


def _thelen(opensim: Any, muscle: Any) -> _Curves:
    """Return the curves of Thelen (2003) at full activation, as OpenSim has them.

    Force-velocity is given as v(F) there, and linear beyond ``fv_linear_extrap_threshold`` of the
    largest eccentric force.
    """
    muscle = opensim.Thelen2003Muscle.safeDownCast(muscle)
    active = np.exp(-((LENGTHS - 1) ** 2) / muscle.get_KshapeActive())
    shape, strain = muscle.get_KshapePassive(), muscle.get_FmaxMuscleStrain()
    stretch = np.clip((LENGTHS - 1) / strain, 0.0, None)
    passive = np.expm1(shape * np.minimum(stretch, 1)) + shape * np.exp(shape) * np.clip(
        stretch - 1, 0, None
    )
    af, flen = muscle.get_Af(), muscle.get_Flen()
    slope = (2 + 2 / af) / (flen - 1)
    v = np.clip(SPEEDS, 0, None)
    last = muscle.get_fv_linear_extrap_threshold() * flen
    v_last = (last - 1) / (slope * (flen - last))
    tangent = slope * (flen - last) ** 2 / (flen - 1)
    eccentric = np.where(
        v <= v_last, (1 + slope * flen * v) / (1 + slope * v), last + tangent * (v - v_last)
    )
    u = np.clip(SPEEDS, -1, 0)
    concentric = (1 + u) / (1 - u / af)
    return active, passive / np.expm1(shape), np.where(SPEEDS > 0, eccentric, concentric), 0.0


def _rigid_tendon(opensim: Any, muscle: Any) -> _Curves:
    muscle = opensim.RigidTendonMuscle.safeDownCast(muscle)
    functions = (
        muscle.get_active_force_length_curve(),
        muscle.get_passive_force_length_curve(),
        muscle.get_force_velocity_curve(),
    )
    grids = (LENGTHS, LENGTHS, SPEEDS)
    active, passive, velocity = (
        _values(lambda x, f=f: f.calcValue(opensim.Vector(1, x)), grid)
        for f, grid in zip(functions, grids, strict=True)
    )
    return active, passive, velocity, 0.0


def _schutte(opensim: Any, muscle: Any) -> _Curves:
    """Return the curves of Schutte (1993); force-velocity is seen on a test bench.

    Its active force and its damping cannot be told apart there, so the damping is part of it.
    """
    names = ("active_force_length_curve", "passive_force_length_curve")
    active, passive = (_property(opensim, muscle, name) for name in names)
    velocities, forces = observed_velocities(MuscleRig(opensim, muscle, rigid=False))
    passive_share = np.interp(1.0, LENGTHS, passive)
    multipliers = (forces - passive_share) / np.interp(1.0, LENGTHS, active)
    return active, passive, np.interp(SPEEDS, velocities, multipliers), 0.0


def observed_velocities(rig: MuscleRig) -> tuple[np.ndarray, np.ndarray]:
    """Return normalised velocities and tensions along the fibers at optimal length, ascending.

    A series of tendon strains makes the tensions; the fully active fibers answer with a velocity.
    """
    seen = [rig.fiber_velocity(rig.fiber_length, strain) for strain in np.linspace(0, 0.08, 801)]
    forces, velocities = np.array(seen).T
    keep = np.r_[True, np.diff(velocities) > 1e-9]
    scale = rig.fiber_length * rig.max_velocity
    along = rig.max_force * np.cos(rig.pennation)
    return velocities[keep] / scale, forces[keep] / along


def _property(opensim: Any, muscle: Any, name: str) -> np.ndarray:
    """Return a curve that is a property of a class that the opensim package does not wrap."""
    function = muscle.getPropertyByName(name).getValueAsObject()
    function = opensim.Function.safeDownCast(function)
    return _values(lambda x: function.calcValue(opensim.Vector(1, x)), LENGTHS)


def _values(function: Any, grid: np.ndarray) -> np.ndarray:
    return np.array([function(float(x)) for x in grid])
