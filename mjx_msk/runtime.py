"""How JAX and MJX run here: quietly, in whole float32, and compiling once per machine."""

import contextlib
import io
import os

import jax
import platformdirs

with contextlib.redirect_stdout(io.StringIO()):  # MJX announces that the optional Warp is absent
    from mujoco import mjx as mjx

# A GPU may multiply float32 matrices in TensorFloat-32, with relative errors of 1e-3.
if jax.config.values["jax_default_matmul_precision"] is None:
    jax.config.update("jax_default_matmul_precision", "float32")


def enable_compilation_cache() -> None:
    """Keep compiled programs on disk, so that the second start is fast.

    Honours ``JAX_COMPILATION_CACHE_DIR``, then ``MJX_MSK_CACHE``; else the user's cache folder.
    """
    if jax.config.values["jax_compilation_cache_dir"] is None:
        folder = os.environ.get("MJX_MSK_CACHE") or platformdirs.user_cache_dir("mjx-msk")
        jax.config.update("jax_compilation_cache_dir", os.path.join(folder, "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
