"""From an estimate's folder to a file of another format: what ``mjx-msk export`` does."""

from dataclasses import dataclass
from pathlib import Path

from mjx_msk.compile.osim_scaling import write_scaled_osim
from mjx_msk.errors import MskError
from mjx_msk.export.cycles import looped
from mjx_msk.export.edits import cut, grounded, mirrored, resampled
from mjx_msk.export.formats import FORMATS, Format
from mjx_msk.export.take import Take, read_take


@dataclass(frozen=True, kw_only=True)
class Edits:
    """What is done to a motion before it is written, in this order."""

    start: float | None = None  #: s, first frame kept
    end: float | None = None  #: s, last frame kept
    loop: int = 0  #: how many times the cycle that closes best is played; 0 keeps the motion
    mirror: bool = False  #: left becomes right
    ground: bool = False  #: the lowest sole point comes to z = 0
    rate: float | None = None  #: Hz


def export_motion(
    folder: Path,
    to: str,
    path: Path | None = None,
    edits: Edits | None = None,
    *,
    osim: Path | None = None,
) -> list[Path]:
    """Write the motion in ``folder`` in the format ``to``; returns the files, the asked one first.

    Without a ``path`` it lies in ``folder`` under the format's ``default_name``. With ``osim``, the
    OpenSim model that the motion's was made from, ``to="opensim"`` writes ``model.osim`` as well:
    that model in the person's size. Raises
    ``MskError`` for an unknown format, a folder without a motion, edits that cannot be done, and a
    file that cannot be written.
    """
    if to not in FORMATS:
        raise MskError(f"unknown format '{to}'.", remedy=f"Choose one of: {', '.join(FORMATS)}.")
    if osim is not None and to != "opensim":
        raise MskError(f"the format '{to}' holds no OpenSim model.", where="--osim")
    form = FORMATS[to]
    path = folder / form.default_name if path is None else path
    _check_path(path, form, folder)
    take = read_take(folder)
    try:
        written = form.write(edited(take, edits or Edits(), even=form.even), path)
        if osim is not None:
            written.append(write_scaled_osim(take.spec, osim, path / "model.osim"))
        return written
    except MskError as error:
        raise MskError(error.what, where=error.where or str(folder), remedy=error.remedy) from error


def edited(take: Take, edits: Edits, *, even: bool = False) -> Take:
    """Return a take after all edits; with ``even`` its frames are evenly spaced at the end."""
    if edits.start is not None or edits.end is not None:
        take = cut(take, edits.start, edits.end)
    if (even or edits.loop) and not take.even:
        take = resampled(take, take.motion.rate_hz)
    if edits.loop:
        take = looped(take, edits.loop)
    if edits.mirror:
        take = mirrored(take)
    if edits.ground:
        take = grounded(take)
    return take if edits.rate is None else resampled(take, edits.rate)


def _check_path(path: Path, form: Format, folder: Path) -> None:
    """Raise ``MskError`` for a name that the format's programs refuse or that is taken."""
    if form.suffix and path.suffix.lower() != form.suffix:
        raise MskError(
            f"files of the format '{form.name}' end in {form.suffix}.",
            where=str(path),
            remedy="Rename it.",
        )
    written = [path, path.with_suffix(".xml")] if form.model else [path]
    own = [folder / "motion.npz", folder / "model.xml"] if form.suffix else [folder]
    if {path.resolve() for path in written} & {path.resolve() for path in own}:
        raise MskError(
            "this would overwrite the motion that is exported.",
            where=str(path),
            remedy="Choose another name with -o.",
        )
