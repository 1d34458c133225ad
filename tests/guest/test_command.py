"""The command ``schedcp-gym`` from end to end."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import descendants, qemus, wait_until

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("spotless")]

COMMAND = [sys.executable, "-m", "schedcp_gym.cli"]
FIFO = ["evaluate", "fifo", "longtail", "--seed", "3", "--set", "slice_us=4000"]


@pytest.fixture
def own_cache(image, tmp_path, monkeypatch):
    """A cache of our own, with the image in it: links, and copies of what is written."""
    folder = tmp_path / "cache" / "images" / image.folder.name
    shutil.copytree(image.folder, folder, copy_function=_linked)
    monkeypatch.setenv("SCHEDCP_CACHE", str(tmp_path / "cache"))
    return folder


def _linked(source, target):
    if source.endswith(".json"):
        return shutil.copy2(source, target)
    try:
        return os.link(source, target)
    except OSError:
        return shutil.copy2(source, target)


def run(*words, status=0):
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=200)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_a_trial_is_measured_once_and_the_same_from_the_cache_and_from_a_cold_boot(tmp_path):
    first = json.loads(run(*FIFO, "--json", "--no-cache").stdout)
    assert first["outcome"] == "ok"
    assert first["cached"] is False
    assert {"makespan_s", "bound_s", "mean_completion_s", "jobs_per_s"} == set(first["metrics"])
    assert all(type(value) is float for value in first["metrics"].values())
    assert all(type(value) is int for value in first["events"].values())
    assert {"restore", "job", "total"} == set(first["timings_s"])
    assert {"trial", "image", "kernel", "qemu", "workload", "runner", "policy", "clang", "object"} <= set(
        first["digests"]
    )
    again = json.loads(run(*FIFO, "--json").stdout)
    assert again == first | {"cached": True}
    cold = json.loads(run(*FIFO, "--json", "--cold", "--no-cache").stdout)
    for key in ("metrics", "events", "utilisation", "cpu_s_by_name", "job_s", "digests"):
        assert cold[key] == first[key], key
    table = run(*FIFO).stdout
    assert "from the cache" in table
    assert f"{first['metrics']['makespan_s']:,.3f}" in table
    assert "\x1b" not in table


def test_a_policy_that_does_not_compile_shows_the_compilers_line_and_status_1(tmp_path):
    own = tmp_path / "mine.bpf.c"
    own.write_text("#include <scx/common.bpf.h>\nint x = ;\n")
    done = run("evaluate", str(own), "schbench", status=1)
    assert "mine" not in done.stdout
    assert "policy.bpf.c:2:9: error:" in done.stderr
    assert "rejected: compile:" in done.stderr
    measured = json.loads(run("evaluate", str(own), "schbench", "--json", status=1).stdout)
    assert measured["outcome"] == "rejected"
    assert measured["metrics"] == {}


def test_ctrl_c_ends_a_trial_with_status_130_and_leaves_nothing_running():
    with subprocess.Popen(
        [*COMMAND, "evaluate", "fifo", "longtail", "--scale", "full", "--no-cache"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as command:
        try:
            wait_until(lambda: len(qemus(command.pid)) == 1 and not _says_version(qemus(command.pid)))
            below = descendants(command.pid)
            os.killpg(command.pid, signal.SIGINT)
            out, err = command.communicate(timeout=30)
        finally:
            command.kill()
    assert command.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert not any(Path(f"/proc/{pid}").exists() for pid in below)


def _says_version(pids):
    try:
        return "--version" in Path(f"/proc/{pids[0]}/cmdline").read_text()
    except (OSError, IndexError):
        return True


def test_the_image_is_described(image):
    info = json.loads(run("image", "info", "--json").stdout)
    assert info["digest"] == image.digest
    assert info["kernel"] == image.kernel
    assert info["bytes"] <= 2.5 * 2**30
    assert info["packages"]["bpftool"]
    text = run("image", "info").stdout
    assert image.digest in text
    assert "package linux-perf" in text


@pytest.mark.parametrize("name", ["initrd.cpio", "include/vmlinux.h"])
def test_a_damaged_image_is_said_by_image_info(own_cache, name):
    assert run("image", "info").returncode == 0
    content = bytearray((own_cache / name).read_bytes())
    content[len(content) // 2] ^= 1
    (own_cache / name).unlink()  # not the file it is a link to
    (own_cache / name).write_bytes(content)
    done = run("image", "info", status=1)
    assert done.stderr.startswith(f"error: the image is damaged ({name} differs from what was built)")
    assert "image build" in done.stderr


def test_the_images_own_kernel_passes_the_builds_checks(run_job, image):
    """The checks of guest/build.py, on the kernel of the image, with the guest's own tools."""
    from schedcp_gym.machine.image.inputs import GUEST

    script = """cd /tmp; cp /job/build.py .; export SOURCE_DATE_EPOCH=1
bpftool -j btf dump file /sys/kernel/btf/vmlinux > types.json
python3 -B -c '
import json, build, pathlib
build.OUT = pathlib.Path("/tmp")
types = {entry["id"]: entry for entry in json.load(open("types.json"))["types"]}
assert any(t["kind"] == "STRUCT" and t.get("name") == "sched_ext_ops" for t in types.values())
build.check_kfuncs(types, "this")
print("taken")
'"""
    result = run_job(script, {"build.py": (GUEST / "build.py").read_bytes()}, max_job_s=60)
    assert result.text("stdout") == "taken\n", result.text("stderr")
