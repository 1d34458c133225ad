"""Which cgroups are containers."""

import pytest

from schedcp_gym.control.trigger.runtimes import RUNTIMES, Runtimes
from schedcp_gym.spec import BadInput

ID = "3f2a" * 16
POD = "0a1b2c3d_4e5f_6071_8293_a4b5c6d7e8f9"
BURSTABLE = f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD}.slice"
KIND = f"kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{POD}.slice"
USER = "user.slice/user-1000.slice/user@1000.service"


@pytest.fixture(scope="module")
def runtimes():
    return Runtimes()


@pytest.mark.parametrize(
    ("cgroup", "runtime", "name"),
    [
        (f"machine.slice/libpod-{ID}.scope", "podman", ID),
        (f"{USER}/user.slice/libpod-{ID}.scope", "podman", ID),
        (f"machine.slice/machine-libpod_pod_{ID}.slice/libpod-{ID}.scope", "podman", ID),
        (f"{USER}/app.slice/web.service/libpod-payload-{ID}", "podman", ID),
        (f"libpod_parent/libpod-{ID}", "podman", ID),
        (f"system.slice/docker-{ID}.scope", "docker", ID),
        (f"{USER}/user.slice/docker-{ID}.scope", "docker", ID),
        (f"docker/{ID}", "docker", ID),
        (f"{BURSTABLE}/cri-containerd-{ID}.scope", "kubernetes", ID),
        (f"kubepods.slice/kubepods-pod{POD}.slice/crio-{ID}.scope", "kubernetes", ID),
        (f"kubepods/besteffort/pod{POD.replace('_', '-')}/{ID}", "kubernetes", ID),
        (f"kubepods/pod{POD.replace('_', '-')}/{ID}", "kubernetes", ID),
        (f"docker/{ID}/{KIND}/cri-containerd-{ID}.scope", "kubernetes", ID),
        (f"system.slice/nerdctl-{ID}.scope", "containerd", ID),
        ("default/redis.1", "containerd", "redis.1"),
        ("lxc.payload.web-1", "lxc", "web-1"),
        ("lxc/101", "lxc", "101"),
        ("machine.slice/systemd-nspawn@web.service", "nspawn", "web"),
        (r"machine.slice/machine-web\x2d1.scope", "nspawn", r"web\x2d1"),
        ("system.slice/slurmstepd.scope/job_4711", "slurm", "4711"),
        ("system.slice/run-u12.service", "systemd-run", "u12"),
        (f"{USER}/app.slice/run-r{ID[:32]}.scope", "systemd-run", f"r{ID[:32]}"),
    ],
)
def test_a_container_is_known_by_its_path(runtimes, cgroup, runtime, name):
    found = runtimes.container(cgroup)
    assert (found.runtime, found.id, found.cgroup) == (runtime, name, cgroup)
    assert found.per_boot == (runtime == "systemd-run")
    assert len(found.title) < 60


@pytest.mark.parametrize(
    "cgroup",
    [
        "",
        "system.slice",
        "system.slice/docker.service",
        "system.slice/nginx.service",
        f"{USER}/init.scope",
        f"{USER}/app.slice/app-org.gnome.Terminal.slice/vte-spawn-1.scope",
        f"machine.slice/libpod-{ID}.scope/container",
        f"machine.slice/libpod-conmon-{ID}.scope",
        f"machine.slice/machine-libpod_pod_{ID}.slice",
        "libpod_parent/conmon",
        f"kubepods.slice/kubepods-pod{POD}.slice",
        f"kubepods.slice/kubepods-pod{POD}.slice/crio-conmon-{ID}.scope",
        f"docker/{ID[:-1]}",
        f"docker/{ID}/init",
        "lxc.monitor.web-1",
        r"machine.slice/machine-qemu\x2d1\x2dvm.scope",
        f"system.slice/docker-{ID}.scope\n",
    ],
)
def test_what_stands_beside_containers_or_in_them_is_none(runtimes, cgroup):
    assert not runtimes.is_container(cgroup)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("runtimes: [{name: x, pattern: '('}]", "no regular expression"),
        ("runtimes: [{name: x, pattern: 'x-(.*)'}]", "no group (?P<id>…)"),
        ("runtimes: [{name: x, pattern: '(?P<id>x)', id: 1}]", "runtimes.0.id"),
        ("runtimes: 5", "runtimes"),
        ("[]", "must be a mapping"),
        ("a: b: c", "not YAML"),
    ],
)
def test_a_wrong_file_is_told(tmp_path, text, says):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        Runtimes(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


def test_a_file_of_ones_own_is_used_instead(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(r"runtimes: [{name: nomad, pattern: 'nomad\.slice/(?P<id>[^/]+)\.scope'}]")
    mine = Runtimes(path)
    assert mine.container("nomad.slice/a.web.scope").id == "a.web"
    assert not mine.is_container(f"docker/{ID}")
    assert RUNTIMES.is_file()
