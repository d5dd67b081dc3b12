"""Differentiable kinematics and dynamics of a compiled model."""

from mjx_msk.physics.dynamics import Energy as Energy
from mjx_msk.physics.dynamics import Loads as Loads
from mjx_msk.physics.dynamics import Reaction as Reaction
from mjx_msk.physics.dynamics import energy as energy
from mjx_msk.physics.dynamics import forward_dynamics as forward_dynamics
from mjx_msk.physics.dynamics import generalized_force as generalized_force
from mjx_msk.physics.dynamics import inverse_dynamics as inverse_dynamics
from mjx_msk.physics.dynamics import joint_reactions as joint_reactions
from mjx_msk.physics.dynamics import mass_matrix as mass_matrix
from mjx_msk.physics.kinematics import Pose as Pose
from mjx_msk.physics.kinematics import centroidal_matrix as centroidal_matrix
from mjx_msk.physics.kinematics import pose as pose
from mjx_msk.physics.scaling import scale as scale
from mjx_msk.physics.scaling import stretch as stretch
