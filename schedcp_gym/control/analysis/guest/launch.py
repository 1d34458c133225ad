"""Run the workload as a trial does, under a watching program. Guest side."""

import os
from collections.abc import Callable


def launch(
    watched: list[str], before: Callable[[int], None] = lambda _pid: None, command: str = "/job/command"
) -> None:
    """Run the workload to its end, under the policy if there is one.

    Args:
        watched: A program with arguments, which runs the command that is appended; empty: run the command itself.
        before: Function that is called with the process id of the loader, the workload's parent, before its start.
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
