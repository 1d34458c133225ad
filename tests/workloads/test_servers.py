"""The servers' workloads: what is read from real output of redis-benchmark and wrk, and that nothing else is taken.

What lies in ``data/`` was printed by the tools in the guest, as recorded. wrk's latencies are with what it adds for
"coordinated omission".
"""

import importlib.util
import json
import math
import os
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from conftest import descendants

from schedcp_gym.paths import SHARED, WORKLOADS

DATA = Path(__file__).with_name("data")
REDIS_REQUESTS = 2000
REDIS_FIGURES = {
    "p50_request_us": 3935.0,
    "p99_request_us": 16975.0,
    "p999_request_us": 22111.0,
    "requests_per_s": 4819.28,
}
WRK = {"requests": 600, "connections": 4}
WRK_FIGURES = {
    "p50_request_us": 1165.0,
    "p90_request_us": 2483.0,
    "p99_request_us": 3001.0,
    "requests_per_s": 2206.823,
}


def load(name):
    """A workload's program as the guest has it: what it shares can be imported."""
    spec = importlib.util.spec_from_file_location(f"workload_{name}", WORKLOADS / name / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", autouse=True)
def _shared():
    before = set(sys.modules)
    sys.path.insert(0, str(SHARED))
    yield
    sys.path.remove(str(SHARED))
    for name in {"crew", "packers", "serving"} - before:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def redis():
    return load("redis")


@pytest.fixture(scope="module")
def nginx():
    return load("nginx")


@pytest.fixture(scope="module")
def phases():
    return load("phases")


@pytest.fixture
def redis_output():
    return (DATA / "redis-benchmark.txt").read_bytes().decode()


@pytest.fixture
def wrk_output():
    return (DATA / "wrk.txt").read_text()


def test_redis_benchmark_is_read(redis, redis_output):
    assert redis.parse(redis_output, REDIS_REQUESTS) == REDIS_FIGURES


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text.replace("2000 requests completed", "1999 requests completed"),
        lambda text: text + text,
        lambda text: text[: text.index("Summary:")],
        lambda text: text[: text.index("latency summary")],
        lambda text: text.replace("throughput summary: ", "throughput summary: -nan"),
        lambda text: text[: text.rindex(".")],
        lambda text: text.replace("100.000% <= ", "99.999% <= "),
        lambda text: text.replace("(cumulative count 2000)", "(cumulative count 200)"),
        lambda text: text.replace(" milliseconds (cumulative", " milli"),
    ],
    ids=["empty", "too few", "twice", "no summary", "no latencies", "nan", "cut", "no end", "count", "distribution"],
)
def test_a_damaged_report_of_redis_benchmark_is_an_error(redis, redis_output, damage):
    assert damage(redis_output) != redis_output
    with pytest.raises(ValueError, match="redis-benchmark"):
        redis.parse(damage(redis_output), REDIS_REQUESTS)


def test_wrk_is_read(nginx, wrk_output):
    assert nginx.parse(wrk_output, **WRK) == WRK_FIGURES


def test_what_wrk_added_to_a_real_run_is_taken_back(nginx, wrk_output):
    told = json.loads(next(line for line in wrk_output.splitlines() if line.startswith("{")))
    counts = dict(told["latencies_us"])
    assert sum(counts.values()) > WRK["requests"]
    measured = nginx.as_measured(counts, told["duration_us"] // (WRK["requests"] // WRK["connections"]))
    assert sum(measured.values()) == WRK["requests"]
    assert all(0 < count <= counts[time_us] for time_us, count in measured.items())


@pytest.mark.parametrize("interval", [3, 7, 10, 50, 1000])
def test_adding_for_omission_and_taking_it_back_gives_what_was(nginx, interval):
    measured = Counter([1, 3, 3, 7, 14, 15, 20, 21, 22, 50, 51, 99, 100, 100, 101, 250])
    added = Counter(measured)
    for time_us in measured:
        if time_us >= 2 * interval:
            for step in range(1, time_us):
                if time_us - step * interval > interval:
                    added[time_us - step * interval] += measured[time_us]
    assert nginx.as_measured(dict(added), interval) == dict(sorted(measured.items()))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"requests": 599}, "599 answers"),
        ({"errors": 1}, "1 errors"),
        ({"latencies_us": []}, "timed"),
        ({"latencies_us": [[100, 599]]}, "timed 599"),
        ({"latencies_us": None}, "can't be read"),
        ({"duration_us": None}, "can't be read"),
        ({"duration_us": 0}, "duration"),
    ],
)
def test_a_wrong_figure_of_wrk_is_an_error(nginx, wrk_output, change, reason):
    lines = wrk_output.splitlines()
    place = next(place for place, line in enumerate(lines) if line.startswith("{"))
    lines[place] = json.dumps(json.loads(lines[place]) | change)
    with pytest.raises(ValueError, match=reason):
        nginx.parse("\n".join(lines), **WRK)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: text.index("{")],
        lambda text: text + text,
        lambda text: text[: text.rindex("]")],
        lambda text: text.replace('"errors"', '"faults"'),
    ],
    ids=["empty", "no figures", "twice", "cut", "no errors"],
)
def test_a_damaged_report_of_wrk_is_an_error(nginx, wrk_output, damage):
    with pytest.raises(ValueError, match=r"wrk|JSON|delimiter"):
        nginx.parse(damage(wrk_output), **WRK)


def test_percentiles_are_nearest_rank(nginx, phases):
    values = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    for percent, rank in ((50, 5), (90, 9), (99, 10), (1, 1)):
        assert nginx.percentile(dict.fromkeys(values, 1), percent) == values[rank - 1]
        assert phases.percentile(values, percent) == values[rank - 1]


def test_a_seed_changes_a_plan_and_not_its_amount(nginx):
    import random

    paths = [f"/{place}" for place in range(nginx.SMALL + nginx.LARGE)]
    plans = [nginx.make_plan(paths, 500, 6.0, random.Random(seed)).splitlines() for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]
    for field in (0, 1):
        assert sorted(line.split()[field] for line in plans[0]) == sorted(line.split()[field] for line in plans[2])
    pauses = [int(line.split()[0]) for line in plans[0]]
    assert math.isclose(sum(pauses) / 500, 6.0, rel_tol=0.02)
    large = [line for line in plans[0] if int(line.rpartition("/")[2]) >= nginx.SMALL]
    assert len(large) == 500 // nginx.LARGE_EVERY


def test_the_seed_says_which_job_of_the_first_phase_is_long(phases):
    import argparse

    plans = [phases.jobs(argparse.Namespace(pieces=4, jobs=9, ratio=8, seed=seed)) for seed in range(20)]
    assert {tuple(sorted(plan)) for plan in plans} == {(4,) * 8 + (32,)}
    assert len({plan.index(32) for plan in plans}) > 4


def test_packers_do_their_pieces_and_are_collected():
    before = descendants().keys()
    from packers import Packers

    with Packers(["one", "two"], seed=1, pieces=[2, 3]) as packers:
        assert packers.progress()[1] == 0
        packers.release()
        packers.join()
        assert packers.progress()[1] == 5
        assert all(cpu_s > 0 for cpu_s in packers.cpu_s())
    assert descendants().keys() <= before


def test_packers_without_end_go_on_until_they_are_ended():
    before = descendants().keys()
    from packers import Packers

    with Packers(["one", "two"], seed=1) as packers:
        begin = packers.progress()
        packers.release()
        deadline = time.monotonic() + 30
        while packers.progress()[1] < 4 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert packers.pieces_per_s(begin) > 0
    assert descendants().keys() <= before


def test_a_packer_that_ended_is_told_of():
    from packers import Packers

    with Packers(["one"], seed=1, pieces=[1]) as packers:
        begin = packers.progress()
        packers.release()
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        with pytest.raises(RuntimeError, match="one ended too soon"):
            packers.pieces_per_s(begin)


def test_a_crew_tells_who_failed():
    from crew import Crew

    with Crew([("fine", lambda: None), ("bad", lambda: 1 / 0)]) as crew:
        crew.release()
        with pytest.raises(RuntimeError, match="bad failed"):
            crew.join()


def test_a_server_that_ends_is_told_of(tmp_path):
    from serving import server

    command = ["sh", "-c", "echo no such option >&2; exit 3"]
    with (
        pytest.raises(RuntimeError, match="sh does not answer: no such option"),
        server(command, str(tmp_path / "socket"), b"", tmp_path / "log"),
    ):
        pass


ANSWERING = """
import socket, sys
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[1])
    listener.listen()
    while True:
        with listener.accept()[0] as connection:
            connection.sendall(connection.recv(10))
"""


def test_a_server_is_waited_for_and_ended(tmp_path):
    before = descendants().keys()
    from serving import server

    with server(
        [sys.executable, "-c", ANSWERING, str(tmp_path / "socket")],
        str(tmp_path / "socket"),
        b"PING",
        tmp_path / "log",
    ):
        pass
    assert descendants().keys() <= before
