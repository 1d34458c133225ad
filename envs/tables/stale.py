"""What has changed since a table was recorded."""

from schedcp_gym.envs.tables.file import About
from schedcp_gym.lab import catalogue
from schedcp_gym.machine.image import find_image
from schedcp_gym.spec import SchedcpError, source_sha256


def changes(about: About) -> list[str]:
    """What a table was recorded with that is another today: policies' sources, the workload's files."""
    today = {name: source_sha256(catalogue.load_policy(name).source) for name in catalogue.policy_names()}
    changed = [f"source of {name}" for name in about.sources if name in today and about.sources[name] != today[name]]
    if catalogue.load_workload(about.workload).digest != about.workload_digest:
        changed.append("files of the workload")
    changed += [f"{name} is not in it" for name in today if name not in about.sources]
    return changed


def another_image(about: About) -> list[str]:
    """Whether this host's image is another than the table's; a host that has none is told nothing."""
    try:
        image = find_image(catalogue.image_inputs(about.machine.kernel))
    except SchedcpError:
        return []  # what is wrong with it is told when it is needed
    return ["the image"] if image and image.digest != about.digests["image"] else []
