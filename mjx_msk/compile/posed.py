"""The poses in which OpenSim's muscle paths were sampled."""

from dataclasses import dataclass

import numpy as np

from mjx_msk.compile.source import ConditionalPoint, Frame, MovingPoint, Path, Point

CLIP = 0.02  #: m: OpenSim itself goes the long way round in a pose or two


@dataclass(frozen=True, eq=False)
class Rows:
    """R rows: sampled poses first, then steps of one coordinate after the other from the first S.

    Frames are OpenSim's (Y up).
    """

    position: dict[str, np.ndarray]  #: body -> (R, 3) m, in the ground
    rotation: dict[str, np.ndarray]  #: body -> (R, 3, 3)
    values: dict[str, np.ndarray]  #: coordinate -> (R,)
    poses: int  #: P
    step: dict[str, tuple[slice, np.ndarray]]  #: coordinate -> its rows, (S,) rad or m

    def of(self, path: Path) -> "Rows":
        """Return the poses and the steps that move this path, in the order of its lengths."""
        return self._taken(self.poses, {name: len(s) for name, s in path.stepped.items()})[0]

    def fewer(self, poses: int, steps: int) -> tuple["Rows", np.ndarray]:
        """Return a part of the poses and steps, and which rows (r,) they are."""
        fewer = {name: min(steps, len(size)) for name, (_, size) in self.step.items()}
        return self._taken(min(poses, self.poses), fewer)

    def _taken(self, poses: int, steps: dict[str, int]) -> tuple["Rows", np.ndarray]:
        index, step, start = [np.arange(poses)], {}, poses
        for name, count in steps.items():
            rows, size = self.step[name]
            index.append(np.arange(rows.start, rows.start + count))
            step[name] = (slice(start, start + count), size[:count])
            start += count
        taken = np.concatenate(index)
        part = Rows(
            {body: p[taken] for body, p in self.position.items()},
            {body: r[taken] for body, r in self.rotation.items()},
            {name: v[taken] for name, v in self.values.items()},
            poses,
            step,
        )
        return part, taken

    def place(self, point: Point | MovingPoint) -> np.ndarray:
        """Return a point's place in the ground (R, 3), m."""
        if isinstance(point, MovingPoint):
            columns = [
                function.evaluate(np.zeros(1) if name is None else self.values[name])
                for name, function in point.functions
            ]
            local = np.stack(np.broadcast_arrays(*columns), axis=1)
        else:
            local = point.position
        local = np.broadcast_to(local, self.position[point.body].shape)
        return self.position[point.body] + np.einsum("rij,rj->ri", self.rotation[point.body], local)

    def local(self, body: str, frame: Frame, places: np.ndarray) -> np.ndarray:
        """Return places in the ground (R, 3) in a frame of a body."""
        in_body = np.einsum("rji,rj->ri", self.rotation[body], places - self.position[body])
        return (in_body - frame.position) @ frame.rotation

    def active(self, point: ConditionalPoint) -> np.ndarray:
        """Return in which poses (P,) a conditional point is part of its path."""
        value = self.values[point.coordinate][: self.poses]
        return (value >= point.range[0]) & (value <= point.range[1])

    def errors(self, difference: np.ndarray) -> np.ndarray:
        """Return errors of length and of moment arms (m) from differences of length (R,).

        Each kind is weighted so that its squares add up to its mean square.
        """
        found = [difference[: self.poses]]
        for rows, size in self.step.values():
            found.append((difference[rows] - difference[: len(size)]) / size)
        return np.concatenate([f / np.sqrt(len(f)) for f in found])

    def cost(self, difference: np.ndarray) -> float:
        """Return the root mean square over lengths and moment arms (m), each clipped."""
        found = [difference[: self.poses]]
        for rows, size in self.step.values():
            found.append((difference[rows] - difference[: len(size)]) / size)
        return float(np.sqrt(np.mean([np.mean(np.minimum(np.abs(f), CLIP) ** 2) for f in found])))

    def mostly(self, difference: np.ndarray, bound: float) -> bool:
        """Return whether 95 of 100 lengths differ by less than ``bound`` (m)."""
        return bool(np.quantile(np.abs(difference[: self.poses]), 0.95) < bound)
