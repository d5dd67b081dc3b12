"""Differentiable kinematics and dynamics of a compiled model."""

from mjx_msk.physics.contact import FootWrench as FootWrench
from mjx_msk.physics.contact import Ground as Ground
from mjx_msk.physics.contact import contact_force as contact_force
from mjx_msk.physics.contact import contact_loads as contact_loads
from mjx_msk.physics.contact import foot_wrench as foot_wrench
from mjx_msk.physics.contact_forces import ForcePriors as ForcePriors
from mjx_msk.physics.contact_forces import point_forces as point_forces
from mjx_msk.physics.dynamics import Loads as Loads
from mjx_msk.physics.dynamics import forward_dynamics as forward_dynamics
from mjx_msk.physics.dynamics import inverse_dynamics as inverse_dynamics
from mjx_msk.physics.kinematics import Pose as Pose
from mjx_msk.physics.kinematics import centroidal_matrix as centroidal_matrix
from mjx_msk.physics.kinematics import pose as pose
from mjx_msk.physics.scaling import scale as scale
from mjx_msk.physics.scaling import stretch as stretch
