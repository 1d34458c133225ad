"""Whose deployments are whose; nothing is deployed here."""

import threading

import pytest

from schedcp_gym.control.server.deployments import Deployments
from schedcp_gym.lab import Lab
from schedcp_gym.spec import BadInput, Policy, SchedcpError

POLICY = Policy("p", "int x;")


class Under:
    """Deployments that run until they are let go."""

    def __init__(self, **options):
        self.known = Deployments()
        self.go = threading.Event()
        self.options = options

    def deploy(self, lab):
        self.go.wait(10)
        raise SchedcpError("let go")

    def start(self, **options):
        return self.known.start("s", "schbench", POLICY, Lab(workers=1), self.deploy, **self.options, **options)


@pytest.fixture
def ordinary():
    under = Under()
    yield under
    under.go.set()


@pytest.fixture
def shared():
    """A session that several clients share: only an id tells whose a deployment is."""
    under = Under(guessable=False)
    yield under
    under.go.set()


def test_a_session_is_told_its_own(ordinary):
    first, second = ordinary.start(), ordinary.start()
    assert [first.id, second.id] == ["deployment-1", "deployment-2"]
    with pytest.raises(BadInput, match="no deployment 'deployment-3': it has deployment-1, deployment-2"):
        ordinary.known.get("s", "deployment-3")
    with pytest.raises(BadInput, match="no deployment 'deployment-1' "):
        ordinary.known.get("another", "deployment-1")
    with pytest.raises(BadInput, match="deployment-1, deployment-2 are running"):
        ordinary.start()


def test_an_id_that_is_a_secret_is_in_no_error(shared):
    first, second = shared.start(), shared.start()
    assert shared.known.get("s", first.id) is first
    with pytest.raises(BadInput, match="no deployment") as unknown:
        shared.known.get("s", "deployment-1")
    with pytest.raises(BadInput, match="2 deployments are running") as too_many:
        shared.start()
    for error in (unknown, too_many):
        assert first.id not in str(error.value)
        assert second.id not in str(error.value)


def test_one_whose_end_can_not_be_written_down_has_ended_all_the_same(ordinary):
    def fail(_):
        raise OSError("the disk is full")

    ordinary.go.set()
    deployment = ordinary.start(ended=fail)
    assert deployment.over.wait(10)
    assert (deployment.state, deployment.message) == ("failed", "let go")
