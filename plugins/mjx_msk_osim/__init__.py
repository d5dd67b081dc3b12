"""OpenSim models where MuJoCo takes a model: ``import mjx_msk_osim`` and open ``.osim`` files.

Afterwards ``mujoco.MjSpec.from_file("model.osim")``, MuJoCo Studio and ``<model file="...">`` in
an MJCF read OpenSim models, and ``mujoco.MjModel.from_xml_path("osim:model.osim")`` does, too: the
C function behind it reads XML only, whatever the suffix, but takes it from any registered place.
The models are those of ``mjx_msk.compile_osim`` with its default options.
"""

from mjx_msk_osim.registration import register as _register

_register()
