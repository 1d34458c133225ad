"""What an import costs, and what it reaches for."""

import subprocess
import sys


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


def test_importing_the_layer_imports_neither_litellm_nor_a_tokenizer():
    heavy = "{'litellm', 'openai', 'httpx', 'tiktoken', 'jsonschema', 'asyncio.unix_events'}"
    assert python(f"import sys, schedcp_gym.llm; print(sorted({heavy} & set(sys.modules)))").stdout.strip() == "[]"


def test_the_layer_imports_only_spec_and_the_helper_for_files_of_the_house():
    names = python("import sys, schedcp_gym.llm as l; print(*[m for m in sys.modules if m.startswith('schedcp_gym.')])")
    packages = {name.split(".")[1] for name in names.stdout.split()}
    assert packages == {"files", "llm", "spec"}


def test_loading_litellm_and_calls_reach_for_nothing_but_the_server():
    # Every connection and look-up of a name is noted; only the fake server's may be there.
    code = """
import sys, tempfile
from pathlib import Path
sys.path.insert(0, "tests")
from llm.fake_server import FakeServer, answer, error, MODEL
from schedcp_gym.llm import Client, LlmConfig, CallFailed, user
asked = set()
def note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        asked.add(int(arguments[1][1] if event == "socket.connect" else arguments[1]))
sys.addaudithook(note)
with FakeServer(answer("hello"), error(400, "no")) as server, tempfile.TemporaryDirectory() as folder:
    client = Client(LlmConfig("openai/" + MODEL, server.url, timeout_s=200), Path(folder))
    print(client.chat("r", [user("hi")]).text)
    try:
        client.chat("r", [user("hi")])
    except CallFailed as problem:
        print(problem.outcome)
    print(asked == {int(server.url.split(":")[2].split("/")[0])})
"""
    done = python(code)
    assert done.stdout.split() == ["hello", "bad_request", "True"]
    assert done.stderr == ""  # nor does anything complain at the end of the process
