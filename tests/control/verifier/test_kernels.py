"""The other kernel that Debian's packages offer: the whole library and the ports load there too.

Builds an image of a gigabyte, which takes minutes: run by hand, ``pytest -m kernels``.
"""

import json
from pathlib import Path

import pytest
from conftest import job

from schedcp_gym.lab import catalogue
from schedcp_gym.lab.compiler import compile_policy
from schedcp_gym.machine.image import ensure_image
from schedcp_gym.spec import EEVDF, MachineSpec

pytestmark = [pytest.mark.guest, pytest.mark.kernels]

RELEASE = "7.2.13+deb14-cloud-amd64"
KERNEL = f"debian:{RELEASE}"
PORTED = sorted((Path(__file__).parent / "ported").glob("*.bpf.c"))
LIBRARY = [name for name in catalogue.policy_names() if name != EEVDF]
RUN = """uname -r
scx_run --report /result/report.json --object p.o -- cat /sys/kernel/sched_ext/root/ops"""


@pytest.fixture(scope="module")
def other_image():
    return ensure_image(catalogue.image_inputs(KERNEL), lambda text, share: None)


@pytest.mark.parametrize("policy", [*LIBRARY, *map(str, PORTED)], ids=lambda policy: Path(policy).name.split(".")[0])
def test_a_policy_loads_on_the_other_kernel(lab, other_image, policy):
    loaded = catalogue.load_policy(policy)
    files = {"p.o": compile_policy(loaded.source, other_image)}
    result = lab.machine(MachineSpec(kernel=KERNEL)).run(job(RUN, files))
    report = json.loads(result.text("report.json"))
    assert report["outcome"] == "ok", report
    assert result.text("stdout").split() == [RELEASE, loaded.name]


def test_what_came_from_sid_is_the_kernel_and_its_compiler(other_image):
    packages = other_image.info["packages"]
    assert packages[f"linux-image-{RELEASE}"].startswith("7.2.13-")
    assert packages["gcc"].startswith("4:14"), "trixie's compiler for what is built in the guest"
    assert packages["libc6"].startswith("2.41-"), packages["libc6"]
