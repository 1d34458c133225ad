"""``schedcp-gym watch``: which containers it knows, what it starts for them, and how it ends."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from schedcp_gym.control.trigger import watcher as module
from schedcp_gym.control.trigger.containers import container_of, load_rules, workload_of
from schedcp_gym.control.trigger.watcher import Watcher
from schedcp_gym.spec import BadInput

ID, POD = "3f2a" * 16, "0a1b2c3d_4e5f_6071_8293_a4b5c6d7e8f9"
DOCKER = f"/system.slice/docker-{ID}.scope"
BURSTABLE = f"kubepods-burstable-pod{POD}.slice"
NESTED = f"docker/{ID[::-1]}/kubelet.slice/kubelet-kubepods.slice/kubelet-{BURSTABLE}/cri-containerd-{ID}.scope"


@pytest.mark.parametrize(
    ("cgroup", "runtime", "name"),
    [
        (f"system.slice/containerd.service/{BURSTABLE}:cri-containerd:{ID}", "kubernetes", ID),
        (f"kubepods.slice/kubepods-burstable.slice/{BURSTABLE}/cri-containerd-{ID}.scope", "kubernetes", ID),
        (f"kubepods/besteffort/pod{POD.replace('_', '-')}/{ID}", "kubernetes", ID),
        (NESTED, "kubernetes", ID),
        (f"ecs/{ID[:32]}/{ID}", "ecs", ID),
        (f"ecs/web-cluster/{ID[:32]}/{ID[:32]}-1234567890", "ecs", f"{ID[:32]}-1234567890"),
        (DOCKER, "docker", ID),
        (f"docker/{ID}/init", "docker", ID),
        (f"machine.slice/libpod-{ID}.scope/container", "podman", ID),
        (f"system.slice/nerdctl-{ID}.scope", "containerd", ID),
        ("lxc.payload.web-1/system.slice", "lxc", "web-1"),
        ("machine.slice/systemd-nspawn@web.service/payload", "nspawn", "web"),
        ("system.slice/run-u12.service", "systemd-run", "u12"),
    ],
)
def test_a_container_is_known_by_its_cgroup(cgroup, runtime, name):
    found = container_of(f"/{cgroup.lstrip('/')}")
    assert (found.runtime, found.id) == (runtime, name)


def test_what_stands_beside_containers_is_none():
    beside = ("/", "/system.slice/docker.service", f"/machine.slice/libpod-conmon-{ID}.scope", f"/docker/{ID[:-1]}")
    assert [container_of(cgroup) for cgroup in beside] == [None] * 4


def test_programs_are_known_by_name_and_command_and_own_rules_come_first(tmp_path):
    (tmp_path / "mine.yaml").write_text('nginx: [redis-server*]\nredis: ["postgres"]\n')
    ours, mine = load_rules(), load_rules(tmp_path / "mine.yaml")
    assert workload_of(ours, [("sh", "sh", "sh"), ("redis-server", "redis-server", "redis-server *:1")]) == "redis"
    assert workload_of(ours, [("git", "git log"), ("git", "git add --all")]) == "git-add"
    assert workload_of(mine, [("redis-server", "redis-server", "redis-server *:1")]) == "nginx"
    assert (workload_of(mine, [("postgres",)]), workload_of(ours, [("postgres",)])) == ("redis", None)
    for text in ("- a", "nosuch: [a]", "redis: 1", "{", "\x00"):
        (tmp_path / "mine.yaml").write_text(text)
        with pytest.raises(BadInput, match=r"mine\.yaml"):
            load_rules(tmp_path / "mine.yaml")


def process(proc, pid, cgroup, name):
    """What the kernel tells of a process, cgroup version 1 and 2."""
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "cgroup").write_text(f"4:memory:{cgroup}\n0::/\n" if pid % 2 else f"0::{cgroup}\n")
    (proc / str(pid) / "comm").write_text(f"{name}\n")
    (proc / str(pid) / "cmdline").write_text(f"/usr/bin/{name}\0-x\0")


def seen(tmp_path, monkeypatch, *, end=lambda said: False, **plan):
    """What a watcher says until it ends by itself, or somebody ends it."""
    monkeypatch.setattr(module, "LOOK_S", 0.02)
    # nohup and shells ignore the signal in programs that run in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    said = []
    plan = {"agent": "eevdf", "overrides": ("seed=-1",), **plan, "folder": tmp_path / "runs", "proc": tmp_path / "proc"}
    watcher = Watcher(said.append, load_rules(), settle_s=0.1, **plan)

    def ends():
        until = time.monotonic() + 60
        while time.monotonic() < until and not end(said):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    if plan.get("once"):
        watcher.watch()
    else:
        threading.Thread(target=ends).start()
        with pytest.raises(KeyboardInterrupt):
            watcher.watch()
    return said, watcher


def test_once_says_what_it_would_start_and_which_line_an_unknown_program_needs(tmp_path, monkeypatch):
    process(tmp_path / "proc", 7, DOCKER, "redis-server")
    process(tmp_path / "proc", 8, f"/ecs/{'a' * 32}/{'b' * 64}", "tini")
    process(tmp_path / "proc", 10, f"/ecs/{'a' * 32}/{'b' * 64}", "postgres")
    process(tmp_path / "proc", 11, "/system.slice/cron.service", "redis-server")
    said, _ = seen(tmp_path, monkeypatch, once=True, dry=True)
    assert said[0] == "watching; 2 containers are running"
    assert said[1].startswith("docker 3f2a3f2a3f2a: redis: would start python -m schedcp_gym.run +agent=eevdf work")
    assert said[2].startswith('ecs bbbbbbbbbbbb: no rule knows it; add the line `WORKLOAD: ["postgres"]` to a')
    assert len(said) == 3
    assert not (tmp_path / "runs").exists()


def test_a_container_that_appears_is_optimised_once_and_a_failure_is_said(tmp_path, monkeypatch):
    process(tmp_path / "proc", 8, f"/docker/{'c' * 64}", "redis-server")

    def end(said):
        if said and not (tmp_path / "proc/7").exists():
            process(tmp_path / "proc", 7, DOCKER, "redis-server")
        return any("failed" in line for line in said)

    said, watcher = seen(tmp_path, monkeypatch, end=end)
    assert watcher.failed == 1
    assert said[1].startswith("docker 3f2a3f2a3f2a: the run begins in ")
    assert "seed" in said[2]
    (folder,) = (tmp_path / "runs").iterdir()
    (folder / "summary.json").write_text("{}")
    said, _ = seen(tmp_path, monkeypatch, once=True)
    assert any(f"there is a run for it: {folder}" in line for line in said)


@pytest.mark.guest
def test_ctrl_c_lets_the_run_save_and_the_same_command_ends_it(tmp_path, monkeypatch, image):
    process(tmp_path / "proc", 7, "/", "init")

    def end(said):
        if said and not (tmp_path / "proc/8").exists():
            process(tmp_path / "proc", 8, DOCKER, "schbench")
        return any(tmp_path.glob("runs/*/record.jsonl"))

    plan = {"agent": "random_search", "overrides": ("budget.evaluations=1", "heldout.seeds=3", "cache=false")}
    said, _ = seen(tmp_path, monkeypatch, end=end, **plan)
    assert "this goes on with it: python -m schedcp_gym.run +agent=random_search" in said[-1]
    (record,) = tmp_path.glob("runs/*/record.jsonl")
    before = record.read_text()
    said, watcher = seen(tmp_path, monkeypatch, once=True, **plan)
    assert watcher.failed == 0
    assert "x EEVDF" in said[-1]
    assert record.read_text().startswith(before)


@pytest.mark.parametrize(
    ("words", "says"),
    [(["--agent", "sched_agnt"], "unknown agent 'sched_agnt'"), (["--set", "seed"], "NAME=VALUE"),
     (["--rules", "/nosuch.yaml"], "/nosuch.yaml can't be read"), (["--folder", "a b"], "--folder")],
)  # fmt: skip
def test_bad_input_is_told_and_a_signal_ends_it(words, says):
    command = [sys.executable, "-m", "schedcp_gym.cli", "watch"]
    bad = subprocess.run([*command, *words], capture_output=True, text=True)
    assert bad.returncode == 2
    assert says in bad.stderr
    with subprocess.Popen([*command, "--agent", "eevdf"], stdout=subprocess.PIPE, text=True) as good:
        assert "watching" in good.stdout.readline()
        good.terminate()
        assert good.wait(30) == 130
