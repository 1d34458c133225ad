"""``schedcp-gym image``: the image that machines boot."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from schedcp_gym.cli.options import JsonOption, KernelOption
from schedcp_gym.spec import SchedcpError

if TYPE_CHECKING:
    from schedcp_gym.machine.image import Image

image_app = typer.Typer(help="The image that machines boot.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(image_app, name="image")


@image_app.command("build", epilog="Example: [bold]schedcp-gym image build[/bold]")
def image_build(
    kernel: KernelOption = "debian",
    rebuild: Annotated[bool, typer.Option(help="Build it again even if it is there.")] = False,
) -> None:
    """Build the image, unless it is there: one or two minutes, 1 GB."""
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
        raise SchedcpError(f"the image is damaged ({reason}): `schedcp-gym image build` makes it anew") from None
    if image is None:
        raise SchedcpError("the image is not built: `schedcp-gym image build`")
    return image


@image_app.command("gc")
def image_gc(kernel: KernelOption = "debian") -> None:
    """Delete all cached images but this kernel's current one, and all snapshots."""
    from schedcp_gym.machine.image.store import remove_others

    print(f"freed {remove_others(_built_image(kernel)) / 2**20:.0f} MiB")


@image_app.command("info")
def image_info(kernel: KernelOption = "debian", as_json: JsonOption = False) -> None:
    """Print the image's versions and digests."""
    image = _built_image(kernel)
    if as_json:
        print(json.dumps({"folder": str(image.folder), "bytes": image.size_bytes, **image.info}, indent=1))
        return
    _print_pairs(
        {
            "digest": image.digest,
            "folder": image.folder,
            "size": f"{image.size_bytes / 2**20:.0f} MiB",
            "kernel": image.kernel,
            "gcc": image.info["gcc"],
            **{name: f"sha256 {entry['sha256']}" for name, entry in sorted(image.info["files"].items())},
            **{f"package {name}": version for name, version in sorted(image.info["packages"].items())},
        }
    )


def _print_pairs(pairs: dict[str, object]) -> None:
    width = max(map(len, pairs))
    for name, value in pairs.items():
        print(f"{name:<{width}}  {value}")
