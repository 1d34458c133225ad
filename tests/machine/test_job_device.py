"""Jobs in, results out: the same bytes on every host, and nothing hostile gets through."""

import io
import os
import random
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from schedcp_gym.machine import Ending, Job
from schedcp_gym.machine.job import (
    HEADER_AT,
    HEADER_SIZE,
    JOB_LIMIT,
    RESULT_AT,
    RESULT_LIMIT,
    new_device,
    pack,
    read_result,
)
from schedcp_gym.spec import BadInput

FILES = {"run": b"#!/bin/sh\ntrue\n", "z/deep/data": b"\0\1\2", "a": b"", "prog": b"\x7fELF..."}


def result_header(
    size, ending=1, code=0, job_ns=1_500_000_000, oom_kills=0, pages_scanned=0, message=b"", magic=b"SCXRES01"
):
    return struct.pack("<8sQQQQII256s", magic, size, job_ns, oom_kills, pages_scanned, ending, code, message)


def read(packed, **header):
    """What the host makes of a device on which a guest left these bytes."""
    device = new_device(b"")
    try:
        os.pwrite(device, result_header(**{"size": len(packed), **header}), RESULT_AT)
        os.pwrite(device, packed[:RESULT_LIMIT], RESULT_AT + HEADER_SIZE)
        return read_result(device)
    finally:
        os.close(device)


def tar(*entries, form=tarfile.GNU_FORMAT):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, content, changes in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            for field, value in changes.items():
                setattr(entry, field, value)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def test_a_job_is_the_same_bytes_in_whatever_order_its_files_come():
    first = pack(Job(FILES, 12.5))
    second = pack(Job(dict(reversed(FILES.items())), 12.5))
    assert first == second
    code = f"import sys; from schedcp_gym.machine.job import *; sys.stdout.buffer.write(pack(Job({FILES!r}, 12.5)))"
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd="/").stdout
    assert elsewhere == first


def test_a_job_is_packed_with_its_limit_and_programs_are_executable():
    packed = pack(Job(FILES, 12.5))
    magic, size, result_at, limit_ns = struct.unpack_from("<8sQQQ", packed)
    assert (magic, result_at, limit_ns) == (b"SCXJOB01", RESULT_AT, 12_500_000_000)
    assert size == len(packed) - HEADER_SIZE
    with tarfile.open(fileobj=io.BytesIO(packed[HEADER_SIZE:])) as archive:
        modes = {entry.name: entry.mode for entry in archive}
        assert modes == {"run": 0o755, "z/deep/data": 0o644, "a": 0o644, "prog": 0o755}
        assert {(entry.mtime, entry.uid, entry.uname) for entry in archive} == {(0, 0, "")}


def test_a_job_that_just_fits_is_taken_and_a_larger_one_refused_with_both_sizes():
    most = JOB_LIMIT // 10240 * 10240 - 10240  # tar fills up to blocks of 10240 bytes
    device = new_device(pack(Job({"run": bytes(most)}, 1)))
    try:
        assert os.pread(device, 8, HEADER_AT) == b"SCXJOB01"
        assert os.pread(device, 1, RESULT_AT) == b"\0"
    finally:
        os.close(device)
    with pytest.raises(BadInput, match="the job has 70 MiB; 62 MiB fit"):
        pack(Job({"run": bytes(70 << 20)}, 1))


def test_a_job_needs_a_program():
    with pytest.raises(BadInput, match="run"):
        Job({"other": b""}, 1)


def test_a_device_a_guest_never_wrote_holds_no_result():
    device = new_device(pack(Job(FILES, 1)))
    try:
        assert read_result(device) is None
    finally:
        os.close(device)


@pytest.mark.parametrize("magic", [b"SCXRES02", b"\xff" * 8, b"SCXJOB01"])
def test_a_result_of_another_kind_is_none(magic):
    assert read(b"", magic=magic) is None


def test_a_result_is_read_as_it_was_left():
    content = {"stdout": b"hello\n", "deep/file": b"\xff\0", "empty": b""}
    packed = tar(*((f"./{name}", data, {}) for name, data in content.items()))
    result = read(packed, code=3, oom_kills=2, pages_scanned=7, message=b"why\0junk")
    assert result.files == content
    assert (result.ending, result.code, result.job_s) == (Ending.EXITED, 3, 1.5)
    assert (result.oom_kills, result.pages_scanned) == (2, 7)
    assert result.message == "why"
    assert result.text("deep/file") == "\ufffd\0"
    assert result.text("nosuch", "nothing") == "nothing"


@pytest.mark.parametrize(
    ("number", "ending"),
    [(1, Ending.EXITED), (2, Ending.SIGNALLED), (3, Ending.DEADLINE), (4, Ending.GUEST_FAILED)]
    + [(number, Ending.GUEST_FAILED) for number in (0, 5, 2**32 - 1)],
)
def test_the_guests_word_for_its_ending_is_read_and_an_unknown_one_is_its_failure(number, ending):
    assert read(b"", ending=number).ending is ending


def test_only_plain_files_come_out_of_a_result():
    hostile = tar(
        ("good", b"1", {}),
        ("link", b"", {"type": tarfile.SYMTYPE, "linkname": "/etc/shadow"}),
        ("hard", b"", {"type": tarfile.LNKTYPE, "linkname": "good"}),
        ("device", b"", {"type": tarfile.BLKTYPE, "devmajor": 254}),
        ("zero", b"", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5}),
        ("pipe", b"", {"type": tarfile.FIFOTYPE}),
        ("folder", b"", {"type": tarfile.DIRTYPE}),
        ("last", b"2", {}),
    )
    assert read(hostile).files == {"good": b"1", "last": b"2"}


def test_paths_that_lead_elsewhere_are_names_and_touch_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outside = tmp_path.parent / "outside"
    result = read(tar(("../outside", b"x", {}), (str(outside), b"x", {}), ("inside", b"x", {})))
    assert "inside" in result.files
    assert not outside.exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "packed",
    [
        b"garbage" * 1000,
        tar(("a", b"x" * 5000, {}))[:3000],
        b"\0" * 512 + b"\xff" * 4096,
        tar(("a", b"x", {"pax_headers": {"size": "abc"}}), form=tarfile.PAX_FORMAT),
        tar(("a", b"x", {"pax_headers": {"GNU.sparse.map": "a,b"}}), form=tarfile.PAX_FORMAT),
        tar(("a", b"x", {"pax_headers": {"GNU.sparse.size": "-1"}}), form=tarfile.PAX_FORMAT),
        tar(("a", b"x", {"pax_headers": {"size": "9" * 30}}), form=tarfile.PAX_FORMAT),
    ],
    ids=["garbage", "cut", "noise", "pax size", "sparse map", "sparse size", "huge size"],
)
def test_a_damaged_result_is_read_without_an_exception(packed):
    assert read(packed).ending is Ending.EXITED


@pytest.mark.parametrize("size", [0, 1, 2**63, 2**64 - 1])
def test_a_size_that_is_a_lie_is_bounded(size):
    assert read(tar(("a", b"x", {})), size=size).ending is Ending.EXITED


def test_whatever_bytes_are_turned_over_a_result_is_read_without_an_exception():
    dice = random.Random(7)
    long = {"pax_headers": {"comment": "c" * 700}}
    whole = tar(("one", b"1" * 600, {}), ("n" * 150, b"2", long), ("three", b"3", {}), form=tarfile.PAX_FORMAT)
    for _ in range(1500):
        damaged = bytearray(whole)
        for _ in range(dice.randint(1, 8)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        for at in range(0, len(damaged), 512):  # right checksums, so that the damage is read
            block = bytearray(damaged[at : at + 512])
            block[148:156] = b" " * 8
            if dice.random() < 0.7 and block[257:262] == b"ustar":
                damaged[at + 148 : at + 156] = b"%06o\0 " % sum(block)
        read(bytes(damaged))


BOMB = """
import io, os, resource, sys
sys.path.insert(0, {here!r})
from test_job_device import read, sparse
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
result = read(sparse(1 << 42))
print(sum(map(len, result.files.values())))
"""


def sparse(size):
    """A GNU sparse file of no content that says it is this large."""
    entry = tarfile.TarInfo("bomb")
    header = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = b"S"
    header[386 : 386 + 24] = b"00000000000\0" * 2  # a first piece of nothing
    header[482] = 0
    header[483:495] = b"\x80" + size.to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + b"\0" * 1024


def test_a_file_that_claims_to_be_larger_than_the_device_does_not_fill_the_hosts_memory():
    code = BOMB.format(here=str(Path(__file__).parent))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-300:]
    assert int(done.stdout) <= RESULT_LIMIT
