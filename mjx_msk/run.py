"""One recording on its way: what is measured and said about it while it is estimated."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mjx_msk
from mjx_msk.cache import file_sha256
from mjx_msk.errors import MskError
from mjx_msk.options import Options

OnStage = Callable[[str, int, int], None]  #: (what, done, total); total 0 when unknown


@dataclass
class Run:
    """One recording on its way: what was found so far."""

    source: Path
    options: Options
    on_stage: OnStage = lambda *_: None
    timings: dict[str, float] = field(default_factory=dict)  #: s by stage
    warnings: list[str] = field(default_factory=list)  #: sentences for the user

    def __post_init__(self) -> None:
        """Raise ``MskError`` when the recording is not there."""
        if not self.source.is_file():
            raise MskError("no such file.", where=str(self.source), remedy="Check the path.")

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Announce and measure one stage; an error without a place gets the recording's."""
        self.on_stage(name, 0, 0)
        start = time.perf_counter()
        try:
            yield
        except MskError as error:
            where = error.where or str(self.source)
            raise MskError(error.what, where=where, remedy=error.remedy) from error
        self.timings[name] = self.timings.get(name, 0.0) + time.perf_counter() - start

    def tell(self, label: str) -> None:
        """Announce a step inside a stage."""
        self.on_stage(label, 0, 0)

    def provenance(self) -> dict[str, Any]:
        """Return where a result comes from: the same values give the same result."""
        return {
            "mjx_msk": mjx_msk.__version__,
            "mujoco": version("mujoco"),
            "input": self.source.name,
            "input_sha256": file_sha256(self.source),
            "seed": 0,
            "options": self.options.to_dict(),
        }
