"""How JAX and MJX run here: quietly, and compiling once per machine."""

import contextlib
import io
import os

import jax
import platformdirs

with contextlib.redirect_stdout(io.StringIO()):  # MJX announces that the optional Warp is absent
    from mujoco import mjx as mjx


def enable_compilation_cache() -> None:
    """Keep compiled programs on disk, so that the second start is fast.

    Honours ``JAX_COMPILATION_CACHE_DIR``, then ``MJX_MSK_CACHE``; else the user's cache folder.
    """
    if jax.config.values["jax_compilation_cache_dir"] is None:
        folder = os.environ.get("MJX_MSK_CACHE") or platformdirs.user_cache_dir("mjx-msk")
        jax.config.update("jax_compilation_cache_dir", os.path.join(folder, "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
