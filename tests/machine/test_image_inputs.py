"""What an image is made from: the kernel setting, and the key under which it is cached."""

import dataclasses
import os
import shutil

import pytest

from schedcp_gym.lab import catalogue
from schedcp_gym.machine.image import builder
from schedcp_gym.machine.image import inputs as inputs_module
from schedcp_gym.machine.image.inputs import ImageInputs, KernelSource, build_digest
from schedcp_gym.spec import BadInput


def test_debian_is_the_newest_cloud_kernel_of_backports_with_its_headers():
    source = KernelSource.parse("debian")
    assert source.packages == (
        "linux-image-cloud-amd64/trixie-backports",
        "linux-headers-cloud-amd64/trixie-backports",
    )
    assert source.files == ()


def test_debian_and_a_release_are_that_releases_packages():
    source = KernelSource.parse("debian:7.3.4+deb13-cloud-amd64")
    assert source.packages == ("linux-image-7.3.4+deb13-cloud-amd64", "linux-headers-7.3.4+deb13-cloud-amd64")


@pytest.mark.parametrize(
    "setting", ["nosuch", "debian:", "debian:../x", "debian: 7", "debian:a b", "ubuntu", "debian;"]
)
def test_an_unknown_kernel_is_refused_with_what_may_be_given(setting):
    with pytest.raises(BadInput, match=r"unknown kernel.*debian:RELEASE.*linux-image-\*\.deb") as refused:
        KernelSource.parse(setting)
    assert repr(setting) in str(refused.value)


def test_a_folder_with_ones_own_kernel_is_taken_without_its_debug_package(tmp_path):
    for name in ("linux-image-7.9_amd64.deb", "linux-image-7.9-dbg_amd64.deb", "linux-headers-7.9_amd64.deb", "x.deb"):
        (tmp_path / name).write_bytes(b"")
    source = KernelSource.parse(str(tmp_path))
    assert [path.name for path in source.files] == ["linux-image-7.9_amd64.deb", "linux-headers-7.9_amd64.deb"]
    assert source.packages == ()


@pytest.mark.parametrize(
    ("names", "counts"),
    [
        ((), "it holds 0 and 0"),
        (("linux-image-7.9.deb",), "it holds 1 and 0"),
        (("linux-headers-7.9.deb",), "it holds 0 and 1"),
        (("linux-image-7.9.deb", "linux-image-7.8.deb", "linux-headers-7.9.deb"), "it holds 2 and 1"),
    ],
)
def test_a_folder_without_a_kernels_two_packages_is_refused_with_what_it_holds(tmp_path, names, counts):
    for name in names:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(BadInput, match=f"{counts}.*make bindeb-pkg"):
        KernelSource.parse(str(tmp_path))


def test_the_key_follows_content_and_not_places_or_times(tmp_path):
    folder = tmp_path / "schbench"
    folder.mkdir()
    (folder / "a.c").write_text("int x;")
    before = build_digest(folder)
    os.utime(folder / "a.c", (0, 0))
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_bytes(b"")
    (folder / "workload.yaml").write_text("name: other words")
    assert build_digest(folder) == before
    (folder / "a.c").write_text("int y;")
    assert build_digest(folder) != before


def test_the_image_has_a_key_that_the_order_of_workloads_does_not_change():
    inputs = catalogue.image_inputs("debian")
    assert inputs.key == catalogue.image_inputs("debian").key
    workloads = [catalogue.load_workload(name) for name in catalogue.workload_names()]
    listed = [(workload, catalogue.WORKLOADS / workload.folder) for workload in workloads]
    assert ImageInputs.collect("debian", reversed(listed)).key == inputs.key
    assert ImageInputs.collect("debian", listed[:1]).key != inputs.key
    assert catalogue.image_inputs("debian:7.2").key != inputs.key
    assert dataclasses.replace(inputs, packages=(*inputs.packages, "vim")).key != inputs.key


def test_ones_own_kernel_is_known_by_content(tmp_path):
    for name in ("linux-image-7.9.deb", "linux-headers-7.9.deb"):
        (tmp_path / name).write_bytes(b"1")
    before = catalogue.image_inputs(str(tmp_path)).key
    os.utime(tmp_path / "linux-image-7.9.deb", (0, 0))
    assert catalogue.image_inputs(str(tmp_path)).key == before
    (tmp_path / "linux-image-7.9.deb").write_bytes(b"2")
    assert catalogue.image_inputs(str(tmp_path)).key != before


def test_what_the_build_needs_is_staged_and_declarations_are_not(tmp_path):
    inputs = catalogue.image_inputs("debian")
    inputs.stage(tmp_path)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"guest/build.py", "guest/init.c", "loader/scx_run.c", "workloads/schbench/schbench.c"} <= found
    assert {"battery/Makefile", "battery/battery.c", "battery/cases/fairness.c"} <= found
    # The loader's types by name are the tracer's too; its programs travel with each job, as policies do.
    assert {"loader/btf_index.c", "tracer/scx_trace.c", "tracer/trace.h"} <= found
    assert not any(name.endswith((".yaml", ".bpf.c")) for name in found)


def test_the_key_follows_the_tracers_structures_and_not_its_programs(tmp_path, monkeypatch):
    shutil.copytree(inputs_module.POLICIES / "loader", tmp_path / "loader")
    shutil.copytree(inputs_module.POLICIES / "tracer", tmp_path / "tracer")
    monkeypatch.setattr(inputs_module, "POLICIES", tmp_path)
    inputs = catalogue.image_inputs("debian")
    before = inputs.key
    (tmp_path / "tracer" / "trace.bpf.c").write_text("/* otherwise */\n")
    assert inputs.key == before
    (tmp_path / "tracer" / "trace.h").write_text("/* otherwise */\n")
    assert inputs.key != before


def test_the_key_follows_the_batterys_programs_and_not_its_limits(tmp_path, monkeypatch):
    battery = tmp_path / "battery"
    (battery / "cases").mkdir(parents=True)
    monkeypatch.setattr("schedcp_gym.machine.image.inputs.BATTERY", battery)
    inputs = catalogue.image_inputs("debian")
    before = inputs.key
    (battery / "cases" / "a.yaml").write_text("about: limits\n")
    assert inputs.key == before
    (battery / "cases" / "a.c").write_text("int main(void) { return 0; }\n")
    assert inputs.key != before


def test_the_build_takes_packages_from_the_two_suites_only(tmp_path):
    words = builder.command_line(catalogue.image_inputs("debian"), tmp_path, tmp_path, "http://mirror/debian")
    assert words[0] == "mmdebstrap"
    assert words[-2:] == ["deb http://mirror/debian trixie main", "deb http://mirror/debian trixie-backports main"]
    (include,) = (word for word in words if word.startswith("--include="))
    assert {"rt-tests", "stress-ng", "python3", "gcc", "make", "python3-bpfcc"} <= set(include[10:].split(","))
    assert ("--mode=root" in words) == (os.geteuid() == 0)


def test_a_kernel_that_was_built_for_another_suite_comes_from_sid_and_nothing_else_does(tmp_path):
    inputs = catalogue.image_inputs("debian:7.2.13+deb14-cloud-amd64")
    assert {name for name in inputs.packages if name.endswith("/sid")} == {
        "linux-image-7.2.13+deb14-cloud-amd64/sid",
        "linux-headers-7.2.13+deb14-cloud-amd64/sid",
    }
    words = builder.command_line(inputs, tmp_path, tmp_path, "http://mirror/debian")
    assert words[-1] == "deb [check-valid-until=no] http://mirror/debian sid main"
    assert any(word.startswith("--setup-hook=") and "preferences.d" in word for word in words)
    assert "Package: *\nPin: release n=sid\nPin-Priority: 50\n" in builder.PREFERENCES.read_text()
