"""The watcher: on the host's cgroups; runs that are started end at once, as a setting of theirs is wrong."""

import asyncio
import contextlib

import pytest

from schedcp_gym.control.trigger.journal import Journal
from schedcp_gym.control.trigger.match import OncePer, Rule
from schedcp_gym.control.trigger.runs import Slots
from schedcp_gym.control.trigger.runtimes import Runtimes
from schedcp_gym.control.trigger.watcher import Plan, Watcher

ONE = f"machine.slice/libpod-{'1' * 64}.scope"
TWO = f"system.slice/docker-{'2' * 64}.scope"
THREE = f"docker/{'3' * 64}"
RULES = [Rule("redis", process="redis-server"), Rule("nginx", process="nginx*", once_per=OncePer.WORKLOAD)]
LIMIT_S = 30.0
#: A setting that ends a run at once.
WRONG = ("seed=-1",)


class Told(list):
    """What a watcher tells; can be waited for."""

    def __call__(self, entry):
        self.append(entry)

    def kinds(self, cgroup=None):
        return [entry["kind"] for entry in self if cgroup in (None, entry.get("cgroup"))]

    async def until(self, kind, cgroup=None, count=1):
        async with asyncio.timeout(LIMIT_S):
            while self.kinds(cgroup).count(kind) < count:
                await asyncio.sleep(0.005)


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def watching(cgroups, told, tmp_path):
    """A watcher of the test's cgroups, at work within ``async with``."""

    @contextlib.asynccontextmanager
    async def begin(*, rules=RULES, parallel=1, **plan):
        plan = {"settle_s": 0.0, "dry": True, "agent": "random_search", **plan}
        journal = Journal(tmp_path / "watch", told, kept=not plan["dry"])
        watcher = Watcher(cgroups.root, Runtimes(), Plan(rules, **plan), Slots(parallel, 10.0), journal)
        task = asyncio.ensure_future(watcher.watch())
        watcher.task = task
        await told.until("watching")
        yield watcher
        watcher.stop()
        await task

    return begin


def test_a_new_workload_is_known_in_whatever_runtime_s_cgroup(cgroups, told, watching):
    async def main():
        async with watching():
            cgroups.start(f"{ONE}/container", called="redis-server")
            cgroups.start(THREE, called="nginx: master")
            cgroups.start("system.slice/cron.service", called="redis-server")
            await told.until("queued", ONE)
            await told.until("queued", THREE)

    asyncio.run(main())
    assert told.kinds(ONE) == ["appeared", "queued"]
    assert told.kinds("system.slice/cron.service") == []
    queued = {entry["cgroup"]: entry for entry in told if entry["kind"] == "queued"}
    assert (queued[ONE]["workload"], queued[ONE]["process"]) == ("redis", "redis-server")
    assert queued[THREE]["workload"] == "nginx"
    line = queued[ONE]["command"]
    assert line.startswith("python -m schedcp_gym.run +agent=random_search workload=redis run.dir=")
    assert "/watch/redis_111111111111_" in line


def test_what_does_not_last_is_dropped_and_what_comes_again_settles_anew(cgroups, told, watching, tmp_path):
    async def main():
        async with watching(settle_s=0.4):
            first = cgroups.start(ONE, called="redis-server")
            await told.until("appeared", ONE)
            cgroups.end(first)
            await told.until("dropped", ONE)
            second = cgroups.start(TWO, called="redis-server")
            await told.until("appeared", TWO)
            cgroups.end(second)
            cgroups.remove(TWO)
            await told.until("dropped", TWO)
            await asyncio.sleep(0.5)
            assert "queued" not in told.kinds()
            cgroups.start(ONE, called="redis-server")
            await told.until("queued", ONE)

    asyncio.run(main())
    assert told.kinds(ONE) == ["appeared", "dropped", "appeared", "queued"]
    assert told.kinds(TWO) == ["appeared", "dropped"]
    assert not (tmp_path / "watch").exists()  # a dry run leaves nothing


def test_what_runs_already_is_not_new_unless_asked_for(cgroups, told, watching):
    cgroups.start(ONE, called="redis-server")

    async def main(**plan):
        async with watching(**plan):
            cgroups.start(TWO, called="redis-server")
            await told.until("queued", TWO)

    asyncio.run(main())
    assert told.kinds(ONE) == []
    assert told[0]["containers"] == 1
    told.clear()
    asyncio.run(main(existing=True))
    assert told.kinds(ONE) == ["appeared", "queued"]


def test_once_ends_by_itself(cgroups, told, watching):
    cgroups.start(ONE, called="redis-server")
    cgroups.start(TWO, called="unheard-of")

    async def main():
        async with watching(once=True) as watcher, asyncio.timeout(LIMIT_S):
            await asyncio.shield(watcher.task)

    asyncio.run(main())
    assert told.kinds(ONE) == ["appeared", "queued"]
    assert told.kinds(TWO) == ["appeared", "unmatched"]


def test_a_container_no_rule_fits_is_told_once_and_looked_at_again(cgroups, told, watching):
    async def main():
        async with watching():
            cgroups.start(ONE, ("/bin/sh", "-c", "sleep 0.3; exec -a redis-server sleep 1000"), called="sh")
            cgroups.start(TWO, ("/bin/bash", "-c", "sleep 0.3; exec -a redis-server sleep 1000"), called="bash")
            await told.until("queued", TWO)

    asyncio.run(main())
    assert told.kinds(TWO) == ["appeared", "unmatched", "queued"]
    unmatched = next(entry for entry in told if entry["kind"] == "unmatched" and entry["cgroup"] == TWO)
    assert "bash" in unmatched["processes"]


def test_runs_wait_their_turn_and_a_failed_one_is_told_once(cgroups, told, watching, tmp_path):
    async def main():
        async with watching(dry=False, overrides=WRONG) as watcher:
            cgroups.start(ONE, called="redis-server")
            await told.until("started", ONE)
            second, _ = cgroups.start(TWO, called="redis-server"), cgroups.start(THREE, called="redis-server")
            await told.until("queued", TWO)
            await told.until("queued", THREE)
            assert told.kinds().count("started") == 1
            cgroups.end(second)
            cgroups.remove(TWO)
            await told.until("failed", ONE)
            await told.until("failed", THREE)
            assert watcher.failed == 2

    asyncio.run(main())
    assert told.kinds(ONE) == ["appeared", "queued", "started", "failed"]
    assert told.kinds(TWO) == ["appeared", "queued", "dropped"]
    assert told.kinds(THREE) == ["appeared", "queued", "started", "failed"]
    failed = next(entry for entry in told if entry["kind"] == "failed")
    assert failed["status"] == 2
    assert "seed" in failed["words"]
    (folder,) = (tmp_path / "watch").glob("redis_111111111111_*")
    assert failed["words"] in (folder / "output.txt").read_text()


def test_each_container_has_one_run_also_with_another_watcher(cgroups, told, watching):
    async def main():
        async with watching(dry=False, overrides=WRONG):
            first = cgroups.start(ONE, called="redis-server")
            await told.until("failed", ONE)
            cgroups.end(first)
            cgroups.remove(ONE)
            cgroups.start(ONE, called="redis-server")  # restarted, as Docker and podman do: the same id
            await told.until("skipped", ONE)

    async def again():
        async with watching(dry=False, existing=True):
            await told.until("skipped", ONE, 2)

    asyncio.run(main())
    asyncio.run(again())
    assert told.kinds().count("started") == 1


def test_a_rule_may_want_one_run_for_a_workload(cgroups, told, watching):
    async def main():
        async with watching():
            cgroups.start(ONE, called="nginx")
            await told.until("queued", ONE)
            cgroups.start(TWO, called="nginx")
            await told.until("skipped", TWO)

    asyncio.run(main())
    assert "/watch/nginx_nginx_" in next(entry["run"] for entry in told if entry["kind"] == "queued")


def test_a_journal_that_can_t_be_written_ends_the_watch(cgroups, told, watching, tmp_path, monkeypatch):
    async def main():
        async with watching(dry=False, overrides=WRONG):
            (tmp_path / "watch" / "watch.jsonl").unlink()
            (tmp_path / "watch" / "watch.jsonl").mkdir()
            cgroups.start(ONE, called="redis-server")
            await asyncio.sleep(0.5)

    with pytest.raises(Exception, match="ended"):
        asyncio.run(main())
