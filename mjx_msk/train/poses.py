"""Clips of people who stand still in poses that no recording has."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.data.clip import Clip
from mjx_msk.data.pose_prior import draw_pose, fit_pose_prior
from mjx_msk.physics.points import marker_positions
from mjx_msk.physics.scaling import stretch
from mjx_msk.train.objective import Scene


def drawn_clips(
    scene: Scene, clips: Sequence[Clip], count: int, frames: int, seed: int
) -> list[Clip]:
    """Return ``count`` clips of ``frames``, each one pose drawn about those of ``clips``.

    Bodies are those of people in ``clips``. Nothing is known of their kinetics.
    """
    if not count:
        return []
    model = scene.model
    prior = fit_pose_prior(model, np.concatenate([clip.q for clip in clips]))
    bodies = [clips[i] for i in np.random.default_rng(seed).integers(len(clips), size=count)]
    base = jnp.asarray([clip.base for clip in bodies])
    segments = jnp.asarray(np.stack([clip.log_segments for clip in bodies]), base.dtype)

    @jax.jit
    @jax.vmap
    def draw(key, base, log_segments):
        own = stretch(model, scene.factors(base, log_segments))
        q = draw_pose(key, prior, own)
        return q, marker_positions(own, q, np.array(scene.sites))

    q, landmarks = draw(jax.random.split(jax.random.key(seed), count), base, segments)
    return [_still(body, np.asarray(a), np.asarray(b), frames)
            for body, a, b in zip(bodies, q, landmarks, strict=True)]  # fmt: skip


def _still(body: Clip, q: np.ndarray, landmarks: np.ndarray, frames: int) -> Clip:
    none, feet = np.zeros((frames, len(q))), np.zeros((frames, 2, 3))
    return Clip(
        name="drawn", person=body.person, split=body.split, activity="drawn pose",
        force_source="consistent", base=body.base, log_segments=body.log_segments,
        mass_kg=body.mass_kg, height_m=body.height_m, q=np.tile(q, (frames, 1)), qd=none, qdd=none,
        tau=none, foot_force=feet, foot_cop=feet, foot_moment=feet,
        contact=np.zeros((frames, 2)), kinetics_known=np.zeros(frames),
        measured=np.zeros(frames), landmarks=np.tile(landmarks, (frames, 1, 1)),
    )  # fmt: skip
