# SPDX-License-Identifier: Apache-2.0
"""A batch of many short jobs and one long one, each a real program. How long until the last is done?

A workload's ``run.py`` says how its inputs are made and what each job runs; the rest is here::

    import batch

    def prepare(parts):             # before the policy is loaded, not measured: make every part's input
        for part in parts:
            with open(part.path(".log"), "wb") as file:
                file.write(some_data(part.amount, part.seed))

    def job(part):                  # what to run for a part, and what it must give
        return batch.Job(["gzip", "-c", part.name + ".log"], inputs=[part.path(".log")], check=is_gzip)

    batch.main(prepare, job)

and in ``workload.yaml``, with ``shared: [batch.py]`` (``amount``: work of a short job, in the workload's own unit)::

    setup: [python3, run.py, --setup, "--seed={seed}", "--jobs={jobs}", "--ratio={ratio}", "--amount={amount}"]
    command: [python3, run.py, "--cpus={cpus}", "--seed={seed}", "--jobs={jobs}", "--ratio={ratio}",
              "--amount={amount}"]

``python3 run.py --plan …`` prints the jobs, ``--verbose`` each job's times. Names, order, data and which part is the
long one come from the seed; the amounts, but for their order, do not. A job should be single-threaded: the bound
takes it that no job can use two CPUs at once.

The start: the driver forks a process for each job. It takes the job's name, says that it is ready and waits on a
pipe. When all wait, the driver closes its end: all jobs become runnable at one moment, in the order in which they were
started, and execute their programs by a symbolic link with the job's name, so that they keep it. From then on
the driver only collects them, as a real-time task, so that a job's end is seen when it happens and not when the policy
under test gets to it. CPU times are the kernel's (wait4), less what a process had used at the release.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from io import FileIO

#: At most 10 letters, none the beginning of another: a name is <word>-<4 hexadecimal digits>.
_WORDS = (
    "amber anchor apple arrow aspen badger bamboo basil beacon birch bison bramble canyon cedar cheetah cinder "
    "clover cobalt comet copper coral crane cypress dahlia delta dolphin dune eagle ember falcon fennel fern "
    "finch flint garnet gecko ginger glacier granite harbor hazel heron indigo iris ivory jackal jasmine juniper "
    "kestrel koala lagoon lantern lemur lichen lilac lotus magnet mango maple marble meadow meteor nectar nutmeg "
    "oasis ocelot olive onyx opal orchid osprey otter panther pebble pepper plover poplar prairie quartz quokka "
    "raven saffron salmon sequoia spruce summit thistle timber topaz tundra umber velvet walnut willow yarrow "
    "zephyr"
)
WORDS = _WORDS.split()
#: Short jobs are not all alike: their amounts lie evenly between so many hundredths of the average one's.
LEAST, MOST = 75, 125
FATAL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NS_PER_S = 1_000_000_000
PROCESS_CPU_CLOCK = 2  # with the complement of a process id above it: that process's CPU time (see clock_getcpuclockid)


class Error(Exception):
    """The batch can't be run, or a job did not do what it should."""


class Part:
    """A job's share of the work.

    Attributes:
        name: The job's name: no other's beginning.
        amount: How much work it is, in the workload's unit.
        seed: For the part's data: 64 bits, another for each part.
        folder: The batch's folder.
    """

    def __init__(self, name: str, amount: int, seed: int, folder: str):
        self.name = name
        self.amount = amount
        self.seed = seed
        self.folder = folder

    def path(self, ending: str = "") -> str:
        """A path of the part's own in the batch's folder."""
        return os.path.join(self.folder, self.name + ending)


class Job:
    """What is run for a part.

    Args:
        arguments: The program, looked for in ``PATH``, and its arguments.
        inputs: Files and folders it reads, for the plan.
        stdin: File to be its standard input; nothing when not given.
        output: File it must write; its standard output when not given. An empty one is an error.
        check: Whether the output's content is right.
        folder: Where it runs; the batch's folder when not given.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        inputs: Sequence[str] = (),
        stdin: str = os.devnull,
        output: str = "",
        check: Callable[[bytes], bool] | None = None,
        folder: str = "",
    ):
        self.arguments = list(arguments)
        self.inputs = inputs
        self.stdin = stdin
        self.output = output
        self.check = check
        self.folder = folder


class Process:
    """A job's process, and what became of it."""

    def __init__(self, part: Part, job: Job):
        self.part = part
        self.job = job
        self.link = part.path(".run/" + part.name)
        self.stdout = part.path(".run/stdout")
        self.pid = 0
        self.cpu_before_ns = 0
        self.cpu_s = 0.0
        self.completion_s = 0.0


def random_numbers(seed: int) -> Iterator[int]:
    """Numbers of 64 bits (splitmix64: Steele, Lea, Flood 2014); Python's own module takes long to load."""
    mask = (1 << 64) - 1
    state = seed & mask
    while True:
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield z ^ (z >> 31)


def permutation(size: int, numbers: Iterator[int]) -> list[int]:
    """The numbers from 0 to ``size - 1`` in random order."""
    order = list(range(size))
    for i in range(size - 1, 0, -1):
        j = next(numbers) % (i + 1)
        order[i], order[j] = order[j], order[i]
    return order


def plan(seed: int, jobs: int, ratio: int, amount: int, folder: str) -> list[Part]:
    """The parts of a batch, in the order in which they are started.

    Args:
        seed: Of names, order and data.
        jobs: How many, one of them long.
        ratio: Work of the long one in average short ones.
        amount: Work of an average short one.
        folder: The batch's folder.
    """
    if not 2 <= jobs <= len(WORDS):
        raise Error(f"--jobs must be from 2 to {len(WORDS)}")
    numbers = random_numbers(seed)
    words = permutation(len(WORDS), numbers)
    steps = max(jobs - 2, 1)
    amounts = [amount * (LEAST * steps + (MOST - LEAST) * i) // (100 * steps) for i in range(jobs - 1)]
    amounts.append(amount * ratio)
    return [
        Part(f"{WORDS[word]}-{next(numbers) & 0xFFFF:04x}", amounts[share], next(numbers), folder)
        for word, share in zip(words, permutation(jobs, numbers), strict=False)
    ]


def print_plan(parts: list[Part], job: Callable[[Part], Job]) -> None:
    """What an operator knows of the batch: each job's name, amount of input, its size once made, command."""
    print(f"{'name':<15} {'amount':>10} {'input_bytes':>12}  command")
    for part in parts:
        described = job(part)
        sizes = [_size(path) for path in described.inputs]
        size = sum(sizes) if sizes and all(sizes) else "-"
        print(f"{part.name:<15} {part.amount:>10} {size:>12}  {' '.join(described.arguments)}")


def _size(path: str) -> int:
    """Bytes in a file, or in all files below a folder; 0 when it is not there yet."""
    if not os.path.isdir(path):
        return os.stat(path).st_size if os.path.exists(path) else 0
    return sum(os.lstat(os.path.join(top, name)).st_size for top, _, names in os.walk(path) for name in names)


def run(parts: list[Part], job: Callable[[Part], Job]) -> tuple[list[Process], float]:
    """Runs the batch.

    Returns:
        The processes, with their times, and the makespan in seconds.

    Raises:
        Error: A job can't be started, failed, or gave something else than it should.
    """
    processes = [Process(part, job(part)) for part in parts]
    start, release = _pipe()
    try:
        for process in processes:
            _prepare(process)
            _start(process, start, release)
        makespan_s = _release_and_collect(processes, release)
        for process in processes:
            _check(process)
    finally:
        start.close()
        release.close()
        for process in processes:
            _clean_up(process)
    return processes, makespan_s


def _pipe() -> tuple[FileIO, FileIO]:
    reader, writer = os.pipe()
    return FileIO(reader), FileIO(writer, "w")


def _prepare(process: Process) -> None:
    """Makes the link that gives the program the job's name."""
    os.mkdir(process.part.path(".run"))
    program = process.job.arguments[0]
    for folder in os.get_exec_path():
        path = os.path.join(folder, program)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            os.symlink(os.path.abspath(path), process.link)
            return
    raise Error(f"{process.part.name}: there is no program {program!r}")


def _start(process: Process, start: FileIO, release: FileIO) -> None:
    """Starts a process that becomes the job when the release pipe is closed, and waits until it is ready."""
    driver = os.getpid()
    readiness, ready = _pipe()
    process.pid = os.fork()
    if not process.pid:
        try:
            _become(process, driver, start, release, ready)
        except OSError as error:
            os.write(2, f"{process.part.name}: {error}\n".encode())
        finally:
            os._exit(127)
    os.setpgid(process.pid, process.pid)  # a group with its children, to be ended together
    ready.close()
    with readiness:
        if not readiness.read(1):
            raise Error(f"{process.part.name} could not be started")


def _become(process: Process, driver: int, start: FileIO, release: FileIO, ready: FileIO) -> None:
    for number in FATAL:
        signal.signal(number, signal.SIG_DFL)
    release.close()
    with open("/proc/self/comm", "w") as comm:
        comm.write(process.part.name)
    os.chdir(process.job.folder or process.part.folder)
    os.dup2(os.open(process.job.stdin, os.O_RDONLY), 0)
    os.dup2(os.open(process.stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 1)
    ready.write(b".")
    ready.close()
    start.read(1)
    if os.getppid() == driver:  # else the pipe was closed by the driver's death
        os.execv(process.link, process.job.arguments)


def _release_and_collect(processes: list[Process], release: FileIO) -> float:
    by_pid = {process.pid: process for process in processes}
    for process in processes:
        process.cpu_before_ns = time.clock_gettime_ns(~process.pid << 3 | PROCESS_CPU_CLOCK)
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    _be_real_time()
    ended = []
    released_ns = time.monotonic_ns()
    release.close()
    for _ in processes:
        pid, status, usage = os.wait4(-1, 0)
        ended.append((pid, status, usage, time.monotonic_ns()))
        if status:
            break
    os.sched_setscheduler(0, policy, priority)
    for pid, status, usage, end_ns in ended:
        process = by_pid[pid]
        if status:
            raise Error(f"{process.part.name} ({' '.join(process.job.arguments)}) failed: {_ending(status)}")
        process.cpu_s = usage.ru_utime + usage.ru_stime - process.cpu_before_ns / NS_PER_S
        process.completion_s = (end_ns - released_ns) / NS_PER_S
    return (ended[-1][-1] - released_ns) / NS_PER_S


def _be_real_time() -> None:
    """So that the driver sees a job's end at once."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        print("batch: not allowed to be a real-time task: times include the driver's own waits", file=sys.stderr)


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit status {code}" if code >= 0 else f"killed by signal {-code}"


def _check(process: Process) -> None:
    path = process.job.output or process.stdout
    try:
        with open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        raise Error(f"{process.part.name} left no {path}") from None
    if not content:
        raise Error(f"{process.part.name} ({' '.join(process.job.arguments)}) gave an empty output")
    if process.job.check and not process.job.check(content):
        raise Error(f"{process.part.name} ({' '.join(process.job.arguments)}) gave a wrong output: {content[:100]!r}")


def _clean_up(process: Process) -> None:
    """Ends the job and its children where they still run, and removes what the driver made for it."""
    if process.pid:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, 0)
    for remove, path in ((os.unlink, process.link), (os.unlink, process.stdout), (os.rmdir, process.part.path(".run"))):
        with contextlib.suppress(FileNotFoundError):
            remove(path)


def figures(processes: list[Process], makespan_s: float, cpus: int) -> dict[str, float]:
    """The batch's metrics, by name."""
    work_s = sum(process.cpu_s for process in processes)
    longest = max(processes, key=lambda process: process.cpu_s)
    short = [process for process in processes if process is not longest]
    slowdowns = [process.completion_s / process.cpu_s for process in processes]
    shares = [process.cpu_s / process.completion_s for process in short]
    return {
        "makespan_s": makespan_s,
        "bound_s": max(longest.cpu_s, work_s / cpus),
        "mean_completion_s": sum(process.completion_s for process in processes) / len(processes),
        "worst_short_completion_s": max(process.completion_s for process in short),
        "jobs_per_s": len(processes) / makespan_s,
        "mean_slowdown": sum(slowdowns) / len(slowdowns),
        "fairness": sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares)),
    }


def main(prepare: Callable[[list[Part]], None], job: Callable[[Part], Job]) -> None:
    """What a workload's ``run.py`` does: ``--setup``, ``--plan``, or the batch.

    Args:
        prepare: Makes the inputs of all parts in the batch's folder, which is there and empty.
        job: What to run for a part.
    """
    arguments = _arguments()
    for number in FATAL:
        signal.signal(number, lambda got, _: sys.exit(128 + got))
    try:
        folder = os.path.abspath(arguments.folder)
        parts = plan(arguments.seed, arguments.jobs, arguments.ratio, arguments.amount, folder)
        if arguments.plan:
            print_plan(parts, job)
        elif arguments.setup:
            os.mkdir(folder)
            prepare(parts)
        else:
            processes, makespan_s = run(parts, job)
            if arguments.verbose:
                _print_processes(processes)
            metrics = figures(processes, makespan_s, arguments.cpus)
            print(json.dumps({name: round(value, 9) for name, value in metrics.items()}))
    except (Error, OSError) as error:
        sys.exit(f"batch: {error}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A batch of many short jobs and a long one.", allow_abbrev=False)
    parser.add_argument("--seed", type=int, default=1, help="of names, order and data (1)")
    parser.add_argument("--jobs", type=int, required=True, help="jobs, one of them long")
    parser.add_argument("--ratio", type=int, required=True, help="work of the long job in average short ones")
    parser.add_argument("--amount", type=int, required=True, help="work of an average short job, in its own unit")
    parser.add_argument("--cpus", type=int, default=os.cpu_count(), help="of the machine, for the bound")
    parser.add_argument("--folder", default="/tmp/batch", help="of inputs and outputs (/tmp/batch)")
    parser.add_argument("--setup", action="store_true", help="make the inputs, and do nothing else")
    parser.add_argument("--plan", action="store_true", help="print the jobs, and do nothing else")
    parser.add_argument("--verbose", action="store_true", help="print each job's times to standard error")
    return parser.parse_args()


def _print_processes(processes: list[Process]) -> None:
    for process in processes:
        name, before_s = process.part.name, process.cpu_before_ns / NS_PER_S
        print(
            f"batch: {name:<15} {process.part.amount:>10}: {process.cpu_s:.6f} s of CPU time"
            f" (and {before_s:.6f} before), done at {process.completion_s:.6f} s",
            file=sys.stderr,
        )
