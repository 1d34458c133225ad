"""Runs inside the new root file system (image build): compiles, checks the kernel, packs the image.

    python3 build.py

Everything that shapes the image's bytes is a program of the guest's own distribution, so that two hosts with
different tools build the same image. Sources lie under /build, what is built goes to /build/out. A kernel that
can't be used ends this program with status 9 and the reason in /build/out/refused.
"""

import json
import lzma
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

BUILD = Path("/build")
OUT = BUILD / "out"
EPOCH = os.environ["SOURCE_DATE_EPOCH"]
ALIGNMENT = 2 << 20  # of a persistent-memory device's size
UUID = "5c8edc90-9000-4000-8000-000000000001"
MODULES = ("nd_pmem", "nfit", "erofs")
OWN_MODULES = ("idle_spin", "stop_here")
#: Modules that travel with jobs: they lie beside the root file system, which stays the same when they change.
EXTRA_MODULES = ("even_turns", "cache_model")

#: Kernel functions without which no policy can be written, by the names of 6.12 or of later kernels.
NEEDED_KFUNCS = (
    ("scx_bpf_create_dsq",),
    ("scx_bpf_dsq_insert", "scx_bpf_dispatch"),
    ("scx_bpf_dsq_move_to_local", "scx_bpf_consume"),
    ("scx_bpf_kick_cpu",),
)


def run(*command: object, env: dict[str, str] | None = None) -> str:
    """Runs a program and returns its output; its own words are shown when it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=env)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def step(text: str) -> None:
    print(f"I: {text}", file=sys.stderr, flush=True)


def refuse(reason: str) -> None:
    (OUT / "refused").write_text(reason + "\n")
    sys.exit(9)


def find_release() -> str:
    releases = sorted(path.name.removeprefix("vmlinuz-") for path in Path("/boot").glob("vmlinuz-*"))
    if len(releases) != 1:
        refuse(f"expected one kernel under /boot, found: {', '.join(releases) or 'none'}")
    return releases[0]


def extract_vmlinux(vmlinuz: Path) -> Path:
    """Unpacks the ELF kernel: booting it spares the emulator the decompression."""
    target = OUT / "vmlinux"
    data = vmlinuz.read_bytes()
    packers = (
        (b"\x28\xb5\x2f\xfd", ["zstd", "-dcq"]),
        (b"\xfd7zXZ\x00", ["xz", "-dcq", "--single-stream"]),
        (b"\x1f\x8b\x08", ["gzip", "-dcq"]),
        (b"\x02\x21\x4c\x18", ["lz4", "-dcq"]),
    )
    for magic, command in packers:
        at = data.find(magic)
        while at >= 0:
            unpacked = subprocess.run(command, input=data[at:], capture_output=True).stdout
            if unpacked.startswith(b"\x7fELF"):
                target.write_bytes(unpacked)
                return target
            at = data.find(magic, at + 1)
    refuse(f"{vmlinuz.name}: no compressed ELF kernel found in it (zstd, xz, gzip and lz4 are known)")
    raise AssertionError


def check_kernel(vmlinux: Path, release: str) -> None:
    """Refuses a kernel on which no policy could be loaded, or that could not find its root file system."""
    dump = subprocess.run(["bpftool", "-j", "btf", "dump", "file", vmlinux], capture_output=True, text=True)
    if dump.returncode:
        refuse(f"kernel {release} has no BTF (CONFIG_DEBUG_INFO_BTF): policies can't be compiled for it")
    types = {entry["id"]: entry for entry in json.loads(dump.stdout)["types"]}
    if not any(t["kind"] == "STRUCT" and t.get("name") == "sched_ext_ops" for t in types.values()):
        refuse(f"kernel {release} has no sched_ext (CONFIG_SCHED_CLASS_EXT); Debian's has it from 7.2 on")
    check_kfuncs(types, release)
    for module in MODULES:
        shown = subprocess.run(["modprobe", "-S", release, "--show-depends", module], capture_output=True, text=True)
        if shown.returncode:
            refuse(f"kernel {release} has no {module} module: persistent memory (pmem) and erofs are needed")


def check_kfuncs(types: dict[int, dict[str, Any]], release: str) -> None:
    """Some Debian 7.2 builds describe sched_ext's kernel functions wrongly in BTF: every policy would be refused.

    A kernel function is callable if a ``bpf_kfunc`` tag marks it. Since 7.0 the hidden ``bpf_prog_aux`` argument
    must be gone from the callable prototype (the ``_impl`` twin keeps it).
    """
    tagged = {t["type_id"] for t in types.values() if t["kind"] == "DECL_TAG" and t.get("name") == "bpf_kfunc"}
    protos = {t["name"]: t["type_id"] for t in types.values() if t["kind"] == "FUNC" and t["id"] in tagged}
    for names in NEEDED_KFUNCS:
        if not any(name in protos for name in names):
            refuse(f"kernel {release} has broken BTF: {names[0]} is not marked as callable (7.2.6 to 7.2.12 have this)")
    for name, proto in sorted(protos.items()):
        parameters = types[proto].get("params", [])
        if not name.startswith("scx_bpf_") or name.endswith("_impl") or not parameters:
            continue
        last = parameters[-1]
        if points_to(types, last["type_id"]) == "bpf_prog_aux" and not last["name"].endswith(("__prog", "__ign")):
            refuse(f"kernel {release} has broken BTF: {name} shows its hidden argument (7.2.6 to 7.2.12 have this)")


def points_to(types: dict[int, dict[str, Any]], type_id: int) -> str:
    """Name of the type behind a pointer and its qualifiers."""
    entry = types.get(type_id, {})
    while entry.get("kind") in ("PTR", "CONST", "VOLATILE"):
        entry = types.get(entry["type_id"], {})
    return str(entry.get("name", ""))


def build_modules(release: str) -> None:
    folder = BUILD / "modules"
    folder.mkdir()
    names = OWN_MODULES + EXTRA_MODULES
    for name in names:
        shutil.copy(BUILD / f"guest/{name}.c", folder)
    (folder / "Makefile").write_text("".join(f"obj-m += {name}.o\n" for name in names))
    run(
        "make",
        "-C",
        f"/lib/modules/{release}/build",
        f"M={folder}",
        "CONFIG_DEBUG_INFO_BTF_MODULES=",
        "modules",
        env=os.environ
        | {"KBUILD_BUILD_TIMESTAMP": f"@{EPOCH}", "KBUILD_BUILD_USER": "gym", "KBUILD_BUILD_HOST": "gym"},
    )
    for name in names:
        run("strip", "--strip-debug", folder / f"{name}.ko")
    target = Path("/usr/lib/schedcp")
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "stop_here.ko", target)
    (OUT / "extras").mkdir()
    for name in EXTRA_MODULES:
        shutil.copy(folder / f"{name}.ko", OUT / "extras")


def module_files(release: str) -> list[Path]:
    """The modules the root file system needs, in the order of loading."""
    files: list[Path] = []
    for module in MODULES:
        for line in run("modprobe", "-S", release, "--show-depends", module).splitlines():
            path = Path(line.split()[1])
            if line.startswith("insmod") and path not in files:
                files.append(path)
    return files


def unpacked_module(path: Path) -> bytes:
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout
    return path.read_bytes()


def cpio_entry(name: str, mode: int, data: bytes, inode: int, device: tuple[int, int] = (0, 0)) -> bytes:
    """One entry of a "newc" archive (kernel: Documentation/driver-api/early-userspace/buffer-format.rst)."""
    encoded = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, int(EPOCH), len(data), 0, 0, *device, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def write_initrd(release: str) -> None:
    run("gcc", "-O2", "-Wall", "-Wextra", "-static", "-o", BUILD / "init", BUILD / "guest/init.c")
    run("strip", BUILD / "init")
    entries = [(name, stat.S_IFDIR | 0o755, b"") for name in ("dev", "proc", "sys", "root", "modules")]
    entries.append(("init", stat.S_IFREG | 0o755, (BUILD / "init").read_bytes()))
    idle_spin = (BUILD / "modules/idle_spin.ko").read_bytes()
    entries.append(("modules/idle_spin.ko", stat.S_IFREG | 0o644, idle_spin))
    order = []
    for path in module_files(release):
        name = path.name.split(".ko")[0] + ".ko"
        order.append(name)
        entries.append((f"modules/{name}", stat.S_IFREG | 0o644, unpacked_module(path)))
    entries.append(("modules/order", stat.S_IFREG | 0o644, "".join(f"{name}\n" for name in order).encode()))
    packed = [cpio_entry(*entry, inode=number) for number, entry in enumerate(entries, 1)]
    packed.insert(1, cpio_entry("dev/console", stat.S_IFCHR | 0o600, b"", len(entries) + 1, (5, 1)))
    (OUT / "initrd.cpio").write_bytes(b"".join(packed) + cpio_entry("TRAILER!!!", 0, b"", 0))


def build_guest_programs() -> None:
    for name in ("loader", "tracer", "battery"):
        run("make", "-C", BUILD / name, "install", "DESTDIR=/")
    run("make", "-C", BUILD / "topology")
    shutil.copy(BUILD / "topology/topology-battery", OUT / "extras")
    for folder in sorted(path.parent for path in (BUILD / "workloads").glob("*/Makefile")):
        run("make", "-C", folder, "install", f"DESTDIR=/opt/workloads/{folder.name}")


def compile_python() -> None:
    """Byte code for the library: the guest's root is read-only, so Python would compile it anew at every start."""
    library = Path(f"/usr/lib/python3.{sys.version_info.minor}")
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    for folder in (library, Path("/usr/lib/python3/dist-packages")):
        run(sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", folder, env=environment)


def export_headers(vmlinux: Path) -> None:
    include = OUT / "include"
    include.mkdir()
    with (include / "vmlinux.h").open("w") as target:
        subprocess.run(["bpftool", "btf", "dump", "file", vmlinux, "format", "c"], stdout=target, check=True)
    shutil.copytree("/usr/include/bpf", include / "bpf")


def tidy() -> None:
    """Removes what differs from build to build or is never used in the guest.

    /tmp and /run are left alone: they are not packed, and mmdebstrap keeps files there that it still needs.
    """
    for pattern in (
        "var/log/**/*",
        "var/cache/**/*",
        "var/lib/apt/**/*",
        "boot/*",
        "etc/machine-id",
        "etc/resolv.conf",
        "etc/hostname",
        "usr/share/doc/**/*",
        "var/lib/dpkg/*-old",
        "**/__pycache__",
    ):
        for path in sorted(Path("/").glob(pattern), reverse=True):
            if path.parts[1] in ("proc", "sys", "dev", "build"):
                continue
            if path.is_dir() and not path.is_symlink():
                if path.name == "__pycache__":
                    shutil.rmtree(path)
            else:
                path.unlink()
    for name in ("job", "result"):
        Path("/", name).mkdir(exist_ok=True)
    Path("/etc/machine-id").write_text("5c8edc90000000000000000000000001\n")
    Path("/etc/hostname").write_text("gym\n")


def pack_root() -> None:
    run(
        "mkfs.erofs",
        "-T",
        EPOCH,
        "-U",
        UUID,
        "-x-1",
        "--all-root",  # mounted over while we pack, /proc and /sys belong to nobody in a user namespace
        "--quiet",
        "--exclude-regex=^(proc|sys|dev|run|tmp|build)/.*",
        "--exclude-path=build",
        OUT / "root.erofs",
        "/",
    )
    size = (OUT / "root.erofs").stat().st_size
    os.truncate(OUT / "root.erofs", -(-size // ALIGNMENT) * ALIGNMENT)


def packages() -> dict[str, str]:
    listed = run("dpkg-query", "-W", "-f", "${Package}\t${Version}\n")
    return dict(line.split("\t") for line in listed.splitlines())


def main() -> None:
    OUT.mkdir()
    step("checking the kernel")
    release = find_release()
    vmlinux = extract_vmlinux(Path(f"/boot/vmlinuz-{release}"))
    check_kernel(vmlinux, release)
    step("compiling guest programs and workloads")
    build_modules(release)
    build_guest_programs()
    export_headers(vmlinux)
    write_initrd(release)
    installed = packages()
    compiler = re.search(r"\S+$", run("gcc", "--version").splitlines()[0])
    step("packing the root file system")
    tidy()
    compile_python()
    pack_root()
    info = {"kernel": release, "gcc": compiler.group() if compiler else "", "packages": installed}
    (OUT / "guest.json").write_text(json.dumps(info, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
