"""Machines: topologies, costs, and impossible shapes."""

import pytest
from pydantic import ValidationError

from schedcp_gym.lab.catalogue import load_machine, machine_names
from schedcp_gym.machine.models import turn_parameters
from schedcp_gym.machine.qemu import clock_shift
from schedcp_gym.spec import BadInput, CacheModel, MachineSpec, Topology

SHAPES = {"llc": (1, 2, 4, 1), "smt": (1, 1, 4, 2), "numa": (2, 1, 4, 1), "large": (1, 4, 4, 1)}


@pytest.mark.parametrize("name", SHAPES)
def test_presets(name):
    machine = load_machine(name)
    assert machine.shape == Topology(*SHAPES[name])
    assert machine.cpus == machine.shape.cpus
    assert machine.cache_model == CacheModel()
    assert machine.title == name


def test_the_two_cpu_machine_is_as_it_was():
    virtual = load_machine("virtual")
    assert (virtual.cpus, virtual.topology, virtual.cache_model) == (2, "", None)
    assert clock_shift(virtual) == 1


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"topology": "1x2x4"}, "NODESxLLCSxCORESxTHREADS"),
        ({"topology": "0x1x4x1"}, "must be 1 or more"),
        ({"topology": "1x1x4x4"}, "a core has 1 or 2 threads"),
        ({"topology": "4x4x4x1"}, "64 CPUs; a machine has 16 at most"),
        ({"topology": "1x2x4x1", "cpus": 4}, "leave cpus out"),
        ({"topology": "1x2x4x1", "clock": "real"}, "needs the virtual clock"),
        ({"topology": "8x1x2x1"}, "8 nodes need 2048 MiB"),
        ({"cache_model": True}, "without a topology has no caches"),
        ({"topology": "1x2x4x1", "cache_model": {"l2_kib": 1}}, "l2_kib"),
    ],
)
def test_an_impossible_machine_is_refused_with_the_reason(given, why):
    with pytest.raises(ValidationError, match=why):
        MachineSpec(**given)


def test_machines_by_shape_file_and_name(tmp_path):
    assert load_machine("2x1x4x2").cpus == 16
    mine = tmp_path / "mine.yaml"
    mine.write_text("topology: 1x2x2x1\ncache_model: {llc_kib: 8192}\n")
    machine = load_machine(str(mine))
    assert (machine.title, machine.cache_model.llc_kib) == ("mine", 8192)
    assert load_machine("llc", cache_model=False).cache_model is None
    for bad, why in (("lcl", "did you mean llc"), ("1x9x9x9", "machine 1x9x9x9"), ("no.yaml", "no machine file")):
        with pytest.raises(BadInput, match=why):
            load_machine(bad)
    assert {"virtual", "real", *SHAPES} <= set(machine_names())


@pytest.mark.parametrize(("shape", "speed"), [("1x1x1x1", 125), ("1x1x4x1", 125), ("1x2x4x1", 125), ("1x4x4x1", 62.5)])
def test_each_cpu_runs_125_million_instructions_a_second_up_to_eight(shape, speed):
    machine = load_machine(shape)
    assert 1000 / 2 ** clock_shift(machine) / machine.cpus == speed


def test_the_cpu_that_conducts_comes_after_the_kernels():
    assert turn_parameters(load_machine("llc"))["conductor"] == 2 << 2
    assert turn_parameters(load_machine("smt"))["conductor"] == 1 << 3
    assert turn_parameters(load_machine("numa"))["conductor"] == 2 << 2
    assert turn_parameters(load_machine("1x3x3x1"))["conductor"] == 3 << 2
