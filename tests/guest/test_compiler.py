"""Policies from source to object: repeatable, and whatever the source holds, the host stays whole."""

import os
import subprocess
import sys

import pytest

from schedcp_gym.lab import catalogue, compiler
from schedcp_gym.lab.compiler import SOURCE_LIMIT, CompileError, compile_policy

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("spotless")]

HEAD = "#include <scx/common.bpf.h>\n"


@pytest.fixture(autouse=True)
def _own_cache(image, tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDCP_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", catalogue.policy_names()[1:])
def test_a_policy_compiles_to_the_same_bytes_wherever_it_is_done(image, name, tmp_path, monkeypatch):
    source = catalogue.load_policy(name).source
    first = compile_policy(source, image)
    assert compile_policy(source, image) == first
    (tmp_path / "another").mkdir()
    monkeypatch.setenv("SCHEDCP_CACHE", str(tmp_path / "another"))
    assert compile_policy(source, image) == first
    assert str(tmp_path).encode() not in first
    assert str(image.folder).encode() not in first


def test_a_known_object_is_not_compiled_again(image, monkeypatch):
    first = compile_policy("int x;", image)
    monkeypatch.setattr(compiler, "_compile", lambda *_: pytest.fail("it was compiled again"))
    assert compile_policy("int x;", image) == first


@pytest.mark.parametrize("damage", ["changed", "cut", "empty"])
def test_a_damaged_object_is_compiled_again_and_said(image, tmp_path, caplog, damage):
    first = compile_policy("int x;", image)
    (cached,) = (tmp_path / "cache" / "objects").iterdir()
    content = bytearray(cached.read_bytes())
    content[-5] ^= 1
    cached.write_bytes({"changed": content, "cut": content[:40], "empty": b""}[damage])
    assert compile_policy("int x;", image) == first
    assert "damaged" in caplog.text


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('#include "/etc/shadow"\n', "error"),
        ('#include "/etc/passwd"\n', "error"),
        ('#include "nosuch.h"\n', "nosuch.h"),
        ("#include __FILE__\n", "made by a macro"),
        ('#include "policy.bpf.c"\n', "outside the folders"),
        ("int x = " + "(" * 50_000, "error"),
        ("#error no\n" * 10_000, "error"),
        ("/*" + "x" * SOURCE_LIMIT, "characters; 1048576 are allowed"),
        ("\0\1\2\xff", "error"),
        ('asm(".incbin \\"/dev/zero\\"");', "."),
    ],
    ids=["shadow", "passwd", "nosuch", "file", "itself", "deep", "errors", "huge", "binary", "endless file"],
)
def test_hostile_or_hopeless_source_is_refused_in_bounded_time_and_words(image, source, reason):
    with pytest.raises(CompileError, match=reason) as refused:
        compile_policy(source, image)
    assert len(str(refused.value)) <= 8000
    assert str(image.folder) not in str(refused.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's compiler reads what the user may read")
@pytest.mark.parametrize("how", ["include", "embed", "incbin"])
def test_a_source_can_not_carry_a_file_of_roots_into_the_guest_or_the_log(image, tmp_path, how):
    secret = tmp_path / "secret"
    secret.write_text("hunter2_is_the_password")
    secret.chmod(0o600)
    tmp_path.chmod(0o755)
    source = {
        "include": f'#include "{secret}"\n',
        "embed": f'const char stolen[] SEC(".rodata") = {{\n#embed "{secret}"\n}};\n',
        "incbin": f'asm(".section .rodata\\n.incbin \\"{secret}\\"");\n',
    }[how]
    try:
        given = compile_policy((HEAD if how == "embed" else "") + source, image)
    except CompileError as refused:
        given = str(refused).encode()
    assert b"hunter2" not in given


def test_a_source_that_reads_standard_input_does_not_wait_for_anyone(image):
    code = (
        "from schedcp_gym.lab import Lab\nfrom schedcp_gym.lab.compiler import *\n"
        "from schedcp_gym.lab import catalogue\nfrom schedcp_gym.machine.image.store import load\n"
        f"import pathlib\ncompile_policy('#include \"/dev/stdin\"\\nint x;', load(pathlib.Path({str(image.folder)!r})))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as waits:
        try:
            waits.wait(20)
        finally:
            waits.kill()
