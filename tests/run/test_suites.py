"""Each suite's settings are ones that a run takes, and its workloads exist."""

import pytest
from hydra import compose
from omegaconf import OmegaConf

from schedcp_gym.lab import catalogue
from schedcp_gym.paths import CONFIGS
from schedcp_gym.run.app import main
from schedcp_gym.run.configs import open_configs
from schedcp_gym.run.heldout import variant_workloads
from schedcp_gym.run.settings import HeldOut, read_settings
from schedcp_gym.spec import BadInput

SUITES = sorted(path.stem for path in (CONFIGS / "suite").glob("*.yaml"))


@pytest.mark.parametrize("name", SUITES)
def test_suite_is_sound(name):
    with open_configs():
        config = compose("config", ["+agent=eevdf", f"suite={name}"], return_hydra_config=True)
    params = config.hydra.sweeper.params
    assert config.hydra.sweep.dir == f"runs/suite_{name}"
    own = {key: config[key] for key in ("workload", "machine", "llm", "scale", "budget", "heldout", "seed")}
    settings = read_settings(OmegaConf.to_container(OmegaConf.create(own), resolve=True))
    assert settings.heldout.seeds >= 3
    for workload in params.workload.split(","):
        if workload != "glob(*)":
            catalogue.load_workload(workload)
    variants = [one for name in settings.heldout.variants for one in variants_of(name, settings)]
    assert variants
    assert not {one.name for one in variants} & set(catalogue.workload_names())


def variants_of(name, settings):
    return variant_workloads(catalogue.load_workload(name), settings.heldout)


def test_variants_that_are_none_are_told():
    schbench = catalogue.load_workload("schbench")
    assert variant_workloads(schbench, HeldOut(variants={"longtail": {"x": {"jobs": 3}}})) == []
    with pytest.raises(BadInput, match="did you mean threads"):
        variant_workloads(schbench, HeldOut(variants={"schbench": {"x": {"treads": 3}}}))
    with pytest.raises(BadInput, match="agents can see"):
        variant_workloads(schbench, HeldOut(variants={"schbench": {"4x2": {"threads": 3}}}))


def test_a_suite_is_no_single_run(capsys):
    assert main(["+agent=eevdf", "suite=smoke"]) == 2
    assert "add -m" in capsys.readouterr().err


def test_a_run_that_fails_does_not_end_the_sweep(capsys, tmp_path):
    words = ["-m", "+agent=eevdf,random_search", "machine.cpus=0,99", f"hydra.sweep.dir={tmp_path}"]
    assert main(words) == 2
    told = capsys.readouterr().err.splitlines()
    assert sum(line.startswith("machine.cpus: ") for line in told) == 4 + 2  # as it happens, and once more at the end
    assert sum(line.startswith("failed: 2 runs (") for line in told) == 2
