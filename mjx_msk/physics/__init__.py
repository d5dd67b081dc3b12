"""Differentiable kinematics and dynamics of a compiled model."""

from mjx_msk.physics.coordinates import full_acceleration as full_acceleration
from mjx_msk.physics.coordinates import full_position as full_position
from mjx_msk.physics.coordinates import full_velocity as full_velocity
from mjx_msk.physics.dynamics import Energy as Energy
from mjx_msk.physics.dynamics import Loads as Loads
from mjx_msk.physics.dynamics import Reaction as Reaction
from mjx_msk.physics.dynamics import energy as energy
from mjx_msk.physics.dynamics import forward_dynamics as forward_dynamics
from mjx_msk.physics.dynamics import generalized_force as generalized_force
from mjx_msk.physics.dynamics import inverse_dynamics as inverse_dynamics
from mjx_msk.physics.dynamics import joint_reactions as joint_reactions
from mjx_msk.physics.dynamics import mass_matrix as mass_matrix
from mjx_msk.physics.integration import Drive as Drive
from mjx_msk.physics.integration import Integrated as Integrated
from mjx_msk.physics.integration import Shots as Shots
from mjx_msk.physics.integration import Signal as Signal
from mjx_msk.physics.integration import State as State
from mjx_msk.physics.integration import integrate as integrate
from mjx_msk.physics.integration import rollout as rollout
from mjx_msk.physics.integration import shoot as shoot
from mjx_msk.physics.kinematics import Pose as Pose
from mjx_msk.physics.kinematics import centroidal_matrix as centroidal_matrix
from mjx_msk.physics.kinematics import pose as pose
from mjx_msk.physics.scaling import scale as scale
from mjx_msk.physics.scaling import stretch as stretch
