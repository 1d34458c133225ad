"""Runs in the guest, as root of its own cgroup tree: makes cgroups as runtimes do, and writes down what the tree tells.

Its argument is a regular expression for the cgroups that are followed.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
from pathlib import Path

from schedcp_gym.control.trigger.processes import processes_of
from schedcp_gym.control.trigger.tree import CgroupTree

ROOT = Path("/sys/fs/cgroup")
PODMAN = f"machine.slice/libpod-{'a' * 64}.scope"
DOCKER = f"system.slice/docker-{'b' * 64}.scope"
ROOTLESS = f"user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{'c' * 64}.scope"
CROWD = 100
QUEUE = 32  # events the kernel keeps for us: fewer than a crowd makes


def start(cgroup, *command):
    folder = ROOT / cgroup
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(command, preexec_fn=lambda: (folder / "cgroup.procs").write_text("0"))  # noqa: PLW1509


def end(process):
    process.kill()
    process.wait()


def remove(*paths):
    for path in paths:
        for _ in range(100):
            try:
                (ROOT / path).rmdir()
                break
            except OSError:
                time.sleep(0.01)


async def told(tree, seconds=0.1):
    """What the tree tells until it has nothing to tell for some time."""
    changes, found = tree.changes(), []
    task = asyncio.ensure_future(anext(changes))
    while True:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            task.cancel()
            return found
        found.append([task.result().kind, task.result().cgroup])
        task = asyncio.ensure_future(anext(changes))


async def main():
    followed = re.compile(sys.argv[1])
    Path("/proc/sys/fs/inotify/max_queued_events").write_text(str(QUEUE))
    found = {}
    with CgroupTree(ROOT, lambda cgroup: bool(followed.search(cgroup))) as tree:
        tree.scan()
        one = start(f"{PODMAN}/container", "sleep", "100")  # filled before any watch can be set below the root
        two = start(DOCKER, "sleep", "200")
        three = start(ROOTLESS, "sleep", "300")
        four = start("system.slice/cron.service", "sleep", "400")
        found["filled"] = await told(tree)
        found["commands"] = [each.command for each in processes_of(ROOT, PODMAN, lambda _: False)]
        end(one)
        found["emptied"] = await told(tree)
        one = start(f"{PODMAN}/container", "sleep", "100")
        found["again"] = await told(tree)
        end(one)
        remove(f"{PODMAN}/container", PODMAN)
        one = start(PODMAN, "sleep", "500")  # another cgroup of that name
        found["replaced"] = await told(tree)
        end(two)
        remove(DOCKER)
        found["removed"] = await told(tree)
        for number in range(CROWD):
            (ROOT / f"docker/{number:064x}").mkdir(parents=True)
        five = start(f"docker/{CROWD - 1:064x}", "sleep", "600")
        found["crowd"] = await told(tree)
        found["cgroups"] = len(tree)
        found["populated"] = tree.populated()
        for process in (one, three, four, five):
            end(process)
        remove(*(f"docker/{number:064x}" for number in range(CROWD)))
        await told(tree)
        found["at the end"] = [len(tree), len(tree._cgroups), tree.populated()]
    Path("/result/found.json").write_text(json.dumps(found))


asyncio.run(main())
