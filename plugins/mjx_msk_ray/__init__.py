"""``--engine ray``: the tasks of mjx-msk on a Ray cluster."""

from mjx_msk_ray.engine import RayEngine as RayEngine
