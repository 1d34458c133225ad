"""The runs' child processes: queue, Ctrl-C, death of the watcher."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from schedcp_gym.control.trigger.journal import Journal
from schedcp_gym.control.trigger.runs import Order, Slots, folder_name, hydra_text
from schedcp_gym.spec import SchedcpError

LIMIT_S = 20.0


class Python(Order):
    """An order that runs a line of Python instead."""

    code = ""

    @property
    def words(self):
        return ["-c", self.code]


def python(folder, code):
    order = Python("key", "redis", "eevdf", (), folder)
    object.__setattr__(order, "code", code)
    return order


SAVES = """
import signal, time
print("ready", flush=True)
try:
    time.sleep(100)
except KeyboardInterrupt:
    print("saved", flush=True)
    raise SystemExit(130)
"""
DEAF = 'import signal, time; signal.signal(2, signal.SIG_IGN); print("ready", flush=True); time.sleep(100)'


async def ready(folder):
    async with asyncio.timeout(LIMIT_S):
        while not (folder / "output.txt").is_file() or "ready" not in (folder / "output.txt").read_text():
            await asyncio.sleep(0.005)


def test_a_stop_interrupts_and_lets_the_run_save_what_it_has(tmp_path):
    async def main():
        slots = Slots(1, LIMIT_S)
        first = asyncio.ensure_future(slots.run(python(tmp_path / "one", SAVES), lambda: True))
        second = asyncio.ensure_future(slots.run(python(tmp_path / "two", SAVES), lambda: True))
        await ready(tmp_path / "one")
        slots.stop()
        assert await first is None
        assert await second is None

    asyncio.run(main())
    assert (tmp_path / "one" / "output.txt").read_text() == "ready\nsaved\n"
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize("hurry", [True, False])
def test_a_run_that_does_not_listen_is_killed(tmp_path, hurry):
    async def main():
        slots = Slots(1, LIMIT_S if hurry else 0.1)
        run = asyncio.ensure_future(slots.run(python(tmp_path, DEAF), lambda: True))
        await ready(tmp_path)
        slots.stop()
        if hurry:
            slots.stop(hurry=True)
        async with asyncio.timeout(LIMIT_S / 2):
            assert await run is None

    asyncio.run(main())


def test_how_a_run_ended_is_told(tmp_path):
    best = '{"policy": "ljf", "improvement": 2.0, "heldout": {"improvement": {"mean": 1.5}}}'
    writes = f"import pathlib; pathlib.Path({str(tmp_path / 'best.json')!r}).write_text({best!r})"

    async def main():
        slots = Slots(2, 1.0)
        failed = await slots.run(
            python(tmp_path / "a", "print('one'); print('two'); raise SystemExit(3)"), lambda: True
        )
        done = await slots.run(python(tmp_path, writes), lambda: True)
        nothing = await slots.run(python(tmp_path / "b", "print('no policy')"), lambda: True)
        unwanted = await slots.run(python(tmp_path / "c", "print()"), lambda: False)
        return failed, done, nothing, unwanted

    failed, done, nothing, unwanted = asyncio.run(main())
    assert (failed.status, failed.words) == (3, "two")
    assert (done.status, done.policy, done.gained) == (0, "ljf", 1.5)
    assert (nothing.status, nothing.words, nothing.gained) == (0, "no policy", None)
    assert unwanted is None


def test_the_death_of_the_watcher_interrupts_its_runs(tmp_path):
    watcher = (
        "import asyncio, sys; from pathlib import Path\n"
        "from schedcp_gym.control.trigger.runs import Slots\n"
        "from tests.control.trigger.test_runs import SAVES, python\n"
        "asyncio.run(Slots(1, 5.0).run(python(Path(sys.argv[1]), SAVES), lambda: True))\n"
    )
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    # As under nohup: what it starts must hear of an interrupt all the same.
    command = ["env", "--ignore-signal=INT", sys.executable, "-c", watcher, str(tmp_path)]
    with subprocess.Popen(command, env=environment) as process:
        asyncio.run(ready(tmp_path))
        process.send_signal(signal.SIGKILL)

    async def saved():
        async with asyncio.timeout(LIMIT_S):
            while "saved" not in (tmp_path / "output.txt").read_text():
                await asyncio.sleep(0.005)

    asyncio.run(saved())


def test_a_folder_s_name_follows_from_the_key_and_can_not_leave_its_place():
    assert folder_name("redis", "3f2a" * 16, "a") == folder_name("redis", "3f2a" * 16, "a")
    assert folder_name("redis", "web", "a") != folder_name("redis", "web", "b")
    for hostile in ("../../etc", "a b;rm", "-rf", "\udcff\n", ""):
        name = folder_name("redis", hostile, hostile)
        assert name.startswith("redis_")
        assert all(letter.isascii() and (letter.isalnum() or letter in "._-") for letter in name)
        assert ".." not in name


@pytest.mark.parametrize("text", ["runs/watch/redis_1", "/tmp/a b/it's", "a,b=[c]{d}", r"back\slash\\", r"a\'b\\'"])
def test_a_path_reaches_hydra_as_it_is(text):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    (override,) = OverridesParser.create().parse_overrides([f"run.dir={hydra_text(text)}"])
    value = override.value()
    assert str(value) == text


def test_a_journal_goes_on(tmp_path):
    told = []
    journal = Journal(tmp_path, told.append)
    orders = [Order(f"key {n}", "redis", "eevdf", ("seed=2",), tmp_path / str(n)) for n in range(5)]
    for order, kinds in zip(
        orders,
        [("queued",), ("queued", "started"), ("queued", "started", "finished"), ("queued", "dropped"),
         ("queued", "started", "interrupted")],
        strict=True,
    ):  # fmt: skip
        for kind in kinds:
            journal.order(kind, order, cgroup=f"docker/{order.key}")
    with (tmp_path / "watch.jsonl").open("a") as file:
        file.write('{"kind": "star')  # cut off by a loss of power
    again = Journal(tmp_path, told.append)
    assert [(order, last["kind"]) for order, last in again.unfinished()] == [
        (orders[0], "queued"),
        (orders[1], "started"),
        (orders[4], "interrupted"),
    ]
    assert [again.is_known(order.key) for order in orders] == [True, True, True, False, True]
    assert again.is_begun("key 1")
    assert len(told) == 11
    with (tmp_path / "watch.jsonl").open("a") as file:
        file.write("nonsense\n")
    with pytest.raises(SchedcpError, match="damaged"):
        Journal(tmp_path, told.append)
