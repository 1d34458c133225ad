import datetime

import pytest

from schedcp_gym.llm import LlmConfig
from schedcp_gym.llm.backoff import retry_after_s, wait_s

CONFIG = LlmConfig("openai/x", backoff_s=1.0, backoff_max_s=8.0, seed=1)
NOW = datetime.datetime(2026, 1, 1, 12, 0, 0, tzinfo=datetime.UTC)


def test_waits_double_up_to_a_limit_and_are_spread():
    for request in map(str, range(50)):
        waits = [wait_s(CONFIG, request, attempt, None) for attempt in range(1, 8)]
        for attempt, wait in enumerate(waits):
            full = min(8.0, 2.0**attempt)
            assert full / 2 <= wait <= full
    firsts = {round(wait_s(CONFIG, str(request), 1, None), 2) for request in range(50)}
    assert len(firsts) > 20


def test_waits_come_from_the_seed():
    other = LlmConfig("openai/x", backoff_s=1.0, seed=2)
    assert wait_s(CONFIG, "r", 1, None) == wait_s(CONFIG, "r", 1, None) != wait_s(other, "r", 1, None)


@pytest.mark.parametrize("asked", [0.0, 0.3, 5.0, 100.0])
def test_what_a_server_asks_for_is_the_least(asked):
    waits = [wait_s(CONFIG, str(request), 1, asked) for request in range(50)]
    assert min(waits) >= max(asked, 0.5)
    assert max(waits) <= max(asked + 1.0, 1.0)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "9", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 GMT"}, 30),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "inf"}, None),
    ],
)
def test_retry_after(headers, seconds):
    assert retry_after_s(headers, NOW) == seconds
