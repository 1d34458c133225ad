"""Build an image with mmdebstrap; guest/build.py runs inside of it."""

import os
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path

from schedcp_gym.machine.image.inputs import BACKPORTS, SUITE, UNSTABLE, ImageInputs
from schedcp_gym.spec import BadInput, MissingTool, SchedcpError

#: Times in the image lie before the guest's clock (-rtc base): make rebuilds what lies in the future.
SOURCE_DATE_EPOCH = 1735689600  # 2025-01-01
#: Free bytes a build needs where temporary files go.
SPACE_NEEDED = 5 << 30
#: Keeps apt from taking anything from sid that it can have elsewhere.
PREFERENCES = Path(__file__).with_name("sid.pref")
#: "I: …" lines a build prints, counted, so that progress can be shown.
STEPS = 14

Progress = Callable[[str, float], None]


class RefusedKernel(BadInput):
    """Raised for a kernel that can't run policies, or can't boot here; the text says why."""


def build(inputs: ImageInputs, target: Path, report: Progress) -> None:
    """Build an image into a folder that exists and is empty.

    Args:
        inputs: What to build.
        target: Receives vmlinux, initrd.cpio, root.erofs, include/, guest.json.
        report: Called with a step's text and the share done (0 to 1).

    Raises:
        MissingTool: mmdebstrap or space is missing.
        RefusedKernel: The kernel can't be used.
        SchedcpError: A package or a compile step failed; the text ends with the last lines printed.
    """
    if not shutil.which("mmdebstrap"):
        raise MissingTool("mmdebstrap is not installed: `sudo apt-get install mmdebstrap debian-archive-keyring`")
    work_root = Path(os.environ.get("TMPDIR", "/var/tmp"))
    if not work_root.is_dir():
        raise MissingTool(
            f"the folder for temporary files does not exist: set TMPDIR to one that does, not {work_root}"
        )
    for place in (work_root, target):
        free = shutil.disk_usage(place).free
        if free < SPACE_NEEDED:
            raise MissingTool(
                f"no space for the image: {free / 2**30:.1f} GiB free on {place}, {SPACE_NEEDED >> 30} GiB needed "
                "(set TMPDIR and SCHEDCP_CACHE to move it elsewhere)"
            )
    with tempfile.TemporaryDirectory(prefix="schedcp-image-", dir=work_root) as work:
        stage = Path(work, "build")
        stage.mkdir()
        inputs.stage(stage)
        out = Path(work, "out")
        out.mkdir()
        Path(work).chmod(0o755)
        _bootstrap(inputs, stage, out, Path(work), report)
        built = out / "out"
        if (built / "refused").exists():
            raise RefusedKernel((built / "refused").read_text().strip())
        for path in sorted(built.iterdir()):
            shutil.move(path, target / path.name)
    report("done", 1.0)


def command_line(inputs: ImageInputs, stage: Path, out: Path, mirror: str) -> list[str]:
    """Return the mmdebstrap call that builds an image."""
    mode = "root" if os.geteuid() == 0 else "unshare"
    install_kernel = "true"
    if inputs.kernel.files:
        install = f"apt-get install -y --no-install-recommends -t {BACKPORTS} /build/kernel/*.deb"
        install_kernel = f'chroot "$1" sh -c "{install}"'
    pin, sources = [], [f"deb {mirror} {suite} main" for suite in (SUITE, BACKPORTS)]
    if inputs.unstable:
        pin = [f'--setup-hook=install -D -m 644 "{PREFERENCES}" "$1/etc/apt/preferences.d/sid.pref"']
        # sid is signed for a week only; a mirror that stands still for longer is as good for one named release.
        sources.append(f"deb [check-valid-until=no] {mirror} {UNSTABLE} main")
    return [
        "mmdebstrap",
        "--variant=apt",
        f"--mode={mode}",
        "--format=null",
        # Nothing is kept but what was copied out; and apt must not run once build.py has emptied its folders.
        "--skip=cleanup",
        '--aptopt=Apt::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("man", "locale", "doc", "info", "lintian")),
        *pin,
        f"--include={','.join(inputs.packages)}",
        f'--customize-hook=copy-in "{stage}" /',
        f"--customize-hook={install_kernel}",
        '--customize-hook=chroot "$1" python3 -B /build/guest/build.py || test -e "$1/build/out/refused"',
        f'--customize-hook=copy-out /build/out "{out}"',
        SUITE,
        "/dev/null",
        *sources,
    ]


def _bootstrap(inputs: ImageInputs, stage: Path, out: Path, scratch: Path, report: Progress) -> None:
    mirror = os.environ.get("SCHEDCP_MIRROR", "http://deb.debian.org/debian")
    environment = os.environ | {
        "SOURCE_DATE_EPOCH": str(SOURCE_DATE_EPOCH),
        "INITRD": "No",
        "TMPDIR": str(scratch),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }
    tail: deque[str] = deque(maxlen=30)
    steps = 0
    process = subprocess.Popen(
        command_line(inputs, stage, out, mirror),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            tail.append(line.rstrip())
            if line.startswith("I: "):
                steps += 1
                # Lines about mmdebstrap's own workings count, but are no news to anyone.
                if not line.startswith(("I: running special", "I: running --", "I: using", "I: finding", "I: chroot")):
                    report(line[3:].strip(), min(steps / STEPS, 0.99))
        status = process.wait()
    finally:
        if process.poll() is None:  # Ctrl-C: mmdebstrap removes its own folder on SIGTERM
            process.terminate()
            process.wait()
    if status:
        raise SchedcpError("the image could not be built; mmdebstrap's last lines:\n" + "\n".join(tail))
