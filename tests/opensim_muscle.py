"""A pennate muscle of OpenSim's classes, with curves that are not the default ones."""

from typing import Any

F0, FIBER, TENDON, SPEED = 800.0, 0.1, 0.2, 9.0  #: N, m, m, fiber lengths per second
PENNATION = 0.35  #: rad


def make(kind: str) -> Any:
    """Return the muscle; OpenSim's RigidTendonMuscle without pennation.

    That class takes the velocity of pennate fibers otherwise than all others do.
    """
    import opensim

    opensim.Logger.setLevelString("Off")
    muscle = getattr(opensim, kind)()
    muscle.setName("muscle")
    muscle.setMaxIsometricForce(F0)
    muscle.setOptimalFiberLength(FIBER)
    muscle.setTendonSlackLength(TENDON)
    muscle.setPennationAngleAtOptimalFiberLength(0.0 if kind == "RigidTendonMuscle" else PENNATION)
    muscle.setMaxContractionVelocity(SPEED)
    if kind == "Millard2012EquilibriumMuscle":
        muscle.set_fiber_damping(0.05)
        muscle.upd_FiberForceLengthCurve().set_strain_at_one_norm_force(0.5)
        muscle.upd_ActiveForceLengthCurve().set_max_norm_active_fiber_length(1.7)
    if kind == "DeGrooteFregly2016Muscle":
        muscle.set_active_force_width_scale(1.2)
    if kind == "Thelen2003Muscle":
        muscle.set_KshapeActive(0.5)
        muscle.set_Flen(1.6)
    muscle.finalizeFromProperties()  # damping makes Millard's least active force 0
    return muscle
