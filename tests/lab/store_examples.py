"""Trials and measurements for the store's tests, made from real ones."""

import dataclasses
import functools
import hashlib

from schedcp_gym.lab import catalogue
from schedcp_gym.spec import Measurement, Outcome, Trial

MEASUREMENT = Measurement(
    trial="0" * 64,
    outcome=Outcome.OK,
    metrics={"p99_request_us": 2938.2730000000001, "tiny": 5e-324, "third": 1 / 3},
    events={"SCX_EV": 2**60 + 1},
    utilisation=0.987654,
    cpu_s_by_name={"ümlaut": 1.5, "a": 0.0},
    timings_s={"total": 3.2},
    job_s=1.234567891,
    digests={"image": "i" * 64},
    message="m",
    log="line\nline\t\u2028 \x00",
)


@functools.cache
def workload(name="schbench"):
    return catalogue.load_workload(name)


@functools.cache
def policy(name="fifo", **tunables):
    return catalogue.load_policy(name, tunables)


def trial(seed=0, name="fifo", on="schbench", **tunables):
    return Trial(policy(name, **tunables), workload(on), seed=seed)


def key_of(one):
    return hashlib.sha256(one.digest.encode()).hexdigest()


def put(store, seed=0, measurement=MEASUREMENT, **how):
    """Stores a measurement of a trial; returns key and what is to come back."""
    one = trial(seed, **how)
    measured = dataclasses.replace(measurement, trial=one.digest)
    store.write(key_of(one), one, measured)
    return key_of(one), dataclasses.replace(measured, cached=True)
