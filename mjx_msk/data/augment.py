"""More motions out of one: mirrored, turned to another heading, warped in time.

Pure functions of a clip's arrays (``clip_arrays``), for use inside a training step, under ``jit``
and ``vmap``. They take the default model's coordinates. Mirroring and turning are exact symmetries:
kinetics stay right. A warped motion has other accelerations, so its forces are unknown, not copied.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.data.clip import RATE_HZ, Clip
from mjx_msk.data.landmark_tree import COUNTERPART
from mjx_msk.model import ROOT_COORDINATES, Model
from mjx_msk.physics.root import about, root_coordinates, root_frame

#: Coordinates that change their sign in a mirror; others change sides (docs/conventions.md).
_AGAINST = ("pelvis_tz", "pelvis_list", "pelvis_rotation", "lumbar_bending", "lumbar_rotation")
#: World vectors in the mirror y -> -y, and moments, which are pseudo-vectors.
MIRROR = np.array([1.0, -1.0, 1.0])
#: Speeds of a warped motion over the original's.
WARP = (0.8, 1.25)
#: A warp's speed changes over this time, s.
_WARP_S = 0.5


class ClipArrays(NamedTuple):
    """The arrays of a clip (``data.clip.Clip`` has their shapes and units)."""

    q: jax.Array
    qd: jax.Array
    qdd: jax.Array
    tau: jax.Array
    foot_force: jax.Array
    foot_cop: jax.Array
    foot_moment: jax.Array
    contact: jax.Array
    kinetics_known: jax.Array
    measured: jax.Array
    landmarks: jax.Array


def clip_arrays(clip: Clip) -> ClipArrays:
    """Return a clip's arrays."""
    return ClipArrays(*(jnp.asarray(getattr(clip, name)) for name in ClipArrays._fields))


def other_side(name: str) -> str:
    """Return the name of what is on the other side of the body: ``knee_l`` for ``knee_r``."""
    stem, side = name[:-2], name[-2:]
    return stem + {"_r": "_l", "_l": "_r"}[side] if side in ("_r", "_l") else name


def mirror_table(names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return which coordinate each takes its mirrored value from, and with which sign, (n,)."""
    place = {name: i for i, name in enumerate(names)}
    source = np.array([place[other_side(name)] for name in names])
    return source, np.array([-1.0 if name in _AGAINST else 1.0 for name in names])


def mirrored(model: Model, clip: ClipArrays) -> ClipArrays:
    """Return the clip in a mirror that stands in the world's x-z plane: left becomes right."""
    source, sign = mirror_table(model.layout.coordinate_names)
    feet = slice(None, None, -1)

    def coordinates(values: jax.Array) -> jax.Array:
        return values[..., source] * sign

    return clip._replace(
        q=coordinates(clip.q),
        qd=coordinates(clip.qd),
        qdd=coordinates(clip.qdd),
        tau=coordinates(clip.tau),
        foot_force=clip.foot_force[:, feet] * MIRROR,
        foot_cop=clip.foot_cop[:, feet] * MIRROR,
        foot_moment=clip.foot_moment[:, feet] * -MIRROR,
        contact=clip.contact[:, feet],
        landmarks=clip.landmarks[:, COUNTERPART] * MIRROR,
    )


def turned(model: Model, clip: ClipArrays, angle: jax.Array) -> ClipArrays:
    """Return the clip turned by ``angle`` rad about the world's vertical through its origin.

    Velocities and accelerations of the root follow by the chain rule, its residuals by the power
    that they have. Angles of the root are continuous in time.
    """
    turn = about(jnp.asarray(angle, jnp.result_type(clip.q)), 2)

    def root(q: jax.Array) -> jax.Array:
        rotation, position = root_frame(model, q)
        return root_coordinates(model, turn @ rotation, turn @ position)

    def moved(q, qd, qdd, tau):
        def velocity(q: jax.Array, qd: jax.Array) -> jax.Array:
            return jax.jvp(root, (q,), (qd,))[1]

        rate, change = jax.jvp(velocity, (q, qd), (qd, qdd))
        power = jnp.linalg.solve(jax.jacfwd(root)(q).T, tau)
        return root(q), rate, change, power

    k = ROOT_COORDINATES
    parts = clip.q, clip.qd, clip.qdd, clip.tau
    new = jax.vmap(moved)(*(part[:, :k] for part in parts))
    angles = jnp.unwrap(new[0][:, 3:], axis=0)
    new = (jnp.concatenate([new[0][:, :3], angles], axis=1), *new[1:])
    q, qd, qdd, tau = (
        jnp.concatenate([a, b[:, k:]], axis=1) for a, b in zip(new, parts, strict=True)
    )
    return clip._replace(
        q=q, qd=qd, qdd=qdd, tau=tau,
        foot_force=clip.foot_force @ turn.T,
        foot_cop=clip.foot_cop @ turn.T,
        foot_moment=clip.foot_moment @ turn.T,
        landmarks=clip.landmarks @ turn.T,
    )  # fmt: skip


def warped(key: jax.Array, clip: ClipArrays, frames: int) -> ClipArrays:
    """Return ``frames`` frames of the clip, played at a speed that wanders within ``WARP``.

    The clip must have at least ``1.25 frames``; where it has more, the part is drawn.
    Coordinates are interpolated with their velocities and accelerations (quintic Hermite), so that
    those of the warped motion are its own derivatives. Its forces are unknown and 0; contact stays.
    """
    speed_key, start_key = jax.random.split(key)
    speed, slope = _speed(speed_key, frames)
    step = 1.0 / RATE_HZ
    # time from the first frame by the trapezoidal rule, in frames
    since = jnp.concatenate([jnp.zeros(1), jnp.cumsum(0.5 * (speed[1:] + speed[:-1]))])
    place = since + jax.random.uniform(start_key) * jnp.maximum(len(clip.q) - 1 - since[-1], 0.0)
    before = jnp.clip(place.astype(int), 0, len(clip.q) - 2)
    share = place - before
    q, by_time, twice = _hermite(clip, before, share, step)
    near = jnp.round(place).astype(int)
    zero = jnp.zeros_like(q)
    nothing = jnp.zeros((frames, 2, 3), q.dtype)
    return clip._replace(
        q=q,
        qd=by_time * speed[:, None],
        qdd=twice * speed[:, None] ** 2 + by_time * slope[:, None],
        tau=zero, foot_force=nothing, foot_cop=nothing, foot_moment=nothing,
        contact=clip.contact[near],
        kinetics_known=jnp.zeros(frames, q.dtype),
        measured=jnp.zeros(frames, q.dtype),
        landmarks=_cubic(clip.landmarks, before, share),
    )  # fmt: skip


def _speed(key: jax.Array, frames: int) -> tuple[jax.Array, jax.Array]:
    """Return a speed (T,) within ``WARP`` and its slope (1/s): a constant and a slow wave."""
    level, depth, phase = jax.random.uniform(key, (3,))
    angle = 2.0 * jnp.pi * phase + jnp.arange(frames) / (RATE_HZ * _WARP_S)
    low, high = np.log(WARP)
    # the wave takes a share of the range, the level moves in what is left
    half = 0.5 * (high - low)
    log = low + half + half * ((1.0 - depth) * (2.0 * level - 1.0) + depth * jnp.sin(angle))
    speed = jnp.exp(log)
    return speed, speed * half * depth * jnp.cos(angle) / _WARP_S


def _hermite(
    clip: ClipArrays, before: jax.Array, share: jax.Array, step: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return value, first and second derivative by time between frames, each (T, n).

    The polynomial of degree 5 in ``share`` 0..1 that meets value, velocity and acceleration at
    both ends.
    """
    q, v, a = clip.q, clip.qd, clip.qdd
    q0, q1 = q[before], q[before + 1]
    v0, v1 = v[before] * step, v[before + 1] * step
    a0, a1 = a[before] * step**2, a[before + 1] * step**2
    rise, speed, bend = q1 - q0 - v0 - 0.5 * a0, v1 - v0 - a0, a1 - a0
    c3 = 10.0 * rise - 4.0 * speed + 0.5 * bend
    c4 = -15.0 * rise + 7.0 * speed - bend
    c5 = 6.0 * rise - 3.0 * speed + 0.5 * bend
    s = share[:, None]
    value = q0 + s * (v0 + s * (0.5 * a0 + s * (c3 + s * (c4 + s * c5))))
    first = v0 + s * (a0 + s * (3.0 * c3 + s * (4.0 * c4 + s * 5.0 * c5)))
    second = a0 + s * (6.0 * c3 + s * (12.0 * c4 + s * 20.0 * c5))
    return value, first / step, second / step**2


def _cubic(x: jax.Array, before: jax.Array, share: jax.Array) -> jax.Array:
    """Return points between frames on the cubic through the four frames around."""
    last = len(x) - 1
    a, b, c, d = (x[jnp.clip(before + k, 0, last)] for k in (-1, 0, 1, 2))
    # beyond the ends, the line goes on
    a = jnp.where((before == 0)[:, None, None], 2.0 * b - c, a)
    d = jnp.where((before + 1 == last)[:, None, None], 2.0 * c - b, d)
    s = share[:, None, None]
    return b + 0.5 * s * (
        c - a + s * (2.0 * a - 5.0 * b + 4.0 * c - d + s * (3.0 * (b - c) + d - a))
    )
