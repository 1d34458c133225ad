"""Primitives: cut from the library's policies, and complete."""

import pytest
import yaml

from schedcp_gym.control.repository import load_primitive, primitive_names, unit
from schedcp_gym.control.repository import primitives as module
from schedcp_gym.control.repository.primitives import pieces
from schedcp_gym.lab import catalogue
from schedcp_gym.lab.compiler import compile_policy
from schedcp_gym.paths import POLICIES
from schedcp_gym.spec import BadInput

NAMES = primitive_names()


@pytest.mark.parametrize("name", NAMES)
def test_primitive_is_part_of_a_policy(name):
    primitive = load_primitive(name)
    assert primitive.used_by
    source = catalogue.load_policy(primitive.used_by[0]).source
    for piece in primitive.code.split("\n\n"):
        assert piece in source
    for tunable in primitive.tunables:
        assert tunable in source
    for header in primitive.headers:
        assert (POLICIES / "include" / header).is_file()
    for name in primitive.maps:
        assert "<" in name or name.removesuffix("_tasks") in primitive.code
    assert primitive.usage
    assert primitive.card


@pytest.mark.guest
def test_primitives_compile_with_nothing_but_what_they_need(lab):
    """Each by itself; what nobody calls yet is no error. Boots nothing, but the image has the kernel's types."""
    image = lab.image("debian")
    quiet = '#pragma clang diagnostic ignored "-Wunused-function"\n'
    quiet += '#pragma clang diagnostic ignored "-Wunused-variable"\n'
    licence = 'char _license[] SEC("license") = "GPL";\n'
    for name in NAMES:
        assert compile_policy(quiet + unit(load_primitive(name)) + "\n" + licence, image), name


def test_source_in_pieces():
    source = (
        "/* Head. */\n#include <a.h>\n\n/* Two\n * lines. */\n#define A \\\n\t1\n\n"
        'TUNABLE(u64, b_us, 1, "us", 1, 2, log, "B (c).");\n'
        'static bool c[MAX];\nstatic u64 d = 3;\n\nenum e {\n\tF,\n};\n\nstruct {\n\tint x;\n} g SEC(".maps");\n\n'
        '/* H. */\nstatic struct i *h(u32 a,\n\t\tu32 b)\n{\n\treturn "}";\n}\n\nTASK_DATA_DEFINE(j, struct e)\n'
    )
    found = pieces(source)
    assert list(found) == ["A", "b_us", "c", "d", "e", "g", "h", "j"]
    assert found["A"] == "/* Two\n * lines. */\n#define A \\\n\t1"
    assert found["h"].startswith("/* H. */\nstatic struct i *h(")
    assert found["h"].endswith("}")


def test_pieces_of_the_library_declare_what_they_should():
    for name in catalogue.policy_names()[1:]:
        source = catalogue.load_policy(name).source
        found = pieces(source)
        assert {tunable.name for tunable in catalogue.tunables_of(source)} <= set(found)
        assert f"{name}_init" in found
        assert f"{name}_ops" in found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"symbols": ["nothing"]}, "declares no 'nothing'"),
        ({"from": "fifoo"}, "did you mean fifo"),
        ({"headres": []}, "unknown key headres"),
        ({"title": None}, "title"),
    ],
)
def test_wrong_declarations_are_told(tmp_path, monkeypatch, change, words):
    declared = yaml.safe_load((module.PRIMITIVES / "patience.yaml").read_text())
    (tmp_path / "patience.yaml").write_text(yaml.safe_dump({**declared, **change}))
    monkeypatch.setattr(module, "PRIMITIVES", tmp_path)
    with pytest.raises(BadInput, match=words) as error:
        load_primitive("patience")
    assert len(str(error.value).splitlines()) <= 2


def test_unknown_primitive():
    with pytest.raises(BadInput, match="did you mean patience"):
        load_primitive("patienc")
