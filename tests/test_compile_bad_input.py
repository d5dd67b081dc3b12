"""Old, broken, strange and hostile model files: one clear error or a named warning each."""

import re
from pathlib import Path

import mujoco
import osim_arm
import pytest
from fuzzing import compiled_here

from mjx_msk import cli
from mjx_msk.compile import compile_file, compile_osim, document, notes, rehearsal, to_xml
from mjx_msk.errors import MskError

pytest.importorskip("opensim")

ARM = osim_arm.version_4()
BOMB = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
BOMB = f"<!DOCTYPE a [<!ENTITY e0 'x'>{BOMB}]><OpenSimDocument>&e9;</OpenSimDocument>"
JOINT = re.search(r"<PinJoint.*?</PinJoint>", ARM, re.DOTALL).group()
COUPLER = re.search(r"<CoordinateCoupler.*</CoordinateCouplerConstraint>", ARM, re.DOTALL).group()


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "model.osim"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def with_change(old: str, new: str, count: int = -1) -> str:
    assert old in ARM
    return ARM.replace(old, new, count)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a complete XML file"),
        (b"a list of things", "not a complete XML file"),
        (b"\x89PNG\r\n\x1a\n\x00", "not a text file in UTF-8"),
        (ARM.encode("utf-16"), "not a text file in UTF-8"),
        (ARM.replace("upper", "öber").encode("latin-1"), "not a text file in UTF-8"),
        (ARM[:2000], "not a complete XML file"),
        ("<html></html>", "of <html>, not an OpenSim model"),
        ("<Model name='old'/>", "of <Model>, not an OpenSim model"),
        ("<OpenSimDocument Version='40000'/>", "an empty one, not a model"),
        ("<OpenSimDocument Version='40000'><ScaleTool/></OpenSimDocument>", "of <ScaleTool>"),
        (with_change("</Model>", "</Model><Model/>"), "2 models"),
        (with_change('Version="40000"', ""), "format version is ''"),
        (with_change("40000", "four"), "format version is 'four'"),
        (osim_arm.before_version_4(10500), "unsupported file format"),
        ('<!DOCTYPE a [<!ENTITY b "bbbb">]><OpenSimDocument>&b;</OpenSimDocument>', "entities"),
        (BOMB, "entities"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><OpenSimDocument/>', "document type"),
        ("<OpenSimDocument>&secret;</OpenSimDocument>", "not a complete XML file"),
        (with_change("<mass>2</mass>", "<mass>" * 5000 + "</mass>" * 5000), "nests more than 100"),
    ],
)  # fmt: skip
def test_files_that_are_no_model_are_named(tmp_path, content, words):
    path = write(tmp_path, content)
    with pytest.raises(MskError, match=re.escape(words)) as caught:
        compiled_here(path)
    assert caught.value.where == str(path)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("<mass>2<", "<mass>nan<", "<mass> of Body 'upper' is nan"),
        ("<mass>2<", "<mass>-2<", "negative mass"),
        ("<mass>2<", "<mass>two<", "upper has invalid mass"),
        ("0.02 0.002 0.02 0", "0.02 -0.5 0.02 0", "'upper' has a negative moment of inertia, -0.5"),
        ("0 -9.8066 0", "0 -inf 0", "<gravity> of Model 'arm' is -inf"),
        ("0 -9.8066 0", "0 down 0", "<gravity> is '0 down 0', which OpenSim cannot read"),
        ("0 -9.8066 0", "0 -9.8 0 0", "<gravity> is '0 -9.8 0 0', which OpenSim cannot read"),
        ("0.02 -0.05 0<", "0.02 -1e308 0<", "<location> of PathPoint 'insertion' is -1e308"),
        ("<range>-1 2<", "<range>2 -1<", "Maximum coordinate range less than minimum"),
        ("<axis>0 0 1<", "<axis>0 0 0<", "collinear axes"),
        ("<radius>0.03<", "<radius>-1<", "sphere 'fist' has the radius -1 m"),
        ("<radius>0.02<", "<radius>0<", "surface 'elbow_cylinder' has the radius 0 m"),
        (">500<", ">0<", "muscle 'flexor' has the maximum isometric force 0 N"),
        (">0.12<", ">-0.12<", "Optimal fiber length must be greater than zero"),
        (">0.15<", ">-0.15<", "endon slack length"),
        ("SimmSpline", "MagicSpline", "<function> holds nothing that OpenSim knows (MagicSpline)"),
        ("CustomJoint", "MagicJoint", "it knows no MagicJoint"),
        ("Thelen2003Muscle", "MagicMuscle", "it knows no MagicMuscle"),
        ("<x>-1 -0.25 0.5", "<x>-1 0.5 -0.25", "not all of them ascending"),
        ("<x>-1 -0.25 0.5", "<x>-1 0.5", "4 x"),
        ("<coefficients>1 0<", "<coefficients>1<", "has fewer than two coefficients"),
        ("<coefficients>1 0<", "<coefficients>1 0 0<", "one coordinate has 3 coefficients"),
        ('"flexion"', '"bend"', "2 coordinates are called 'bend'"),
        ("<objects></objects></WrapObj", f"<objects>{osim_arm.CYLINDER}</objects></WrapObj",
         "2 wrapping surfaces are called 'elbow_cylinder'"),
        ("upper", "up per", "invalid characters"),
        ("upper", "up/per", "invalid characters"),
        ("upper", "world", "repeated name 'world'"),
        ("<socket_parent>/ground<", "<socket_parent>/bodyset/lower<", "OpenSim cannot load"),
        ("<socket_parent>/ground<", "<socket_parent>/bodyset/upper<", "have the same base frame"),
        ("<socket_parent>/ground<", "<socket_parent>/bodyset/nobody<", "could not find"),
        ("names>bend<", "names><", "couples 'slide' to no coordinate"),
        ("names>bend<", "names>slide<", "coupled to itself"),
        ("names>bend<", "names>nothing<", "unknown independent coordinate"),
        (COUPLER, COUPLER + COUPLER.replace('"coupler"', '"more"'), "several constraints couple"),
        ("wrap_object>elbow", "wrap_object>knee", "OpenSim cannot load"),
    ],
)  # fmt: skip
def test_impossible_models_are_named(tmp_path, old, new, words):
    path = write(tmp_path, with_change(old, new))
    with pytest.raises(MskError, match=re.escape(words)) as caught:
        compiled_here(path)
    assert caught.value.where == str(path)
    assert len(str(caught.value)) < 700
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "note"),
    [
        ("mass_center", "mass_centre", "warning upper/mass_centre: Body has no <mass_centre>"),
        ("<mass>2</mass>", "<mass>2</mass><mass>3</mass>", "warning upper/mass: <mass> is given"),
        ('"shoulder"', '"elbow"', "warning elbow_0: was 'elbow'"),
        ('"insertion"', '"origin"', "warning origin_0: was 'origin'"),
        ("<clamped>", "<Body/><clamped>", "warning flexion/Body: Coordinate has no <Body>"),
    ],
)
def test_what_opensim_leaves_out_is_noted(tmp_path, old, new, note):
    found = notes(compiled_here(write(tmp_path, with_change(old, new))))
    assert any(line.startswith(note) for line in found), found


def test_a_newer_format_is_noted(tmp_path):
    text = re.sub("<Thelen.*</Thelen2003Muscle>", "", ARM, flags=re.DOTALL)
    found = notes(compiled_here(write(tmp_path, text.replace("40000", "50000"))))
    assert len(found) == 1
    assert found[0].startswith("warning version: the file was written by a newer OpenSim")


@pytest.mark.parametrize("version", [10905, 20302, 30000])
def test_older_formats_give_the_same_model(tmp_path, version):
    now = to_xml(compiled_here(write(tmp_path, ARM)))
    assert to_xml(compiled_here(write(tmp_path, osim_arm.before_version_4(version)))) == now


@pytest.mark.parametrize("name", ["über日本", "a<b", 'a"b&c', "50%", "x\u00a0y", "floor", "1"])
def test_strange_names_survive(tmp_path, name):
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    text = ARM
    for old in ("upper", "bend", "flexor", "wrist"):
        text = text.replace(old, escaped + old)
    path = write(tmp_path, text)
    (tmp_path / "model.xml").write_text(to_xml(compiled_here(path)), encoding="utf-8")
    model = mujoco.MjModel.from_xml_path(str(tmp_path / "model.xml"))
    assert model.body(f"{name}upper").mass[0] == 2
    assert model.joint(f"{name}bend").range[1] == 2
    assert model.actuator(f"{name}flexor").trnid[0] == model.tendon(f"{name}flexor").id
    assert model.site(f"{name}wrist").group[0] == 3
    assert mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_TEXT, f"default/{name}bend") >= 0


def test_components_outside_of_their_sets_are_read(tmp_path):
    """As in models written by scripts: a muscle as a component of the model itself."""
    straight = re.sub("<PathWrapSet>.*</PathWrapSet>", "", ARM, flags=re.DOTALL)
    muscle = re.search("<Thelen.*</Thelen2003Muscle>", straight, re.DOTALL).group()
    moved = straight.replace(muscle, "")
    moved = moved.replace("<gravity>", f"<components>{muscle}</components><gravity>")
    expected = to_xml(compiled_here(write(tmp_path, straight)))
    assert 'actuator name="flexor"' in expected.replace("general", "actuator")
    assert to_xml(compiled_here(write(tmp_path, moved))) == expected


def test_huge_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(document, "MAX_BYTES", 1000)
    with pytest.raises(MskError, match="larger than"):
        compiled_here(write(tmp_path, ARM))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(MskError, match="cannot read"):
        compile_osim(tmp_path / "nowhere.osim")


def test_a_model_that_kills_opensim_is_an_error(tmp_path, monkeypatch, capfd):
    """A spline of no coordinate: OpenSim 4.6 ends the process that asks for its value."""
    monkeypatch.chdir(tmp_path)
    path = write(
        tmp_path, with_change(">bend</coordinates><axis>1 0 0", "></coordinates><axis>1 0 0")
    )
    with pytest.raises(MskError, match=r"OpenSim crashes \(exit code"):
        compile_osim(path)
    assert capfd.readouterr() == ("", "")
    assert [p.name for p in tmp_path.iterdir()] == ["model.osim"]


def test_a_model_that_takes_for_ever_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(rehearsal, "TIME_LIMIT", 0.01)
    with pytest.raises(MskError, match="does not come to an end within 0 s"):
        compile_osim(write(tmp_path, ARM))


def test_nothing_is_written_for_a_bad_file(tmp_path):
    path = write(tmp_path, "<html/>")
    with pytest.raises(MskError):
        compile_file(path, tmp_path / "model.xml")
    assert [p.name for p in tmp_path.iterdir()] == ["model.osim"]


def run_cli(*arguments) -> int:
    with pytest.raises(SystemExit) as stopped:
        cli.main([str(argument) for argument in arguments])
    return stopped.value.code


def test_command_says_one_line_and_leaves_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, with_change("<mass>2<", "<mass>-2<"))
    assert run_cli("compile", path, "-o", tmp_path / "model.xml") == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert f"{path}: OpenSim cannot load this model: Body upper has invalid mass" in err
    assert [p.name for p in tmp_path.iterdir()] == ["model.osim"]


def test_command_prints_warnings_once(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, with_change("mass_center", "mass_centre", 2))
    assert run_cli("compile", path, "-o", tmp_path / "model.xml") == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert out.count("mass_centre") == 2  # the element and what it is no part of
    assert {p.name for p in tmp_path.iterdir()} == {"model.osim", "model.xml"}
