"""Tracking an estimated motion as physics: what the plugins for reinforcement learning share.

The reference (a motion that can be sampled at any time, and looped), the actuated model, and the
terms of the reward. Numpy and MuJoCo only; the formulas take JAX arrays too.
"""

from mjx_msk_tracking.actuation import Actuation as Actuation
from mjx_msk_tracking.actuation import tracking_spec as tracking_spec
from mjx_msk_tracking.feedback import Feedback as Feedback
from mjx_msk_tracking.feedback import LocalModels as LocalModels
from mjx_msk_tracking.joints import Joints as Joints
from mjx_msk_tracking.reference import Reference as Reference
from mjx_msk_tracking.source import load_estimate as load_estimate
from mjx_msk_tracking.strength import Strength as Strength
from mjx_msk_tracking.strength import strength_of as strength_of
from mjx_msk_tracking.task import Task as Task
from mjx_msk_tracking.task import TrackConfig as TrackConfig
from mjx_msk_tracking.tracker import WEIGHTS as WEIGHTS
from mjx_msk_tracking.tracker import Target as Target
from mjx_msk_tracking.tracker import Tracker as Tracker
