"""The commands ``schedcp-gym image``: build and inspect the image that machines boot."""

from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli import options
from schedcp_gym.spec import SchedcpError

if TYPE_CHECKING:
    from schedcp_gym.machine.image import Image

group = options.group_of("image", "Build and inspect the image that machines boot.")


@options.command("schedcp-gym image build", "schedcp-gym image build --rebuild", group=group)
def build(
    kernel: options.KernelOption = "debian",
    rebuild: Annotated[bool, typer.Option(help="Build it again even if it exists.")] = False,
) -> None:
    """Build the image if it is missing. This takes one or two minutes and 1 GB."""
    from schedcp_gym import ui
    from schedcp_gym.lab.catalogue import image_inputs
    from schedcp_gym.machine.image import ensure_image

    with ui.build_progress() as report:
        image = ensure_image(image_inputs(kernel), report, rebuild=rebuild)
    print(f"image {image.digest[:16]} · kernel {image.kernel} · {image.size_bytes / 2**20:.0f} MiB · {image.folder}")


def _built_image(kernel: str) -> "Image":
    from schedcp_gym.lab.catalogue import image_inputs
    from schedcp_gym.machine.image import find_image
    from schedcp_gym.machine.image.store import Damaged

    try:
        image = find_image(image_inputs(kernel))
    except Damaged as reason:
        raise SchedcpError(f"the image is damaged ({reason}): `schedcp-gym image build` builds it again") from None
    if image is None:
        raise SchedcpError("the image is not built: `schedcp-gym image build`")
    return image


@options.command("schedcp-gym image gc", group=group)
def gc(kernel: options.KernelOption = "debian") -> None:
    """Delete all cached images except this kernel's current one, and all snapshots."""
    from schedcp_gym.machine.image.store import remove_others

    print(f"freed {remove_others(_built_image(kernel)) / 2**20:.0f} MiB")


@options.command("schedcp-gym image info", "schedcp-gym image info --json", group=group)
def info(kernel: options.KernelOption = "debian", as_json: options.JsonOption = False) -> None:
    """Print the versions and digests of the image."""
    image = _built_image(kernel)
    if as_json:
        from schedcp_gym.printing import print_json

        print_json({"folder": image.folder, "bytes": image.size_bytes, **image.info})
        return
    facts = {
        "digest": image.digest,
        "folder": image.folder,
        "size": f"{image.size_bytes / 2**20:.0f} MiB",
        "kernel": image.kernel,
        "gcc": image.info["gcc"],
        **{name: f"sha256 {entry['sha256']}" for name, entry in sorted(image.info["files"].items())},
        **{f"package {name}": version for name, version in sorted(image.info["packages"].items())},
    }
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")
