"""Programs that are missing or too old: said in a line that names the package."""

import os

import pytest

from schedcp_gym.lab import jail
from schedcp_gym.lab.compiler import compile_policy, find_clang
from schedcp_gym.lab.lab import Lab
from schedcp_gym.machine.image import Image, builder
from schedcp_gym.machine.image.inputs import ImageInputs, KernelSource
from schedcp_gym.machine.process import wrapper
from schedcp_gym.machine.qemu import find_qemu
from schedcp_gym.spec import MissingTool

INPUTS = ImageInputs(KernelSource(packages=("linux-image-amd64",)), ("make",), ())


@pytest.fixture(autouse=True)
def _nothing_remembered():
    yield
    find_qemu.cache_clear()
    find_clang.cache_clear()


@pytest.fixture
def path(tmp_path, monkeypatch):
    """An empty PATH, and a way to put programs there that print something."""
    monkeypatch.setenv("PATH", str(tmp_path))
    find_qemu.cache_clear()
    find_clang.cache_clear()
    jail._helpers.cache_clear()

    def put(name, prints="", status=0):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\nprintf '%s\\n' '{prints}'\nexit {status}\n")
        program.chmod(0o755)
        return str(program)

    return put


def test_without_qemu_the_package_is_named(path):
    with pytest.raises(MissingTool, match=r"qemu-system-x86_64 is not installed.*qemu-system-x86`.*bookworm-backports"):
        find_qemu()


@pytest.mark.parametrize("version", ["7.2.22 (Debian 1:7.2+dfsg-7)", "8.0.5", "2.11.0", "8.0.94 (v8.1.0-rc4)"])
def test_a_qemu_that_is_too_old_is_named_with_where_a_newer_one_is(path, version):
    path("qemu-system-x86_64", f"QEMU emulator version {version}\nCopyright")
    with pytest.raises(MissingTool) as refused:
        find_qemu()
    assert version in str(refused.value)
    assert "8.1 or newer" in str(refused.value)
    assert "bookworm-backports" in str(refused.value)
    assert len(str(refused.value).splitlines()) <= 2


def test_a_qemu_that_says_nothing_is_refused(path):
    path("qemu-system-x86_64", "", status=1)
    with pytest.raises(MissingTool, match="no version"):
        find_qemu()


@pytest.mark.parametrize("version", ["8.1.0", "8.2.2 (Debian 1:8.2.2)", "10.0.2 (Debian 1:10.0.2+ds-2)", "11.0.0"])
def test_a_qemu_that_is_new_enough_is_taken_with_its_full_version(path, version):
    program = path("qemu-system-x86_64", f"QEMU emulator version {version}\nCopyright")
    found = find_qemu()
    assert (found.path, found.text) == (program, version)


def test_without_clang_the_package_is_named(path):
    with pytest.raises(MissingTool, match=r"clang 16 or newer is not installed.*apt-get install clang-19"):
        find_clang()


def test_a_clang_that_is_too_old_is_named(path):
    path("clang", "Debian clang version 14.0.6\nTarget: x86_64")
    with pytest.raises(MissingTool, match=r"too old: clang: Debian clang version 14\.0\.6"):
        find_clang()


def test_clang_19_comes_first_so_that_hosts_agree(path):
    path("clang", "Ubuntu clang version 20.1.2 (0ubuntu1)")
    path("clang-18", "Ubuntu clang version 18.1.3 (1ubuntu1)")
    assert find_clang().version == "20.1.2"
    find_clang.cache_clear()
    program = path("clang-19", "Debian clang version 19.1.7 (3+b1)")
    assert (find_clang().path, find_clang().version) == (program, "19.1.7")


def test_without_mmdebstrap_the_packages_are_named(path, tmp_path):
    with pytest.raises(MissingTool, match=r"mmdebstrap is not installed.*mmdebstrap debian-archive-keyring"):
        builder.build(INPUTS, tmp_path, print)


def test_without_util_linux_the_package_is_named(path):
    with pytest.raises(MissingTool, match=r"prlimit is not installed.*util-linux"):
        wrapper(1 << 30, None)


def test_without_prlimit_a_policy_is_not_blamed(path, monkeypatch, tmp_path):
    path("clang-19", "Debian clang version 19.1.7 (3+b1)")
    path("bwrap")
    monkeypatch.setenv("SCHEDCP_CACHE", str(tmp_path / "cache"))
    image = Image(tmp_path, "d" * 64, "7.3", {"files": {"include/vmlinux.h": {"sha256": "0" * 64}}})
    with pytest.raises(MissingTool, match="util-linux"):
        compile_policy("int x;", image)


def test_missing_tools_exit_status_is_its_own():
    assert MissingTool.exit_status == 3


@pytest.fixture
def mounted(tmp_path):
    """A small file system, if this user may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=16m none {folder} 2>/dev/null") != 0:
        pytest.skip("only root can mount a small file system")
    yield folder
    os.system(f"umount {folder}")


def test_no_space_for_temporary_files_is_said_before_anything_is_downloaded(mounted, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(mounted))
    with pytest.raises(MissingTool, match=rf"no space for the image: 0\.0 GiB free on {mounted}, 5 GiB needed.*TMPDIR"):
        builder.build(INPUTS, tmp_path, print)
    assert list(mounted.iterdir()) == []


def test_no_space_in_the_cache_is_said_and_nothing_is_left_there(mounted, monkeypatch):
    monkeypatch.setenv("SCHEDCP_CACHE", str(mounted))
    with pytest.raises(MissingTool, match=r"no space for the image.*SCHEDCP_CACHE"):
        Lab().image("debian")
    assert [path for path in (mounted / "images").iterdir() if path.suffix != ".lock"] == []


def test_a_folder_for_temporary_files_that_is_not_there_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nosuch"))
    with pytest.raises(MissingTool, match="TMPDIR"):
        builder.build(INPUTS, tmp_path, print)
