"""The formats that a motion can be written in."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mjx_msk.export.take import Take


@dataclass(frozen=True)
class Format:
    """One format: its module has a function ``write(take, path)`` that returns what it wrote."""

    name: str
    suffix: str  #: of the file; empty for a folder
    module: str  #: in ``mjx_msk.export``, imported when it is used
    even: bool = True  #: frames must be evenly spaced
    model: bool = False  #: the model is written beside the file, under the same name

    @property
    def default_name(self) -> str:
        """Return the name in an estimate's folder, whose motion.npz and model.xml it must spare."""
        stem = self.name if self.model or not self.suffix else "motion"
        return f"{stem}{self.suffix}"

    @property
    def write(self) -> Callable[["Take", Path], list[Path]]:
        """Return the writer; it raises ``MskError``."""
        return import_module(f"mjx_msk.export.{self.module}").write


FORMATS = {
    form.name: form
    for form in (
        Format("locomujoco", ".npz", "locomujoco", model=True),
        Format("mjlab", ".npz", "mjlab", model=True),
        Format("dm_control", ".h5", "dm_mocap", model=True),
        Format("opensim", "", "opensim", even=False),
        Format("c3d", ".c3d", "c3d"),
        Format("bvh", ".bvh", "bvh"),
        Format("gltf", ".glb", "gltf", even=False),
        Format("csv", ".csv", "csv_table", even=False),
        Format("parquet", ".parquet", "parquet", even=False),
    )
}
