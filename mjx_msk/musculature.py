"""The muscles of a compiled model: their paths over bodies, architecture and force curves."""

import dataclasses
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from mjx_msk.force_curves import Curves, curves_of

_WORDS = {"true": 1.0, "false": 0.0}
SIZES = 5  #: numbers that the compiler keeps with an actuator: F0, l_opt, l_slack, pennation, v_max


class Segment(NamedTuple):
    """A piece of a path between two sites, round a surface or straight on (-1)."""

    muscle: int
    start: int  #: site
    end: int  #: site
    wrap: int
    side: int  #: site on whose side the path touches the surface; -1: the shorter way
    share: float  #: of its length that counts, less than 1 after a pulley


@dataclasses.dataclass(frozen=True)
class MuscleLayout:
    """The part of the muscles that is fixed when a model is traced; sites are those of paths."""

    names: tuple[str, ...] = ()
    site_bodies: tuple[int, ...] = ()
    wrap_bodies: tuple[int, ...] = ()
    spheres: tuple[bool, ...] = ()  #: per surface: a sphere (True) or an endless cylinder
    segments: tuple[Segment, ...] = ()
    curve_set: tuple[int, ...] = ()  #: of each muscle
    approximated: tuple[str, ...] = ()  #: muscles that have Millard's default curves instead
    left_out: tuple[str, ...] = ()  #: muscles whose paths are not made of sites and outer wraps

    @cached_property
    def index(self) -> dict[str, int]:
        """Map a muscle's name to its place."""
        return {name: i for i, name in enumerate(self.names)}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Muscles:
    """The muscles' numbers, which can be traced: m muscles, s sites, w surfaces, c curve sets."""

    site_position: jax.Array  #: (s, 3) m, in the site's body
    wrap_position: jax.Array  #: (w, 3) m, in the surface's body
    wrap_axes: jax.Array  #: (w, 3, 3) body_from_surface
    wrap_radius: jax.Array  #: (w,) m
    max_force: jax.Array  #: (m,) N
    fiber_length: jax.Array  #: (m,) m, optimal
    tendon_length: jax.Array  #: (m,) m, slack
    pennation: jax.Array  #: (m,) rad, at optimal fiber length
    max_velocity: jax.Array  #: (m,) optimal fiber lengths per second
    time_constants: jax.Array  #: (m, 2) s, activation and deactivation
    damping: jax.Array  #: (m,) F0 per largest velocity
    slowing: jax.Array  #: (m,) share of the largest velocity that inactive fibers lack
    active: jax.Array  #: (c, L, 2) value and slope on ``force_curves.LENGTHS``
    passive: jax.Array  #: (c, L, 2) on ``LENGTHS``
    velocity: jax.Array  #: (c, V, 2) on ``SPEEDS``
    tendon: jax.Array  #: (c, T, 2) on ``TENDON``


def read_muscles(mj: mujoco.MjModel, texts: dict[str, str]) -> tuple[MuscleLayout, Muscles]:
    """Return the muscles among the actuators: those that pull on a tendon along sites.

    ``texts`` are the compiler's notes (``muscle_curves/1``). Other muscles are in ``left_out``.
    """
    reader = _Paths(mj)
    kept: list[int] = []
    left_out: list[str] = []
    for actuator in range(mj.nu):
        if mj.actuator_gaintype[actuator] != mujoco.mjtGain.mjGAIN_MUSCLE:
            continue
        try:
            reader.add(actuator, len(kept))
        except _UnsupportedError:
            left_out.append(mj.actuator(actuator).name)
            continue
        kept.append(actuator)
    names = [mj.actuator(a).name for a in kept]
    sets, curve_set = _curve_sets(names, texts)
    layout = MuscleLayout(
        names=tuple(names),
        site_bodies=tuple(int(mj.site_bodyid[s]) for s in reader.sites),
        wrap_bodies=tuple(int(mj.geom_bodyid[g]) for g in reader.wraps),
        spheres=tuple(bool(mj.geom_type[g] == mujoco.mjtGeom.mjGEOM_SPHERE) for g in reader.wraps),
        segments=tuple(reader.segments),
        curve_set=tuple(curve_set),
        approximated=tuple(n for n, i in zip(names, curve_set, strict=True) if not sets[i].known),
        left_out=tuple(left_out),
    )
    sizes = np.array([_sizes(mj, a) for a in kept]).reshape(-1, SIZES)
    axes = np.zeros((len(reader.wraps), 9))
    for row, g in zip(axes, reader.wraps, strict=True):
        mujoco.mju_quat2Mat(row, mj.geom_quat[g])
    muscles = Muscles(
        site_position=jnp.array(mj.site_pos[reader.sites].reshape(-1, 3)),
        wrap_position=jnp.array(mj.geom_pos[reader.wraps].reshape(-1, 3)),
        wrap_axes=jnp.array(axes.reshape(-1, 3, 3)),
        wrap_radius=jnp.array(mj.geom_size[reader.wraps, 0]),
        max_force=jnp.array(sizes[:, 0]),
        fiber_length=jnp.array(sizes[:, 1]),
        tendon_length=jnp.array(sizes[:, 2]),
        pennation=jnp.array(sizes[:, 3]),
        max_velocity=jnp.array(sizes[:, 4]),
        time_constants=jnp.array(mj.actuator_dynprm[kept, :2].reshape(-1, 2)),
        damping=jnp.array([sets[i].damping for i in curve_set]),
        slowing=jnp.array([sets[i].slowing for i in curve_set]),
        active=_stacked([s.active for s in sets]),
        passive=_stacked([s.passive for s in sets]),
        velocity=_stacked([s.velocity for s in sets]),
        tendon=_stacked([s.tendon for s in sets]),
    )
    return layout, muscles


def _stacked(tables: list[np.ndarray]) -> jax.Array:
    return jnp.array(np.stack(tables)) if tables else jnp.zeros((0, 2, 2))


class _UnsupportedError(Exception):
    """A path that is not made of sites, pulleys and surfaces that it goes round outside."""


class _Paths:
    """Sites, surfaces and segments of paths, numbered as they come."""

    def __init__(self, mj: mujoco.MjModel) -> None:
        self._mj = mj
        self.sites: list[int] = []
        self.wraps: list[int] = []
        self.segments: list[Segment] = []

    def add(self, actuator: int, muscle: int) -> None:
        """Add an actuator's path."""
        mj, kinds = self._mj, mujoco.mjtWrap
        if mj.actuator_trntype[actuator] != mujoco.mjtTrn.mjTRN_TENDON:
            raise _UnsupportedError
        tendon = int(mj.actuator_trnid[actuator, 0])
        items = range(mj.tendon_adr[tendon], mj.tendon_adr[tendon] + mj.tendon_num[tendon])
        found: list[Segment] = []
        start, wrap, side, share = -1, -1, -1, 1.0
        for item in items:
            kind, thing = kinds(mj.wrap_type[item]), int(mj.wrap_objid[item])
            value = float(mj.wrap_prm[item])
            if kind == kinds.mjWRAP_PULLEY:
                start, share = -1, 1.0 / value
            elif kind == kinds.mjWRAP_SITE:
                if start >= 0:
                    found.append(Segment(muscle, start, thing, wrap, side, share))
                start, wrap, side = thing, -1, -1
            elif kind in (kinds.mjWRAP_SPHERE, kinds.mjWRAP_CYLINDER):
                wrap, side = thing, round(value)
                if side >= 0 and self._inside(wrap, side):
                    raise _UnsupportedError
            else:
                raise _UnsupportedError
        self.segments += [self._numbered(segment) for segment in found]

    def _inside(self, wrap: int, side: int) -> bool:
        """Return whether a side site on the surface's own body makes the path go inside."""
        mj = self._mj
        if mj.site_bodyid[side] != mj.geom_bodyid[wrap]:
            return False
        off = mj.site_pos[side] - mj.geom_pos[wrap]
        return bool(np.linalg.norm(off) < mj.geom_size[wrap, 0])

    def _numbered(self, s: Segment) -> Segment:
        start, end = self._place(self.sites, s.start), self._place(self.sites, s.end)
        wrap, side = self._place(self.wraps, s.wrap), self._place(self.sites, s.side)
        return s._replace(start=start, end=end, wrap=wrap, side=side)

    @staticmethod
    def _place(known: list[int], thing: int) -> int:
        if thing < 0:
            return -1
        if thing not in known:
            known.append(thing)
        return known.index(thing)


def _sizes(mj: mujoco.MjModel, actuator: int) -> Any:
    """Return F0, optimal fiber, tendon slack length, pennation and largest velocity.

    A muscle that was not compiled from OpenSim has MuJoCo's own meaning of them (documentation,
    "Muscle actuators").
    """
    user = mj.actuator_user[actuator]
    if len(user) >= SIZES and user[1] > 0:
        return user[:SIZES].copy()
    low, high, force, scale = mj.actuator_gainprm[actuator, :4]
    shortest, longest = mj.actuator_lengthrange[actuator]
    fiber = (longest - shortest) / (high - low)
    if force < 0:
        force = scale / mj.actuator_acc0[actuator]
    return [force, fiber, shortest - low * fiber, 0.0, mj.actuator_gainprm[actuator, 6]]


def _curve_sets(names: list[str], texts: dict[str, str]) -> tuple[list[Curves], list[int]]:
    """Return the curve sets, and which one each muscle has."""
    shared = texts.get("muscle_curves", "").split()
    sets: list[Curves] = []
    place: dict[str, int] = {}
    for name in texts:
        if name.startswith("muscle_curves/") and name.endswith("/muscles"):
            own = texts[name.removesuffix("/muscles")]
            words = shared + ([] if own == "as all" else own.split())
            kind = next((w for w in words if "=" not in w), "")
            sets.append(curves_of(kind, _parameters(words)))
            place |= dict.fromkeys(texts[name].split(" "), len(sets) - 1)
    if any(name not in place for name in names):
        sets.append(curves_of("", {}))
    return sets, [place.get(name, len(sets) - 1) for name in names]


def _parameters(words: list[str]) -> dict[str, float]:
    """Return the numbers among ``key=value`` words."""
    found = {}
    for key, _, value in (word.partition("=") for word in words):
        try:
            found[key] = _WORDS[value] if value in _WORDS else float(value)
        except ValueError:
            continue  # a general function in the place of a curve
    return found
