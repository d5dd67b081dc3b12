"""Transformer blocks whose sense of time is seconds, not frames."""

import jax
import jax.numpy as jnp
from flax import nnx

#: Shortest and longest period of the rotary encoding, s.
_PERIODS_S = (0.05, 8.0)


def rotation(time: jax.Array, width: int) -> jax.Array:
    """Return rotary angles (T, width / 2) of times (T,) s, periods in a geometric series.

    Only differences of time matter to attention, so that clips of any rate and length are alike
    (Su et al. 2021, arXiv 2104.09864, sec. 3.2, with seconds in the place of positions).
    """
    short, long = _PERIODS_S
    periods = short * (long / short) ** jnp.linspace(0.0, 1.0, width // 2)
    return 2.0 * jnp.pi * time[:, None] / periods


def _turned(x: jax.Array, angle: jax.Array) -> jax.Array:
    """Turn pairs of features (..., T, heads, width) by ``angle`` (T, width / 2)."""
    cosine, sine = (f(angle)[:, None].astype(x.dtype) for f in (jnp.cos, jnp.sin))
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([a * cosine - b * sine, a * sine + b * cosine], axis=-1)


class Attention(nnx.Module):
    """Self-attention over the next to last axis; ``rngs`` start its weights."""

    def __init__(self, width: int, heads: int, *, dtype: jnp.dtype, rngs: nnx.Rngs) -> None:
        self.heads = heads
        self.into = nnx.Linear(width, 3 * width, dtype=dtype, rngs=rngs)
        self.out = nnx.Linear(width, width, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array, seen: jax.Array, angle: jax.Array | None) -> jax.Array:
        """Return (..., T, width); tokens that are not ``seen`` (..., T) are not attended to."""
        query, key, value = (
            part.reshape(*x.shape[:-1], self.heads, -1)
            for part in jnp.split(self.into(x), 3, axis=-1)
        )
        if angle is not None:
            query, key = _turned(query, angle), _turned(key, angle)
        mask = seen[..., None, None, :]
        found = jax.nn.dot_product_attention(query, key, value, mask=mask)
        return self.out(found.reshape(x.shape))


class Block(nnx.Module):
    """Attention and two dense layers, each beside a straight path (pre-norm)."""

    def __init__(self, width: int, heads: int, *, dtype: jnp.dtype, rngs: nnx.Rngs) -> None:
        self.attention = Attention(width, heads, dtype=dtype, rngs=rngs)
        self.before = nnx.LayerNorm(width, rngs=rngs)
        self.between = nnx.LayerNorm(width, rngs=rngs)
        self.wide = nnx.Linear(width, 3 * width, dtype=dtype, rngs=rngs)
        self.narrow = nnx.Linear(3 * width, width, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array, seen: jax.Array, angle: jax.Array | None = None) -> jax.Array:
        """Return (..., T, width), as ``Attention``."""
        x = x + self.attention(self.before(x), seen, angle)
        return x + self.narrow(jax.nn.gelu(self.wide(self.between(x))))


def encode(
    blocks: nnx.List, x: jax.Array, seen: jax.Array, time: jax.Array | None = None
) -> jax.Array:
    """Send tokens (..., T, width) through blocks; ``time`` (T,) s where the tokens have one.

    Where nothing is seen, everything is attended to, so that nothing becomes NaN.
    """
    seen = seen | ~seen.any(axis=-1, keepdims=True)
    heads = blocks[0].attention.heads if len(blocks) else 1
    angle = None if time is None else rotation(time, x.shape[-1] // heads)
    for block in blocks:
        x = block(x, seen, angle)
    return x
