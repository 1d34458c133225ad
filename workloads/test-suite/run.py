# SPDX-License-Identifier: Apache-2.0
"""Test programs for Perl's libraries, each a perl of its own. The amount: cases."""

import os

import batch

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libraries.t")
TESTS_IN_CASE = 6


def prepare(parts: list[batch.Part]) -> None:
    """Nothing: each test program makes its data itself, from its seed."""


def job(part: batch.Part) -> batch.Job:
    """A test program ends with its plan (TAP), and no test may have failed."""
    tests = part.amount * TESTS_IN_CASE

    def has_passed(content: bytes) -> bool:
        passed = content.count(b"\nok ") + content.startswith(b"ok ")
        return content.endswith(b"1..%d\n" % tests) and passed == tests and b"not ok" not in content

    return batch.Job(["perl", PROGRAM, str(part.amount), str(part.seed % 2**31)], check=has_passed)


batch.main(prepare, job)
