"""The kernels that the image's build refuses, and why; on made-up descriptions of a kernel's types."""

import gzip
import importlib.util
import subprocess

import pytest

from schedcp_gym.machine.image.inputs import GUEST

KFUNCS = ("scx_bpf_create_dsq", "scx_bpf_dsq_insert", "scx_bpf_dsq_move_to_local", "scx_bpf_kick_cpu")


@pytest.fixture
def build(tmp_path, monkeypatch):
    """The build program, with its output in a folder of ours."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1735689600")
    spec = importlib.util.spec_from_file_location("guest_build", GUEST / "build.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    spec.loader.exec_module(module)
    module.OUT = tmp_path
    return module


def types_of(*names, tag="bpf_kfunc", hidden=None):
    """Type descriptions as bpftool prints them: functions with a tag each, one perhaps with an argument more."""
    types = {
        1: {"id": 1, "kind": "STRUCT", "name": "bpf_prog_aux"},
        2: {"id": 2, "kind": "CONST", "type_id": 1},
        3: {"id": 3, "kind": "PTR", "type_id": 2},
        4: {"id": 4, "kind": "INT", "name": "unsigned int"},
    }
    for name in names:
        at = len(types) + 1
        params = [{"name": "first", "type_id": 4}]
        if hidden and name == hidden[0]:
            params.append({"name": hidden[1], "type_id": 3})
        types[at] = {"id": at, "kind": "FUNC_PROTO", "params": params}
        types[at + 1] = {"id": at + 1, "kind": "FUNC", "name": name, "type_id": at}
        types[at + 2] = {"id": at + 2, "kind": "DECL_TAG", "name": tag, "type_id": at + 1}
    return types


def refusal(build, types):
    """Why the kernel is refused; empty when it is taken."""
    try:
        build.check_kfuncs(types, "9.9.9")
    except SystemExit as end:
        return f"{end.code}: {(build.OUT / 'refused').read_text()}"
    assert not (build.OUT / "refused").exists()
    return ""


def test_a_kernel_with_all_it_takes_is_taken(build):
    assert refusal(build, types_of(*KFUNCS)) == ""


def test_the_names_of_6_12_do_as_well(build):
    names = ("scx_bpf_create_dsq", "scx_bpf_dispatch", "scx_bpf_consume", "scx_bpf_kick_cpu")
    assert refusal(build, types_of(*names)) == ""


@pytest.mark.parametrize("missing", KFUNCS)
def test_a_kernel_function_that_is_not_marked_as_callable_is_named(build, missing):
    reason = refusal(build, types_of(*(name for name in KFUNCS if name != missing)))
    assert missing in reason
    assert reason.startswith("9: kernel 9.9.9 has broken BTF")


def test_a_mark_of_another_kind_is_none(build):
    assert "scx_bpf_create_dsq is not marked as callable" in refusal(build, types_of(*KFUNCS, tag="bpf_fastcall"))


@pytest.mark.parametrize("argument", ["aux", "prog", "aux__unused"])
def test_a_kernel_function_that_shows_its_hidden_argument_is_named(build, argument):
    reason = refusal(build, types_of(*KFUNCS, hidden=("scx_bpf_kick_cpu", argument)))
    assert "scx_bpf_kick_cpu shows its hidden argument" in reason


@pytest.mark.parametrize("argument", ["aux__prog", "aux__ign"])
def test_an_argument_that_is_marked_as_hidden_is_fine(build, argument):
    assert refusal(build, types_of(*KFUNCS, hidden=("scx_bpf_kick_cpu", argument))) == ""


def test_the_twin_that_keeps_the_argument_is_fine(build):
    names = (*KFUNCS, "scx_bpf_kick_cpu_impl")
    assert refusal(build, types_of(*names, hidden=("scx_bpf_kick_cpu_impl", "aux"))) == ""


def test_no_kernel_and_two_kernels_are_refused(build, monkeypatch, tmp_path):
    boot = tmp_path / "boot"
    boot.mkdir()
    monkeypatch.setattr(build, "Path", lambda path: boot if path == "/boot" else tmp_path / path)
    with pytest.raises(SystemExit):
        build.find_release()
    assert "found: none" in (tmp_path / "refused").read_text()
    for release in ("7.2", "7.3"):
        (boot / f"vmlinuz-{release}").write_bytes(b"")
    with pytest.raises(SystemExit):
        build.find_release()
    assert "found: 7.2, 7.3" in (tmp_path / "refused").read_text()
    (boot / "vmlinuz-7.2").unlink()
    assert build.find_release() == "7.3"


def test_a_kernel_image_with_no_kernel_in_it_is_refused(build, tmp_path):
    (tmp_path / "vmlinuz-7.3").write_bytes(b"\x1f\x8b\x08" + b"junk" * 1000)
    with pytest.raises(SystemExit):
        build.extract_vmlinux(tmp_path / "vmlinuz-7.3")
    assert "vmlinuz-7.3: no compressed ELF kernel found" in (tmp_path / "refused").read_text()


def test_a_gzipped_kernel_is_found_behind_its_loader(build, tmp_path):
    kernel = b"\x7fELF" + bytes(5000)
    (tmp_path / "vmlinuz-7.3").write_bytes(b"loader\x1f\x8b\x08no" + gzip.compress(kernel))
    assert build.extract_vmlinux(tmp_path / "vmlinuz-7.3").read_bytes() == kernel


def test_an_archive_entry_is_what_the_kernel_unpacks(build, tmp_path):
    packed = build.cpio_entry("hello", 0o100644, b"words\n", 1) + build.cpio_entry("TRAILER!!!", 0, b"", 0)
    listed = subprocess.run(["python3", "-c", CPIO_READER], input=packed, capture_output=True, check=True).stdout
    assert listed == b"hello 6 1735689600\nTRAILER!!! 0 1735689600\n"


CPIO_READER = """
import sys
data = sys.stdin.buffer.read()
while data:
    assert data[:6] == b"070701"
    field = [int(data[6 + 8 * i : 14 + 8 * i], 16) for i in range(13)]
    size, time, name = field[6], field[5], data[110 : 110 + field[11] - 1].decode()
    print(name, size, time)
    start = -(-(110 + field[11]) // 4) * 4
    data = data[start + -(-size // 4) * 4 :]
"""
