"""Images in the cache: damage is seen, a touch is not damage, and two processes do not build at once."""

import json
import logging
import os
import shutil
import subprocess
import sys
import threading

import filelock
import pytest

from schedcp_gym.machine.image import store
from schedcp_gym.machine.image.inputs import FORMAT, ImageInputs, KernelSource
from schedcp_gym.spec import MissingTool

INPUTS = ImageInputs(KernelSource(packages=("linux-image-amd64",)), ("make",), ())
NAMES = ("vmlinux", "initrd.cpio", "root.erofs", "include/vmlinux.h")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDCP_CACHE", str(tmp_path))


def fill(folder):
    """Makes what a build leaves in a folder, small."""
    (folder / "include" / "bpf").mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_bytes(b"content of " + name.encode())
    (folder / "include" / "bpf" / "bpf_helpers.h").write_text("#define SEC(x)")
    (folder / "guest.json").write_text(json.dumps({"kernel": "7.3", "gcc": "14", "packages": {}}))
    store._write_info(folder)
    return folder


@pytest.fixture
def folder():
    return fill(store.images_root() / INPUTS.key[:24])


def test_a_whole_image_is_found_and_equal_content_has_an_equal_digest(folder, tmp_path):
    image = store.find_image(INPUTS)
    assert image.kernel == "7.3"
    assert (image.vmlinux.name, image.include) == ("vmlinux", folder / "include")
    assert image.size_bytes > sum(len(name) for name in NAMES)
    other = fill(tmp_path / "other")
    assert store.load(other).digest == image.digest
    (tmp_path / "third").mkdir()
    shutil.copytree(folder, tmp_path / "third", dirs_exist_ok=True)
    assert store.load(tmp_path / "third").digest == image.digest


def test_an_image_never_built_is_none():
    assert store.find_image(INPUTS) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_changed_under_the_same_size_is_damage_and_named(folder, name):
    store.load(folder)
    content = bytearray((folder / name).read_bytes())
    content[3] ^= 1
    (folder / name).write_bytes(content)
    os.utime(folder / name, ns=(1, 1))
    with pytest.raises(store.Damaged, match=name):
        store.load(folder)


@pytest.mark.parametrize("name", [*NAMES, "info.json", "include/bpf/bpf_helpers.h"])
@pytest.mark.parametrize("how", ["missing", "cut"])
def test_a_file_that_is_missing_or_cut_is_damage(folder, name, how):
    store.load(folder)
    if how == "missing":
        (folder / name).unlink()
    else:
        os.truncate(folder / name, 5)
    with pytest.raises(store.Damaged):
        store.load(folder)


def test_an_image_of_another_version_is_damage_and_said(folder, caplog):
    info = json.loads((folder / "info.json").read_text())
    (folder / "info.json").write_text(json.dumps(info | {"format": FORMAT + 1}))
    assert store._usable(folder) is None
    assert "made by another version" in caplog.text
    assert "building it again" in caplog.text


def test_a_touched_or_copied_file_costs_one_check_and_is_fine(folder):
    store.load(folder)
    os.utime(folder / "root.erofs", ns=(5, 5))
    assert store.load(folder).digest
    shutil.copy(folder / "vmlinux", folder / "copy")
    (folder / "copy").rename(folder / "vmlinux")
    assert store.load(folder).digest


def test_content_is_not_read_again_when_nothing_was_touched(folder, monkeypatch):
    store.load(folder)
    monkeypatch.setattr(store, "file_digest", lambda path: pytest.fail(f"{path} was read again"))
    store.load(folder)


@pytest.mark.parametrize("content", ["", "{", "null", "[]", '{"vmlinux": 1}'])
def test_a_torn_note_of_the_last_check_costs_a_check_not_the_image(folder, content):
    store.load(folder)
    (folder / "checked.json").write_text(content)
    assert store.load(folder).digest


HOLD = """
import sys, filelock
with filelock.FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_while_another_process_builds_one_waits_says_so_and_takes_what_was_built(caplog):
    folder = store.images_root() / INPUTS.key[:24]
    lock = str(folder.with_suffix(".lock"))
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        found, warned = [], threading.Event()
        handler = logging.Handler()
        handler.emit = lambda record: warned.set()
        logging.getLogger(store.__name__).addHandler(handler)
        try:
            waiter = threading.Thread(
                target=lambda: found.append(store.ensure_image(INPUTS, lambda *_: pytest.fail("it built as well")))
            )
            waiter.start()
            assert warned.wait(30)
            assert found == []
            fill(folder)
            other.stdin.close()
            waiter.join(30)
        finally:
            logging.getLogger(store.__name__).removeHandler(handler)
    assert "another process is building this image; waiting for it" in caplog.text
    assert found[0].folder == folder


def test_a_build_that_failed_leaves_nothing_and_does_not_keep_others_waiting(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool, match="mmdebstrap") as kept:  # kept, as a notebook keeps the last error
        store.ensure_image(INPUTS, lambda *_: None)
    lock = store.images_root() / f"{INPUTS.key[:24]}.lock"
    assert [path.name for path in store.images_root().iterdir()] in ([lock.name], [])
    with filelock.FileLock(lock, timeout=0):
        pass
    assert kept.value


def test_other_images_and_all_snapshots_are_removed_and_their_bytes_counted(folder, tmp_path):
    other = fill(store.images_root() / "other")
    size = sum(path.stat().st_size for path in other.rglob("*") if path.is_file())
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots" / "a.snapshot").write_bytes(b"memory")
    assert store.remove_others(store.find_image(INPUTS)) == size + 6
    assert not other.exists()
    assert list((tmp_path / "snapshots").iterdir()) == []
    assert store.find_image(INPUTS)


def test_an_image_that_another_process_is_building_is_not_removed(folder):
    building = store.images_root() / ".building-0123456789abcdef01234567-x"
    building.mkdir()
    with filelock.FileLock(store.images_root() / "0123456789abcdef01234567.lock"):
        store.remove_others(store.find_image(INPUTS))
        assert building.exists()
