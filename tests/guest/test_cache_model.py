"""What the cache model charges, against its formula; and that tasks really pay it."""

import json
import math
from pathlib import Path

import pytest
from conftest import job

from schedcp_gym.lab import catalogue
from schedcp_gym.machine.models import COSTS, DECLARED, declared, read_costs
from schedcp_gym.spec import CacheModel, Caches

pytestmark = pytest.mark.guest

ACTORS = Path(__file__).with_name("cache_actors.py")
MODEL = CacheModel()
LINES_PER_KIB = 16
KIB = 256
TIMES = 40
STREAM_MIB_PER_S = 300


@pytest.fixture
def act(lab):
    """Runs a case on a machine; returns what the task named actor was charged, and what the case printed."""

    def run(machine, *words, **kib):
        footprints = {"actor": KIB, "other": 0, "streamer": 0, "python3": 0, **kib}
        caches = Caches(
            footprint_kib=footprints,
            shared_kib={"*": 0, "other actor": 32},
            stream_mib_per_s={"streamer": STREAM_MIB_PER_S},
        )
        files = {"actors.py": ACTORS.read_bytes(), DECLARED: declared(caches)}
        command = f"python3 actors.py {' '.join(map(str, words))}"
        result = lab.machine(catalogue.load_machine(machine)).run(job(command, files))
        assert result.code == 0, result.text("stderr")
        return read_costs(result.text(COSTS)).get("actor", {}), json.loads(result.text("stdout"))

    return run


def seconds(kib, line_ps):
    return kib * LINES_PER_KIB * line_ps * 1e-12


def near(value):
    return pytest.approx(value, rel=0.05)


def test_a_task_that_stays_pays_nothing_but_its_first_lines(act):
    once, _ = act("llc", "stay", 3, 1)
    often, _ = act("llc", "stay", 3, TIMES)
    assert often["switches"] >= once["switches"] + TIMES - 1
    assert often["cold_l2_s"] == once["cold_l2_s"]
    assert often["cold_llc_s"] == once["cold_llc_s"]


def test_between_two_cores_of_a_cache_the_l2_is_cold_each_time(act):
    costs, _ = act("llc", "move", 1, 2, TIMES)
    first, _ = act("llc", "move", 1, 2, 0)
    assert costs["core_moves"] == TIMES
    assert costs["cold_l2_s"] - first["cold_l2_s"] == near(TIMES * seconds(KIB, MODEL.l2_line_ps))
    assert costs["cold_llc_s"] == near(first["cold_llc_s"])


def test_between_two_caches_lines_come_from_the_other_one(act):
    costs, _ = act("llc", "move", 1, 6, TIMES)
    first, _ = act("llc", "move", 1, 6, 0)
    assert costs["llc_moves"] == TIMES
    assert costs["cold_llc_s"] - first["cold_llc_s"] == near(TIMES * seconds(KIB, MODEL.other_llc_line_ps))


def test_what_is_charged_is_paid_in_cpu_time_of_the_task(act):
    costs, printed = act("llc", "move", 1, 6, TIMES, actor=1024)
    _, free = act("llc", "move", 1, 6, TIMES, actor=0)
    charged_s = TIMES * seconds(1024, MODEL.l2_line_ps + MODEL.other_llc_line_ps)
    assert costs["cold_l2_s"] + costs["cold_llc_s"] == pytest.approx(charged_s, rel=0.1)  # the first lines come on top
    assert printed["cpu_s"] - free["cpu_s"] == near(charged_s)


def test_between_two_nodes_lines_are_dearest(act):
    costs, _ = act("numa", "move", 1, 6, TIMES)
    first, _ = act("numa", "move", 1, 6, 0)
    assert costs["node_moves"] == TIMES
    assert costs["cold_llc_s"] - first["cold_llc_s"] == near(TIMES * seconds(KIB, MODEL.other_node_line_ps))


def test_an_antagonist_that_streams_evicts_what_the_footprint_model_says(act):
    costs, printed = act("llc", "stream", 2, TIMES)
    first, _ = act("llc", "stream", 2, 0)
    streamed_kib = STREAM_MIB_PER_S * 1024 * printed["streamed_s"] / TIMES
    missing_kib = KIB * (1 - math.exp(-streamed_kib / MODEL.l2_kib))
    assert 0.2 * KIB < missing_kib < 0.8 * KIB
    assert costs["cold_l2_s"] - first["cold_l2_s"] == near(TIMES * seconds(missing_kib, MODEL.l2_line_ps))


def test_two_busy_siblings_run_at_a_share_of_their_speed(act):
    _, alone = act("smt", "spin_on", 2, actor=0)
    costs, both = act("smt", "spin_on", 2, 3, actor=0)
    _, apart = act("smt", "spin_on", 2, 4, actor=0)
    speed = MODEL.smt_speed_pct / 100
    for taken in both["taken_s"]:
        assert taken == near(alone["taken_s"][0] / speed)
    for taken in apart["taken_s"]:
        assert taken == near(alone["taken_s"][0])
    # What is charged beyond that is for the time in which both waited for the start.
    assert 1.0 <= costs["smt_s"] / (2 * alone["taken_s"][0] * (1 / speed - 1)) <= 1.25


def test_remote_memory_slows_a_task_down_for_as_long_as_it_is_away(act):
    _, near_by = act("numa", "spin_away", 1, 2, actor=0)
    costs, away = act("numa", "spin_away", 1, 5, actor=0)
    speed = MODEL.remote_speed_pct / 100
    assert away["taken_s"][0] == near(near_by["taken_s"][0] / speed)
    assert costs["remote_s"] == near(near_by["taken_s"][0] * (1 / speed - 1))


def test_a_waker_under_another_cache_hands_its_lines_over(act):
    costs, _ = act("llc", "alternate", 1, 6, TIMES, actor=0)
    assert costs["handoff_s"] == near(TIMES * seconds(32, MODEL.other_llc_line_ps))
    same, _ = act("llc", "alternate", 1, 2, TIMES, actor=0)
    assert same.get("handoff_s", 0) == 0
