"""A small folder of records: a person who bends the knees, on the default model."""

from pathlib import Path

import numpy as np

from mjx_msk.cache import file_sha256
from mjx_msk.data.clip import RATE_HZ, Clip
from mjx_msk.data.landmark_tree import LANDMARKS
from mjx_msk.data.records import Contents
from mjx_msk.data.writing import Writer
from mjx_msk.fit.ground_forces import FootLoads
from mjx_msk.fit.kinetics import joint_forces
from mjx_msk.fit.points import places
from mjx_msk.fit.scaling import SEGMENTS
from mjx_msk.model import Model
from mjx_msk.resources import DEFAULT_MODEL, asset

FRAMES = 40


def bend(model: Model, split: str, deepest: float) -> Clip:
    """Return a clip whose moments follow from its motion and half of the weight on each foot."""
    names = model.layout.coordinate_index
    time = np.arange(FRAMES) / RATE_HZ
    omega = 2.0 * np.pi * RATE_HZ / FRAMES
    angle = 0.5 * deepest * (1.0 - np.cos(omega * time))
    rate, change = (
        0.5 * deepest * omega * np.stack([np.sin(omega * time), omega * np.cos(omega * time)])
    )
    q, qd, qdd = (np.zeros((FRAMES, model.n)) for _ in range(3))
    q[:] = np.asarray(model.q_default)
    for side in "rl":
        for name, share in (("hip_flexion", 1.0), ("knee_angle", 2.0), ("ankle_angle", 1.0)):
            i = names[f"{name}_{side}"]
            q[:, i], qd[:, i], qdd[:, i] = share * angle, share * rate, share * change
    at = places(model, q)
    lift = at.soles[..., 2].min() - float(model.contact_radius[0])
    q[:, names["pelvis_ty"]] -= lift
    at = places(model, q)
    mass = float(np.sum(model.mjx.body_mass))
    force = np.zeros((FRAMES, 2, 3))
    force[..., 2] = 0.5 * mass * 9.80665
    feet = np.array(model.layout.contact_feet)
    cop = np.stack([at.soles[:, feet == foot].mean(axis=1) for foot in (0, 1)], axis=1)
    cop[..., 2] = 0.0
    loads = FootLoads(force, cop, np.zeros_like(force))
    kinetics = joint_forces(model, q, qd, qdd, loads)
    sites = [model.layout.site_index[f"landmark/{name}"] for name in LANDMARKS]
    return Clip(
        name=f"made/{split}{deepest}", person=split, split=split, activity="squat",
        force_source="consistent", base=1.0, log_segments=np.zeros(len(SEGMENTS)), mass_kg=mass,
        height_m=1.70, q=q, qd=qd, qdd=qdd, tau=kinetics.generalized_force, foot_force=force,
        foot_cop=cop, foot_moment=np.zeros_like(force), contact=np.ones((FRAMES, 2)),
        kinetics_known=np.ones(FRAMES), measured=np.zeros(FRAMES), landmarks=at.sites[:, sites],
        dataset="made",
    )  # fmt: skip


def write_records(folder: Path) -> Path:
    """Write two clips to train on and one to validate with."""
    model = Model.load(asset(DEFAULT_MODEL))
    contents = Contents(
        coordinate_names=model.layout.coordinate_names, landmark_names=LANDMARKS,
        segments=tuple(SEGMENTS), model_sha256=file_sha256(asset(DEFAULT_MODEL)),
    )  # fmt: skip
    with Writer(folder, contents) as writer:
        for split, deepest in (("train", 0.4), ("train", 0.7), ("val", 0.5)):
            clip = bend(model, split, deepest)
            writer.add(clip.name, "made", {}, [clip])
    return folder
