"""A process that writes to a repository: adds policies and results, and says each once it is kept."""

import sys
from pathlib import Path

from schedcp_gym.control.repository import PolicyRecord, ResultRecord, open_library, seed


def main(folder, name, count):
    seed.RECORDED = Path(folder) / "no-recorded-results"
    repository = open_library(Path(folder))
    print("open", flush=True)
    sys.stdin.readline()  # all begin at once
    for number in range(int(count)):
        repository.add(
            PolicyRecord(
                name=f"{name}-{number}", source=f"/* {name} {number} */\nint x;", card=f"zebra {name} {number}"
            )
        )
        repository.record(
            ResultRecord(
                policy="fifo",
                workload="longtail",
                outcome="ok",
                metrics={"makespan_s": 1.0},
                machine=f"virtual-{name}",
                seed=number,
            )
        )
        print(number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
