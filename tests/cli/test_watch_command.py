"""``schedcp-gym watch``: what it says of bad input, and of what it sees."""

import json
import signal
import subprocess
import sys

import filelock
import pytest
from typer.testing import CliRunner

from schedcp_gym.cli import app
from schedcp_gym.cli.watch import _print
from schedcp_gym.control.trigger.watcher import find_root
from schedcp_gym.spec import BadInput

WATCH = [sys.executable, "-m", "schedcp_gym.cli", "watch", "--agent", "eevdf"]


def run(*words):
    return CliRunner().invoke(app, ["watch", *words])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--agent", "sched_agnt"], "unknown agent 'sched_agnt'"),
        (["--agent", "eevdf", "--set", "seed"], "NAME=VALUE, not 'seed'"),
        (["--agent", "eevdf", "--set", "run.dir=/"], "run.dir is set by the watcher"),
        (["--agent", "eevdf", "--match", "/nosuch.yaml"], "/nosuch.yaml can't be read"),
        (["--agent", "eevdf", "--runtimes", "/nosuch.yaml"], "/nosuch.yaml can't be read"),
        (["--agent", "eevdf", "--cgroup", "/tmp"], "/tmp is no folder of a cgroup v2 tree"),
        (["--agent", "eevdf", "--folder", "/proc/x"], "/proc/x can't be used"),
    ],
)
def test_bad_input_is_told(words, says):
    answer = run(*words)
    assert isinstance(answer.exception, BadInput)
    assert says in str(answer.exception)
    assert len(str(answer.exception).splitlines()) <= 2


@pytest.mark.parametrize("words", [["--settle", "-1"], ["--parallel", "0"], ["--nosuch"]])
def test_wrong_options_are_told(words):
    answer = run(*words)
    assert answer.exit_code == 2
    assert words[0] in answer.output


def test_two_watchers_don_t_share_a_folder(tmp_path):
    with filelock.FileLock(tmp_path / ".lock"):
        answer = run("--agent", "eevdf", "--folder", str(tmp_path))
    assert "a watcher is at work" in str(answer.exception)


def test_once_and_a_signal_end_it(tmp_path):
    try:
        find_root()
    except BadInput:
        pytest.skip("no cgroup v2 file system")
    done = subprocess.run([*WATCH, "--once", "--settle", "0", "--dry-run", "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first = json.loads(done.stdout.splitlines()[0])
    assert first["kind"] == "watching"
    assert first["cgroups"] >= 1

    command = [*WATCH, "--folder", str(tmp_path)]
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert "watching" in process.stdout.readline()
            process.send_signal(number)
            _, err = process.communicate(timeout=30)
        assert process.returncode == 128 + number
        assert "stopped; no run was under way" in err
        assert "Traceback" not in err


def test_names_that_others_chose_do_not_reach_the_terminal_as_they_are(capsys):
    _print({"kind": "appeared", "at": "2026-11-25T12:00:00+00:00", "runtime": "lxc", "cgroup": "lxc/\x1b[31m\n\udcff"})
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("12:00:00 appeared")
    assert "\x1b" not in line
    assert line.isprintable()
