"""Runs the workload as a trial does, for those who watch it. Guest side."""

import os
from collections.abc import Callable


def launch(
    watched: list[str], before: Callable[[int], None] = lambda _pid: None, command: str = "/job/command"
) -> None:
    """Runs the workload to its end, under the policy if there is one.

    Args:
        watched: A program, with its arguments, that runs the workload's command (appended); none: the command itself.
        before: Called with the process id of the loader, the workload's parent, before it is started.
        command: The workload's command, as a shell script.
    """
    loader = ["scx_run", "--report", "/result/report.json", "--verifier-log", "/result/verifier.log"]
    if os.path.exists("/job/policy.bpf.o"):
        loader += ["--object", "/job/policy.bpf.o", "--tunables", "/job/tunables"]
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        os.read(ready, 1)
        for number, name in ((1, "workload.out"), (2, "workload.err")):
            os.dup2(os.open(f"/result/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
        os.execvp(loader[0], [*loader, "--", *watched, "sh", command])
    os.close(ready)
    before(child)
    os.close(go)
    os.waitpid(child, 0)
