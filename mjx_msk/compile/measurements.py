"""Scale factors from marker trials, as OpenSim's Scale Tool measures them.

A measurement compares distances between pairs of markers with the same distances on the model.
"""

import itertools
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import mujoco
import numpy as np

from mjx_msk.compile.markers import MARKER_GROUP
from mjx_msk.compile.scaling import ADDED, owners
from mjx_msk.compile.writer import KEY
from mjx_msk.errors import MskError

#: A shorter bone (m) is not measured: markers are not placed well enough.
SHORTEST = 0.1
#: A marker on a limb tells where a joint is if it lies this close to it (m), one on the pelvis or
#: the torso this close: bones whose joints lie along more than one axis are broad ...
NEAR, NEAR_BROAD = 0.1, 0.15
#: ... and at most this many times as far away as the closest one, on the same bone as it.
AS_NEAR = 1.3
#: Cosine of the angle between a pair of markers and the bone that it measures.
ALONG = 0.85


@dataclass(frozen=True)
class Measurement:
    """One number from marker pairs, and what it scales.

    The factor is the mean over ``pairs`` of measured over modelled distance; ``bodies`` maps each
    body that it scales to its axes, such as ``"XYZ"`` or ``"Y"``.
    """

    name: str
    pairs: tuple[tuple[str, str], ...]
    bodies: Mapping[str, str]


@dataclass(frozen=True)
class ScaleSetup:
    """What an OpenSim Scale Tool setup says: measurements, and weights of the static pose."""

    measurements: tuple[Measurement, ...]
    weights: Mapping[str, float] = field(default_factory=dict)  #: marker -> weight, 1 if absent
    #: coordinate -> weight and value (rad or m; None: its default), as if a marker measured it
    coordinates: Mapping[str, tuple[float, float | None]] = field(default_factory=dict)


def read_setup(path: str | os.PathLike[str]) -> ScaleSetup:
    """Read the measurements and the static pose's weights of a Scale Tool setup (``.xml``).

    Model, marker files, times and masses that it names are not read. Raises ``MskError`` for a
    file that is missing, is no such setup, or holds no measurement.
    """
    where = str(path)
    try:
        root = ElementTree.parse(path).getroot()
        measurements = tuple(_measurement(e) for e in root.iter("Measurement") if _applied(e))
        markers = {
            e.get("name", ""): float(_text(e, "weight")) * _applied(e)
            for e in root.iter("IKMarkerTask")
        }
        coordinates = {
            e.get("name", ""): (float(_text(e, "weight")), _coordinate_value(e))
            for e in root.iter("IKCoordinateTask")
            if _applied(e)
        }
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise MskError(
            f"cannot read this Scale Tool setup: {getattr(error, 'strerror', None) or error}.",
            where=where,
            remedy="Give a setup file (.xml) of OpenSim's Scale Tool.",
        ) from error
    if not measurements:
        raise MskError(
            "this file holds no <Measurement> that applies.",
            where=where,
            remedy="Give a setup file (.xml) of OpenSim's Scale Tool with a <MeasurementSet>.",
        )
    return ScaleSetup(measurements, markers, coordinates)


def _applied(element: ElementTree.Element) -> bool:
    return (element.findtext("apply") or "true").strip().lower() == "true"


def _text(element: ElementTree.Element, name: str) -> str:
    text = element.findtext(name)
    if text is None:
        raise ValueError(f"<{element.tag}> '{element.get('name')}' has no <{name}>")
    return text


def _coordinate_value(task: ElementTree.Element) -> float | None:
    if (task.findtext("value_type") or "default_value").strip() == "manual_value":
        return float(_text(task, "value"))
    return None


def _measurement(element: ElementTree.Element) -> Measurement:
    pairs = [tuple(_text(pair, "markers").split()) for pair in element.iter("MarkerPair")]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"measurement '{element.get('name')}' needs pairs of two markers each")
    bodies = {
        body.get("name", ""): "".join(_text(body, "axes").upper().split())
        for body in element.iter("BodyScale")
    }
    return Measurement(element.get("name", ""), tuple((a, b) for a, b in pairs), bodies)


def measured_factors(
    spec: mujoco.MjSpec,
    names: Sequence[str],
    positions: np.ndarray,
    measurements: Sequence[Measurement],
) -> dict[str, np.ndarray]:
    """Return the scale factors (3,) of the bodies that measurements scale.

    ``names`` (m) are the markers of a trial with ``positions`` (T, m, 3) in m, NaN where missing:
    a pair's distance is its mean over the frames that show both. On the model it is the distance
    at the keyframe ``default``. Raises ``MskError`` for markers or bodies that are not there.
    """
    model, data = _at_rest(spec)
    bodies = {model.body(index).name for index in range(1, model.nbody)}
    factors: dict[str, np.ndarray] = {}
    for measurement in measurements:
        ratios = [
            _measured(measurement, pair, names, positions) / _modelled(measurement, pair, data)
            for pair in measurement.pairs
        ]
        for body, axes in measurement.bodies.items():
            if body not in bodies or not axes or set(axes) - set("XYZ"):
                raise MskError(
                    f"measurement '{measurement.name}' scales '{body}' along '{axes}'.",
                    remedy=f"Name bodies of the model ({', '.join(sorted(bodies))}) and their "
                    "axes X, Y, Z.",
                )
            along = ["XYZ".index(axis) for axis in axes]
            factors.setdefault(body, np.ones(3))[along] = np.mean(ratios)
    return factors


def _measured(
    measurement: Measurement, pair: tuple[str, str], names: Sequence[str], positions: np.ndarray
) -> float:
    """Return the mean distance of two markers in the trial."""
    for name in pair:
        if name not in names:
            raise MskError(
                f"measurement '{measurement.name}' needs the marker '{name}', which the trial "
                "lacks.",
                remedy=f"Its markers are: {', '.join(names)}.",
            )
    a, b = (positions[:, names.index(name)] for name in pair)
    distance = np.linalg.norm(a - b, axis=1)
    if not np.isfinite(distance).any():
        raise MskError(
            f"no frame shows both '{pair[0]}' and '{pair[1]}', which measurement "
            f"'{measurement.name}' needs.",
            remedy="Choose other frames, or measure between other markers.",
        )
    return float(np.nanmean(distance))


def _modelled(measurement: Measurement, pair: tuple[str, str], data: mujoco.MjData) -> float:
    """Return the distance of two markers on the model."""
    places = []
    for name in pair:
        try:
            places.append(data.site(name).xpos)
        except KeyError:
            raise MskError(
                f"measurement '{measurement.name}' needs the marker '{name}', which the model "
                "lacks.",
                remedy="Give the model that carries the trial's markers.",
            ) from None
    distance = float(np.linalg.norm(places[0] - places[1]))
    if distance < 1e-3:
        raise MskError(
            f"the markers '{pair[0]}' and '{pair[1]}' are at the same place on the model.",
            remedy="Measure between other markers.",
        )
    return distance


def default_measurements(spec: mujoco.MjSpec, names: Sequence[str]) -> tuple[Measurement, ...]:
    """Return measurements for a model from those of its own markers that a trial has (``names``).

    A bone reaches from joint to joint (hip to hip for the pelvis, shoulder to shoulder and lumbar
    joint to shoulder for the torso). Pairs of markers measure it that lie near its two ends and
    along it: hip centres, epicondyles, malleoli, heel and toe, acromia, styloids. Bones whose
    joints lie along more than one axis are also measured by their own markers along the others (the
    spines of the pelvis, from front to back). A bone grows alike along all axes unless more than
    one was measured; left and right grow alike. Bones that nothing measures grow with the next one
    that something does: with the one below if they are short (talus, ulna), else with the one
    above. Raises ``MskError`` if fewer than half of the bones are measured.
    """
    bones = _Bones(spec, names)
    pairs: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for body in bones.bodies:
        for axis, pair in bones.pairs(body):
            known = pairs.setdefault(_stem(body), {}).setdefault(axis, [])
            known += [pair] if pair not in known else []
    bones_there = dict.fromkeys(_stem(body) for body in bones.bodies if bones.long(body))
    if 2 * len(pairs) < len(bones_there) or not pairs:
        raise MskError(
            f"the trial's markers lie near both ends of {len(pairs)} of the model's "
            f"{len(bones_there)} bones ({', '.join(bones_there)}).",
            remedy="Give the model that carries the trial's markers, or a setup of OpenSim's Scale "
            "Tool with measurements.",
        )
    scaled: dict[str, list[str]] = {stem: [] for stem in pairs}
    for body in bones.bodies:
        source = bones.like(body, pairs)
        if source is not None:
            scaled[source].append(body)
    return tuple(
        Measurement(f"{stem} {axes}", tuple(chosen), dict.fromkeys(scaled[stem], axes))
        for stem, by_axis in pairs.items()
        for axes, chosen in _by_axes(by_axis)
    )


def _by_axes(
    by_axis: Mapping[str, list[tuple[str, str]]],
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield axes and their pairs; those that nothing measures take what measures the others."""
    if len(by_axis) > 1:
        yield from by_axis.items()
    others = "".join(axis for axis in "XYZ" if axis not in by_axis or len(by_axis) == 1)
    if others:
        yield others, list(itertools.chain.from_iterable(by_axis.values()))


def _along(pair: np.ndarray, bone: np.ndarray) -> bool:
    return bool(pair @ bone > ALONG * np.linalg.norm(pair) * np.linalg.norm(bone))


def _stem(body: str) -> str:
    return body.removesuffix("_r").removesuffix("_l")


class _Bones:
    """Joint centres and markers of a model at rest."""

    def __init__(self, spec: mujoco.MjSpec, names: Sequence[str]) -> None:
        self._model, self._data = model, data = _at_rest(spec)
        body_names = [model.body(index).name for index in range(model.nbody)]
        owner = owners(body_names, model.body_parentid.tolist())
        self.bodies = [name for name in body_names[1:] if ADDED not in name]
        self.above = {n: body_names[owner.above[body_names.index(n)]] for n in self.bodies}
        self.below = {n: [m for m in self.bodies if self.above[m] == n] for n in self.bodies}
        self._centers = {n: self._center(spec.body(n)) for n in self.bodies}
        self._markers: dict[str, dict[str, np.ndarray]] = {n: {} for n in body_names}
        for index in range(model.nsite):
            name = model.site(index).name
            if name in names and model.site_group[index] == MARKER_GROUP:
                carrier = body_names[owner.own[model.site_bodyid[index]]]
                self._markers[carrier][name] = data.site_xpos[index]

    def _center(self, body: mujoco.MjsBody) -> np.ndarray:
        """Return where a body hangs from the one above."""
        own = np.array(body.joints[0].pos if body.joints else body.userdata)[:3]
        place = self._data.body(body.name)
        return place.xpos + place.xmat.reshape(3, 3) @ (own if len(own) else np.zeros(3))

    def _spans(self, body: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the two ends of each length that a bone has: between any two of its joints."""
        ends = [self._centers[name] for name in self.below[body]]
        if self.above[body] in self.bodies:
            ends.insert(0, self._centers[body])
        for a, b in itertools.combinations(ends, 2):
            if np.linalg.norm(b - a) > SHORTEST:
                yield a, b

    def long(self, body: str) -> bool:
        """Return whether a bone is long enough to be measured."""
        return any(True for _ in self._spans(body))

    def _axes(self, body: str) -> list[str]:
        """Return the axis of the body that is closest to each of its spans."""
        turn = self._data.body(body).xmat.reshape(3, 3)
        return ["XYZ"[int(np.argmax(np.abs(turn.T @ (b - a))))] for a, b in self._spans(body)]

    def _broad(self, body: str) -> bool:
        return body in self.bodies and len(set(self._axes(body))) > 1

    def pairs(self, body: str) -> Iterator[tuple[str, tuple[str, str]]]:
        """Yield pairs of markers that measure a bone, each with the axis that it is closest to."""
        turn = self._data.body(body).xmat.reshape(3, 3)
        spans, axes = list(self._spans(body)), self._axes(body)
        measured = set()
        for axis, (a, b) in zip(axes, spans, strict=True):
            ends = self._near(body, a, b), self._near(body, b, a)
            for (first, p), (second, q) in itertools.product(*ends):
                if _along(q - p, b - a):
                    measured.add(axis)
                    yield axis, (first, second)
        own = sorted(self._markers[body].items())
        for axis, direction in zip("XYZ", turn.T, strict=True):
            if self._broad(body) and axis not in measured:
                for (first, p), (second, q) in itertools.permutations(own, 2):
                    if _along(q - p, SHORTEST * direction) and np.linalg.norm(q - p) > SHORTEST:
                        yield axis, (first, second)

    def _near(self, body: str, end: np.ndarray, other: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """Return the markers at one end of a bone: its own or those of bones up to two away."""
        up = [body, self.above[body], self.above.get(self.above[body], "world")]
        down = [m for n in self.below[body] for m in (n, *self.below[n])]
        near = {carrier: NEAR_BROAD if self._broad(carrier) else NEAR for carrier in {*up, *down}}
        found = [
            (float(np.linalg.norm(place - end)), carrier, name, place)
            for carrier, limit in near.items()
            for name, place in self._markers[carrier].items()
            if np.linalg.norm(place - end) < min(limit, float(np.linalg.norm(place - other)))
        ]
        if not found:
            return []
        closest, bone, *_ = min(found, key=lambda marker: marker[:3])
        limit = AS_NEAR * closest + 1e-3
        return sorted((n, p) for distance, c, n, p in found if c == bone and distance <= limit)

    def like(self, body: str, measured: Mapping[str, object]) -> str | None:
        """Return the measured bone with which a bone grows; None: nothing around is measured."""
        if _stem(body) in measured:
            return _stem(body)
        if not self.long(body):
            for name in self.below[body]:
                if _stem(name) in measured and len(self.below[body]) == 1:
                    return _stem(name)
        if self.above[body] in self.bodies:
            return self.like(self.above[body], measured)
        return next((_stem(name) for name in self.below[body] if _stem(name) in measured), None)


def _at_rest(spec: mujoco.MjSpec) -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key(KEY).id)
    mujoco.mj_kinematics(model, data)
    return model, data
