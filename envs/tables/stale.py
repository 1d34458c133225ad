"""Changes since a table was recorded."""

from schedcp_gym.envs.tables.file import About
from schedcp_gym.lab import catalogue
from schedcp_gym.machine.image import find_image
from schedcp_gym.spec import SchedcpError, source_sha256


def changes(about: About) -> list[str]:
    """Return what has changed since the recording, in words: policies' sources, the workload's files, new policies."""
    today = {name: source_sha256(catalogue.load_policy(name).source) for name in catalogue.policy_names()}
    changed = [f"source of {name}" for name in about.sources if name in today and about.sources[name] != today[name]]
    if catalogue.load_workload(about.workload).digest != about.workload_digest:
        changed.append("files of the workload")
    changed += [f"{name} is not in it" for name in today if name not in about.sources]
    return changed


def another_image(about: About) -> list[str]:
    """Return ``["the image"]`` if this host's image differs from the table's; an empty list if it has no image."""
    try:
        image = find_image(catalogue.image_inputs(about.machine.kernel))
    except SchedcpError:
        return []  # the command that needs the image reports the error
    return ["the image"] if image and image.digest != about.digests["image"] else []
