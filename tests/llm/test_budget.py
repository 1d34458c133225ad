"""Limits are kept, not noticed afterwards."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from llm.fake_server import MODEL, Turn, answer, config_of, error
from schedcp_gym.llm import CallFailed, CallOutcome, Client, LlmBudget, LlmBudgetSpent, Prices, read_ledger, user
from schedcp_gym.llm.books import Books
from schedcp_gym.llm.budget import LEAST_ANSWER_TOKENS, Request, allow, allow_wait
from schedcp_gym.llm.ledger import CallEntry, Totals
from schedcp_gym.spec import BadInput

PRICES = Prices(prompt_usd=3.0, completion_usd=15.0)
ASK = Request(prompt_tokens=1000, max_tokens=2000, timeout_s=100.0, prices=PRICES)


def stopped(budget, spent, request=ASK):
    with pytest.raises(LlmBudgetSpent) as caught:
        allow(budget, spent, request)
    assert caught.value.limit in str(caught.value)
    return caught.value.limit


def test_without_limits_all_is_allowed():
    allowed = allow(LlmBudget(), Totals(calls=10**6, usd=1e6), ASK)
    assert (allowed.max_tokens, allowed.timeout_s, allowed.is_full) == (2000, 100.0, True)
    assert allowed.usd == pytest.approx(0.033)


def test_calls():
    assert allow(LlmBudget(calls=3), Totals(calls=2), ASK).is_full
    assert stopped(LlmBudget(calls=3), Totals(calls=3)) == "calls"


@pytest.mark.parametrize("left", [3000, 2999, 1000 + LEAST_ANSWER_TOKENS])
def test_the_answer_is_cut_to_the_tokens_that_are_left(left):
    allowed = allow(LlmBudget(tokens=10_000), Totals(prompt_tokens=10_000 - left), ASK)
    assert allowed.max_tokens == left - 1000
    assert allowed.is_full == (left == 3000)


def test_an_answer_that_would_be_too_short_to_be_of_use_is_not_asked_for():
    spent = Totals(completion_tokens=10_000 - 1000 - LEAST_ANSWER_TOKENS + 1)
    assert stopped(LlmBudget(tokens=10_000), spent) == "tokens"


@pytest.mark.parametrize("cents", [1, 2, 3, 3.2999, 3.3, 3.4, 50])
def test_dollars_are_never_passed(cents):
    budget = LlmBudget(usd=1 + cents / 100)
    allowed = allow(budget, Totals(usd=1.0), ASK)
    assert 1.0 + PRICES.usd(1000, allowed.max_tokens) <= budget.usd + 1e-12
    # Sums of floats may cost one token.
    assert 1.0 + PRICES.usd(1000, allowed.max_tokens + 2) > budget.usd or allowed.max_tokens == 2000
    assert stopped(budget, Totals(usd=1 + cents / 100 - 0.003)) == "usd"


def test_what_costs_nothing_is_not_stopped_by_dollars():
    free = Request(1000, 2000, 100.0, Prices(0, 0))
    assert allow(LlmBudget(usd=0.01), Totals(), free).is_full


def test_time_cuts_the_attempt():
    assert allow(LlmBudget(host_s=150.0), Totals(host_s=90.0), ASK).timeout_s == 60.0
    assert stopped(LlmBudget(host_s=150.0), Totals(host_s=149.99)) == "host_s"
    allow_wait(LlmBudget(host_s=150.0), Totals(host_s=90.0), 59.0)
    with pytest.raises(LlmBudgetSpent, match="wait"):
        allow_wait(LlmBudget(host_s=150.0), Totals(host_s=90.0), 60.0)


def test_a_wait_takes_of_the_time_for_the_attempt_after_it(tmp_path):
    books = Books(tmp_path, LlmBudget(host_s=10.0))
    call = CallEntry(
        call=0, role="r", model="openai/x", request_sha256="", attempt=2, outcome=CallOutcome.INTERRUPTED, waited_s=3.0
    )
    begun, allowed = books.begin(call, 100, 60.0, None)
    assert allowed.timeout_s == 7.0
    assert begun.waited_s + begun.host_s == books.spent().host_s == 10.0


def test_a_call_that_could_pass_the_limit_is_not_made(serve, client_of, tmp_path):
    server = serve(*[answer("x", usage=(50, 400))] * 9)
    client = client_of(server, LlmBudget(tokens=2000))
    for number in range(4):
        client.chat("r", [user("hi")], sample=number)
    with pytest.raises(LlmBudgetSpent, match="raise tokens"):
        client.chat("r", [user("hi")], sample=4)
    sent = [seen.body["max_tokens"] for seen in server.seen]
    assert len(sent) == 4
    assert sent[0] == 1000
    assert sent[-1] < 700
    assert client.books.spent().tokens == 4 * 450
    assert client.books.left() == {"calls": None, "tokens": 200, "usd": None, "host_s": None}


def test_failed_attempts_are_calls(serve, client_of):
    server = serve(error(500, "boom"), error(500, "boom"), answer("x"))
    with pytest.raises(LlmBudgetSpent, match="raise calls"):
        client_of(server, LlmBudget(calls=2)).chat("r", [user("hi")])
    assert len(server.seen) == 2


def test_dollars_need_a_price(serve, client_of):
    server = serve(answer("x"))
    with pytest.raises(BadInput, match=r"llm\.prices"):
        client_of(server, LlmBudget(usd=1.0)).chat("r", [user("hi")])
    assert server.seen == []


def test_dollars_by_prices_of_ones_own(serve, client_of, tmp_path):
    server = serve(*[answer("x", usage=(1000, 100))] * 3)
    client = client_of(server, LlmBudget(usd=0.012), prices=PRICES, max_tokens=300)
    client.chat("r", [user("hi")])
    client.chat("r", [user("ho")])
    assert client.books.spent().usd == pytest.approx(0.009)
    with pytest.raises(LlmBudgetSpent, match="raise usd"):
        client.chat("r", [user("a word " * 900)])
    assert len(server.seen) == 2


def test_an_answer_without_usage_is_counted_here(serve, client_of, tmp_path):
    server = serve(answer("one two three four", usage=None))
    client_of(server, prices=PRICES).chat("r", [user("hi")])
    entry = read_ledger(tmp_path / "llm" / "ledger.jsonl")[0]
    assert entry.source == "estimate"
    assert 4 <= entry.completion_tokens <= 10
    assert entry.usd == pytest.approx(PRICES.usd(entry.prompt_tokens, entry.completion_tokens))


def test_a_model_that_counts_more_tokens_is_believed(serve, client_of):
    text = "a word " * 300
    server = serve(answer("x", usage=(1200, 5)), answer("x", usage=(1200, 5)))
    client = client_of(server, LlmBudget(tokens=2800))
    client.chat("r", [user(text)])
    client.chat("r", [user(text)], sample=1)
    # 1595 are left; the next prompt has 1200 by the first one's ratio, and 5 % more to be sure.
    assert 300 < server.seen[1].body["max_tokens"] < 340


def test_time_outs_may_have_cost_something(serve, client_of, tmp_path):
    server = serve(Turn(answer("x").body, delay_s=30), answer("x"))
    client = client_of(server, timeout_s=1.0, prices=PRICES)
    client.chat("r", [user("hi")])
    first, second = read_ledger(tmp_path / "llm" / "ledger.jsonl")
    assert (first.source, first.completion_tokens, second.source) == ("ceiling", 1000, "usage")
    assert first.usd == pytest.approx(PRICES.usd(first.prompt_tokens, 1000))
    assert client.books.spent().usd == first.usd + second.usd


def test_time_is_a_limit_within_a_call(serve, client_of):
    server = serve(*[Turn(answer("x").body, delay_s=30)] * 3)
    client = client_of(server, LlmBudget(host_s=0.5), timeout_s=20)
    with pytest.raises((LlmBudgetSpent, CallFailed)):
        client.chat("r", [user("hi")])
    assert 0.3 < client.books.spent().host_s < 15
    assert len(server.seen) == 1


def test_calls_at_once_keep_the_limit_together(serve, client_of):
    # Each may take 1000 tokens, and takes 300: those that find no room wait for the others to end.
    server = serve(*[Turn(answer("x", usage=(20, 280)).body, delay_s=0.1) for _ in range(20)])
    client = client_of(server, LlmBudget(tokens=4000))

    def ask(number):
        try:
            return client.chat("r", [user("hi")], sample=number).ok
        except LlmBudgetSpent:
            return False

    with ThreadPoolExecutor(10) as pool:
        done = list(pool.map(ask, range(20)))
    assert client.books.spent().tokens == 300 * sum(done) <= 4000
    assert sum(done) >= 12


def test_a_budget_is_for_all_processes_of_a_run(serve, tmp_path):
    server = serve(answer("a"), answer("b"))
    folder = tmp_path / "llm"
    Client(config_of(server), folder, LlmBudget(calls=1)).chat("r", [user("hi")])
    again = Client(config_of(server), folder, LlmBudget(calls=1))
    with pytest.raises(LlmBudgetSpent):
        again.chat("r", [user("something else")])
    more = Client(config_of(server), folder, LlmBudget(calls=2))
    assert more.chat("r", [user("something else")]).text == "b"


def test_the_ledger_says_it_all(serve, client_of, tmp_path):
    server = serve(error(500, "boom"), answer("x", usage=(30, 6)), answer("y", usage=(40, 7)))
    client = client_of(server, prices=PRICES)
    client.chat("planning", [user("hi")])
    client.chat("execution", [user("ho")])
    lines = [json.loads(line) for line in (tmp_path / "llm" / "ledger.jsonl").read_text().splitlines()]
    assert [(line["kind"], line["call"]) for line in lines] == [(k, n) for n in (1, 2, 3) for k in ("begin", "end")]
    ended = [line for line in lines if line["kind"] == "end"]
    assert [(e["role"], e["attempt"], e["outcome"], e["prompt_tokens"], e["completion_tokens"]) for e in ended] == [
        ("planning", 1, "server_error", 0, 0),
        ("planning", 2, "ok", 30, 6),
        ("execution", 1, "ok", 40, 7),
    ]
    assert all(line["model"] == f"openai/{MODEL}" and line["host_s"] > 0 for line in ended)
    by_role = client.books.reached()
    assert by_role["planning"].plain() == {
        "calls": 2,
        "prompt_tokens": 30,
        "completion_tokens": 6,
        "usd": pytest.approx(180e-6),
        "unpriced": 0,
        "host_s": pytest.approx(sum(e["host_s"] + e["waited_s"] for e in ended[:2])),
        "outcomes": {"ok": 1, "server_error": 1},
    }
    assert by_role["execution"].tokens == 47
