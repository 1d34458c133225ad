"""Hydra's configurations: the files of ``configs/``, and one for each workload that is found."""

from collections.abc import Iterator
from contextlib import contextmanager

from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore

from schedcp_gym.paths import CONFIGS, workload_declarations


def offer_workloads() -> None:
    """Make ``workload=NAME`` known to Hydra for every workload, so that none needs a file of its own."""
    store = ConfigStore.instance()
    for name in workload_declarations():
        store.store(group="workload", name=name, node={"name": name})


@contextmanager
def open_configs() -> Iterator[None]:
    """Let ``hydra.compose`` find the configurations until the block ends.

    Example:
        >>> with open_configs():
        ...     config = hydra.compose("config", ["+agent=tpe", "workload=longtail"])
    """
    offer_workloads()
    with initialize_config_dir(str(CONFIGS.resolve()), version_base="1.3"):
        yield
