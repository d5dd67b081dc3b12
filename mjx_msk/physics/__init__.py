"""Differentiable kinematics and dynamics of a compiled model."""

from mjx_msk.physics.dynamics import Loads as Loads
from mjx_msk.physics.dynamics import forward_dynamics as forward_dynamics
from mjx_msk.physics.dynamics import inverse_dynamics as inverse_dynamics
from mjx_msk.physics.inverse_kinematics import Goals as Goals
from mjx_msk.physics.inverse_kinematics import Tracked as Tracked
from mjx_msk.physics.inverse_kinematics import inverse_kinematics as inverse_kinematics
from mjx_msk.physics.kinematics import Pose as Pose
from mjx_msk.physics.kinematics import centroidal_matrix as centroidal_matrix
from mjx_msk.physics.kinematics import pose as pose
from mjx_msk.physics.scaling import scale as scale
from mjx_msk.physics.scaling import stretch as stretch
