"""Scaling a model, differentiable: the rules of ``compile.scale_spec`` on a ``Model``."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from mjx_msk.compile.scaling import Owners, owners
from mjx_msk.model import Model
from mjx_msk.musculature import Muscles
from mjx_msk.physics.paths import muscle_lengths

#: Products of inertia below this share of the largest moment are none.
_NO_PRODUCT = 1e-6


def stretch(model: Model, factors: jax.Array) -> Model:
    """Return the model with bones of other lengths; masses and inertias stay.

    ``factors`` (nbody, 3) are those of ``scale``. Places, sites, contact spheres and the ties of
    joints follow; where everything is, is linear in the factors. Muscles' paths follow as well,
    their fibers and tendons do not.
    """
    m, layout = model.mjx, model.layout
    owner = _owners(model)
    factors = jnp.asarray(factors)
    own = factors[np.array(owner.own)]
    above = own[m.body_parentid]
    rotate = jax.vmap(_rotate)
    before = rotate(m.body_quat, model.joint_place)
    after = rotate(m.body_quat, model.joint_place * own)
    growth = model.growth
    if layout.dependent:
        tied = np.array(layout.dependent)
        hung_from = np.array(owner.above)[np.asarray(m.jnt_bodyid)[tied]]
        along = jnp.sum(model.tied_axis**2 * factors[hung_from], axis=1)
        hinge = jnp.all(model.tied_axis == 0.0, axis=1)
        growth = growth.at[tied].multiply(jnp.where(hinge, 1.0, along), unique_indices=True)
    on = np.array(layout.contact_bodies, int)
    return model.replace(
        mjx=m.replace(
            body_pos=above * (m.body_pos + before) - after,
            body_ipos=m.body_ipos * own,
            jnt_pos=m.jnt_pos * own[m.jnt_bodyid],
            site_pos=m.site_pos * own[m.site_bodyid],
            eq_data=_scaled_ties(model, growth / model.growth),
        ),
        growth=growth,
        joint_place=model.joint_place * own,
        contact_position=model.contact_position * own[on],
        contact_radius=model.contact_radius * jnp.mean(own[on], axis=1),
        muscles=_stretched_paths(model, own),
    )


def _stretched_paths(model: Model, own: jax.Array) -> Muscles:
    """Return the muscles with their sites and surfaces moved; surfaces grow across their axis."""
    layout, muscles = model.layout.muscles, model.muscles
    around = own[np.array(layout.wrap_bodies, int)]
    growth = jnp.sqrt(jnp.sum((around[:, :, None] * muscles.wrap_axes) ** 2, axis=1))
    sphere = np.array(layout.spheres, bool)
    size = jnp.where(sphere, jnp.mean(around, axis=1), jnp.mean(growth[:, :2], axis=1))
    return dataclasses.replace(
        muscles,
        site_position=muscles.site_position * own[np.array(layout.site_bodies, int)],
        wrap_position=muscles.wrap_position * around,
        wrap_radius=muscles.wrap_radius * size,
    )


def scale(model: Model, factors: jax.Array, mass_kg: jax.Array | float | None = None) -> Model:
    """Return the model of a person of another size.

    ``factors`` (nbody, 3) stretch each body along the axes of its own frame (those of the world
    must be 1, those of bodies that the compiler added are not read) and ``mass_kg`` is the total
    mass (None: kept). Lengths (``stretch``), masses and inertias follow the rules that
    ``compile.scale_spec`` states; MuJoCo's ``*_invweight0``, which soften constraints, stay those
    of the unscaled model.

    Derivatives exist but where three factors of a body are equal: OpenSim's rule for inertia
    jumps there from a cylinder's to that of a similar body.
    """
    m = model.mjx
    own = jnp.asarray(factors)[np.array(_owners(model).own)]
    ratio = 1.0 if mass_kg is None else mass_kg / jnp.sum(m.body_mass)
    inertia, iquat = jax.vmap(_scaled_inertia)(m.body_inertia, m.body_iquat, m.body_mass, own)
    longer = stretch(model, factors)
    before, after = (muscle_lengths(m, model.q_default) for m in (model, longer))
    muscles = dataclasses.replace(
        longer.muscles,
        fiber_length=longer.muscles.fiber_length * after / before,
        tendon_length=longer.muscles.tendon_length * after / before,
    )
    return longer.replace(
        muscles=muscles,
        mjx=longer.mjx.replace(
            body_iquat=iquat,
            body_mass=m.body_mass * ratio,
            body_subtreemass=m.body_subtreemass * ratio,
            body_inertia=inertia * ratio,
        ),
    )


def _owners(model: Model) -> Owners:
    return owners(model.layout.body_names, np.asarray(model.mjx.body_parentid).tolist())


def _scaled_ties(model: Model, growth: jax.Array) -> jax.Array:
    """Return MuJoCo's equalities: ``y = sum(a_k x^k)`` becomes ``a_k g_y / g_x^k``."""
    m = model.mjx
    tied = set(model.layout.dependent)
    ties = np.array([e for e in range(m.neq) if int(m.eq_obj1id[e]) in tied], int)
    if not len(ties):
        return m.eq_data
    of, by = growth[np.asarray(m.eq_obj1id)[ties]], growth[np.asarray(m.eq_obj2id)[ties]]
    stretched = of[:, None] / by[:, None] ** jnp.arange(5)
    return m.eq_data.at[ties, :5].multiply(stretched, unique_indices=True)


def _scaled_inertia(
    moments: jax.Array, iquat: jax.Array, mass: jax.Array, own: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return principal moments (3,) and their axes as a quaternion (4,) of a stretched body."""
    axes = jax.vmap(_rotate, (None, 0), 1)(iquat, jnp.eye(3, dtype=moments.dtype))
    full = axes @ (moments[:, None] * axes.T)
    diagonal = jnp.diagonal(full)
    products = (full - jnp.diag(diagonal)) * jnp.outer(own, own)
    stretched = jnp.diag(_cylinder(diagonal, mass, own)) + products
    uniform = jnp.ptp(own) <= 1e-6 * jnp.max(own)
    stretched = jnp.where(uniform, full * jnp.mean(own) ** 2, stretched)
    found, turn = _principal(axes.T @ stretched @ axes)
    return found, _times(iquat, turn)


def _cylinder(moments: jax.Array, mass: jax.Array, own: jax.Array) -> jax.Array:
    """Return the moments (3,) of the body taken for a cylinder, after scaling its dimensions."""
    axis = jnp.argmin(moments)
    first = jnp.where(axis == 0, 1, 0)
    second = 3 - axis - first
    share = 1.0 / jnp.where(mass > 0.0, mass, 1.0)
    radius_squared = jnp.maximum(0.0, 2 * moments[axis] * share)
    length_squared = jnp.maximum(0.0, 12 * moments[first] * share - 3 * radius_squared)
    radius_squared *= own[first] * own[second]
    length_squared *= own[axis] ** 2
    across = mass * (length_squared / 12 + radius_squared / 4)
    return jnp.where(jnp.arange(3) == axis, mass * radius_squared / 2, across)


@jax.custom_jvp
def _principal(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the eigenvalues (3,) of a symmetric matrix and the rotation (4,) to its eigenvectors.

    A matrix that is diagonal already keeps its axes, so that they do not jump.
    """
    values, vectors = jnp.linalg.eigh(matrix)
    vectors = vectors * jnp.sign(jnp.linalg.det(vectors))
    diagonal = jnp.diagonal(matrix)
    products = jnp.abs(matrix - jnp.diag(diagonal)).max()
    plain = products <= _NO_PRODUCT * jnp.abs(diagonal).max()
    values = jnp.where(plain, diagonal, values)
    return values, _quaternion(jnp.where(plain, jnp.eye(3, dtype=matrix.dtype), vectors))


@_principal.defjvp
def _principal_jvp(primals, tangents):
    """First-order perturbation of eigenvalues and eigenvectors.

    With ``D = V^T dA V``: ``d value_i = D_ii`` and ``V^T dV = W``, ``W_ij = D_ij / (v_j - v_i)``.
    Eigenvectors of equal eigenvalues are any two directions of a plane, and stay.
    """
    (matrix,), (change,) = primals, tangents
    values, turn = _principal(matrix)
    vectors = jax.vmap(_rotate, (None, 0), 1)(turn, jnp.eye(3, dtype=matrix.dtype))
    inner = vectors.T @ change @ vectors
    gap = values[None, :] - values[:, None]
    equal = jnp.abs(gap) <= _NO_PRODUCT * jnp.abs(values).max()
    W = jnp.where(equal, 0.0, inner / jnp.where(equal, 1.0, gap))
    spin = jnp.array([W[2, 1], W[0, 2], W[1, 0]])
    half = 0.5 * jnp.concatenate([jnp.zeros(1, spin.dtype), spin])
    return (values, turn), (jnp.diagonal(inner), _times(turn, half))


def _quaternion(rotation: jax.Array) -> jax.Array:
    """Return the quaternion (w, x, y, z) of a rotation: the longest row of ``4 q q^T``."""
    (a, b, c), (d, e, f), (g, h, i) = rotation
    outer = jnp.array([
        [1 + a + e + i, h - f, c - g, d - b],
        [h - f, 1 + a - e - i, b + d, c + g],
        [c - g, b + d, 1 - a + e - i, f + h],
        [d - b, c + g, f + h, 1 - a - e + i],
    ])  # fmt: skip
    row = outer[jnp.argmax(jnp.diagonal(outer))]
    return row / jnp.linalg.norm(row)


def _times(a: jax.Array, b: jax.Array) -> jax.Array:
    """Return the product of two quaternions (w, x, y, z)."""
    real = a[0] * b[0] - a[1:] @ b[1:]
    return jnp.concatenate([real[None], a[0] * b[1:] + b[0] * a[1:] + jnp.cross(a[1:], b[1:])])


def _rotate(quaternion: jax.Array, vector: jax.Array) -> jax.Array:
    w, u = quaternion[0], quaternion[1:]
    return vector + 2.0 * jnp.cross(u, jnp.cross(u, vector) + w * vector)
