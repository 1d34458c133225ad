"""Tables of real measurements: what is planned for one, its file, its answers. The shipped ones are the examples."""

import dataclasses
import time

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

from schedcp_gym.baselines.agent import Assignment
from schedcp_gym.baselines.random_search import RandomSearch
from schedcp_gym.envs.choice import decode_flat, flat_size, load_choices, share_of, value_at
from schedcp_gym.envs.registration import env_ids, kinds
from schedcp_gym.envs.tables import Answers, Table, read_table, write_table
from schedcp_gym.envs.tables.check import Catalogue, draw_rows
from schedcp_gym.envs.tables.fidelity import draw_policies, fidelity_of
from schedcp_gym.envs.tables.nearest import Nearest
from schedcp_gym.envs.tables.plan import plan
from schedcp_gym.envs.tables.stale import changes
from schedcp_gym.envs.wrappers import Budget, Budgeted, BudgetSpent, Ledger, Recorded
from schedcp_gym.lab import catalogue
from schedcp_gym.paths import table_files, table_path
from schedcp_gym.spec import EEVDF, BadInput, TunableType, reward

WORKLOAD = "schbench"
ENV = "SchedCP/Schbench-Table-v0"
CHOICES = load_choices()
NAMES = ["long", "short", "other"]
#: Policies that the shipped tables were recorded with: later ones are not in them.
RECORDED = tuple(
    choice for choice in CHOICES if choice.name == EEVDF or choice.name in read_table(WORKLOAD).about.sources
)


@pytest.fixture(scope="module")
def table():
    return read_table(WORKLOAD)


@pytest.fixture
def answers(table):
    return Answers(table, table.about.seeds[0], RECORDED)


def make(**options):
    return gym.make(ENV, disable_env_checker=True, **options).unwrapped


def policies_of(table):
    return {
        row.config.policy: catalogue.load_policy(row.config.policy, row.config.tunables)
        for row in reversed(table.rows)  # the first of each policy is the one with defaults
    }


def test_a_share_is_what_its_value_is_at():
    for choice in CHOICES:
        for tunable in choice.tunables:
            if not tunable.is_name:
                assert value_at(tunable, share_of(tunable, tunable.default)) == tunable.default
                assert share_of(tunable, value_at(tunable, 0.0)) == 0
                assert share_of(tunable, value_at(tunable, 1.0)) == 1


def test_every_policy_is_planned_with_its_defaults_and_a_larger_plan_holds_a_smaller():
    small, large = plan(CHOICES, 60), plan(CHOICES, 300)
    assert (len(small), len(large)) == (60, 300)
    assert set(small) < set(large)
    planned = [point.policy(NAMES) for point in small]
    assert planned[0].is_eevdf
    for choice in CHOICES:
        settable = {tunable.name: tunable.default for tunable in choice.tunables if tunable.type != TunableType.CGROUP}
        assert choice.policy(settable) in planned
    assert catalogue.load_policy("ljf").source
    assert {"", "long", "short"} <= {dict(policy.tunables)["favour"] for policy in planned if policy.name == "ljf"}
    counts = {choice.name: sum(point.choice is choice for point in large) for choice in CHOICES}
    assert counts["layers"] > counts["vtime"] > counts["fifo"] > counts[EEVDF] == 1
    with pytest.raises(BadInput, match=r"--points must be .* or more"):
        plan(CHOICES, 5)


def test_points_fill_a_tunables_range_evenly():
    fifo = next(choice for choice in CHOICES if choice.name == "fifo")
    (tunable,) = fifo.tunables
    values = [dict(point.policy([]).tunables)["slice_us"] for point in plan(CHOICES, 1200) if point.choice is fifo]
    shares = sorted(share_of(tunable, value) for value in values)
    assert len(shares) > 20
    assert max(np.diff([0, *shares, 1])) < 3 / len(shares)


def test_what_was_recorded_is_its_own_answer(table, answers):
    for row in table.rows:
        asked = catalogue.load_policy(row.config.policy, row.config.tunables)
        answered, measured, distance = answers.find(asked)
        assert distance == 0
        assert answered == asked
        assert measured == row.measurement


def test_the_nearest_is_of_the_same_policy_and_as_near_as_its_distance_says():
    def ljf(favour, slice_us=20000):
        settings = {"favour": favour, "slice_us": slice_us, "favoured_slice_us": 20000, "newborn_us": 10000}
        return catalogue.load_policy("ljf", settings | {"patience_ms": 5000})

    def fifo(slice_us):
        return catalogue.load_policy("fifo", {"slice_us": slice_us})

    recorded = [ljf(""), ljf("long"), ljf("other"), fifo(100), fifo(10000)]
    nearest = Nearest(CHOICES, recorded, NAMES)
    # 900 is nearer to 100 on the logarithmic scale from 100 to 1000000, and half of 100 to 10000 is 1000.
    assert nearest.find(fifo(900)) == (3, pytest.approx(np.log10(9) / 4))
    assert nearest.find(fifo(1100))[0] == 4
    # One tunable of five differs, by a rank of three, and half as much at least; the empty name is as far as can be.
    assert nearest.find(ljf("short")) == (1, pytest.approx((0.5 + 0.5 / 3) / 5))
    assert nearest.find(ljf("sh")) == nearest.find(ljf("short"))
    assert nearest.find(ljf("nobody")) == (0, 0.0)
    assert nearest.find(ljf("long", 1000000)) == (1, pytest.approx(np.log10(50) / 4 / 5))


def test_a_file_gives_back_what_was_written_and_the_same_bytes(table, tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDCP_TABLES", str(tmp_path))
    path = table_path(WORKLOAD)
    few = dataclasses.replace(table, rows=table.rows[:3])
    write_table(path, few)
    first = path.read_bytes()
    assert read_table(WORKLOAD) == few
    write_table(path, few)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == [f"{WORKLOAD}.parquet"]
    assert set(table_files()) == {WORKLOAD}


def test_rows_carry_what_repeats_them_and_nothing_of_the_host(table):
    assert not any(row.measurement.timings_s for row in table.rows)
    assert len({row.key for row in table.rows}) == len(table.rows)
    for row in table.rows:
        assert row.measurement.digests.items() >= table.about.digests.items()
        assert row.config.source == table.about.sources[row.config.policy]
    assert {row.config.policy for row in table.rows} == set(table.about.sources)


@pytest.mark.parametrize("content", [b"", b"no parquet", "half"])
def test_a_damaged_file_is_told_with_its_remedy(content, tmp_path, monkeypatch):
    whole = table_path(WORKLOAD).read_bytes()
    monkeypatch.setenv("SCHEDCP_TABLES", str(tmp_path))
    table_path(WORKLOAD).write_bytes(whole[: len(whole) // 2] if content == "half" else content)
    with pytest.raises(BadInput, match=r"can't be read .*`schedcp-gym table record schbench`"):
        read_table(WORKLOAD)


def test_an_id_is_there_for_who_has_a_table(tmp_path, monkeypatch):
    assert ENV in env_ids()
    monkeypatch.setenv("SCHEDCP_TABLES", str(tmp_path))
    assert ENV not in env_ids()
    assert "Table" not in kinds(WORKLOAD)
    with pytest.raises(BadInput, match="`schedcp-gym table record schbench` makes one"):
        make()


@pytest.mark.parametrize("actions", ["TuneFlat", "Tune"])
def test_spaces_are_those_of_the_real_environments_with_the_policies_recorded(actions, monkeypatch):
    table = make(actions=actions)
    monkeypatch.setattr("schedcp_gym.envs.tune.load_choices", lambda: RECORDED)
    monkeypatch.setattr("schedcp_gym.envs.tune_flat.load_choices", lambda: RECORDED)
    real = gym.make(f"SchedCP/Schbench-{actions}-v0").unwrapped
    assert table.action_space == real.action_space
    assert table.observation_space == real.observation_space


def test_an_action_by_name_is_answered_as_the_flat_one_that_means_the_same():
    tune, flat = make(actions="Tune"), make()
    (tune.reset(seed=1), flat.reset(seed=1), flat.action_space.seed(1))
    for _ in range(20):
        info = flat.step(flat.action_space.sample())[-1]
        by_name = tune.step(tune.encode(info["asked"]["policy"], info["asked"]["tunables"]))[-1]
        for told in ("policy", "tunables", "measurement", "distance", "reward_parts"):
            assert by_name[told] == info[told]
        if tune.steps_left == 0:
            (tune.reset(seed=1), flat.reset(seed=1))
    with pytest.raises(BadInput, match="of kind Tune"):
        flat.encode("fifo")
    with pytest.raises(BadInput, match="'TuneFlat' or 'Tune', not 'Synth'"):
        make(actions="Synth")


def test_agents_search_on_a_table():
    env = make(actions="Tune", max_steps=30)
    ledger = Ledger(Budget(evaluations=60))
    agent = RandomSearch()
    rewards = []

    def told(entry, _policy):
        if entry["kind"] == "evaluation":
            rewards.append(entry["reward"])

    with pytest.raises(BudgetSpent):
        agent.run(Assignment(Budgeted(Recorded(env, told), ledger), 1, ledger, lambda _: None))
    assert len(rewards) == 60
    assert max(rewards) > 0.3
    assert len(set(rewards)) > 30


def test_an_episode_is_measurements_and_the_same_twice(answers):
    def episode():
        env = make(max_steps=30)
        env.action_space.seed(3)
        seen = [env.reset(seed=3)]
        seen += [env.step(env.action_space.sample()) for _ in range(30)]
        return env, seen

    (env, first), (_, second) = episode(), episode()
    assert data_equivalence(first, second, exact=True)
    assert [step[3] for step in first[1:]] == [False] * 29 + [True]
    assert all(step[0] in env.observation_space for step in first[1:])
    for _, gained, _, _, info in first[1:]:
        asked = catalogue.load_policy(info["asked"]["policy"], info["asked"]["tunables"])
        answered, measured, distance = answers.find(asked)
        assert (info["policy"], info["tunables"]) == (answered.name, dict(answered.tunables))
        assert info["distance"] == distance
        assert info["measurement"]["metrics"] == measured.metrics
        assert gained == reward(env.workload, measured, answers.baseline)
    assert len({step[4]["policy"] for step in first[1:]}) > 5


def test_eevdf_earns_nothing_and_no_policy_the_least():
    env = make()
    observation, info = env.reset(seed=1)
    assert info["asked"] == {"policy": EEVDF, "tunables": {}}
    assert env.step(np.full(flat_size(RECORDED), -1.0))[1] == 0.0
    _, gained, _, _, info = env.step(np.full(flat_size(RECORDED), np.nan))
    assert (gained, info["outcome"], info["asked"]) == (-3.0, "rejected", {})
    assert observation in env.observation_space


def test_a_step_takes_less_than_a_millisecond():
    env = make(max_steps=500)
    env.reset(seed=1)
    env.action_space.seed(1)
    spent = []  # of this thread's CPU time: a host that is busy with something else does not count
    for _ in range(500):
        action = env.action_space.sample()
        began = time.thread_time()
        env.step(action)
        spent.append(time.thread_time() - began)
    assert np.median(spent) < 1e-3


def test_only_what_is_in_the_table_can_be_asked_for(table):
    env = make()
    with pytest.raises(gym.error.ResetNeeded):
        env.nearest(catalogue.load_policy("fifo"))
    with pytest.raises(BadInput, match="workload seed 987654 is not in the table of schbench; there are: 0"):
        env.reset(options={"workload_seed": 987654})
    env.reset(options={"workload_seed": table.about.seeds[-1]})
    for other in ({"scale": "full"}, {"cpus": 4}):
        with pytest.raises(BadInput, match="the table of schbench was recorded at scale smoke on 2 CPUs"):
            make(**other)


def test_what_has_changed_since_is_told(table, tmp_path, monkeypatch):
    assert not [what for what in changes(table.about) if "workload" in what]
    monkeypatch.setenv("SCHEDCP_TABLES", str(tmp_path))
    sources = {name: sha for name, sha in table.about.sources.items() if name != "vtime"} | {"fifo": "0" * 64}
    about = dataclasses.replace(table.about, sources=sources, workload_digest="1" * 64)
    write_table(table_path(WORKLOAD), Table(about, table.rows))
    told = changes(about)
    assert {"source of fifo", "files of the workload", "vtime is not in it"} <= set(told)
    with pytest.warns(UserWarning, match="source of fifo.*files of the workload.*vtime is not in it.*record it again"):
        env = make()
    assert "vtime" not in [choice.name for choice in env.choices]
    env.reset(seed=1)
    assert env.step(env.action_space.sample())[4]["outcome"] in ("ok", "rejected")


def test_fidelity_is_perfect_where_the_table_is_asked_for_its_own(table, answers):
    workload = catalogue.load_workload(WORKLOAD)
    own = policies_of(table).values()
    asked = [(answers, policy, answers.find(policy)[1]) for policy in own]
    found = fidelity_of(workload, workload.objective, asked, draw=1)
    assert (found.actions, found.rank_correlation, found.equal_outcomes) == (len(RECORDED), pytest.approx(1), 1)
    assert (found.median_error, found.p90_error) == (0, 0)


def test_fidelity_tells_errors_as_they_are(table, answers):
    workload = catalogue.load_workload(WORKLOAD)
    metric = next(iter(workload.objective.weights))
    policies = list(policies_of(table).values())

    def with_metric(measured, factor):
        return dataclasses.replace(measured, metrics=measured.metrics | {metric: measured.metrics[metric] * factor})

    # Latency that is twice what the table says is an improvement half as good: the table is 100 % too high.
    asked = [(answers, policy, with_metric(answers.find(policy)[1], 2)) for policy in policies]
    found = fidelity_of(workload, workload.objective, asked, draw=1)
    assert (found.median_error, found.p90_error) == (pytest.approx(1), pytest.approx(1))
    assert found.rank_correlation == pytest.approx(1)
    assert fidelity_of(workload, workload.objective, asked[:1], draw=1).rank_correlation is None


def test_drawn_actions_are_new_and_follow_from_their_seed(table):
    recorded = [catalogue.load_policy(row.config.policy, row.config.tunables) for row in table.rows]
    drawn = draw_policies(CHOICES, NAMES, recorded, 40, 1)
    assert len(set(drawn)) == 40
    assert not set(drawn) & set(recorded)
    assert not any(policy.is_eevdf for policy in drawn)
    assert drawn == draw_policies(CHOICES, NAMES, recorded, 40, 1)
    assert drawn != draw_policies(CHOICES, NAMES, recorded, 40, 2)
    first = decode_flat(CHOICES, np.random.default_rng(1).uniform(-1, 1, flat_size(CHOICES)), NAMES)
    assert first in (*drawn, *recorded)


def test_a_check_draws_rows_and_has_their_sources(table):
    rows = draw_rows(table, 6, 3)
    assert rows == draw_rows(table, 6, 3) != draw_rows(table, 6, 4)
    assert draw_rows(table, None, 3) == table.rows
    fifo = catalogue.load_policy("fifo").source
    sha = next(row.config.source for row in table.rows if row.config.policy == "fifo")
    assert Catalogue().source(sha) in (fifo, None)
    assert Catalogue().source("") == ""
    assert Catalogue().source("0" * 64) is None
