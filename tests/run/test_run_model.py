"""The language model's place in a run's configuration, before anything is booted."""

import pytest
from llm.fake_server import MODEL

from schedcp_gym.baselines.agent import Agent
from schedcp_gym.llm import CallFailed, LlmBudgetSpent
from schedcp_gym.paths import CONFIGS
from schedcp_gym.run.app import main
from schedcp_gym.run.lock import locked
from schedcp_gym.run.model import open_client, spent_text
from schedcp_gym.run.search import Run
from schedcp_gym.run.settings import RunBudget, read_settings
from schedcp_gym.spec import BadInput

BASE = {"workload": {"name": "schbench"}, "machine": {}, "heldout": {}, "budget": {"evaluations": 3}}


def settings(model="openai/small-1", budget=None, **llm):
    return read_settings({**BASE, "llm": {"model": model, **llm}, "budget": {"evaluations": 3, **(budget or {})}})


def test_without_more_words_a_run_has_no_model_but_rules():
    assert read_settings(BASE).llm.model == "offline/rules"
    assert "llm: offline" in (CONFIGS / "config.yaml").read_text()


def test_the_budget_has_a_part_for_the_model():
    budget = settings(budget={"tokens": 5000, "usd": 0.5, "llm_calls": 7, "llm_host_s": 60}).budget
    assert (budget.evaluations, budget.llm.tokens, budget.llm.usd, budget.llm.calls, budget.llm.host_s) == (
        3,
        5000,
        0.5,
        7,
        60,
    )
    assert RunBudget(evaluations=1).llm.tokens is None
    assert spent_text("calls", budget) == "the language model's budget (budget.llm_calls=7)"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["llm=antropic"], "unknown llm 'antropic'; did you mean anthropic"),
        (["llm.model=gpt"], "llm.model: give provider/model"),
        (["llm=server"], "give llm.model=VALUE"),
        (["llm.modl=x"], "did you mean llm.model"),
        (["llm.api_base=here"], "llm.api_base: give the server's URL"),
        (["+llm.api_key=sk-1"], "llm.api_key"),
        (["budget.tokens=0"], "budget.tokens: "),
        (["budget.usd=-1"], "budget.usd: "),
        (["budget.token=5"], "did you mean budget.tokens"),
    ],
)
def test_wrong_words_end_with_one_message(words, text, tmp_path, capsys):
    assert main(["+agent=eevdf", *words, f"run.dir={tmp_path / 'run'}"]) == 2
    shown = capsys.readouterr()
    assert text in shown.err
    assert "Traceback" not in shown.err + shown.out
    assert len(shown.err.splitlines()) <= 2


def test_a_key_that_is_missing_is_named_and_the_way_without(tmp_path, monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(BadInput, match=r"set ANTHROPIC_API_KEY .*; or run without a model: llm=offline") as caught:
        open_client(settings("anthropic/claude-sonnet-4-5"), tmp_path, print)
    assert "\n" not in str(caught.value)
    with pytest.raises(BadInput, match="set MY_KEY in"):
        open_client(settings(api_base="http://127.0.0.1:9/v1", api_key_env="MY_KEY"), tmp_path, print)


def test_a_limit_in_dollars_needs_a_price(tmp_path):
    with pytest.raises(BadInput, match=r"no price is known for openai/small-1, .*llm\.prices"):
        open_client(settings(api_base="http://127.0.0.1:9/v1", budget={"usd": 1}), tmp_path, print)


def test_a_run_goes_on_with_the_same_model_wherever_that_is(tmp_path):
    def config(**llm):
        return {"llm": {"model": "openai/a", "api_base": None, "params": {}, **llm}, "budget": {"tokens": 5}}

    with locked(tmp_path, config()):
        pass
    with locked(tmp_path, config(api_base="http://there/v1", api_key_env="KEY", timeout_s=3, prices={"prompt_usd": 1})):
        pass
    for change in ({"model": "openai/b"}, {"temperature": 1}, {"params": {"top_p": 1}}, {"replay": "x"}):
        with (
            pytest.raises(BadInput, match=f"has a run with llm.{next(iter(change))}"),
            locked(tmp_path, config(**change)),
        ):
            pass


def test_a_budget_that_a_model_is_told_stays(tmp_path):
    with locked(tmp_path, {"budget": {"tokens": 5}}, plans_with_budget=True):
        pass
    with (
        pytest.raises(BadInput, match="tokens=5, not 6"),
        locked(tmp_path, {"budget": {"tokens": 6}}, plans_with_budget=True),
    ):
        pass
    with locked(tmp_path, {"budget": {"tokens": 6}}):
        pass


class Stops(Agent):
    """Comes to an end without measuring anything."""

    def __init__(self, end=None):
        self.end = end
        self.given = None

    def run(self, given):
        self.given = given
        if self.end:
            raise self.end


def test_an_agent_is_given_what_it_says_it_uses(tmp_path):
    agent = Stops()
    run = Run(settings("offline/rules"), agent, "stops", tmp_path)
    run.search()
    assert (agent.given.llm, agent.given.tools) == (None, None)
    assert not (tmp_path / "llm").exists()
    assert run.title == "stops on schbench"


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (None, "the agent: it had nothing more to try"),
        (LlmBudgetSpent("tokens", "spent"), "the language model's budget (budget.tokens=5000)"),
    ],
)
def test_what_ended_a_search_is_told(tmp_path, end, text):
    run = Run(settings("openai/x", budget={"tokens": 5000}), Stops(end), "stops", tmp_path)
    run.search()
    assert run.ended_by == text


def test_tools_measure_sources(tmp_path):
    agent = Stops()
    agent.uses_tools = True
    with pytest.raises(BadInput, match="action = 'Synth'"):
        Run(settings(), agent, "stops", tmp_path)


def test_the_books_are_in_the_folder_of_the_run(tmp_path):
    client = open_client(
        settings(api_base="http://127.0.0.1:9/v1", budget={"llm_calls": 1}, retries=0), tmp_path, print
    )
    assert client.shown_model == f"openai/{MODEL}"
    with pytest.raises(CallFailed, match="can't connect"):
        client.chat("planning", [{"role": "user", "content": "hi"}])
    with pytest.raises(LlmBudgetSpent) as caught:
        client.chat("planning", [{"role": "user", "content": "hi again"}])
    assert caught.value.limit == "calls"
    assert {path.name for path in (tmp_path / "llm").iterdir()} == {"ledger.jsonl", "transcript.jsonl"}
