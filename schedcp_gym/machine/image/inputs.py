"""The inputs of an image, and the key by which the image is cached."""

import hashlib
import re
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from schedcp_gym.paths import BATTERY, PACKAGE, POLICIES, SHARED, TOPOLOGY_BATTERY
from schedcp_gym.spec import BadInput, Workload
from schedcp_gym.spec.digest import digest

GUEST = PACKAGE / "machine" / "guest"
#: Raised when the build changes in a way that its inputs don't show.
FORMAT = 1
SUITE = "trixie"
BACKPORTS = "trixie-backports"
#: Where kernels come from that were not built for SUITE: their release has another +debN.
UNSTABLE = "sid"
SUITE_KERNEL = "+deb13-"
#: Of the tracer's folder: it travels with each job, compiled, as policies do.
HOST_COMPILED = "trace.bpf.c"
DEBIAN_KERNEL = re.compile(r"debian(:[a-z0-9][a-z0-9.+-]*)?")


@dataclass(frozen=True)
class KernelSource:
    """The source of the guest's kernel: package names, or package files of one's own."""

    packages: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    @classmethod
    def parse(cls, setting: str) -> "KernelSource":
        """Return the source that a machine's kernel setting names.

        Raises:
            BadInput: Neither ``debian``, ``debian:RELEASE`` nor a folder with kernel packages.
        """
        if DEBIAN_KERNEL.fullmatch(setting):
            release = setting.partition(":")[2]
            if release:
                suite = f"/{UNSTABLE}" if "+deb" in release and SUITE_KERNEL not in release else ""
                return cls(packages=(f"linux-image-{release}{suite}", f"linux-headers-{release}{suite}"))
            return cls(packages=(f"linux-image-cloud-amd64/{BACKPORTS}", f"linux-headers-cloud-amd64/{BACKPORTS}"))
        folder = Path(setting).expanduser()
        if not folder.is_dir():
            raise BadInput(
                f"unknown kernel {setting!r}: use debian, debian:RELEASE (say debian:7.3.4+deb13-cloud-amd64), or the "
                "path of a folder with linux-image-*.deb and linux-headers-*.deb (`make bindeb-pkg` leaves them)"
            )
        images = [path for path in sorted(folder.glob("linux-image-*.deb")) if "-dbg" not in path.name]
        headers = sorted(folder.glob("linux-headers-*.deb"))
        if len(images) != 1 or not headers:
            raise BadInput(
                f"{folder} must hold one linux-image-*.deb and its linux-headers-*.deb; it holds "
                f"{len(images)} and {len(headers)}. `make bindeb-pkg` in a kernel tree leaves them in its parent folder"
            )
        return cls(files=(*images, *headers))


@dataclass(frozen=True)
class ImageInputs:
    """Everything an image's content follows from, but the state of Debian's archive.

    Attributes:
        kernel: Where the kernel comes from.
        packages: Debian packages, kernel's included.
        workloads: Folders of workloads that are compiled into the image.
    """

    kernel: KernelSource
    packages: tuple[str, ...]
    workloads: tuple[Path, ...]

    @classmethod
    def collect(cls, kernel: str, workloads: Iterable[tuple[Workload, Path]]) -> "ImageInputs":
        """Return the inputs for a kernel setting and some workloads."""
        source = KernelSource.parse(kernel)
        listed = [line.split("#")[0].strip() for line in (GUEST / "packages.txt").read_text().splitlines()]
        wanted = {name for name in listed if name} | set(source.packages)
        built = set()
        for workload, folder in workloads:
            wanted.update(workload.packages)
            if workload.build:
                built.add(folder)
        return cls(source, tuple(sorted(wanted)), tuple(sorted(built)))

    @property
    def unstable(self) -> bool:
        """Return whether any package comes from Debian's unstable suite."""
        return any(name.endswith(f"/{UNSTABLE}") for name in self.packages)

    @property
    def key(self) -> str:
        """Return the SHA-256 (hex) of the inputs."""
        return digest(
            {
                "format": FORMAT,
                "packages": self.packages,
                "kernel_files": [file_digest(path) for path in self.kernel.files],
                "guest": folder_digest(GUEST),
                "loader": folder_digest(POLICIES / "loader"),
                "tracer": folder_digest(POLICIES / "tracer", (HOST_COMPILED,)),
                "battery": build_digest(BATTERY),
                "topology": build_digest(TOPOLOGY_BATTERY),
                "workloads": {folder.name: build_digest(folder) for folder in self.workloads},
                "shared": {path.name: file_digest(path) for path in _shared_sources()},
            }
        )

    def stage(self, target: Path) -> None:
        """Copy the sources to where the build in the guest's root file system expects them."""
        shutil.copytree(GUEST, target / "guest")
        shutil.copytree(POLICIES / "loader", target / "loader")
        shutil.copytree(POLICIES / "tracer", target / "tracer", ignore=shutil.ignore_patterns(HOST_COMPILED))
        declarations = shutil.ignore_patterns("*.yaml")
        shutil.copytree(BATTERY, target / "battery", ignore=declarations)
        shutil.copytree(TOPOLOGY_BATTERY, target / "topology", ignore=declarations)
        (target / "workloads").mkdir()
        for folder in self.workloads:
            shutil.copytree(folder, target / "workloads" / folder.name, ignore=declarations)
        (target / "workloads" / SHARED.name).mkdir()
        for path in _shared_sources():
            shutil.copy(path, target / "workloads" / SHARED.name)
        (target / "kernel").mkdir()
        for path in self.kernel.files:
            shutil.copy(path, target / "kernel")


def _shared_sources() -> list[Path]:
    """Return the sources that several workloads share; other shared files travel with each job."""
    return sorted(path for path in SHARED.glob("*") if path.suffix in (".c", ".h"))


def file_digest(path: Path) -> str:
    """Return the SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(folder: Path, leave_out: Collection[str] = ()) -> str:
    """Return the SHA-256 (hex) of a folder's files and their names; byte code and some names or endings don't count."""
    files = {
        str(path.relative_to(folder)): file_digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and not {path.suffix, path.name} & set(leave_out)
    }
    return digest(files)


def build_digest(folder: Path) -> str:
    """Return the digest of a folder of compiled sources (a workload's, the battery's), without declarations."""
    return folder_digest(folder, (".yaml",))
