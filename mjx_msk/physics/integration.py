"""Motion from forces: forward dynamics integrated over time.

What drives the body is a function of time and state, so that sampled torques, force plates, a
contact model, muscles and a controller all enter alike. Steps of fixed length are symplectic Euler
(Hairer, Lubich, Wanner 2006, sec. I.1.2: speeds first, then coordinates with the new speeds) or the
classical Runge-Kutta method of fourth order; ``integrate`` chooses its steps (diffrax). Where a
joint is free, quaternions turn by the exponential of their speeds or come back to length one after
each step.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from mjx_msk.errors import MskError
from mjx_msk.model import Model
from mjx_msk.physics.coordinates import difference, displaced, normalized, position_rate
from mjx_msk.physics.dynamics import Loads, forward_dynamics

#: A locked coordinate turns with so much, kg m^2 (``with_locks``).
LOCK_INERTIA = 100.0


class State(NamedTuple):
    """What a motion goes on from."""

    q: jax.Array  #: (n,) rad or m; with a free joint one more, see ``physics.coordinates``
    qd: jax.Array  #: (n,)
    inner: Any = ()  #: further states that integrate along, e.g. activations; any tree of arrays


def with_locks(model: Model) -> Model:
    """Return the model with its locked coordinates so heavy that they hardly move.

    That needs no constraint; they turn with ``LOCK_INERTIA`` whatever pulls.
    """
    own = [model.layout.independent[i] for i in np.flatnonzero(model.layout.locked)]
    locked = np.isin(np.asarray(model.mjx.dof_jntid), own)
    heavy = jnp.where(locked, LOCK_INERTIA, model.mjx.dof_armature)
    return model.replace(mjx=model.mjx.replace(dof_armature=heavy))


class Drive(NamedTuple):
    """What acts on a state."""

    tau: jax.Array  #: (n,) generalized forces, N m or N
    loads: Loads | None = None  #: wrenches on the bodies that the caller names
    rate: Any = ()  #: time derivative of ``State.inner``


#: What drives a motion: ``drive(t, state)``, t in s.
Driver = Callable[[jax.Array, State], Drive]
Scheme = Literal["euler", "rk4"]


class Signal(NamedTuple):
    """Evenly sampled values, linear between samples and constant beyond the ends."""

    start: jax.Array | float  #: s, of the first sample
    step: jax.Array | float  #: s
    values: Any  #: (K, ...), any tree of such arrays

    def at(self, t: jax.Array) -> Any:
        """Return the values at time ``t``."""
        count = len(jax.tree.leaves(self.values)[0])
        place = jnp.clip((t - self.start) / self.step, 0.0, count - 1.0)
        index = jnp.minimum(place.astype(int), max(count - 2, 0))
        share = place - index

        def between(x: jax.Array) -> jax.Array:
            return (1.0 - share) * x[index] + share * x[jnp.minimum(index + 1, count - 1)]

        return jax.tree.map(between, self.values)


def _rate(
    model: Model, drive: Driver, bodies: tuple[int, ...], t: jax.Array, state: State
) -> State:
    """Return the time derivative of a state."""
    acting = drive(t, state)
    qdd = forward_dynamics(model, state.q, state.qd, acting.tau, bodies, acting.loads)
    return State(position_rate(model, state.q, state.qd), qdd, acting.rate)


def _plus(state: State, factor: jax.Array | float, rate: State) -> State:
    return jax.tree.map(lambda x, v: x + factor * v, state, rate)


def _euler(model: Model, rate: Callable, t: jax.Array, state: State, h: jax.Array) -> State:
    now = rate(t, state)
    qd = state.qd + h * now.qd
    inner = _plus(state, h, now).inner
    return State(displaced(model, state.q, h * qd), qd, inner)


def _rk4(model: Model, rate: Callable, t: jax.Array, state: State, h: jax.Array) -> State:
    def stage(carry: tuple[State, State], row: jax.Array) -> tuple[tuple[State, State], None]:
        slope, total = carry
        share, weight = row
        slope = rate(t + share * h, _plus(state, share * h, slope))
        return (slope, _plus(total, weight * h, slope)), None

    # a scan, so that the stages compile once: shares of the step, and weights
    table = jnp.array([[0.0, 1 / 6], [0.5, 1 / 3], [0.5, 1 / 3], [1.0, 1 / 6]], state.q.dtype)
    still = position_rate(model, state.q, jnp.zeros_like(state.qd))
    slope = State(still, jnp.zeros_like(state.qd), jax.tree.map(jnp.zeros_like, state.inner))
    (_, after), _ = jax.lax.scan(stage, (slope, state), table)
    return after._replace(q=normalized(model, after.q))


_SCHEMES: dict[str, Callable] = {"euler": _euler, "rk4": _rk4}


def rollout(
    model: Model,
    drive: Driver,
    state: State,
    *,
    step: float | jax.Array,
    steps: int,
    start: float | jax.Array = 0.0,
    bodies: tuple[int, ...] = (),
    scheme: Scheme = "rk4",
) -> State:
    """Return the states (steps + 1, ...) of a motion, the first among them.

    ``step`` is in s; ``bodies`` are the body indices that carry the loads of ``drive``. Reverse
    derivatives keep about ``2 sqrt(steps)`` states and compute the others again (Griewank 1992).
    Raises ``MskError`` for another scheme, or fewer steps than one.
    """
    if scheme not in _SCHEMES or steps < 1:
        raise MskError(
            f"{steps} steps of scheme {scheme!r} cannot be taken.",
            remedy=f"Take at least one step, of {' or '.join(_SCHEMES)}.",
        )
    advance = partial(_SCHEMES[scheme], model, partial(_rate, model, drive, bodies))
    state = jax.tree.map(jnp.asarray, state)
    dtype = state.q.dtype
    length = math.isqrt(steps)
    pieces = -(-steps // length)
    number = jnp.arange(pieces * length).reshape(pieces, length)

    def one(before: State, k: jax.Array) -> tuple[State, State]:
        t = jnp.asarray(start + k * step, dtype)
        # the last piece is filled up with steps of no length, which change nothing
        h = jnp.asarray(jnp.where(k < steps, step, 0.0), dtype)
        after = advance(t, before, h)
        return after, after

    def piece(before: State, numbers: jax.Array) -> tuple[State, State]:
        return jax.lax.scan(jax.checkpoint(one, prevent_cse=False), before, numbers)

    _, found = jax.lax.scan(jax.checkpoint(piece, prevent_cse=False), state, number)

    def joined(first: jax.Array, x: jax.Array) -> jax.Array:
        return jnp.concatenate([first[None], x.reshape(-1, *x.shape[2:])[:steps]])

    return jax.tree.map(joined, state, found)


class Shots(NamedTuple):
    """A motion in windows that start anew (multiple shooting)."""

    states: State  #: (W, steps + 1, ...)
    gap_q: jax.Array  #: (W - 1, n) from each window's end to the start of the next
    gap_qd: jax.Array  #: (W - 1, n)


def shoot(
    model: Model,
    drive: Driver,
    starts: State,
    *,
    step: float | jax.Array,
    steps: int,
    start: float | jax.Array = 0.0,
    bodies: tuple[int, ...] = (),
    scheme: Scheme = "rk4",
) -> Shots:
    """Return a long motion as windows of ``steps`` that run side by side from ``starts`` (W, ...).

    Window w begins at ``start + w steps step``. The gaps are what an optimiser drives to zero (Bock
    and Plitt 1984). Other arguments and errors are those of ``rollout``.
    """
    count = starts.q.shape[0]
    begin = start + step * steps * jnp.arange(count, dtype=starts.q.dtype)

    def window(state: State, t: jax.Array) -> State:
        return rollout(
            model, drive, state, step=step, steps=steps, start=t, bodies=bodies, scheme=scheme
        )

    states = jax.vmap(window)(starts, begin)
    gap = jax.vmap(partial(difference, model))(starts.q[1:], states.q[:-1, -1])
    return Shots(states, gap, starts.qd[1:] - states.qd[:-1, -1])


class Integrated(NamedTuple):
    """States at given times, and how the solver fared."""

    states: State  #: (K, ...); infinite where the solver gave up before
    steps: jax.Array  #: () taken, refused ones among them
    complete: jax.Array  #: () whether it came to the end


def integrate(
    model: Model,
    drive: Driver,
    state: State,
    times: jax.Array,
    *,
    bodies: tuple[int, ...] = (),
    relative: float = 1e-6,
    absolute: float = 1e-6,
    most_steps: int = 4096,
) -> Integrated:
    """Return the states at ``times`` (K,) s, increasing, from ``state`` at the first of them.

    Steps are as long as the tolerances allow (Tsitouras's method of order 5(4), diffrax); reverse
    derivatives recompute between checkpoints (``diffrax.RecursiveCheckpointAdjoint``).
    """

    import diffrax  # a second of importing that nobody else waits for

    flat, unflat = ravel_pytree(jax.tree.map(jnp.asarray, state))

    def rate(t: Any, at: jax.Array, _: None) -> jax.Array:
        return ravel_pytree(_rate(model, drive, bodies, t, unflat(at)))[0]

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(rate),
        diffrax.Tsit5(),
        t0=times[0],
        t1=times[-1],
        dt0=None,
        y0=flat,
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=diffrax.PIDController(rtol=relative, atol=absolute),
        adjoint=diffrax.RecursiveCheckpointAdjoint(),
        max_steps=most_steps,
        throw=False,
    )
    found = jax.vmap(unflat)(solution.ys)
    found = found._replace(q=jax.vmap(partial(normalized, model))(found.q))
    complete = solution.result == diffrax.RESULTS.successful
    return Integrated(found, solution.stats["num_steps"], complete)
