"""An agent's code is a digest and the commit that has it, looked up in the repository."""

import subprocess

import pytest

from schedcp_gym.leaderboard.agent_code import code_digest, commit_of, committed_digest, has_history, read_code
from schedcp_gym.spec import SchedcpError

FILE, PACKAGE = "schedcp_gym.baselines.one.Agent", "schedcp_gym.baselines.many.agent.Agent"


def git(root, *words):
    name = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", "-C", str(root), *name, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(root, path, text):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    git(root, "add", "-A")
    git(root, "commit", "-qm", path)
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path):
    """A repository with two agents."""
    git(tmp_path, "init", "-q")
    commit(tmp_path, "baselines/many/agent.py", "class Agent: ...\n")
    commit(tmp_path, "baselines/many/prompts/task.md", "Do.\n")
    commit(tmp_path, "baselines/one.py", "class Agent: ...\n")
    return tmp_path


def test_the_commit_is_the_one_that_changed_the_code_last(root):
    many = {"agent/many/agent.py": b"class Agent: ...\n", "agent/many/prompts/task.md": b"Do.\n"}
    sha256 = code_digest(many)
    found = commit_of(PACKAGE, sha256, root)
    assert found == git(root, "rev-parse", "HEAD~1")
    assert committed_digest(PACKAGE, found, root) == sha256
    assert commit_of(FILE, code_digest({"agent/one.py": b"class Agent: ...\n"}), root) == git(root, "rev-parse", "HEAD")
    commit(root, "baselines/many/agent.py", "class Agent: better = 1\n")
    assert commit_of(PACKAGE, sha256, root) is None  # what was submitted is not what is there
    assert committed_digest(PACKAGE, found, root) == sha256  # it was at that commit all the same


def test_what_is_in_no_commit_is_not_found(root):
    head = git(root, "rev-parse", "HEAD")
    assert commit_of(FILE, "0" * 64, root) is None
    assert commit_of("elsewhere.Agent", "0" * 64, root) is None
    assert committed_digest(FILE, "f" * 40, root) is None
    assert committed_digest("schedcp_gym.baselines.none.Agent", head, root) is None
    for text in ("HEAD", "--output=x", "", head[:12]):
        assert committed_digest(FILE, text, root) is None


def test_without_the_whole_history_a_commit_cannot_be_missed(root, tmp_path_factory):
    assert has_history(root)
    assert not has_history(tmp_path_factory.mktemp("archive"))
    shallow = tmp_path_factory.mktemp("clone") / "shallow"
    git(root, "clone", "-q", "--depth", "1", f"file://{root}", str(shallow))
    assert not has_history(shallow)


def test_code_that_is_nowhere_is_told():
    assert list(read_code("schedcp_gym.baselines.random_search.RandomSearch")) == ["agent/random_search.py"]
    assert "agent/sched_agent/prompts/task.md" in read_code("schedcp_gym.baselines.sched_agent.agent.SchedAgent")
    with pytest.raises(SchedcpError, match="is missing"):
        read_code("nowhere.at.all.Agent")
