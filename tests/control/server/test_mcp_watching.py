"""Watching a workload's changes: what is news, and that it arrives, by both protocols."""

import asyncio
import json

import pytest

from schedcp_gym.control.analysis import Analysis, Tier
from schedcp_gym.control.server.watch import Watch

URI = "schedcp://workloads/phases/changes"


def changes(anew=False, parts=1):
    data = {"analyse_anew": anew, "changes": [], "parts": [{"from_s": float(part)} for part in range(parts)]}
    return Analysis(Tier.SUMMARY, "changes", "phases", f"{parts} part(s)", data)


@pytest.fixture
def watch():
    made = Watch()
    made.heard = []
    made.listen(made.heard.append)
    return made


def test_the_same_answer_is_no_news(watch):
    for _ in range(2):
        watch.analysed("phases", "eevdf", "v1", changes())
    assert watch.heard == ["phases"]
    watch.analysed("phases", "eevdf", "v1", changes(anew=True, parts=2))
    watch.analysed("phases", "fifo", "v1", changes(anew=True, parts=2))
    assert watch.heard == ["phases"] * 3
    watch.analysed("redis", "eevdf", "v1", changes())
    assert watch.heard[-1] == "redis"


def test_a_better_policy_makes_an_analysis_due_until_it_is_made(watch):
    watch.measured("phases", "fifo", 0.5)
    assert watch.heard == []  # nothing was analysed yet: nothing can be out of date
    watch.analysed("phases", "eevdf", "v1", changes())
    watch.measured("phases", "vtime", 0.51)  # no news: hardly better
    assert watch.heard == ["phases"]
    watch.measured("phases", "vtime", 0.9)
    assert watch.heard == ["phases"] * 2
    assert list(watch.state("phases", "v1").due) == ["best"]
    assert "workload_changes with policy=vtime" in watch.state("phases", "v1").due["best"]
    watch.analysed("phases", "vtime", "v1", changes())
    assert watch.state("phases", "v1").due == {}
    assert watch.heard == ["phases"] * 3


def test_a_kept_deployment_makes_an_analysis_due(watch):
    watch.analysed("phases", "eevdf", "v1", changes())
    watch.deployed("phases", "vtime")
    state = watch.state("phases", "v1")
    assert state.in_charge == "vtime"
    assert list(state.due) == ["in_charge"]
    watch.analysed("phases", "fifo", "v1", changes())
    assert list(watch.state("phases", "v1").due) == ["in_charge"]


def test_other_files_make_an_analysis_due(watch):
    watch.analysed("phases", "eevdf", "v1", changes())
    assert watch.state("phases", "v1").due == {}
    assert list(watch.state("phases", "v2").due) == ["files"]


def test_who_has_ended_is_not_told(watch):
    heard = []
    end = watch.listen(heard.append)
    end()
    end()
    watch.analysed("phases", "eevdf", "v1", changes())
    assert heard == []


@pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")
def test_a_subscriber_of_the_handshakes_protocol_is_notified(served):
    heard = asyncio.Queue()

    async def handler(message):
        if getattr(message, "method", "") == "notifications/resources/updated":
            heard.put_nowait(str(message.params.uri))

    async def work(client):
        assert client.server_capabilities.resources.subscribe
        await client.session.subscribe_resource(URI)
        await client.session.subscribe_resource(URI)  # once more is the same
        change = served.plane.watch.analysed
        await asyncio.to_thread(change, "phases", "eevdf", "v1", changes())
        assert await asyncio.wait_for(heard.get(), 20) == URI
        served.plane.watch.analysed("redis", "eevdf", "v1", changes())  # nobody asked for that
        await client.session.unsubscribe_resource(URI)
        await asyncio.to_thread(change, "phases", "eevdf", "v1", changes(parts=2))
        state = json.loads((await client.read_resource(URI)).contents[0].text)
        assert state["summary"] == "2 part(s)"
        assert heard.empty()
        for wrong, words in (("schedcp://policies/fifo", "only changes"), ("schedcp://workloads/x/changes", "unknown")):
            with pytest.raises(Exception, match=words):
                await client.session.subscribe_resource(wrong)

    served.do(work, "legacy", message_handler=handler)
    served.plane.watch.analysed("phases", "eevdf", "v1", changes(parts=3))  # the client has gone


def test_a_subscriber_of_the_newest_protocol_is_notified(served):
    async def work(client):
        async with client.listen(resource_subscriptions=[URI]) as events:
            await asyncio.to_thread(served.plane.watch.analysed, "redis", "eevdf", "v1", changes())
            await asyncio.to_thread(served.plane.watch.analysed, "phases", "eevdf", "v1", changes())
            return (await anext(aiter(events))).uri

    assert served.do(work) == URI
    assert not served.plane.watch._listeners
