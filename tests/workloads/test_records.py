"""Files of records: as many as asked for, from the pool, marked by their place."""

import random
import sys

import pytest

from schedcp_gym.paths import SHARED

sys.path.insert(0, str(SHARED))
import records

POOL = [b"@ %d\n" % i for i in range(2 * records.RUN)]


@pytest.mark.parametrize("count", [0, 1, records.RUN - 1, records.RUN, 5 * records.RUN + 3])
def test_as_many_as_asked_for_whatever_the_seed(tmp_path, count):
    texts = []
    for seed in (1, 2):
        records.write(str(tmp_path / "file"), POOL, count, random.Random(seed))
        texts.append((tmp_path / "file").read_bytes())
    lines = [text.splitlines(keepends=True) for text in texts]
    assert [len(found) for found in lines] == [count, count]
    assert set(lines[0]) <= set(POOL)
    assert count < 2 or texts[0] != texts[1]


def test_a_mark_tells_how_far_the_file_has_come(tmp_path):
    records.write(
        str(tmp_path / "file"), POOL, 4 * records.RUN, random.Random(1), lambda share: b"%d%%" % (100 * share)
    )
    marks = [line.split()[0] for line in (tmp_path / "file").read_bytes().splitlines()]
    assert marks == [mark for mark in (b"0%", b"25%", b"50%", b"75%") for _ in range(records.RUN)]
