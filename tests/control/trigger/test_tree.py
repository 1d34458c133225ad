"""The tree's follower on the host's cgroups."""

import asyncio
import errno
import time
from pathlib import Path

import pytest

from schedcp_gym.control.trigger.processes import PROCESSES, processes_of
from schedcp_gym.control.trigger.tree import DEPTH, CgroupTree, Change, Kind
from schedcp_gym.control.trigger.watcher import _told, find_root
from schedcp_gym.spec import BadInput

LIMIT_S = 20.0


def everything(cgroup):
    return bool(cgroup)


def follow(tree, act, until):
    """Acts while the tree is followed; gives what it told until that holds."""

    async def main():
        found = []
        changes = tree.changes()
        act()
        async with asyncio.timeout(LIMIT_S):
            while not until(found):
                found.append(await anext(changes))
        return found

    return asyncio.run(main())


def test_thousands_of_cgroups_that_come_and_go_are_followed(cgroups):
    with CgroupTree(cgroups.root, everything) as tree:
        assert tree.scan() == []

        def crowd():
            for number in range(2000):
                cgroups.make(f"docker/{number}")
            cgroups.start("docker/1999")

        told = follow(tree, crowd, lambda found: Change(Kind.POPULATED, "docker/1999") in found)
        assert Change(Kind.POPULATED, "docker") in told
        assert len(tree) == 2002
        assert tree.populated() == ["docker", "docker/1999"]

        def away():
            for process in cgroups._processes:
                cgroups.end(process)
            cgroups.remove("docker")

        follow(tree, away, lambda found: Change(Kind.VANISHED, "docker") in found)
        assert len(tree) == 1
        assert len(tree._cgroups) == 1


def test_a_scan_finds_what_is_there(cgroups):
    cgroups.start("a/b/c")
    cgroups.make("a/d")
    with CgroupTree(cgroups.root, everything) as tree:
        assert {change.cgroup for change in tree.scan()} == {"a", "a/b", "a/b/c"}
        assert tree.scan() == []
        assert tree.is_populated("a/b")
        assert not tree.is_populated("a/d")
        assert not tree.is_populated("e")


def test_a_tree_is_followed_to_a_depth(cgroups):
    deep = [Path(*["d"] * depth) for depth in range(1, 101)]

    def make():
        for path in deep:
            (cgroups.root / path).mkdir()
        cgroups.start("e")

    def remove():
        for path in reversed(deep):
            (cgroups.root / path).rmdir()
        cgroups.clear_processes()

    with CgroupTree(cgroups.root, lambda cgroup: cgroup == "e") as tree:
        tree.scan()
        follow(tree, make, lambda found: Change(Kind.POPULATED, "e") in found)
        assert len(tree) == DEPTH + 2
        assert processes_of(cgroups.root, "d", lambda _: False) == []
        follow(tree, remove, lambda found: Change(Kind.EMPTIED, "e") in found)
        assert len(tree) == 2


def test_a_root_that_goes_away_is_an_error(cgroups):
    cgroups.make("top")
    with CgroupTree(cgroups.root / "top", everything) as tree:
        tree.scan()
        with pytest.raises(FileNotFoundError):
            follow(tree, lambda: cgroups.remove("top"), lambda _: False)


def test_processes_are_those_of_the_cgroup_and_below_but_not_of_a_container_in_it(cgroups):
    one = cgroups.start("pod/app", called="/usr/bin/redis-server")
    cgroups.start("pod/app/docker/inner")
    found = processes_of(cgroups.root, "pod", lambda cgroup: cgroup.endswith("/inner"))
    assert [(each.pid, each.name, each.command) for each in found] == [
        (one.pid, "sleep", ("/usr/bin/redis-server", "1000"))
    ]
    assert found[0].names == ("sleep", "redis-server")
    assert processes_of(cgroups.root, "nosuch", lambda _: False) == []


def test_no_more_processes_are_read_than_are_needed(cgroups):
    began = time.monotonic()
    many = "i=0; while [ $i -lt 300 ]; do sleep 1000 & i=$((i+1)); done; wait"
    shell = cgroups.start("many", ("/bin/sh", "-c", many))
    while len((cgroups.root / "many/cgroup.procs").read_text().split()) < 301:
        assert time.monotonic() < began + LIMIT_S
        time.sleep(0.01)
    assert len(processes_of(cgroups.root, "many", lambda _: False)) == PROCESSES
    (cgroups.root / "many/cgroup.kill").write_text("1")
    shell.wait()


def test_the_root_is_found_where_it_is_mounted(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "24 1 0:22 / /sys rw shared:7 - sysfs sysfs rw\n"
        "30 24 0:26 / /sys/fs/cg\\040roup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
    )
    assert find_root(mounts=mounts) == Path("/sys/fs/cg roup")
    mounts.write_text("")
    with pytest.raises(BadInput, match="--cgroup"):
        find_root(mounts=mounts)
    with pytest.raises(BadInput, match=r"cgroup\.controllers"):
        find_root(tmp_path)


@pytest.mark.parametrize(
    ("number", "path", "says"),
    [
        (errno.ENOSPC, "/proc/self/fd/5", "max_user_watches"),
        (errno.ENOSPC, None, "No space left"),
        (errno.EMFILE, None, "max_user_instances"),
        (errno.ENOENT, "/x", "ended"),
    ],
)
def test_errors_say_what_to_do(number, path, says):
    import os

    assert says in str(_told(OSError(number, os.strerror(number), path), Path("/x")))
