"""``mjx-msk compile``, ``bones`` and ``scale``: models."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from mjx_msk.cli.terminal import OK, Terminal
from mjx_msk.errors import MskError

if TYPE_CHECKING:
    import mujoco


@dataclass(frozen=True, kw_only=True)
class Compile:
    """Compile an OpenSim model to MJCF."""

    osim: tyro.conf.Positional[Path]
    """The .osim file."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The .xml file to write."""
    root: Literal["coordinates", "free"] = "coordinates"
    """OpenSim's six root coordinates, or one free joint in their place."""
    knee: Literal["coupled", "hinge"] = "coupled"
    """Keep what follows a knee's angle, or hold it still, patellae included."""
    lock: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """A coordinate to hold at its default value; may be repeated."""
    geometry: Path | None = None
    """Folder with the bone meshes (.vtp, .stl, .obj) that the model names."""
    bones: bool = False
    """Draw the model with the bone meshes that `mjx-msk bones` fetches."""
    report: Path | None = None
    """Measure the result against OpenSim and write its errors to this file (.html or .json)."""
    strict: bool = False
    """Measure the result; write nothing if a component was skipped or an error is too large."""

    def run(self, terminal: Terminal) -> int:
        """Compile, measure if asked to, and say where the result is."""
        from mjx_msk import cache
        from mjx_msk.compile import CompileOptions, compile_osim, notes, write_xml

        if self.report is not None:
            from mjx_msk.report.fidelity import check_suffix

            check_suffix(self.report)
        if self.bones and self.geometry is not None:
            raise MskError("--bones and --geometry exclude each other.", remedy="Give one of them.")
        options = CompileOptions(
            root=self.root,
            knee=self.knee,
            lock=self.lock,
            geometry=cache.bones() if self.bones else self.geometry,
        )
        spec = compile_osim(self.osim, options)
        if self.report is not None or self.strict:
            _measure(terminal, self.osim, spec.compile(), self.report, strict=self.strict)
        write_xml(spec, self.out)
        for line in notes(spec):
            terminal.say(line)
        terminal.say(f"Wrote {self.out}")
        return OK


@dataclass(frozen=True, kw_only=True)
class Bones:
    """Fetch freely licensed OpenSim bone meshes, for `mjx-msk compile --bones`."""

    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """Copy them into this folder as well."""

    def run(self, terminal: Terminal) -> int:
        """Fetch the meshes once and say where they are."""
        from mjx_msk import cache
        from mjx_msk.files import replacing

        folder = cache.bones()
        meshes = sorted(folder.glob("*.vtp"))
        if self.out is not None:
            for mesh in meshes:
                with replacing(self.out / mesh.name) as part:
                    part.write_bytes(mesh.read_bytes())
        terminal.say(f"{len(meshes)} bone meshes are in {self.out or folder}")
        return OK


def _measure(
    terminal: Terminal, osim: Path, model: "mujoco.MjModel", report: Path | None, *, strict: bool
) -> None:
    """Measure a compiled model against OpenSim; refuse it if ``strict``, and write the report."""
    from mjx_msk.compile.bars import require
    from mjx_msk.compile.fidelity import compare
    from mjx_msk.compile.worst import worst_curves
    from mjx_msk.report.fidelity import write_fidelity

    with terminal.progress(osim.name) as on_stage:
        on_pose = partial(on_stage, "measuring against OpenSim")
        fidelity = compare(osim, model, on_pose=on_pose)
    if strict:
        require(fidelity, str(osim))
    if report is not None:
        curves = worst_curves(osim, model, fidelity)
        write_fidelity(fidelity, curves, report, title=osim.name)
        terminal.say(f"Report: {report.resolve()}")


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Scale a model to a person: to height and mass, or to a static marker trial."""

    model: tyro.conf.Positional[Path | None] = None
    """An OpenSim model (.osim) or a compiled one (.xml); the default model if none is given."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The .xml file to write."""
    height: float | None = None
    """The person's height in metres."""
    mass: float | None = None
    """The person's mass in kilograms."""
    static: Path | None = None
    """Markers (.trc) of the person standing still, instead of the height."""
    static_time: tuple[float, float] | None = None
    """First and last second of it that count; all of it if not given."""
    setup: Path | None = None
    """A setup (.xml) of OpenSim's Scale Tool, for its measurements and marker weights."""

    def run(self, terminal: Terminal) -> int:
        """Scale and say where the result is."""
        from mjx_msk.compile import read_spec, scale_to_person, write_xml
        from mjx_msk.resources import DEFAULT_MODEL, asset

        if (self.height is None) == (self.static is None) or self.mass is None:
            raise MskError(
                "the person's size is missing, or given twice.",
                remedy="Give --mass, and either --height or --static FILE.trc.",
            )
        if self.static is None and not (self.setup is None and self.static_time is None):
            raise MskError(
                "--setup and --static-time belong to a static trial.",
                remedy="Give it with --static FILE.trc.",
            )
        spec = read_spec(asset(DEFAULT_MODEL) if self.model is None else self.model)
        if self.static is not None:
            spec = self._to_markers(terminal, spec, self.static)
        else:
            assert self.height is not None
            spec = scale_to_person(spec, self.height, self.mass)
        write_xml(spec, self.out)
        terminal.say(f"Wrote {self.out}")
        return OK

    def _to_markers(
        self, terminal: Terminal, spec: "mujoco.MjSpec", static: Path
    ) -> "mujoco.MjSpec":
        from mjx_msk.compile import scale_to_markers
        from mjx_msk.compile.measurements import read_setup
        from mjx_msk.osim.markers import read_trc

        setup = None if self.setup is None else read_setup(self.setup)
        markers = read_trc(static)
        if self.static_time is not None:
            markers = markers.between(*self.static_time)
        fit = scale_to_markers(spec, markers, self.mass, setup)
        for line in fit.lines():
            terminal.say(line)
        return fit.spec
