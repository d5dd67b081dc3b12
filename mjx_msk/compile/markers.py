"""Markers and landmarks: named points on bodies, as sites."""

import json
from typing import Any

import mujoco

from mjx_msk.compile.skeleton import in_world, mujoco_body
from mjx_msk.compile.source import Source
from mjx_msk.resources import asset

MARKER_GROUP, LANDMARK_GROUP = 3, 4
PREFIX = "landmark/"
#: User data of a marker that OpenSim's Scale Tool must not move.
FIXED = [1.0]


def add_markers(spec: mujoco.MjSpec, source: Source) -> None:
    """Add the model's markers as sites that keep their names."""
    for marker in source.markers:
        mujoco_body(spec, marker.body).add_site(
            name=marker.name,
            pos=in_world(marker.body, marker.position),
            size=[0.008, 0, 0],
            rgba=[0.93, 0.35, 0.55, 1.0],
            group=MARKER_GROUP,
            userdata=FIXED if marker.name in source.fixed_markers else [],
        )


def read_landmarks() -> dict[str, Any]:
    """Return the landmarks of ``assets/landmarks.json``: name -> body and pos (m, in the body)."""
    try:
        path = asset("landmarks.json")
    except FileNotFoundError:
        return {}
    return json.loads(path.read_text(encoding="utf-8"))["landmarks"]


def add_landmarks(spec: mujoco.MjSpec, landmarks: dict[str, Any]) -> None:
    """Write the sites ``landmark/<name>`` into ``spec``, in place of those it has.

    ``landmarks`` maps a name to ``{"body": name, "pos": [x, y, z]}`` (m, in that body's frame);
    landmarks of bodies that the model lacks are left out.
    """
    for site in [site for site in spec.sites if site.name.startswith(PREFIX)]:
        spec.delete(site)
    for name, landmark in landmarks.items():
        body = spec.body(landmark["body"])
        if body is not None:
            body.add_site(
                name=PREFIX + name,
                pos=landmark["pos"],
                size=[0.012, 0, 0],
                rgba=[0.2, 0.75, 0.95, 1.0],
                group=LANDMARK_GROUP,
            )
