"""The images in the cache: found by key, checked, and built by one process at a time when missing."""

import contextlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from schedcp_gym.machine.image.inputs import FORMAT, ImageInputs, file_digest
from schedcp_gym.paths import cache_root
from schedcp_gym.spec.digest import digest

log = logging.getLogger(__name__)

#: The files whose content makes the image's digest.
FILES = ("vmlinux", "initrd.cpio", "root.erofs", "include/vmlinux.h")
#: Folder of what travels with jobs, so that a change of it leaves the image's digest as it is.
EXTRAS = "extras"


@dataclass(frozen=True)
class Image:
    """A built image.

    Attributes:
        folder: Where its files lie.
        digest: SHA-256 (hex) over its files' digests: equal images have equal digests, wherever they were built.
        kernel: The kernel's release.
        info: What ``image info`` prints: versions, packages, file digests and sizes.
    """

    folder: Path
    digest: str
    kernel: str
    info: dict[str, Any]

    @property
    def vmlinux(self) -> Path:
        """Return the path of the ELF kernel."""
        return self.folder / "vmlinux"

    @property
    def initrd(self) -> Path:
        """Return the path of the initial RAM disk (uncompressed cpio)."""
        return self.folder / "initrd.cpio"

    @property
    def root(self) -> Path:
        """Return the path of the read-only root file system."""
        return self.folder / "root.erofs"

    @property
    def include(self) -> Path:
        """Return the folder of headers for policies: vmlinux.h of this kernel, libbpf's bpf/*.h."""
        return self.folder / "include"

    def extra(self, name: str) -> bytes:
        """Return a file that travels with jobs: a kernel module such as ``cache_model.ko``, or a program.

        Raises:
            KeyError: The image has no such file.
        """
        if f"{EXTRAS}/{name}" not in self.info["files"]:
            raise KeyError(name)
        return (self.folder / EXTRAS / name).read_bytes()

    @property
    def extras_digest(self) -> str:
        """Return the SHA-256 (hex) over the digests of the files that travel with jobs; ``digest`` leaves them out."""
        files: dict[str, dict[str, Any]] = self.info["files"]
        return digest({name: file["sha256"] for name, file in files.items() if name.startswith(f"{EXTRAS}/")})

    @property
    def size_bytes(self) -> int:
        """Return the bytes on disk."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


class Damaged(Exception):
    """Raised when a file of a cached image is missing or changed."""


def images_root() -> Path:
    """Return the folder of all images."""
    root = cache_root() / "images"
    root.mkdir(exist_ok=True)
    return root


def find_image(inputs: ImageInputs) -> Image | None:
    """Return the cached image, or None when it was never built.

    Raises:
        Damaged: It is there, but a file was changed or is missing.
    """
    folder = images_root() / inputs.key[:24]
    return load(folder) if folder.exists() else None


def ensure_image(inputs: ImageInputs, report: Callable[[str, float], None], *, rebuild: bool = False) -> Image:
    """Return the image from the cache, or build it. A second process waits for the first.

    Args:
        inputs: What it is made from.
        report: Receives the progress: a step's text and the share done (0 to 1).
        rebuild: Build even if it is there (to show that the digest stays the same).

    Raises:
        SchedcpError: It can't be built; the subclass and text say why.
    """
    folder = images_root() / inputs.key[:24]
    if not rebuild and (image := _usable(folder)):
        return image
    lock = filelock.FileLock(folder.with_suffix(".lock"))
    try:
        held = lock.acquire(blocking=False)
    except filelock.Timeout:
        log.warning("another process is building this image; waiting for it")
        held = lock.acquire()
    with held:
        if not rebuild and (image := _usable(folder)):
            return image
        return _build(inputs, folder, report)


def _usable(folder: Path) -> Image | None:
    try:
        return load(folder) if folder.exists() else None
    except Damaged as reason:
        log.warning("the cached image is damaged (%s); building it again", reason)
        return None


def _build(inputs: ImageInputs, folder: Path, report: Callable[[str, float], None]) -> Image:
    from schedcp_gym.machine.image.builder import build

    building = f".building-{folder.name}-"
    for left in folder.parent.glob(f"{building}*"):  # by a build that was killed; we hold the lock
        shutil.rmtree(left)
    target = Path(tempfile.mkdtemp(prefix=building, dir=folder.parent))
    try:
        build(inputs, target, report)
        _write_info(target)
        if folder.exists():
            shutil.rmtree(folder)
        target.chmod(0o755)
        target.rename(folder)
    finally:
        shutil.rmtree(target, ignore_errors=True)
    return load(folder)


def _write_info(folder: Path) -> None:
    headers = sorted(str(path.relative_to(folder)) for path in (folder / "include").rglob("*.h"))
    extras = sorted(str(path.relative_to(folder)) for path in (folder / EXTRAS).glob("*"))
    files = {
        name: {"sha256": file_digest(folder / name), "bytes": (folder / name).stat().st_size}
        for name in dict.fromkeys([*FILES, *headers, *extras])
    }
    guest = json.loads((folder / "guest.json").read_text())
    info = {
        "format": FORMAT,
        "digest": digest({name: files[name]["sha256"] for name in FILES}),
        "files": files,
        **guest,
    }
    (folder / "info.json").write_text(json.dumps(info, indent=1, sort_keys=True) + "\n")
    (folder / "guest.json").unlink()


def load(folder: Path) -> Image:
    """Return the image in a folder; check its files by size and time, and by content when those have changed.

    Raises:
        Damaged: A file is missing or differs.
    """
    try:
        info = json.loads((folder / "info.json").read_text())
        files = info["files"]
        if info["format"] != FORMAT:
            raise Damaged("made by another version")
        stats = {name: _stat(folder / name) for name in files}
        if _noted(folder / "checked.json") != stats:
            _check_content(folder, files)
            (folder / "checked.json").write_text(json.dumps(stats))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(str(error)) from None
    return Image(folder, info["digest"], info["kernel"], info)


def _noted(path: Path) -> object:
    """Return what the last check has found; None if that is unknown."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def _stat(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ino]


def _check_content(folder: Path, files: dict[str, Any]) -> None:
    for name in files:
        if file_digest(folder / name) != files[name]["sha256"]:
            raise Damaged(f"{name} differs from what was built")


def digests_there() -> set[str]:
    """Return the digests of all cached images that can be read."""
    found = set()
    for path in images_root().glob("*/info.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found.add(str(json.loads(path.read_text())["digest"]))
    return found


def remove_others(keep: Image) -> int:
    """Delete all cached images but one, and all snapshots (they are made again when needed).

    Returns:
        The bytes freed.
    """
    freed = 0
    for folder in images_root().iterdir():
        if not folder.is_dir() or folder == keep.folder:
            continue
        key = folder.name.removeprefix(".building-").split("-")[0]
        try:
            with filelock.FileLock(images_root() / f"{key}.lock", blocking=False):
                freed += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
                shutil.rmtree(folder)
        except filelock.Timeout:
            log.warning("%s is being built; left alone", folder.name)
    for path in (cache_root() / "snapshots").glob("*"):
        freed += path.stat().st_size
        path.unlink()
    return freed
