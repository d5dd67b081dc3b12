"""The kinematic tree as constant tables: who hangs from whom, and what moves what.

A **node** is a joint, or a body without any (a weld); nodes come in the order of bodies and joints,
so that a parent precedes its children. A **dof** is a direction of motion: a hinge and a slide
have one; a free joint six, the world's three axes and then the three of its body, as in MuJoCo.
"""

from typing import NamedTuple

import mujoco
import numpy as np

from mjx_msk.model import Model

_FREE, _SLIDE, _HINGE = (
    int(kind)
    for kind in (
        mujoco.mjtJoint.mjJNT_FREE,
        mujoco.mjtJoint.mjJNT_SLIDE,
        mujoco.mjtJoint.mjJNT_HINGE,
    )
)


class Tree(NamedTuple):
    """0/1 tables for ``vectors.gather``: rows are summed or chosen from, columns are results."""

    node_body: np.ndarray  #: (N,) the body that a node moves or welds
    node_joint: np.ndarray  #: (N,) joint of a node; 0, and not used, for a weld
    first: np.ndarray  #: (N,) whether it is the first of its body
    hinge: np.ndarray  #: (N,) 1 for a hinge
    slide: np.ndarray  #: (N,) 1 for a slide
    welded: np.ndarray  #: (N,) 1 for a weld
    free: np.ndarray  #: (N,) 1 for a free joint
    value: np.ndarray  #: (nq, N) a hinge's or slide's value in ``qpos``
    placed: np.ndarray  #: (7, nq, N) a free joint's position and quaternion in ``qpos``
    parent: np.ndarray  #: (N, N)
    jumps: tuple[np.ndarray, ...]  #: (N, N) each: the ancestor 1, 2, 4 ... nodes above
    above: np.ndarray  #: (N, N) a node and its ancestors
    last: np.ndarray  #: (N, nbody) the node that holds a body; none for the world
    dof: np.ndarray  #: (N, nv) the node of a dof
    turning: np.ndarray  #: (nv,) 1 for a rotation, 0 for a translation
    world_axis: np.ndarray  #: (3, nv) axes of a free joint's translations
    own_axis: np.ndarray  #: (3, nv) axes of a free joint's rotations, in its body
    carried: np.ndarray  #: (nv, nv) dofs that move a dof's axis, itself among them
    moved: np.ndarray  #: (nv, nbody) dofs that move a body
    within: np.ndarray  #: (nbody, nbody) bodies that hang from a body, itself among them


def tree_of(model: Model) -> Tree:
    """Return the tables of a model's tree."""
    m = model.mjx
    body_parent, kinds = np.asarray(m.body_parentid), np.asarray(m.jnt_type)
    joint_body, qposadr = np.asarray(m.jnt_bodyid), np.asarray(m.jnt_qposadr)
    nodes = [
        (body, joint)
        for body in range(1, len(body_parent))
        for joint in (np.flatnonzero(joint_body == body).tolist() or [-1])
    ]
    size, nq = len(nodes), int(m.nq)
    body = np.array([b for b, _ in nodes], int)
    joint = np.array([j for _, j in nodes], int)
    kind = np.array([kinds[j] if j >= 0 else -1 for j in joint], int)
    last_of = {b: i for i, b in enumerate(body)}  # the last one wins
    first = np.array([i == 0 or body[i] != body[i - 1] for i in range(size)], bool)
    parent = np.array(
        [last_of.get(body_parent[b], -1) if first[i] else i - 1 for i, b in enumerate(body)], int
    )
    above = np.eye(size)
    for i in range(size):
        if parent[i] >= 0:
            above[:, i] += above[:, parent[i]]
    value, placed = np.zeros((nq, size)), np.zeros((7, nq, size))
    dofs: list[tuple[int, int, int]] = []  # node, number within a free joint, rotates
    for i, j in enumerate(joint):
        if kind[i] == _FREE:
            placed[np.arange(7), qposadr[j] + np.arange(7), i] = 1.0
            dofs += [(i, k, int(k >= 3)) for k in range(6)]
        elif j >= 0:
            value[qposadr[j], i] = 1.0
            dofs.append((i, -1, int(kind[i] == _HINGE)))
    node_of = np.array([i for i, _, _ in dofs], int)
    number = np.array([k for _, k, _ in dofs], int)
    turning = np.array([r for _, _, r in dofs], float)
    carried = above[np.ix_(node_of, node_of)]
    # a free joint's translations are not turned by its rotations
    same = (node_of[:, None] == node_of) & (number >= 0)
    carried[same & (turning[:, None] > turning)] = 0.0
    last = np.zeros((size, len(body_parent)))
    for b, i in last_of.items():
        last[i, b] = 1.0
    within = np.eye(len(body_parent))
    for b in range(len(body_parent) - 1, 0, -1):
        within[:, body_parent[b]] += within[:, b]
    return Tree(
        node_body=body,
        node_joint=np.maximum(joint, 0),
        first=first,
        hinge=(kind == _HINGE).astype(float),
        slide=(kind == _SLIDE).astype(float),
        welded=(kind == -1).astype(float),
        free=(kind == _FREE).astype(float),
        value=value,
        placed=placed,
        parent=_one_hot(parent),
        jumps=_jumps(parent),
        above=above,
        last=last,
        dof=_one_hot(node_of, size),
        turning=turning,
        world_axis=np.array([number == k for k in range(3)], float),
        own_axis=np.array([number == 3 + k for k in range(3)], float),
        carried=carried,
        moved=(above @ last)[node_of],
        within=within,
    )


def _one_hot(chosen: np.ndarray, rows: int | None = None) -> np.ndarray:
    """Return the table (rows, k) that chooses; -1 chooses nothing."""
    table = np.zeros((len(chosen) if rows is None else rows, len(chosen)))
    some = np.flatnonzero(chosen >= 0)
    table[chosen[some], some] = 1.0
    return table


def _jumps(parent: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the tables of the ancestors 1, 2, 4 ... above, until there are none."""
    tables, ancestor = [], parent
    while np.any(ancestor >= 0):
        tables.append(_one_hot(ancestor))
        ancestor = np.where(ancestor >= 0, ancestor[ancestor], -1)
    return tuple(tables)
