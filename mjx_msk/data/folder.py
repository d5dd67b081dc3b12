"""Trials in plain OpenSim files: a folder with a ``manifest.csv``, or just ``.mot`` and ``.osim``.

With a manifest: one row a trial, ``dataset, subject, trial`` and, where they are known, ``person``,
``split``, ``activity``, ``ik_file``, ``model``, ``mass_kg``, ``height_m``; a model whose name ends
in ``generic.osim`` is nobody's and is left out. The files are
``[motions/]<dataset>/<subject>/<trial>.trc``, ``<trial>_grf.mot``, ``<trial>_loads.csv``. Without:
every motion ``X_ik.mot`` or ``X.mot`` and every ``X.trc``, each folder holding one person, whose
model is the folder's (or the next one's above) only ``.osim``.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mjx_msk.data.listing import Listed
from mjx_msk.data.trial import Trial
from mjx_msk.errors import MskError
from mjx_msk.osim.coordinates import in_radians
from mjx_msk.osim.forces import read_forces
from mjx_msk.osim.markers import read_trc
from mjx_msk.osim.tables import read_table

_MANIFEST = "manifest.csv"
#: ``motions``, a data set and a subject lie between a manifest and its files.
_DEPTH = 3
#: A row without these names no files.
_NEEDED = ("dataset", "subject", "trial")
#: What motions are called beside ``X.mot``, published ones first.
_MOTION_ENDINGS = ("_ik", "_ik_opensim", "")
#: An unscaled model, which says nothing of a person.
_NOBODYS = "generic.osim"
_NO_MOTIONS = ("_grf", "_forces")


def list_folder(root: Path) -> list[Listed]:
    """Return every trial below ``root``, in the order of its manifest or of its files' names.

    Raises ``MskError`` for a folder that is missing or holds no trial, and for a broken manifest.
    """
    root = root.absolute()
    if not root.is_dir():
        raise MskError("no such folder.", where=str(root), remedy="Give a folder of trials.")
    above = [folder / _MANIFEST for folder in (root, *root.parents[:_DEPTH])]
    if manifest := next((path for path in above if path.is_file()), None):
        found = [f for f in _rows(manifest) if f.folder.is_relative_to(root)]
    else:
        found = list(_beside_each_other(root))
    if not found:
        raise MskError(
            "the folder holds no trial (.trc, or .mot with an .osim).",
            where=str(root),
            remedy="Give a folder with a manifest.csv, or with .trc, .mot and .osim files.",
        )
    return [
        Listed(dataset=f.dataset, name=f.name, files=tuple(f.files()), read=partial(_read, f))
        for f in found
    ]


@dataclass(frozen=True, kw_only=True)
class _Files:
    """Where one trial's files are, and what is known without reading them."""

    dataset: str
    name: str
    person: str
    activity: str
    folder: Path
    trial: str
    motion: Path | None
    model: Path | None
    split: str | None = None
    mass_kg: float | None = None
    height_m: float | None = None
    provenance: Mapping[str, str]

    def present(self, ending: str) -> Path | None:
        """Return the trial's file with an ending, if it is there."""
        path = self.folder / f"{self.trial}{ending}"
        return path if path.is_file() else None

    def files(self) -> Iterator[Path]:
        """Yield every file of the trial that is there."""
        own = [self.present(ending) for ending in (".trc", "_grf.mot", "_loads.csv")]
        yield from (path for path in (self.motion, self.model, *own) if path and path.is_file())


def _rows(manifest: Path) -> Iterator[_Files]:
    """Yield the trials of a manifest."""
    try:
        with open(manifest, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MskError(
            f"the manifest cannot be read ({error}).",
            where=str(manifest),
            remedy="Give a table of comma-separated values.",
        ) from error
    below = manifest.parent / "motions"
    for number, row in enumerate(rows, 2):
        if missing := [key for key in _NEEDED if not row.get(key)]:
            raise MskError(
                f"line {number} of the manifest lacks {', '.join(missing)}.",
                where=str(manifest),
                remedy="Fill the row, or leave it out.",
            )
        base = below if below.is_dir() else manifest.parent
        folder = base / row["dataset"] / row["subject"]
        model, motion = row.get("model"), row.get("ik_file")
        where = f"{manifest}, line {number}"
        yield _Files(
            dataset=row["dataset"],
            name=f"{row['subject']}/{row['trial']}",
            person=row.get("person") or f"{row['dataset']}/{row['subject']}",
            activity=row.get("activity") or row["trial"],
            split=row.get("split") or None,
            folder=folder,
            trial=row["trial"],
            motion=folder / motion if motion else None,
            model=folder / model if model and not model.endswith(_NOBODYS) else None,
            mass_kg=_number(row.get("mass_kg"), where),
            height_m=_number(row.get("height_m"), where),
            provenance={k: row[k] for k in ("license", "source_repo", "notes") if row.get(k)},
        )


def _number(text: str | None, where: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError as error:
        raise MskError(
            f"{text!r} is no number.", where=where, remedy="Correct mass_kg or height_m."
        ) from error


def _beside_each_other(root: Path) -> Iterator[_Files]:
    """Yield the trials of folders without a manifest."""
    for folder in sorted({path.parent for path in [*root.rglob("*.mot"), *root.rglob("*.trc")]}):
        model = _model_of(folder, root)
        stems = {path.stem for path in folder.glob("*.trc")}
        motions = {path.stem for path in folder.glob("*.mot")}
        motions = {m for m in motions if not m.endswith(_NO_MOTIONS)}
        endings = [e for e in _MOTION_ENDINGS if e]
        trials = stems | {next((m.removesuffix(e) for e in endings if m.endswith(e)), m)
                          for m in motions}  # fmt: skip
        for trial in sorted(trials):
            ending = next((e for e in _MOTION_ENDINGS if trial + e in motions), None)
            inside = folder.relative_to(root)
            yield _Files(
                dataset=root.name,
                name=(inside / trial).as_posix(),
                person=f"{root.name}/{inside.as_posix()}",
                activity=trial,
                folder=folder,
                trial=trial,
                motion=None if ending is None else folder / f"{trial}{ending}.mot",
                model=model,
                provenance={},
            )


def _model_of(folder: Path, root: Path) -> Path | None:
    """Return the only model of a folder, or of the nearest one above it."""
    for place in (folder, *folder.parents):
        models = sorted(place.glob("*.osim"))
        if len(models) == 1:
            return models[0]
        if models or place == root:
            return None
    return None


def _read(f: _Files) -> Trial:
    """Read everything of one trial."""
    if f.model is not None and not f.model.is_file():
        raise MskError("no such model.", where=str(f.model), remedy="Correct the manifest.")
    table = None if f.motion is None else read_table(f.motion)
    markers, forces = f.present(".trc"), f.present("_grf.mot")
    return Trial(
        dataset=f.dataset,
        name=f.name,
        person=f.person,
        activity=f.activity,
        split=f.split,
        model=f.model,
        time=None if table is None else table.time,
        coordinate_names=() if table is None else table.columns,
        q=None if table is None else in_radians(table),
        markers=None if markers is None else read_trc(markers),
        forces=() if forces is None else tuple(read_forces(forces)),
        loads=f.present("_loads.csv"),
        mass_kg=f.mass_kg,
        height_m=f.height_m,
        provenance={"files": [str(path) for path in f.files()], **f.provenance},
    )
