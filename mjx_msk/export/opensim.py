"""Writing a motion as the files that OpenSim's tools read and write.

``Motion.q`` already holds OpenSim's coordinate values, so only the unit of angles changes; forces,
points and markers are turned from Z up to Y up.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mjx_msk.export.take import Take
from mjx_msk.model import Model
from mjx_msk.motion import Motion
from mjx_msk.osim.axes import y_up_from_z_up
from mjx_msk.osim.markers import Markers, write_trc
from mjx_msk.osim.tables import Table, write_table

#: coordinate without a joint -> (coordinate it follows, polynomial a0 + a1 x + a2 x^2 ...)
Coupled = Mapping[str, tuple[str, Sequence[float]]]


def write(take: Take, folder: Path) -> list[Path]:
    """Write a take's OpenSim files into a folder; raises ``MskError``."""
    layout = Model.from_spec(take.spec).layout
    coupled = {name: (driver, values) for name, driver, values in layout.coupled}
    return write_opensim(take.motion, folder, rotational=layout.rotational, coupled=coupled)


def write_opensim(
    motion: Motion, folder: Path, *, rotational: Sequence[bool], coupled: Coupled | None = None
) -> list[Path]:
    """Write a motion's coordinates, forces, muscles and markers, as far as they are known.

    ``rotational`` (n,) tells angles from translations, in the order of ``coordinate_names``.
    ``coupled`` names coordinates that follow another one (``knee_angle_r_beta``); each is written
    behind the one it follows and is of the same kind. Returns the paths written. Raises
    ``MskError`` when a file cannot be written.
    """
    tables = {"kinematics.mot": kinematics_table(motion, rotational, coupled or {})}
    if motion.generalized_force is not None:
        tables["kinetics.sto"] = kinetics_table(motion, rotational)
    if motion.activation is not None:
        tables["activations.sto"] = activations_table(motion)
        tables["muscle_forces.sto"] = muscle_forces_table(motion)
        tables["joint_forces.sto"] = joint_forces_table(motion)
    if motion.foot_force is not None:
        tables["grf.mot"] = grf_table(motion)
    for name, table in tables.items():
        write_table(folder / name, table)
    written = [folder / name for name in tables]
    if motion.markers is not None:
        markers = Markers(motion.time, motion.marker_names, motion.markers, motion.rate_hz)
        write_trc(folder / "markers.trc", markers)
        written.append(folder / "markers.trc")
    return written


def kinematics_table(motion: Motion, rotational: Sequence[bool], coupled: Coupled) -> Table:
    """Return every coordinate over time: degrees and metres."""
    columns: dict[str, np.ndarray] = {}
    for name, rotates, values in zip(motion.coordinate_names, rotational, motion.q.T, strict=True):
        unit = np.rad2deg(1.0) if rotates else 1.0
        columns[name] = values * unit
        for follower, (followed, coefficients) in coupled.items():
            if followed == name:
                columns[follower] = np.polynomial.polynomial.polyval(values, coefficients) * unit
    return _table("Coordinates", motion.time, columns, in_degrees=True)


def kinetics_table(motion: Motion, rotational: Sequence[bool]) -> Table:
    """Return the generalized forces under the names of OpenSim's inverse dynamics tool."""
    assert motion.generalized_force is not None
    columns = {
        f"{name}_{'moment' if rotates else 'force'}": values
        for name, rotates, values in zip(
            motion.coordinate_names, rotational, motion.generalized_force.T, strict=True
        )
    }
    return _table("Inverse Dynamics Generalized Forces", motion.time, columns)


def activations_table(motion: Motion) -> Table:
    """Return the muscles' activations, as OpenSim's static optimisation writes them."""
    assert motion.activation is not None
    columns = dict(zip(motion.muscle_names, motion.activation.T, strict=True))
    return _table("Static Optimization activations", motion.time, columns)


def muscle_forces_table(motion: Motion) -> Table:
    """Return the muscles' forces, N, and the reserves, N m, where a muscle could have acted."""
    assert motion.muscle_force is not None
    assert motion.reserve is not None
    columns = dict(zip(motion.muscle_names, motion.muscle_force.T, strict=True))
    for name, values in zip(motion.coordinate_names, motion.reserve.T, strict=True):
        if np.isfinite(values).any():
            columns[f"{name}_reserve"] = values
    return _table("Static Optimization forces", motion.time, columns)


def joint_forces_table(motion: Motion) -> Table:
    """Return the forces of joints on their outer bones, N, in the bones' axes."""
    assert motion.joint_force is not None
    columns = {
        f"{name}_f{axis}": motion.joint_force[:, joint, i]
        for joint, name in enumerate(motion.loaded_joint_names)
        for i, axis in enumerate("xyz")
    }
    return _table("Joint forces on the outer bones", motion.time, columns)


def grf_table(motion: Motion) -> Table:
    """Return force, center of pressure and free moment of each foot; no contact is written as 0."""
    columns = {}
    for foot, side in enumerate(motion.foot_names):
        for kind, values in (
            ("v", motion.foot_force), ("p", motion.foot_cop), ("m", motion.foot_moment)
        ):  # fmt: skip
            known = np.zeros((len(motion), 3)) if values is None else values[:, foot]
            for axis, column in zip("xyz", y_up_from_z_up(np.nan_to_num(known)).T, strict=True):
                columns[f"ground_force_{side}_{kind}{axis}"] = column
    return _table("ground reaction forces", motion.time, columns)


def _table(
    name: str, time: np.ndarray, columns: dict[str, np.ndarray], in_degrees: bool = False
) -> Table:
    data = np.stack(list(columns.values()), axis=-1)
    return Table(time, tuple(columns), data, in_degrees, {"name": name})
