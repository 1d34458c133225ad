"""What an import costs, and what it reaches for."""

import subprocess
import sys

import pytest


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done


def test_importing_the_layer_imports_neither_litellm_nor_a_tokenizer():
    heavy = "{'litellm', 'openai', 'httpx', 'tiktoken', 'jsonschema', 'asyncio.unix_events'}"
    assert python(f"import sys, schedcp_gym.llm; print(sorted({heavy} & set(sys.modules)))").stdout.strip() == "[]"


def test_the_layer_imports_only_spec_of_the_house():
    names = python("import sys, schedcp_gym.llm as l; print(*[m for m in sys.modules if m.startswith('schedcp_gym.')])")
    packages = {name.split(".")[1] for name in names.stdout.split()}
    assert packages == {"llm", "spec"}


@pytest.mark.parametrize("answers", ["True", "False"])
def test_loading_litellm_and_a_call_reach_for_nothing_but_the_server(answers):
    # Every connection and look-up of a name is noted; only the fake server's may be there.
    code = f"""
import socket, sys, tempfile
from pathlib import Path
sys.path.insert(0, "tests/llm")
from fake_server import FakeServer, answer, error, MODEL
from schedcp_gym.llm import Client, LlmConfig, CallFailed, user
asked = []
def note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        asked.append(arguments[1][1] if event == "socket.connect" else arguments[1])
sys.addaudithook(note)
with FakeServer(answer("hello") if {answers} else error(400, "no")) as server, tempfile.TemporaryDirectory() as folder:
    client = Client(LlmConfig("openai/" + MODEL, server.url, timeout_s=30), Path(folder))
    try:
        print(client.chat("r", [user("hi")]).text)
    except CallFailed as problem:
        print(problem.outcome)
    port = int(server.url.split(":")[2].split("/")[0])
print(set(map(int, asked)) == {{port}})
"""
    done = python(code)
    assert done.stdout.split() == ["hello" if answers == "True" else "bad_request", "True"]
    assert done.stderr == ""
