"""OpenSim models to MuJoCo models (docs/model.md)."""

from mjx_msk.compile.compiler import compile_file as compile_file
from mjx_msk.compile.compiler import compile_osim as compile_osim
from mjx_msk.compile.compiler import read_spec as read_spec
from mjx_msk.compile.markers import add_landmarks as add_landmarks
from mjx_msk.compile.notes import notes as notes
from mjx_msk.compile.options import CompileOptions as CompileOptions
from mjx_msk.compile.scaling import scale_spec as scale_spec
from mjx_msk.compile.static_trial import scale_to_markers as scale_to_markers
from mjx_msk.compile.stature import scale_to_person as scale_to_person
from mjx_msk.compile.writer import to_xml as to_xml
from mjx_msk.compile.writer import write_xml as write_xml
