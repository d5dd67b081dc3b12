"""Ground reaction forces that make a motion dynamically consistent, differentiably.

The motion demands a wrench on the whole body; only touching sole points can supply it, each with a
force in its friction cone. The forces of a whole clip are one convex program (second-order cones):
closest to the demand, then small, then slowly changing. Clarabel (Goulart, Chen 2024) solves it on
the host; derivatives are implicit. At the optimum of ``min f(x), x in K`` the point is its own
projected gradient step, ``x = P_K(x - f'(x))``, so that ``dx = D (dx - f''(x) dx - df')`` with the
projection's Jacobian D (Agrawal et al. 2019, J Appl Numer Optim 1:107).
"""

from functools import partial
from typing import NamedTuple

import clarabel
import jax
import jax.numpy as jnp
import numpy as np
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu

#: Points that touch with less certainty than this carry nothing.
TOUCH_LEAST = 0.2
#: Forces further than this from their own projected gradient step are no optimum, BW.
_OFF_BW = 1e-3
#: Newton steps after the interior point; two or three are enough.
_POLISHING = 8
#: They end where an optimum is only so far off, BW, by the bytes of a number of the result.
_ENOUGH_BW = {4: 1e-6, 8: 1e-14}


class ForcePriors(NamedTuple):
    """What is believed of forces; shares of body weight (BW)."""

    friction: float = 0.8  #: Coulomb, between shoe and floor (Falisse et al. 2022)
    force_spread: float = 0.01  #: BW, how closely the demanded force is met
    moment_spread: float = 0.01  #: BW x 1 m, and the demanded moment
    point_spread: float = 0.5  #: BW, size of one point's force; less certain touch, smaller
    rate_spread: float = 2.0  #: BW/s, how fast a point's force changes
    told_force_spread: float = 0.05  #: BW, how closely a foot's force is what was told of it
    told_moment_spread: float = 0.01  #: BW x 1 m, and its moment


class Told(NamedTuple):
    """What somebody else says of the feet: their wrenches, as ``demand``."""

    wrench: jax.Array | np.ndarray  #: (T, F, 6) N and N m about the demand's reference point
    member: jax.Array | np.ndarray  #: (F, c) 1 where a point belongs to a foot, else 0


class _Problem(NamedTuple):
    """A clip's program in body weights: the arrays that it is differentiated by."""

    demand: jax.Array  #: (T, 6) force in BW and moment in BW m
    arms: jax.Array  #: (T, c, 3) m
    touch: jax.Array  #: (T, c) 0..1
    dt: jax.Array  #: s
    told: Told | None  #: in BW and BW m


def point_forces(
    demand: jax.Array | np.ndarray,
    arms: jax.Array | np.ndarray,
    touch: jax.Array | np.ndarray,
    weight: jax.Array | float,
    dt: jax.Array | float,
    priors: ForcePriors | None = None,
    told: Told | None = None,
) -> jax.Array:
    """Return the force of the floor at every sole point of a clip, (T, c, 3) N, world axes, Z up.

    ``demand`` (T, 6) is the force (N) and the moment about a reference point (N m) that the motion
    needs, ``arms`` (T, c, 3) m the sole points relative to that reference, ``touch`` (T, c) in 0..1
    how likely each point pushes, ``weight`` the body weight in N and ``dt`` the time between frames
    in s. Minimised is, in body weights, the sum over frames of

        (force - demand)^2 / force_spread^2 + (moment - demand)^2 / moment_spread^2
        + dt sum over points [ f^2 / (point_spread touch)^2 + (df/dt)^2 / rate_spread^2 ]

    and, where feet have been ``told`` wrenches, over feet of

        (force - told)^2 / told_force_spread^2 + (moment - told)^2 / told_moment_spread^2

    with every force in its friction cone ``|f_xy| <= friction f_z``; a convex combination of sole
    points that push is a center of pressure inside the sole. Differentiable (reverse mode) by all
    but ``priors``. Clips under ``vmap`` are solved one after the other.
    """
    demand = jnp.asarray(demand)
    arms, touch, dt = (jnp.asarray(a, demand.dtype) for a in (arms, touch, dt))
    if told is not None:
        told = Told(*(jnp.asarray(a, demand.dtype) for a in told))
        told = told._replace(wrench=told.wrench / weight)
    problem = _Problem(demand / weight, arms, touch, dt, told)
    return weight * _solve(priors or ForcePriors(), problem)


def _slope(priors: ForcePriors, problem: _Problem, force: jax.Array) -> jax.Array:
    """Return the objective's gradient by the forces (T, c, 3)."""
    return jax.grad(lambda f: _objective(priors, problem, f))(force)


def _objective(priors: ForcePriors, p: _Problem, force: jax.Array) -> jax.Array:
    active = (p.touch > TOUCH_LEAST)[..., None]
    force = jnp.where(active, force, 0.0)
    wrench = jnp.concatenate([force, jnp.cross(p.arms, force)], axis=-1)
    lacking = wrench.sum(axis=1) - p.demand
    spread = jnp.repeat(jnp.array([priors.force_spread, priors.moment_spread]), 3)
    strange = jnp.zeros(())
    if p.told is not None:
        feet = jnp.einsum("fc,tcx->tfx", p.told.member, wrench)
        belief = jnp.repeat(jnp.array([priors.told_force_spread, priors.told_moment_spread]), 3)
        strange = jnp.sum(((feet - p.told.wrench) / belief) ** 2)
    size = force / (priors.point_spread * jnp.where(active, p.touch[..., None], 1.0))
    change = jnp.diff(force, axis=0) / (priors.rate_spread * p.dt)
    rest = jnp.sum(size**2) + jnp.sum(change**2)
    return 0.5 * (jnp.sum((lacking / spread) ** 2) + strange + p.dt * rest)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _solve(priors: ForcePriors, problem: _Problem) -> jax.Array:
    return _optimum(priors, problem)[0]


def _optimum(priors: ForcePriors, problem: _Problem) -> tuple[jax.Array, jax.Array]:
    """Return the forces (T, c, 3) and the projection's Jacobians (T, c, 3, 3) at the optimum."""
    points, dtype = problem.touch.shape, problem.demand.dtype
    shapes = [jax.ShapeDtypeStruct((*points, *tail), dtype) for tail in ((3,), (3, 3))]
    force, D = jax.pure_callback(
        partial(_optimum_on_host, priors), shapes, problem, vmap_method="sequential"
    )
    return force, D


def _forward(priors: ForcePriors, problem: _Problem):
    force, D = _optimum(priors, problem)
    return force, (problem, force, D)


def _backward(priors: ForcePriors, kept, by_force: jax.Array):
    problem, force, D = kept
    shape = jax.ShapeDtypeStruct(force.shape, force.dtype)
    by_slope = jax.pure_callback(
        partial(_adjoint_on_host, priors), shape, problem, D, by_force, vmap_method="sequential"
    )
    _, pull = jax.vjp(lambda p: _slope(priors, p, force), problem)
    return pull(by_slope)


_solve.defvjp(_forward, _backward)


class _Rows(NamedTuple):
    """The objective ``|R x - target|^2 / 2`` of the forces of points that touch."""

    active: np.ndarray  #: (T, c)
    R: sparse.csr_matrix
    target: np.ndarray


def _rows(priors: ForcePriors, problem: _Problem) -> _Rows:
    demand, arms, touch, dt = (np.asarray(a, np.float64) for a in problem[:4])
    active = touch > TOUCH_LEAST
    t, i = np.nonzero(active)
    spread = np.repeat([priors.force_spread, priors.moment_spread], 3)
    whiten = sparse.diags(np.tile(1.0 / spread, len(touch)))
    size = sparse.diags(np.repeat(np.sqrt(dt) / (priors.point_spread * touch[t, i]), 3))
    change = _changes(active) / (priors.rate_spread * np.sqrt(dt))
    supply = _supply(arms[t, i])
    blocks = [whiten @ _summed(t, len(touch)) @ supply]
    targets = [(demand / spread).ravel()]
    if problem.told is not None:
        wrench, member = (np.asarray(a, np.float64) for a in problem.told)
        belief = np.repeat([priors.told_force_spread, priors.told_moment_spread], 3)
        for foot, own in enumerate(member):
            sums = _summed(t, len(touch)) @ sparse.diags(np.repeat(own[i], 6))
            blocks.append(sparse.diags(np.tile(1.0 / belief, len(touch))) @ sums @ supply)
            targets.append((wrench[:, foot] / belief).ravel())
    R = sparse.vstack([*blocks, size, sparse.kron(change, sparse.eye(3))], format="csr")
    target = np.zeros(R.shape[0])
    known = np.concatenate(targets)
    target[: len(known)] = known
    return _Rows(active, R, target)


def _optimum_on_host(priors: ForcePriors, problem: _Problem) -> tuple[np.ndarray, np.ndarray]:
    """Return ``_optimum``; NaN where Clarabel finds none, as with input that is not finite."""
    shape, dtype = problem.touch.shape, problem.demand.dtype
    force, D = np.zeros((*shape, 3)), np.zeros((*shape, 3, 3))
    if not all(np.all(np.isfinite(a)) for a in jax.tree.leaves(problem)):
        return (force + np.nan).astype(dtype), (D + np.nan).astype(dtype)
    active, R, target = _rows(priors, problem)
    count = int(active.sum())
    if count:
        P = sparse.csc_matrix(R.T @ R)
        # Cone of each point: (mu fz, fx, fy) in the second-order cone; s = b - A x.
        cone = np.zeros((3, 3))
        cone[0, 2], cone[1, 0], cone[2, 1] = priors.friction, 1.0, 1.0
        A = sparse.csc_matrix(-sparse.kron(sparse.eye(count), cone))
        settings = clarabel.DefaultSettings()
        settings.verbose = False
        settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-10
        cones = [clarabel.SecondOrderConeT(3)] * count
        linear = -(R.T @ target)
        upper = sparse.triu(P, format="csc")
        solver = clarabel.DefaultSolver(upper, linear, A, np.zeros(3 * count), cones, settings)
        # Whatever it says of its progress: the polishing shows whether this is the optimum.
        rough, enough = np.asarray(solver.solve().x), _ENOUGH_BW[dtype.itemsize]
        x, blocks, off = _polished(rough, P, linear, priors.friction, enough)
        if off > _OFF_BW:
            x, blocks = x + np.nan, blocks + np.nan
        force[active], D[active] = x.reshape(count, 3), blocks
    return force.astype(dtype), D.astype(dtype)


def _adjoint_on_host(
    priors: ForcePriors, problem: _Problem, D: np.ndarray, by_force: np.ndarray
) -> np.ndarray:
    """Return what a change of the objective's gradient (T, c, 3) does to the scalar behind.

    With ``dx = D (dx - h (P dx + ds))`` for a step h and a change ds of the gradient.
    """
    active, R, _ = _rows(priors, problem)
    result = np.zeros(by_force.shape)
    if active.any():
        P = sparse.csc_matrix(R.T @ R)
        blocks = np.asarray(D, np.float64)[active]
        outer = np.asarray(by_force, np.float64)[active].ravel()
        found = _system(P, blocks).solve(outer, trans="T").reshape(-1, 3)
        result[active] = -_step(P) * np.einsum("kij,ki->kj", blocks, found)
    return result.astype(by_force.dtype)


def _step(P: sparse.csc_matrix) -> float:
    return 1.0 / float(P.diagonal().mean())


def _system(P: sparse.csc_matrix, blocks: np.ndarray) -> SuperLU:
    """Return ``1 - D (1 - h P)``, the slope of ``x - P_K(x - h f'(x))``, factorised."""
    places = np.arange(len(blocks))
    D = sparse.bsr_matrix((blocks, places, np.arange(len(blocks) + 1)), shape=P.shape)
    one = sparse.eye(P.shape[0], format="csc")
    return splu(sparse.csc_matrix(one - D.tocsc() @ (one - _step(P) * P)))


def _polished(
    x: np.ndarray, P: sparse.csc_matrix, linear: np.ndarray, friction: float, enough: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the optimum near ``x``, the projection's Jacobians (k, 3, 3) there, and how far off.

    Newton's method on ``x = P_K(x - h f'(x))``, whose kinks it crosses (semi-smooth; Qi and Sun
    1993, Math Program 58:353). An interior point is off by the root of its gap, too much for
    derivatives.
    """
    best, least, jacobians = x, np.inf, np.zeros((len(x) // 3, 3, 3))
    for _ in range(_POLISHING):
        target, blocks = _projection((x - _step(P) * (P @ x + linear)).reshape(-1, 3), friction)
        residual = x - target.ravel()
        worst = np.abs(residual).max()
        if not worst < np.inf:
            break
        if worst < least:  # the first steps may go astray
            best, least, jacobians = x, worst, blocks
        if worst < enough:
            break
        x = x - _system(P, blocks).solve(residual)
    return best, jacobians, least


def _projection(x: np.ndarray, friction: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the projection of x (k, 3) onto the friction cone, and its Jacobians (k, 3, 3)."""
    across, z = np.linalg.norm(x[:, :2], axis=1), x[:, 2]
    inside = across <= friction * z
    gone = friction * across <= -z
    e = x[:, :2] / np.where(across > 0.0, across, 1.0)[:, None]
    one, none = np.ones(len(x)), np.zeros(len(x))
    along = np.column_stack([friction * e, one]) / np.sqrt(1.0 + friction**2)
    turning = np.column_stack([-e[:, 1], e[:, 0], none])
    height = (friction * across + z) / (1.0 + friction**2)
    share = friction * height / np.where(across > 0.0, across, 1.0)
    edge = along[:, :, None] * along[:, None] + share[:, None, None] * (
        turning[:, :, None] * turning[:, None]
    )
    edge = np.where(gone[:, None, None], 0.0, edge)
    nearest = height[:, None] * np.column_stack([friction * e, one])
    nearest = np.where(gone[:, None], 0.0, nearest)
    return (
        np.where(inside[:, None], x, nearest),
        np.where(inside[:, None, None], np.eye(3), edge),
    )


def _supply(arms: np.ndarray) -> sparse.csr_matrix:
    """Return the map from point forces (3 each) to each point's wrench (6 each)."""
    count = len(arms)
    block = np.zeros((count, 6, 3))
    block[:, :3] = np.eye(3)
    x, y, z = arms.T
    block[:, 3, 1], block[:, 3, 2] = -z, y
    block[:, 4, 0], block[:, 4, 2] = z, -x
    block[:, 5, 0], block[:, 5, 1] = -y, x
    places = np.arange(count + 1)
    return sparse.bsr_matrix((block, places[:-1], places), shape=(6 * count, 3 * count)).tocsr()


def _summed(frame: np.ndarray, frames: int) -> sparse.csr_matrix:
    """Return the map from wrenches (6 each) of points in ``frame`` (k,) to those of all frames."""
    count = len(frame)
    sums = sparse.csr_matrix((np.ones(count), (frame, np.arange(count))), shape=(frames, count))
    return sparse.kron(sums, sparse.eye(6), format="csr")


def _changes(active: np.ndarray) -> sparse.csr_matrix:
    """Return differences of each point's force between frames; without touch the force is zero."""
    index = np.full(active.shape, -1)
    index[active] = np.arange(active.sum())
    now, later = index[:-1].ravel(), index[1:].ravel()
    some = (now >= 0) | (later >= 0)
    now, later = now[some], later[some]
    row = np.arange(len(now))
    values = np.concatenate([-np.ones((now >= 0).sum()), np.ones((later >= 0).sum())])
    rows = np.concatenate([row[now >= 0], row[later >= 0]])
    columns = np.concatenate([now[now >= 0], later[later >= 0]])
    return sparse.csr_matrix((values, (rows, columns)), shape=(len(now), int(active.sum())))
