#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the kernel, or some folders of it, with make; prints the metrics as a line of JSON.

    run.py --targets "lib/math lib/crypto" --jobs 4 --cpus 2 --seed 1

The set-up has put the prepared build folder, without any object of the kernel, to BUILD.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = Path("/tmp/build")
KBUILD_ENV = Path("/opt/workloads/kernel-build/kbuild.env")
WHOLE = "vmlinux"
#: make takes 32 bits of seed.
SEEDS = 2**32


def main() -> None:
    """Builds, checks that all was built, and prints the metrics."""
    options = arguments()
    there = objects()
    begin, before = time.monotonic(), cpu_s()
    status = subprocess.run(command(options), cwd=BUILD, env=environment(options.targets), check=False).returncode
    makespan_s, spent_s = time.monotonic() - begin, cpu_s() - before
    if status:
        sys.exit(f"make ended with status {status}")
    built = objects() - there
    check(options.targets, built)
    metrics = {
        "makespan_s": round(makespan_s, 9),
        "bound_s": round(spent_s / options.cpus, 6),
        "objects_per_s": round(len(built) / makespan_s, 9),
    }
    print(json.dumps(metrics))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--targets", type=str.split, required=True, help="folders of the kernel, or vmlinux: all of it")
    parser.add_argument("--jobs", type=int, required=True, help="compilers at once, for each CPU")
    parser.add_argument("--cpus", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True, help="shuffles the order in which make begins its targets")
    return parser.parse_args()


def command(options: argparse.Namespace) -> list[str]:
    """The call of make."""
    make = ["make", f"-j{options.jobs * options.cpus}", f"--shuffle={options.seed % SEEDS}"]
    if options.targets == [WHOLE]:
        return [*make, WHOLE]
    return [*make, "-f", str(HERE / "folders.mk"), f"FOLDERS={' '.join(options.targets)}", *options.targets]


def environment(targets: list[str]) -> dict[str, str]:
    """What make runs with: for folders, what the kernel's top Makefile would hand down."""
    written = (entry.partition("=") for entry in KBUILD_ENV.read_text().split("\0") if entry)
    handed_down = {name: value for name, _, value in written}
    if targets == [WHOLE]:
        handed_down = {name: value for name, value in handed_down.items() if name.startswith("KBUILD_BUILD_")}
    return handed_down | {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC"}


def objects() -> set[Path]:
    """The object files there are."""
    return set(BUILD.rglob("*.o"))


def check(targets: list[str], built: set[Path]) -> None:
    """Refuses a build that left anything out: each folder's archive lists the objects that belong to it."""
    archives = [BUILD / "vmlinux.a"] if targets == [WHOLE] else [BUILD / name / "built-in.a" for name in targets]
    for archive in archives:
        listed = subprocess.run(["ar", "t", archive], cwd=BUILD, capture_output=True, text=True, check=True)
        members = {(BUILD / line).resolve() for line in listed.stdout.splitlines()}
        missing = members - built
        if missing or not members:
            sys.exit(f"{archive.relative_to(BUILD)}: {len(missing)} of its {len(members)} objects were not built")
    if targets == [WHOLE] and not (BUILD / WHOLE).is_file():
        sys.exit(f"there is no {WHOLE}")


def cpu_s() -> float:
    """CPU time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
