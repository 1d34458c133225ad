"""The kernel build: its call of make, its check of what was built, and one build in the guest."""

import argparse
import importlib.util
import subprocess

import pytest
from conftest import make_trial

from schedcp_gym.paths import WORKLOADS
from schedcp_gym.spec import Outcome

FOLDER = WORKLOADS / "kernel-build"


@pytest.fixture
def program(tmp_path, monkeypatch):
    """The workload's run.py, with a build folder of its own."""
    spec = importlib.util.spec_from_file_location("kernel_build_run", FOLDER / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "BUILD", tmp_path)
    monkeypatch.setattr(module, "KBUILD_ENV", tmp_path / "kbuild.env")
    (tmp_path / "kbuild.env").write_bytes(b"CC=gcc\0KBUILD_BUILD_USER=gym\0KBUILD_CFLAGS=-DA=1 -O2\0")
    return module


def archive(folder, *names, suffix=""):
    """An archive of objects as kbuild makes it: only their paths are in it."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.o").write_text(name + suffix)
    paths = [f"{folder.name}/{name}.o" for name in names]
    subprocess.run(["ar", "cDPrST", f"{folder.name}/built-in.a", *paths], cwd=folder.parent, check=True)


def test_make_gets_jobs_for_all_cpus_and_the_seed(program):
    options = argparse.Namespace(targets=["lib/math", "mm"], jobs=2, cpus=4, seed=2**32 + 7)
    command = program.command(options)
    assert command[:3] == ["make", "-j8", "--shuffle=7"]
    assert command[-3:] == ["FOLDERS=lib/math mm", "lib/math", "mm"]
    options.targets = ["vmlinux"]
    assert program.command(options) == ["make", "-j8", "--shuffle=7", "vmlinux"]


def test_folders_get_what_the_top_makefile_hands_down_and_the_whole_kernel_only_its_names(program):
    assert program.environment(["mm"])["KBUILD_CFLAGS"] == "-DA=1 -O2"
    whole = program.environment(["vmlinux"])
    assert whole["KBUILD_BUILD_USER"] == "gym"
    assert "CC" not in whole
    assert "KBUILD_CFLAGS" not in whole


def test_an_object_that_was_there_before_does_not_count_as_built(program, tmp_path):
    archive(tmp_path / "mm", "slub", "swap")
    both = program.objects()
    assert len(both) == 2
    program.check(["mm"], both)
    with pytest.raises(SystemExit, match=r"mm/built-in.a: 1 of its 2 objects were not built"):
        program.check(["mm"], {tmp_path / "mm" / "slub.o"})


def test_a_folder_of_which_nothing_was_built_is_an_error(program, tmp_path):
    archive(tmp_path / "mm")
    with pytest.raises(SystemExit, match="0 of its 0"):
        program.check(["mm"], set())


def test_folders_share_one_pool_of_jobs(program, tmp_path):
    """folders.mk, with a stand-in for kbuild that says what it was called with."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/Makefile.build").write_text('all: ; @echo "$(obj) $(need-builtin) $(MAKEFLAGS)"\n')
    command = ["make", "-s", "-j3", "-f", FOLDER / "folders.mk", "FOLDERS=a b", "a", "b"]
    environment = {"PATH": "/usr/bin:/bin", "srctree": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert sorted(line.split()[0] for line in done.stdout.splitlines()) == ["a", "b"]
    assert done.stdout.count("--jobserver") == 2
    assert not done.stderr


@pytest.mark.guest
def test_the_seed_changes_the_order_and_not_what_is_built(lab):
    one, other = lab.measure([make_trial("eevdf", "kernel-build", seed=seed) for seed in (1, 2)])
    built = []
    for measurement in (one, other):
        assert measurement.outcome is Outcome.OK, measurement.message + measurement.log
        assert measurement.pages_scanned == 0
        metrics = measurement.metrics
        built.append(metrics["objects_per_s"] * metrics["makespan_s"])
        assert metrics["bound_s"] <= metrics["makespan_s"] <= 1.3 * metrics["bound_s"]
        assert measurement.cpu_s_by_name["cc1"] >= 1.5 * metrics["makespan_s"]
    assert round(built[0]) == round(built[1]) >= 10
    assert built[0] == pytest.approx(round(built[0]), abs=1e-6)
    assert one.metrics["makespan_s"] != other.metrics["makespan_s"]
