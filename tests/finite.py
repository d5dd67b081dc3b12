"""A hunt for NaN and infinity in values and derivatives."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from compiling import quick
from hypothesis import settings

hunt = settings(max_examples=60, deadline=None, database=None)


def everything(f: Callable) -> Callable:
    """Return ``f``'s values and its derivatives by all arguments, in reverse mode, compiled."""

    @quick
    def compiled(*x: jax.Array) -> tuple:
        value, back = jax.vjp(f, *x)
        return value, back(jax.tree.map(jnp.ones_like, value))

    return compiled


def assert_finite(found, precision: type) -> None:
    for leaf in jax.tree.leaves(found):
        assert np.isfinite(leaf).all()
        assert leaf.dtype in (precision, np.int32, np.int64)
