"""The tree's follower on the guest's own cgroups."""

import json
from pathlib import Path

import asyncinotify
import pytest

import schedcp_gym
from schedcp_gym.control.trigger.runtimes import Runtimes

pytestmark = pytest.mark.guest

HERE = Path(__file__).parent
PACKAGE = Path(schedcp_gym.__file__).parent
PARTS = ("__init__.py", "control/__init__.py", *(f"control/trigger/{n}.py" for n in ("__init__", "tree", "processes")))
PODMAN = f"machine.slice/libpod-{'a' * 64}.scope"
DOCKER = f"system.slice/docker-{'b' * 64}.scope"
ROOTLESS = f"user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{'c' * 64}.scope"


@pytest.fixture(scope="module")
def found(run_job):
    files = {f"schedcp_gym/{name}": (PACKAGE / name).read_bytes() for name in PARTS}
    for path in Path(asyncinotify.__file__).parent.glob("*.py"):
        files[f"asyncinotify/{path.name}"] = path.read_bytes()
    files["scenario.py"] = (HERE / "scenario.py").read_bytes()
    patterns = r"libpod-[0-9a-f]{64}\.scope$|docker-[0-9a-f]{64}\.scope$|docker/[0-9a-f]{64}$"
    result = run_job(f"exec python3 scenario.py '{patterns}' >/result/words 2>&1", files, max_job_s=60.0)
    assert (result.ending.value, result.code) == ("exited", 0), result.text("words") + result.console[-2000:]
    return json.loads(result.files["found.json"])


def test_cgroups_filled_before_they_could_be_watched_are_told(found):
    assert sorted(found["filled"]) == sorted(["populated", cgroup] for cgroup in (PODMAN, DOCKER, ROOTLESS))
    assert found["commands"] == [["sleep", "100"]]


def test_what_happens_to_them_is_told_in_order(found):
    assert found["emptied"] == [["emptied", PODMAN]]
    assert found["again"] == [["populated", PODMAN]]
    assert [kind for kind, _ in found["replaced"]][-2:] == ["vanished", "populated"]
    assert {cgroup for _, cgroup in found["replaced"]} == {PODMAN}
    assert found["removed"][-1] == ["vanished", DOCKER]


def test_events_the_kernel_dropped_are_made_up_for(found):
    last = f"docker/{99:064x}"
    assert found["crowd"] == [["populated", last]]
    assert found["populated"] == sorted([last, PODMAN, ROOTLESS])
    assert found["cgroups"] > 100


def test_nothing_is_kept_of_what_is_gone(found):
    cgroups, watches, populated = found["at the end"]
    assert populated == []
    assert cgroups < 20
    assert watches <= 2 * cgroups


def test_the_runtimes_know_these_paths():
    known = Runtimes()
    assert [known.container(cgroup).runtime for cgroup in (PODMAN, DOCKER, ROOTLESS)] == ["podman", "docker", "podman"]
