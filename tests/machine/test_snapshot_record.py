"""Snapshots: the name follows from what shapes them, and damage is seen."""

import os

import pytest

from schedcp_gym.machine import snapshot
from schedcp_gym.machine.image import Image
from schedcp_gym.machine.qemu import QemuVersion
from schedcp_gym.spec import MachineSpec

QEMU = QemuVersion("/usr/bin/qemu-system-x86_64", "10.0.2")


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "a.snapshot"
    path.write_bytes(b"memory" * 1000)
    snapshot.write_record(path)
    return path


def test_a_snapshot_as_it_was_saved_is_whole(saved, caplog):
    assert snapshot.is_whole(saved)
    assert caplog.text == ""


def test_one_that_is_not_there_is_not_whole_and_no_news(tmp_path, caplog):
    assert not snapshot.is_whole(tmp_path / "nosuch.snapshot")
    assert caplog.text == ""


def test_a_touched_or_copied_snapshot_is_whole(saved):
    os.utime(saved, ns=(7, 7))
    assert snapshot.is_whole(saved)
    copy = saved.with_name("b")
    copy.write_bytes(saved.read_bytes())
    copy.rename(saved)
    assert snapshot.is_whole(saved)


@pytest.mark.parametrize("damage", ["changed", "cut", "empty"])
def test_a_damaged_snapshot_is_not_whole_and_it_is_said(saved, caplog, damage):
    content = bytearray(saved.read_bytes())
    content[100] ^= 1
    saved.write_bytes({"changed": content, "cut": content[:50], "empty": b""}[damage])
    os.utime(saved, ns=(7, 7))
    assert not snapshot.is_whole(saved)
    assert f"the cached snapshot {saved.name} is damaged; making it again" in caplog.text


@pytest.mark.parametrize("record", ["", "{", "{}", "[]", "null", '{"stat": null}', '{"stat": [1], "sha256": 5}'])
def test_a_damaged_record_is_not_trusted(saved, record):
    saved.with_suffix(".json").write_text(record)
    assert not snapshot.is_whole(saved)


def test_the_name_follows_from_image_emulator_and_shape_but_not_from_places(tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDCP_CACHE", str(tmp_path))
    image, spec = Image(tmp_path, "a" * 64, "7.3", {}), MachineSpec()
    names = {
        snapshot.snapshot_path(image, QEMU, spec, "virtual"),
        snapshot.snapshot_path(Image(tmp_path, "b" * 64, "7.3", {}), QEMU, spec, "virtual"),
        snapshot.snapshot_path(image, QemuVersion(QEMU.path, "10.0.3"), spec, "virtual"),
        snapshot.snapshot_path(image, QEMU, MachineSpec(cpus=4), "virtual"),
        snapshot.snapshot_path(image, QEMU, MachineSpec(memory_mib=2048), "virtual"),
        snapshot.snapshot_path(image, QEMU, spec, "mttcg"),
    }
    assert len(names) == 6
    same = {
        snapshot.snapshot_path(image, QEMU, spec, "virtual"),
        snapshot.snapshot_path(Image(tmp_path / "x", "a" * 64, "7.3", {}), QEMU, spec, "virtual"),
        snapshot.snapshot_path(image, QemuVersion("/opt/bin/qemu", "10.0.2"), spec, "virtual"),
        snapshot.snapshot_path(image, QEMU, MachineSpec(max_job_s=5, max_host_s=5), "virtual"),
    }
    assert len(same) == 1
    assert same < names
